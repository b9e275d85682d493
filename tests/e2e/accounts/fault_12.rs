//! Regression tests for fault 12 of the predecessor: login distinguished an unknown user from a
//! wrong password, hashing blocked the whole service, and errors echoed passwords.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{CHANGE_PASSWORD, LOGIN, ME, NO_LIMITS, PASSWORD, REGISTER, post_login, register};
use crate::service::{Answer, Database, Service};

/// Returns the answer without the parts that differ between any two answers.
fn comparable(answer: &Answer) -> (u16, Value, Vec<(String, String)>) {
    let mut body = answer.body.clone();
    for member in ["timestamp", "request_id"] {
        body[member].take();
    }
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id", "ratelimit"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").to_owned()))
        .collect();
    headers.sort();
    (answer.status, body, headers)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn failed_login_does_not_reveal_the_cause(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anna = register(&service, "anna@example.org").await;
    register(&service, "bob@example.org").await;
    let output = crate::service::run(
        database.folder.path(),
        &[("DATABASE_URL", &database.url)],
        &["user", "deactivate", "bob@example.org"],
    );
    assert!(output.status.success(), "{output:?}");
    let wrong = post_login(&service, "anna@example.org", "wrong horse battery").await;
    wrong.assert_problem(401, "UNAUTHORIZED");
    for (email, password) in [
        ("nobody@example.org", PASSWORD),
        ("bob@example.org", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
        ("anna@example.org", &"x".repeat(129)),
        ("a\u{0}@example.org", PASSWORD),
        (anna.id(), PASSWORD),
    ] {
        let answer = post_login(&service, email, password).await;
        assert_eq!(comparable(&answer), comparable(&wrong), "{email}");
    }
}

on_both_stores! {
    failed_login_does_not_reveal_the_cause
}

/// An answer without hashing takes at most a tenth of the time; docs/performance.md has exact
/// measurements.
#[tokio::test]
async fn unknown_user_takes_as_long_as_a_wrong_password() {
    let service = Service::start_with(&Database::sqlite(), &NO_LIMITS).await;
    register(&service, "anna@example.org").await;
    let long = "x".repeat(129);
    let tried = [
        ("anna@example.org", "wrong horse battery"),
        ("nobody@example.org", "wrong horse battery"),
        ("no address", "wrong horse battery"),
        ("anna@example.org", long.as_str()),
    ];
    let mut times = [const { Vec::new() }; 4];
    for round in 0..15 {
        // In another order each time: the system may slow every fourth hash, as a container's share of a core does.
        for turn in 0..tried.len() {
            let number = (round + turn) % tried.len();
            let (email, password) = tried[number];
            let started = Instant::now();
            let answer = post_login(&service, email, password).await;
            times[number].push(started.elapsed());
            assert_eq!(answer.status, 401);
        }
    }
    let [wrong, others @ ..] = times.map(median);
    for other in others {
        let ratio = other.as_secs_f64() / wrong.as_secs_f64();
        assert!((0.4..2.5).contains(&ratio), "{other:?} and {wrong:?}");
    }
}

/// If passwords were hashed on the threads that serve requests, reads would wait for the hashes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashing_does_not_block_the_service() {
    let service = Service::start_with(&Database::sqlite(), &NO_LIMITS).await;
    register(&service, "anna@example.org").await;
    let alice = service.client("alice");
    alice.create(json!({"title": "hers"})).await;
    let storm: Vec<_> = (0..10)
        .map(|_| {
            let client = service.client_with(None);
            tokio::spawn(async move {
                let body = json!({"email": "anna@example.org", "password": "wrong horse battery"});
                for _ in 0..10 {
                    let answer = client.post(LOGIN, body.clone()).await;
                    assert_eq!(answer.status, 401, "{answer:?}");
                }
            })
        })
        .collect();
    let mut reads = 0;
    while storm.iter().any(|logins| !logins.is_finished()) {
        assert_eq!(alice.tasks().await.len(), 1);
        reads += 1;
    }
    for logins in storm {
        logins.await.expect("logged in");
    }
    assert!(reads > 100, "{reads} reads beside 100 logins");
}

#[tokio::test]
async fn errors_never_echo_passwords() {
    let service = Service::start_with(&Database::sqlite(), &NO_LIMITS).await;
    let anna = register(&service, "anna@example.org")
        .await
        .client(&service);
    let secret = "hunter2hunter2";
    let long = secret.repeat(20);
    let mut requests = 0;
    for password in [secret, &long, "hunter2"] {
        for body in [
            json!({"email": "no address", "password": password}),
            json!({"email": "anna@example.org", "password": password}),
            json!({"email": password, "password": password, "name": password.repeat(99)}),
            json!({"email": "b@example.org", "password": [password], "name": 1}),
            json!({"current_password": password, "new_password": password}),
            json!({"current_password": 1, "new_password": [password]}),
            json!({"refresh_token": password, "password": [password]}),
            json!([password]),
        ] {
            let cut = body.to_string().replace([']', '}'], "");
            for text in [
                body.to_string(),
                cut,
                format!("{body}{}", " ".repeat(70_000)),
            ] {
                for (method, path) in [
                    (Method::POST, REGISTER),
                    (Method::POST, LOGIN),
                    (Method::POST, super::REFRESH),
                    (Method::POST, CHANGE_PASSWORD),
                    (Method::DELETE, ME),
                ] {
                    let answer = anna.send_raw(method, path, text.clone()).await;
                    let shown = format!("{answer:?}");
                    assert!(
                        (400..500).contains(&answer.status),
                        "{path} {text}: {shown}"
                    );
                    assert!(!shown.contains("hunter2"), "{path} {text}: {shown}");
                    requests += 1;
                }
            }
        }
    }
    assert_eq!(requests, 360);
}
