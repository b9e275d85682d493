//! Cases recorded from the original command-line app (the *console*), replayed over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_testkit::console::{Console, Operation, Outcome, Seen, recorded_cases, replay};

use crate::service::{Answer, Database, Service};

/// Replays a case over HTTP, as users of its own.
struct Http<'a> {
    service: &'a Service,
    case: &'a str,
}

impl Console for Http<'_> {
    async fn run(&self, owner: &str, operation: Operation) -> Outcome {
        let client = self.service.client(&format!("{}/{owner}", self.case));
        let (method, path, body) = request(operation);
        outcome(&client.send(method, &path, body).await)
    }
}

fn request(operation: Operation) -> (Method, String, Option<Value>) {
    let item = |id: &str| format!("/api/v1/tasks/{id}");
    let text = |title: String, description: Option<String>| match description {
        Some(description) => Some(json!({"title": title, "description": description})),
        None => Some(json!({"title": title})),
    };
    match operation {
        Operation::Add { title, description } => (
            Method::POST,
            "/api/v1/tasks".to_owned(),
            text(title, description),
        ),
        Operation::Update {
            id,
            title,
            description,
        } => (Method::PUT, item(&id), text(title, description)),
        Operation::Complete { id, completed } => (
            Method::PATCH,
            item(&id) + "/complete",
            Some(json!({"completed": completed})),
        ),
        Operation::Toggle { id } => (Method::PATCH, item(&id) + "/complete", None),
        Operation::Delete { id } => (Method::DELETE, item(&id), None),
        Operation::Get { id } => (Method::GET, item(&id), None),
        Operation::List => (Method::GET, "/api/v1/tasks".to_owned(), None),
    }
}

fn outcome(answer: &Answer) -> Outcome {
    match answer.status {
        200 | 201 => match &answer.body["tasks"] {
            Value::Array(tasks) => Outcome::Tasks(tasks.iter().map(seen).collect()),
            _ => Outcome::Task(seen(&answer.body["task"])),
        },
        204 => Outcome::Deleted,
        404 => {
            answer.assert_problem(404, "NOT_FOUND");
            Outcome::NotFound
        }
        _ => {
            answer.assert_problem(422, "VALIDATION_ERROR");
            let detail = answer.body["detail"].as_str().expect("a sentence");
            assert_eq!(answer.body["errors"][0]["message"], detail);
            Outcome::Refused(detail.to_owned())
        }
    }
}

fn seen(task: &Value) -> Seen {
    let text = |name: &str| task[name].as_str().expect(name).to_owned();
    Seen {
        id: text("id"),
        title: text("title"),
        description: text("description"),
        completed: task["completed"].as_bool().expect("a boolean"),
        created_at: text("created_at"),
        updated_at: text("updated_at"),
    }
}

async fn recorded_cases_end_as_on_the_console(database: Database) {
    let service = Service::start(&database).await;
    let (mut cases, mut steps) = (0, 0);
    for case in recorded_cases() {
        if case.user_id.is_empty() {
            continue;
        }
        let name = &case.name;
        steps += replay(
            &case,
            &Http {
                service: &service,
                case: name,
            },
        )
        .await;
        cases += 1;
    }
    assert_eq!((cases, steps), (249, 3886), "the recording is complete");
}

/// One recorded case has an owner without a name, whose token is invalid here.
async fn token_with_an_empty_subject_returns_401(database: Database) {
    let service = Service::start(&database).await;
    let nobody = service.client("");
    let mut cases = recorded_cases();
    cases.retain(|case| case.user_id.is_empty());
    assert_eq!(cases.len(), 1);
    for body in [
        json!({"title": "A"}),
        json!({"title": "", "description": "d"}),
    ] {
        nobody
            .post("/api/v1/tasks", body)
            .await
            .assert_problem(401, "UNAUTHORIZED");
    }
    nobody
        .get("/api/v1/tasks")
        .await
        .assert_problem(401, "UNAUTHORIZED");
}

on_both_stores! {
    recorded_cases_end_as_on_the_console
    token_with_an_empty_subject_returns_401
}
