//! Tests that generators of clients, linters and programs such as Postman can use the document.

use serde_json::Value;

use super::*;
use crate::routes::endpoints;
use crate::schema::MAX_EXACT_INTEGER;

fn rendered() -> Value {
    serde_json::to_value(document(&endpoints())).unwrap()
}

/// Calls a function with every object of the document and its JSON pointer, but not with what examples show.
fn each_object(value: &Value, pointer: &str, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            visit(pointer, value);
            for (name, member) in members {
                if name != "example" && name != "examples" {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    each_object(member, &format!("{pointer}/{name}"), visit);
                }
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                each_object(element, &format!("{pointer}/{index}"), visit);
            }
        }
        _ => {}
    }
}

fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    let paths = document["paths"].as_object().unwrap().values();
    paths.flat_map(|item| item.as_object().unwrap().values())
}

#[test]
fn pages_of_the_configured_origins_can_read_every_described_header() {
    let exposed = crate::cors::response_headers();
    for (name, _) in shared::headers() {
        // Browsers show a page no cookies and challenges.
        let is_hidden = name == "Set-Cookie" || name == "WWW-Authenticate";
        let is_exposed = exposed
            .iter()
            .any(|header| name.eq_ignore_ascii_case(header.as_str()));
        assert_ne!(is_exposed, is_hidden, "{name}");
    }
}

#[test]
fn every_component_is_used() {
    let document = rendered();
    let mut references = Vec::new();
    each_object(&document, "#", &mut |_, object| {
        references.extend(
            object
                .get("$ref")
                .and_then(Value::as_str)
                .map(str::to_owned),
        );
    });
    for (kind, components) in document["components"].as_object().unwrap() {
        if kind == "securitySchemes" {
            continue;
        }
        for name in components.as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(references.contains(&reference), "{reference} is not used");
        }
    }
}

/// Generators make no type, or one that cannot be used, of what depends on other members.
#[test]
fn schemas_are_plain_objects_lists_and_values() {
    each_object(&rendered(), "#", &mut |pointer, object| {
        for keyword in [
            "anyOf",
            "oneOf",
            "allOf",
            "not",
            "if",
            "dependentRequired",
            "nullable",
        ] {
            assert!(object.get(keyword).is_none(), "{pointer} has {keyword}");
        }
    });
}

/// Generators for Go make a function `NewTask` for a schema `Task`.
#[test]
fn no_schema_has_the_name_of_anothers_constructor() {
    let document = rendered();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in schemas.keys() {
        for prefix in ["New", "Nullable"] {
            assert!(
                !schemas.contains_key(&format!("{prefix}{name}")),
                "{prefix}{name}"
            );
        }
    }
}

/// openapi-typescript requires a member with a default, and others send the default with every request.
#[test]
fn nothing_has_a_default() {
    each_object(&rendered(), "#", &mut |pointer, object| {
        let is_value = object
            .get("default")
            .is_some_and(|value| !value.is_object());
        assert!(!is_value, "{pointer} has a default");
    });
}

#[test]
fn integers_have_the_format_that_holds_their_bounds() {
    let mut integers = 0;
    each_object(&rendered(), "#", &mut |pointer, object| {
        if object["type"] == "integer" {
            let max = object
                .get("maximum")
                .map_or(MAX_EXACT_INTEGER, |max| max.as_u64().unwrap());
            let largest = match object["format"].as_str() {
                Some("int32") => 1 << 31,
                Some("int64") => MAX_EXACT_INTEGER + 1,
                other => panic!("{pointer}: {other:?}"),
            };
            assert!(max < largest, "{pointer}: {max}");
            assert!(object["minimum"].as_u64().is_some(), "{pointer}");
            integers += 1;
        }
    });
    assert!(integers > 8, "{integers} integers");
}

#[test]
fn header_parameters_suggest_no_value() {
    let document = rendered();
    let parameters = document["components"]["parameters"].as_object().unwrap();
    let headers: Vec<_> = parameters
        .values()
        .filter(|parameter| parameter["in"] == "header")
        .collect();
    assert!(headers.len() > 3, "{headers:?}");
    for header in headers {
        for suggestion in ["example", "examples", "default", "pattern", "enum", "const"] {
            let is_there = header.get(suggestion).or(header["schema"].get(suggestion));
            assert_eq!(is_there, None, "{suggestion} of {}", header["name"]);
        }
    }
}

#[test]
fn server_is_where_the_document_is() {
    let document = rendered();
    let servers = document["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 1, "{servers:?}");
    assert_eq!(servers[0]["url"], "/");
}

#[test]
fn every_operation_says_what_it_does() {
    for operation in operations(&rendered()) {
        for member in ["operationId", "summary", "description"] {
            assert!(operation[member].is_string(), "{member} of {operation}");
        }
    }
}

#[test]
fn members_are_described_for_the_request_that_has_them() {
    let document = rendered();
    let text = |schema: &str, member: &str| {
        let member = &document["components"]["schemas"][schema]["properties"][member];
        member["description"].as_str().unwrap().to_owned()
    };
    for schema in ["TaskDraft", "TaskUpdate"] {
        assert!(
            text(schema, "description").contains("left out or null it is empty"),
            "{schema}"
        );
    }
    assert!(!text("TaskPatch", "description").contains("left out"));
    assert!(text("TaskDraft", "completed").contains("left out it is `false`"));
    assert!(text("TaskUpdate", "completed").contains("left out or null it stays"));
    assert!(!text("TaskPatch", "completed").contains("left out"));
}

/// A shared text about keys, tasks or logins would be wrong at operations without them.
#[test]
fn problems_are_described_for_the_operation_that_has_them() {
    let document = rendered();
    for operation in operations(&document) {
        let parameters = operation["parameters"].as_array();
        let takes_a_key = parameters.is_some_and(|parameters| {
            parameters
                .iter()
                .any(|parameter| parameter["$ref"] == "#/components/parameters/IdempotencyKey")
        });
        for (status, response) in operation["responses"].as_object().unwrap() {
            let shared = response["$ref"]
                .as_str()
                .and_then(|reference| document.pointer(&reference[1..]));
            let Some(text) = shared.map(|shared| shared["description"].as_str().unwrap()) else {
                continue;
            };
            let is_of_tasks = operation["tags"][0] == "tasks";
            let place = format!("{status} of {}: {text}", operation["operationId"]);
            assert!(is_of_tasks || !text.contains("task"), "{place}");
            assert!(!is_of_tasks || !text.contains("password"), "{place}");
            let is_of_a_key = text.contains("with this `Idempotency-Key`");
            assert!(takes_a_key || !is_of_a_key, "{place}");
        }
    }
}
