//! Access rules, checked for every entry of the route table, so that a new route cannot be
//! forgotten.

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_api::route::{Access, Endpoint};

use crate::service::{Answer, Client, Database, Service, endpoints, path};

const RANDOM_ID: &str = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";

/// Sends the request with a body that every route with a body accepts.
async fn send_to(client: &Client, endpoint: &Endpoint, id: &str) -> Answer {
    let method: Method = endpoint.method.as_str().parse().expect("a method");
    let takes_body = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    let body = takes_body.then(
        || json!({"title": "taken over", "completed": true, "text": "taken over", "after": null}),
    );
    client
        .send(method, &endpoint.path.replace("{id}", id), body)
        .await
}

fn owner_endpoints() -> Vec<Endpoint> {
    let mut endpoints = endpoints();
    endpoints.retain(|endpoint| endpoint.access != Access::Public);
    assert!(
        endpoints.len() >= 7,
        "the route table has the routes of tasks"
    );
    endpoints
}

fn task_endpoints() -> impl Iterator<Item = Endpoint> {
    owner_endpoints()
        .into_iter()
        .filter(|endpoint| endpoint.path.contains("{id}"))
}

fn is_read(endpoint: &Endpoint) -> bool {
    endpoint.method.is_safe()
}

/// Returns the parts of an answer that must be equal in two answers: everything but the ids and times of the request,
/// and the header `Connection`, which depends on how much of the body had arrived.
fn comparable(answer: &Answer) -> (u16, Value, Vec<(String, String)>) {
    let mut body = answer.body.clone();
    for member in ["instance", "timestamp", "request_id"] {
        body[member].take();
    }
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["connection", "date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").to_owned()))
        .collect();
    headers.sort();
    (answer.status, body, headers)
}

async fn unauthenticated_request_returns_401(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "hers"})).await;
    let id = task["id"].as_str().expect("an id");
    let anonymous = service.client_with(None);
    let forger = service.client_with(Some("no.such.token".to_owned()));
    for endpoint in owner_endpoints() {
        for client in [&anonymous, &forger] {
            let answer = send_to(client, &endpoint, id).await;
            answer.assert_problem(401, "UNAUTHORIZED");
            assert!(
                answer.header("www-authenticate").starts_with("Bearer "),
                "{answer:?}"
            );
        }
    }
    assert_eq!(alice.tasks().await, [task]);
}

async fn another_users_task_returns_404_or_403(database: Database) {
    let service = Service::start(&database).await;
    let (alice, bob) = (service.client("alice"), service.client("bob"));
    let task = alice.create(json!({"title": "hers alone"})).await;
    let id = task["id"].as_str().expect("an id");
    for endpoint in task_endpoints() {
        let answer = send_to(&bob, &endpoint, id).await;
        let absent = send_to(&bob, &endpoint, RANDOM_ID).await;
        absent.assert_problem(404, "NOT_FOUND");
        // In a trash of another user nothing is found, as in an empty one.
        if is_read(&endpoint) || endpoint.path.starts_with("/api/v1/trash") {
            answer.assert_problem(404, "NOT_FOUND");
            assert_eq!(
                comparable(&answer),
                comparable(&absent),
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

async fn list_routes_show_only_own_tasks(database: Database) {
    let service = Service::start(&database).await;
    let (alice, bob) = (service.client("alice"), service.client("bob"));
    alice.create(json!({"title": "hers alone"})).await;
    for endpoint in owner_endpoints()
        .iter()
        .filter(|endpoint| endpoint.path.starts_with("/api/v1/tasks"))
        .filter(|endpoint| !endpoint.path.contains("{id}"))
    {
        let answer = send_to(&bob, endpoint, "").await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
        let shown = answer.body.to_string();
        assert!(
            !shown.contains("hers alone") && !shown.contains("alice"),
            "{shown}"
        );
    }
}

async fn malformed_id_returns_404(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    for endpoint in task_endpoints() {
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
            let answer = send_to(&alice, &endpoint, id).await;
            assert_eq!(answer.status, 404, "{} {id}: {answer:?}", endpoint.path);
        }
    }
}

async fn body_cannot_set_owner_id_or_times(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let claims = json!({
        "title": "hers", "id": RANDOM_ID, "user_id": "bob",
        "created_at": "2000-01-01T00:00:00Z", "updated_at": "2000-01-01T00:00:00Z", "version": 99,
    });
    let task = alice.create(claims.clone()).await;
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
    unauthenticated_request_returns_401
    another_users_task_returns_404_or_403
    list_routes_show_only_own_tasks
    malformed_id_returns_404
    body_cannot_set_owner_id_or_times
}
