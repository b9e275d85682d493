//! Who may do what, asked of every row of the route table: a new route cannot be forgotten.

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_api::route::{Access, Endpoint};
use taskhold_api::routes::endpoints;

use crate::service::{Answer, Client, Database, Service, path};

const RANDOM_ID: &str = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";

/// A body that every route which takes one takes.
async fn ask(client: &Client, endpoint: &Endpoint, id: &str) -> Answer {
    let method: Method = endpoint.method.as_str().parse().expect("a method");
    let takes_body = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    let body = takes_body.then(|| json!({"title": "taken over", "completed": true}));
    client
        .send(method, &endpoint.path.replace("{id}", id), body)
        .await
}

fn owned() -> Vec<Endpoint> {
    let mut endpoints = endpoints();
    endpoints.retain(|endpoint| endpoint.access == Access::Owner);
    assert!(
        endpoints.len() >= 7,
        "the route table has the routes of tasks"
    );
    endpoints
}

fn about_one_task() -> impl Iterator<Item = Endpoint> {
    owned()
        .into_iter()
        .filter(|endpoint| endpoint.path.contains("{id}"))
}

fn is_reading(endpoint: &Endpoint) -> bool {
    endpoint.method.is_safe()
}

/// What must not differ between two answers: all but the occurrence.
fn substance(answer: &Answer) -> (u16, Value, Vec<(String, String)>) {
    let mut body = answer.body.clone();
    for member in ["instance", "timestamp", "request_id"] {
        body[member].take();
    }
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").to_owned()))
        .collect();
    headers.sort();
    (answer.status, body, headers)
}

async fn no_one_gets_anywhere(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.created(json!({"title": "hers"})).await;
    let id = task["id"].as_str().expect("an id");
    let no_one = service.client_with(None);
    let forger = service.client_with(Some("no.such.token".to_owned()));
    for endpoint in owned() {
        for client in [&no_one, &forger] {
            let answer = ask(client, &endpoint, id).await;
            answer.assert_problem(401, "UNAUTHORIZED");
            assert!(
                answer.header("www-authenticate").starts_with("Bearer "),
                "{answer:?}"
            );
        }
    }
    assert_eq!(alice.tasks().await, [task]);
}

async fn anothers_task_cannot_be_read_or_changed(database: Database) {
    let service = Service::start(&database).await;
    let (alice, bob) = (service.client("alice"), service.client("bob"));
    let task = alice.created(json!({"title": "hers alone"})).await;
    let id = task["id"].as_str().expect("an id");
    for endpoint in about_one_task() {
        let answer = ask(&bob, &endpoint, id).await;
        let absent = ask(&bob, &endpoint, RANDOM_ID).await;
        absent.assert_problem(404, "NOT_FOUND");
        if is_reading(&endpoint) {
            answer.assert_problem(404, "NOT_FOUND");
            assert_eq!(
                substance(&answer),
                substance(&absent),
                "{} {}",
                endpoint.method,
                endpoint.path
            );
        } else {
            answer.assert_problem(403, "FORBIDDEN");
            assert!(!answer.body.to_string().contains("alice"), "{answer:?}");
        }
        assert_eq!(
            alice.tasks().await,
            std::slice::from_ref(&task),
            "{} {}",
            endpoint.method,
            endpoint.path
        );
    }
}

async fn what_is_about_all_tasks_shows_only_ones_own(database: Database) {
    let service = Service::start(&database).await;
    let (alice, bob) = (service.client("alice"), service.client("bob"));
    alice.created(json!({"title": "hers alone"})).await;
    for endpoint in owned()
        .iter()
        .filter(|endpoint| endpoint.path.starts_with("/api/v1/tasks"))
        .filter(|endpoint| !endpoint.path.contains("{id}"))
    {
        let answer = ask(&bob, endpoint, "").await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
        let shown = answer.body.to_string();
        assert!(
            !shown.contains("hers alone") && !shown.contains("alice"),
            "{shown}"
        );
    }
}

async fn a_malformed_id_is_the_id_of_no_task(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    for endpoint in about_one_task() {
        for id in [
            "1",
            "x",
            "%00",
            "%FF",
            "01928f6e5c3a7d208b1f0a1b2c3d4e5f",
            &"9".repeat(1000),
            "..",
            "%2e%2e",
        ] {
            let answer = ask(&alice, &endpoint, id).await;
            assert_eq!(answer.status, 404, "{} {id}: {answer:?}", endpoint.path);
        }
    }
}

async fn a_body_cannot_choose_owner_id_or_times(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let claims = json!({
        "title": "hers", "id": RANDOM_ID, "user_id": "bob",
        "created_at": "2000-01-01T00:00:00Z", "updated_at": "2000-01-01T00:00:00Z", "version": 99,
    });
    let task = alice.created(claims.clone()).await;
    assert_ne!(task["id"], RANDOM_ID);
    assert_eq!(task["user_id"], "alice");
    assert!(task["created_at"].as_str() > Some("2026"), "{task}");
    let path = path(&task);
    for method in [Method::PUT, Method::PATCH] {
        let answer = alice.send(method, &path, Some(claims.clone())).await;
        assert_eq!(answer.status, 200);
        let changed = &answer.body["task"];
        for member in ["id", "user_id", "created_at"] {
            assert_eq!(changed[member], task[member]);
        }
        assert!(changed["updated_at"].as_str() > task["updated_at"].as_str());
    }
    assert_eq!(service.client("bob").tasks().await, [] as [Value; 0]);
}

on_both_stores! {
    no_one_gets_anywhere
    anothers_task_cannot_be_read_or_changed
    what_is_about_all_tasks_shows_only_ones_own
    a_malformed_id_is_the_id_of_no_task
    a_body_cannot_choose_owner_id_or_times
}
