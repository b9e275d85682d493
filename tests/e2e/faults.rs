//! Regression tests for the faults of the predecessor. Faults 5 and 10 are tested with the stores,
//! where they would occur.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{
    Answer, Client, Database, SECRET, Service, eventually, path, signed, tomorrow,
};

/// Sends every kind of request for an existing task.
async fn send_every_request(client: &Client, id: &str) -> Vec<Answer> {
    let item = format!("/api/v1/tasks/{id}");
    let body = json!({"title": "a title"});
    let requests = [
        (Method::GET, "/api/v1/tasks".to_owned(), None),
        (Method::GET, item.clone(), None),
        (Method::POST, "/api/v1/tasks".to_owned(), Some(body.clone())),
        (Method::PUT, item.clone(), Some(body.clone())),
        (Method::PATCH, item.clone(), Some(body)),
        (Method::PATCH, item.clone() + "/complete", None),
        (Method::DELETE, item, None),
    ];
    join_all(
        requests
            .into_iter()
            .map(|(method, path, body)| async move { client.send(method, &path, body).await }),
    )
    .await
}

#[tokio::test]
async fn fault_1_stopped_database_is_no_missing_task_and_unhealthy() {
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "still there"})).await;
    let id = task["id"].as_str().expect("an id");

    server.kill();
    for answer in send_every_request(&alice, id).await {
        match answer.status {
            503 => {
                answer.assert_problem(503, "SERVICE_UNAVAILABLE");
                assert!(!answer.header("retry-after").is_empty());
            }
            _ => answer.assert_problem(504, "OUTCOME_UNKNOWN"),
        }
        let shown = answer.body.to_string().to_lowercase();
        for secret in ["postgres", "sql", "connect", "127.0.0.1"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
    let anonymous = service.client_with(None);
    let health = anonymous.get("/health").await;
    assert_eq!(
        (health.status, &health.body),
        (
            503,
            &json!({"status": "unhealthy", "database": "disconnected"})
        )
    );
    assert_eq!(anonymous.get("/health/ready").await.status, 503);
    assert_eq!(anonymous.get("/health/live").await.status, 200);

    server.restart();
    let found = eventually("the service finds the server again", async || {
        let answer = alice.get(&format!("/api/v1/tasks/{id}")).await;
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(found.await.body["task"], task);
    eventually("the service is healthy again", async || {
        (anonymous.get("/health").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn fault_1_frozen_database_is_answered_within_20_seconds() {
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "still there"})).await;
    let id = task["id"].as_str().expect("an id");

    server.freeze();
    let asked = Instant::now();
    let anonymous = service.client_with(None);
    let (answers, health) = tokio::join!(send_every_request(&alice, id), async {
        let health = anonymous.get("/health").await;
        assert!(
            asked.elapsed() < Duration::from_secs(4),
            "health took {:?}",
            asked.elapsed()
        );
        health
    });
    assert!(
        asked.elapsed() < Duration::from_secs(20),
        "took {:?}",
        asked.elapsed()
    );
    assert_eq!(health.status, 503);
    for answer in answers {
        assert!([503, 504].contains(&answer.status), "{answer:?}");
    }
    server.thaw();
    eventually("the service finds the server again", async || {
        (alice.get("/api/v1/tasks").await.status == 200).then_some(())
    })
    .await;
}

async fn fault_2_forged_or_incomplete_tokens_are_refused(database: Database) {
    let service = Service::start(&database).await;
    let later = tomorrow();
    let valid = json!({"sub": "alice", "exp": later});
    assert_eq!(
        service
            .client_with(Some(signed(&valid, SECRET)))
            .get("/api/v1/tasks")
            .await
            .status,
        200
    );
    let mut tokens: Vec<_> = [
        "",
        "secret",
        "changeme",
        "your-secret-key",
        "your-256-bit-secret",
    ]
    .iter()
    .map(|secret| signed(&valid, secret))
    .collect();
    for claims in [
        json!({"sub": "alice"}),
        json!({"sub": "alice", "exp": 1}),
        json!({"sub": "", "exp": later}),
        json!({"sub": null, "exp": later}),
        json!({"exp": later}),
        json!({"sub": "alice", "exp": later, "iat": null}),
        json!({"sub": "a\u{0}b", "exp": later}),
        json!({"sub": "u".repeat(256), "exp": later}),
    ] {
        tokens.push(signed(&claims, SECRET));
    }
    for token in tokens {
        let client = service.client_with(Some(token));
        client
            .get("/api/v1/tasks")
            .await
            .assert_problem(401, "UNAUTHORIZED");
        client
            .post("/api/v1/tasks", json!({"title": "x"}))
            .await
            .assert_problem(401, "UNAUTHORIZED");
    }
    let longest = "\u{1F600}".repeat(255);
    let task = service
        .client(&longest)
        .create(json!({"title": "mine"}))
        .await;
    assert_eq!(task["user_id"], longest.as_str());
}

async fn fault_3_invalid_bodies_return_a_client_error(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "before"})).await;
    let item = path(&task);
    let completion = format!("{item}/complete");

    let title_missing = "Task title must be a non-empty string";
    let no_boolean = "Task completed status must be a boolean";
    for (method, path, body, detail) in [
        (Method::PUT, &item, json!({}), title_missing),
        (
            Method::PUT,
            &item,
            json!({"description": "d"}),
            title_missing,
        ),
        (Method::PUT, &item, json!({"title": null}), title_missing),
        (Method::PUT, &item, json!({"title": 7}), title_missing),
        (
            Method::PUT,
            &item,
            json!({"title": "a", "completed": "yes"}),
            no_boolean,
        ),
        (Method::PATCH, &item, json!({"completed": "1"}), no_boolean),
        (Method::PATCH, &item, json!({"completed": 1}), no_boolean),
        (
            Method::PATCH,
            &completion,
            json!({"completed": "true"}),
            no_boolean,
        ),
        (
            Method::PATCH,
            &completion,
            json!({"completed": 0}),
            no_boolean,
        ),
        (Method::PATCH, &completion, json!({}), no_boolean),
        (Method::PATCH, &completion, Value::Null, no_boolean),
        (
            Method::PUT,
            &item,
            json!({"title": "a\u{0}"}),
            "Task title must not contain NUL characters",
        ),
        (
            Method::PATCH,
            &item,
            json!({"description": "\u{0}"}),
            "Task description must not contain NUL characters",
        ),
        (
            Method::PATCH,
            &item,
            json!({"description": 1}),
            "Task description must be a string",
        ),
    ] {
        let answer = alice.send(method, path, Some(body)).await;
        answer.assert_problem(422, "VALIDATION_ERROR");
        assert_eq!(answer.body["detail"], detail);
    }
    for body in [
        r#"{"title":"\ud800"}"#.to_owned(),
        r#"{"title":NaN}"#.to_owned(),
        "[".repeat(10_000),
        r#"{"title":"#.to_owned() + &"[".repeat(10_000),
        "{".to_owned(),
        "\u{feff}{}".to_owned(),
        "[]".to_owned(),
        "\"title\"".to_owned(),
        String::new(),
    ] {
        let answer = alice.send_raw(Method::PUT, &item, body).await;
        answer.assert_problem(400, "MALFORMED_REQUEST");
    }
    let not_utf_8 = alice
        .send_raw(Method::PUT, &item, b"{\"title\":\"\xff\"}".as_slice())
        .await;
    not_utf_8.assert_problem(400, "MALFORMED_REQUEST");
    let nested = alice
        .send_raw(Method::PUT, &item, "[".repeat(100_000))
        .await;
    nested.assert_problem(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(alice.tasks().await, [task], "nothing of it had an effect");
}

async fn fault_4_error_does_not_echo_the_request(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let long = "x".repeat(60_000);
    let unknown_member: Value = [(long.clone(), Value::Null)]
        .into_iter()
        .collect::<serde_json::Map<_, _>>()
        .into();
    for answer in [
        alice.post("/api/v1/tasks", json!({"title": long})).await,
        alice
            .post("/api/v1/tasks", json!({"description": long}))
            .await,
        alice.post("/api/v1/tasks", unknown_member).await,
        alice
            .send_raw(Method::POST, "/api/v1/tasks", long.clone())
            .await,
        alice
            .send_raw(Method::POST, "/api/v1/tasks", "x".repeat(9_000_000))
            .await,
        alice.get(&format!("/api/v1/{}", "y".repeat(20_000))).await,
    ] {
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert!(answer.bytes < 2_000, "{} bytes", answer.bytes);
    }
}

async fn fault_6_parallel_first_writes_of_a_new_user_all_succeed(database: Database) {
    let service = Service::start(&database).await;
    for round in 0..5 {
        let newcomer = service.client(&format!("newcomer {round}"));
        join_all((0..20).map(|number| newcomer.create(json!({"title": format!("task {number}")}))))
            .await;
        assert_eq!(newcomer.tasks().await.len(), 20);
    }
}

on_both_stores! {
    fault_2_forged_or_incomplete_tokens_are_refused
    fault_3_invalid_bodies_return_a_client_error
    fault_4_error_does_not_echo_the_request
    fault_6_parallel_first_writes_of_a_new_user_all_succeed
}
