//! Unknown query parameters, on every entry of the route table.

use reqwest::Method;
use serde_json::json;
use taskhold_api::route::{Access, Endpoint};

use crate::service::{Answer, Client, Database, Service, TASKS, endpoints};

const RANDOM_ID: &str = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";

/// Sends a request to an endpoint with this query and a body that tasks accept.
async fn ask(client: &Client, method: Method, path: &str, prefer: &str) -> Answer {
    let takes_body = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    let mut request = client.request(method, path).header("prefer", prefer);
    if takes_body {
        request = request.json(&json!({"title": "changed", "completed": true}));
    }
    Answer::of(request).await
}

fn path_of(endpoint: &Endpoint, id: &str) -> String {
    let path = endpoint.path.replace("{id}", id);
    path.replace("{session}", RANDOM_ID)
        .replace("{token}", RANDOM_ID)
        .replace("{name}", "start.js")
}

async fn unknown_parameter_returns_400_on_every_route(database: Database) {
    let service = Service::start(&database).await;
    let (alice, anonymous) = (service.client("alice"), service.client_with(None));
    let task = alice.create(json!({"title": "before"})).await;
    let id = task["id"].as_str().expect("an id");
    for endpoint in endpoints() {
        let path = path_of(&endpoint, id) + "?no_such=1&%C3%A4=2";
        let method: Method = endpoint.method.as_str().parse().expect("a method");
        let answer = ask(&alice, method.clone(), &path, "handling=strict").await;
        answer.assert_problem(400, "MALFORMED_REQUEST");
        let detail = answer.body["detail"].as_str().expect("a sentence");
        assert!(
            detail.contains("`no_such`, `ä`"),
            "{method} {path}: {detail}"
        );
        if method == Method::GET {
            let head = ask(&alice, Method::HEAD, &path, "").await;
            assert_eq!(head.status, 400, "HEAD {path}");
        }
        if endpoint.access != Access::Public {
            let answer = ask(&anonymous, method, &path, "").await;
            answer.assert_problem(401, "UNAUTHORIZED");
        }
    }
    assert_eq!(alice.tasks().await, [task]);
}

async fn lenient_handling_ignores_unknown_parameters_on_every_route(database: Database) {
    let service = Service::start(&database).await;
    for (number, endpoint) in endpoints().iter().enumerate() {
        // Some routes end the caller's tokens.
        let alice = service.client(&format!("alice{number}"));
        let task = alice.create(json!({"title": "before"})).await;
        let path = path_of(endpoint, task["id"].as_str().expect("an id"));
        let mut method: Method = endpoint.method.as_str().parse().expect("a method");
        if path.ends_with("/stream") {
            // The body of GET has no end.
            method = Method::HEAD;
        }
        let path = path + "?no_such=1";
        let answer = ask(&alice, method.clone(), &path, "x, Handling=lenient").await;
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert!(!detail.contains("no_such"), "{method} {path}: {answer:?}");
        assert_eq!(
            answer.header("preference-applied"),
            "handling=lenient",
            "{method} {path}: {answer:?}"
        );
    }
}

async fn problem_names_the_nearest_parameter_and_value(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    for (query, named) in [
        (
            "status=pending",
            "completed, q, priority, sort, limit, cursor, offset, tag",
        ),
        ("Completed=true", "did you mean `completed`?"),
        ("complete=true", "did you mean `completed`?"),
        ("ofset=1&limit=1", "did you mean `offset`?"),
        ("sort=create_at", "did you mean `created_at`?"),
        ("completed=TRUE", "did you mean `true`?"),
    ] {
        let answer = alice.get(&format!("{TASKS}?{query}")).await;
        answer.assert_problem(400, "MALFORMED_REQUEST");
        let detail = answer.body["detail"].as_str().expect("a sentence");
        assert!(detail.contains(named), "{query}: {detail}");
    }
}

on_both_stores! {
    unknown_parameter_returns_400_on_every_route
    lenient_handling_ignores_unknown_parameters_on_every_route
    problem_names_the_nearest_parameter_and_value
}
