use std::collections::BTreeSet;

use serde_json::Value;
use taskhold_application::tasks::IdempotencyKey;
use taskhold_domain::account::{DisplayName, Email, Password};
use taskhold_domain::task::{Description, Details, Task, TaskDraft, TaskId, Title};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

use super::*;
use crate::problem::Kind;
use crate::schema::WITHOUT_NUL;
use crate::tasks::{MAX_LIMIT, task_json};

fn rendered() -> Value {
    serde_json::to_value(openapi::document(&endpoints())).unwrap()
}

/// Returns the method and path of every operation, with the operation.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter()
            .map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    });
    operations.collect()
}

#[test]
fn document_is_openapi_3_1_with_exactly_the_routes() {
    let document = rendered();
    assert_eq!(document["openapi"], "3.1.0");
    let described: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    let routed: BTreeSet<_> = endpoints()
        .iter()
        .map(|endpoint| (endpoint.method.to_string(), endpoint.path.clone()))
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn files_are_not_described() {
    let file = Endpoint::file("/file.js", || web::to(HttpResponse::Ok));
    let table = with_further(vec![file, redirect_to_docs()]);
    let paths = openapi::document(&table).paths.paths;
    assert!(!paths.contains_key("/file.js"));
    assert!(paths.contains_key("/"));
    let described = rendered()["paths"].as_object().unwrap().len();
    assert_eq!(paths.len(), described + 1);
}

#[test]
fn operations_require_a_token_as_the_route_table_says() {
    let document = rendered();
    for (method, path, operation) in operations(&document) {
        let endpoints = endpoints();
        let mut of_path = endpoints.iter().filter(|endpoint| endpoint.path == path);
        let endpoint = of_path.find(|endpoint| endpoint.method.as_str() == method);
        let expected = match endpoint.unwrap().access {
            Access::Public => serde_json::json!([]),
            // A refresh token does instead.
            Access::Account if path == "/api/auth/logout" => {
                serde_json::json!([{}, {"bearer": []}])
            }
            Access::Read | Access::Write | Access::Account => serde_json::json!([{"bearer": []}]),
        };
        assert_eq!(operation["security"], expected, "{method} {path}");
        let is_refused = operation["responses"].get("401").is_some();
        assert!(
            is_refused || expected == serde_json::json!([]),
            "{method} {path}"
        );
    }
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
}

#[test]
fn documented_limits_equal_the_domains() {
    let document = rendered();
    let components = &document["components"];
    let bounds = |schema: &str, member: &str| {
        let member = &components["schemas"][schema]["properties"][member];
        let bound = |name: &str| {
            member[name]
                .as_u64()
                .map(|bound| usize::try_from(bound).unwrap())
        };
        (bound("minLength"), bound("maxLength"))
    };
    let pattern = |schema: &str, member: &str| {
        &components["schemas"][schema]["properties"][member]["pattern"]
    };
    for schema in [
        "Task",
        "TaskDraft",
        "TaskUpdate",
        "TaskPatch",
        "ExportedTask",
    ] {
        let (title, description) = (bounds(schema, "title"), bounds(schema, "description"));
        assert_eq!(title, (Some(1), Some(Title::MAX_CHARS)), "{schema}");
        assert_eq!(
            description,
            (None, Some(Description::MAX_CHARS)),
            "{schema}"
        );
        for member in ["title", "description"] {
            assert_eq!(pattern(schema, member), WITHOUT_NUL, "{schema} {member}");
        }
    }
    for (schema, member) in [
        ("Task", "user_id"),
        ("User", "id"),
        ("Registration", "name"),
    ] {
        assert_eq!(pattern(schema, member), WITHOUT_NUL, "{schema} {member}");
    }
    for (schema, member, expected) in [
        ("Task", "user_id", (Some(1), Some(UserId::MAX_CHARS))),
        ("User", "id", (Some(1), Some(UserId::MAX_CHARS))),
        ("Registration", "email", (None, Some(Email::MAX_CHARS))),
        (
            "Registration",
            "name",
            (Some(1), Some(DisplayName::MAX_CHARS)),
        ),
        (
            "Registration",
            "password",
            (Some(Password::MIN_CHARS), Some(Password::MAX_CHARS)),
        ),
        (
            "PasswordChange",
            "new_password",
            (Some(Password::MIN_CHARS), Some(Password::MAX_CHARS)),
        ),
    ] {
        assert_eq!(bounds(schema, member), expected, "{schema} {member}");
    }
    let key = &components["parameters"]["IdempotencyKey"]["schema"];
    assert_eq!(key["maxLength"], IdempotencyKey::MAX_CHARS);
    let list = document["paths"]["/api/v1/tasks"]["get"]["parameters"]
        .as_array()
        .unwrap();
    let limit = list
        .iter()
        .find(|parameter| parameter["name"] == "limit")
        .unwrap();
    assert_eq!(limit["schema"]["maximum"], MAX_LIMIT);
}

#[test]
fn written_task_has_the_documented_members() {
    let draft = TaskDraft {
        title: Title::parse("x").unwrap(),
        description: Description::default(),
        completed: false,
        details: Details::default(),
    };
    let now = Timestamp::from_micros(0).unwrap();
    let owner = UserId::parse("anna").unwrap();
    let task = Task::create(TaskId::from_uuid(Uuid::nil()), owner, draft, now);
    let written = task_json(&task).unwrap();
    let written: Value = serde_json::from_str(written.get()).unwrap();
    let written: BTreeSet<_> = written.as_object().unwrap().keys().cloned().collect();
    let document = rendered();
    let schema = &document["components"]["schemas"]["Task"];
    let described: BTreeSet<_> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(described, written);
    let required = schema["required"].as_array().unwrap();
    assert_eq!(required.len(), written.len());
}

#[test]
fn every_kind_of_problem_is_documented_with_its_status() {
    let document = rendered();
    let schemas = &document["components"]["schemas"];
    let codes = schemas["Problem"]["properties"]["error_code"]["examples"]
        .as_array()
        .unwrap();
    let responses = document["components"]["responses"].as_object().unwrap();
    for kind in Kind::ALL {
        let code = kind.names().0;
        assert!(codes.contains(&code.into()), "{code}");
        let quoted = format!("`{code}`");
        let documented = responses.values().find(|response| {
            let description = response["description"].as_str().unwrap();
            description.starts_with(&quoted)
        });
        let Some(documented) = documented else {
            // No operation is of a method that its path does not have.
            assert_eq!(kind, Kind::MethodNotAllowed);
            let about = document["info"]["description"].as_str().unwrap();
            assert!(about.contains(&quoted), "{about}");
            continue;
        };
        let example = &documented["content"]["application/problem+json"]["example"];
        assert_eq!(example["status"], kind.status().as_u16(), "{code}");
    }
}

#[test]
fn references_resolve_and_operation_ids_are_unique() {
    let document = rendered();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 100, "{} references", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut names = BTreeSet::new();
    for (_, _, operation) in operations(&document) {
        assert!(
            names.insert(operation["operationId"].to_string()),
            "{}",
            operation["operationId"]
        );
    }
    let links = &document["paths"]["/api/v1/tasks"]["post"]["responses"]["201"]["links"];
    for link in links.as_object().unwrap().values() {
        assert!(names.contains(&link["operationId"].to_string()), "{link}");
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str));
            for member in members.values() {
                collect(member, references);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                collect(element, references);
            }
        }
        _ => {}
    }
}

#[test]
fn rows_of_a_path_are_adjacent_and_methods_are_unique() {
    let endpoints = endpoints();
    let mut paths: Vec<_> = endpoints
        .chunk_by(|one, next| one.path == next.path)
        .map(|rows| &rows[0].path)
        .collect();
    let groups = paths.len();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), groups);
    for (index, endpoint) in endpoints.iter().enumerate() {
        let again =
            |other: &&Endpoint| other.path == endpoint.path && other.method == endpoint.method;
        assert_eq!(
            endpoints.iter().position(|other| again(&other)),
            Some(index)
        );
    }
}
