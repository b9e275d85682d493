//! How often somebody may try.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CHANGE_PASSWORD, LOGIN, NO_LIMITS, PASSWORD, REGISTER, deleting, logging_in, registered,
};
use crate::service::{Answer, Client, Database, Service};

/// Addresses as a proxy on this machine tells them.
const BEHIND_A_PROXY: [(&str, &str); 2] = [
    ("TASKHOLD__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ("TASKHOLD__LIMITS__LOGIN_REQUESTS_PER_MINUTE", "1000000"),
];

async fn from(client: &Client, address: &str, path: &str, body: &Value) -> Answer {
    let request = client
        .request(Method::POST, path)
        .header("x-forwarded-for", address)
        .json(body);
    Answer::of(request).await
}

fn credentials(password: &str) -> Value {
    json!({"email": "anna@example.org", "password": password})
}

/// The seconds that it says to wait, of at most so many.
#[track_caller]
fn assert_limited(answer: &Answer, quota: u32, window: u32) {
    answer.assert_problem(429, "RATE_LIMITED");
    let wait: u32 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=window).contains(&wait), "{wait}");
    assert_eq!(
        answer.header("ratelimit-policy"),
        format!("\"default\";q={quota};w={window}")
    );
    assert_eq!(
        answer.header("ratelimit"),
        format!("\"default\";r=0;t={wait}")
    );
}

async fn the_sixth_failure_is_one_too_many(database: Database) {
    let service = Service::start(&database).await;
    registered(&service, "anna@example.org").await;
    for _ in 0..5 {
        let answer = logging_in(&service, "anna@example.org", "wrong horse battery").await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    // Not even the right one: it could be guessed on.
    for (email, password) in [
        ("anna@example.org", "wrong horse battery"),
        ("ANNA@example.org", PASSWORD),
    ] {
        assert_limited(&logging_in(&service, email, password).await, 5, 900);
    }
    // Who does not exist is counted alike, and others are not concerned.
    for expected in [401, 401, 401, 401, 401, 429] {
        let answer = logging_in(&service, "nobody@example.org", PASSWORD).await;
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    registered(&service, "bob@example.org").await;
    let answer = logging_in(&service, "bob@example.org", PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn a_success_forgets_the_failures_before(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS[..1]).await;
    let anna = registered(&service, "anna@example.org")
        .await
        .client(&service);
    for _ in 0..3 {
        for _ in 0..4 {
            let answer = logging_in(&service, "anna@example.org", "wrong horse battery").await;
            assert_eq!(answer.status, 401, "{answer:?}");
        }
        let answer = logging_in(&service, "anna@example.org", PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // Who has stolen a token cannot guess the password elsewhere.
    let change =
        json!({"current_password": "wrong horse battery", "new_password": "another horse"});
    for count in 1..=7 {
        let answer = if count % 2 == 0 {
            deleting(&anna, Some("wrong horse battery")).await
        } else {
            anna.post(CHANGE_PASSWORD, change.clone()).await
        };
        let expected = if count <= 5 { 422 } else { 429 };
        assert_eq!(answer.status, expected, "{count}: {answer:?}");
    }
}

async fn thirty_requests_a_minute_come_from_an_address(database: Database) {
    let service = Service::start(&database).await;
    let nobody = service.client_with(None);
    for count in 1..=30 {
        let path = if count % 2 == 0 { REGISTER } else { LOGIN };
        let answer = nobody.post(path, json!({})).await;
        assert_eq!(answer.status, 422, "{count}: {answer:?}");
    }
    for path in [REGISTER, LOGIN] {
        assert_limited(&nobody.post(path, credentials(PASSWORD)).await, 30, 60);
        // Whoever is no trusted proxy cannot say that the request is another's.
        let answer = from(&nobody, "203.0.113.9", path, &credentials(PASSWORD)).await;
        assert_limited(&answer, 30, 60);
    }
    // All else goes on.
    service
        .client("alice")
        .create(json!({"title": "hers"}))
        .await;
}

async fn behind_a_proxy_the_forwarded_address_counts(database: Database) {
    let service = Service::start_with(&database, &BEHIND_A_PROXY[..1]).await;
    let nobody = service.client_with(None);
    for _ in 0..30 {
        let answer = from(&nobody, "203.0.113.9", REGISTER, &json!({})).await;
        assert_eq!(answer.status, 422, "{answer:?}");
    }
    for same in [
        "203.0.113.9",
        "198.51.100.1, 203.0.113.9",
        "203.0.113.9, 127.0.0.1",
    ] {
        let answer = from(&nobody, same, REGISTER, &json!({})).await;
        assert_limited(&answer, 30, 60);
    }
    let other = from(&nobody, "203.0.113.8", REGISTER, &credentials(PASSWORD)).await;
    assert_eq!(other.status, 201, "{other:?}");
    assert_eq!(other.header("ratelimit-policy"), "\"default\";q=30;w=60");
    assert!(
        other.header("ratelimit").starts_with("\"default\";r=29;t="),
        "{other:?}"
    );
}

async fn fifty_failures_from_anywhere_are_enough(database: Database) {
    let service = Service::start_with(&database, &BEHIND_A_PROXY).await;
    registered(&service, "anna@example.org").await;
    let nobody = service.client_with(None);
    for count in 0..50 {
        let address = format!("203.0.113.{}", count / 5);
        let answer = from(
            &nobody,
            &address,
            LOGIN,
            &credentials("wrong horse battery"),
        )
        .await;
        assert_eq!(answer.status, 401, "{count}: {answer:?}");
    }
    let answer = from(&nobody, "198.51.100.1", LOGIN, &credentials(PASSWORD)).await;
    assert_limited(&answer, 50, 900);
}

on_both_stores! {
    the_sixth_failure_is_one_too_many
    a_success_forgets_the_failures_before
    thirty_requests_a_minute_come_from_an_address
    behind_a_proxy_the_forwarded_address_counts
    fifty_failures_from_anywhere_are_enough
}

#[tokio::test]
async fn two_instances_count_together() {
    let database = Database::postgres().await;
    let (one, other) = tokio::join!(Service::start(&database), Service::start(&database));
    registered(&one, "anna@example.org").await;
    for service in [&one, &other, &one, &other, &one] {
        let answer = logging_in(service, "anna@example.org", "wrong horse battery").await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    for service in [&one, &other] {
        let answer = logging_in(service, "anna@example.org", PASSWORD).await;
        assert_limited(&answer, 5, 900);
    }
    // A registration and seven logins came before.
    for service in [&one, &other].into_iter().cycle().take(22) {
        let answer = service.client_with(None).post(LOGIN, json!({})).await;
        assert_eq!(answer.status, 422, "{answer:?}");
    }
    for service in [&one, &other] {
        let answer = service.client_with(None).post(REGISTER, json!({})).await;
        assert_limited(&answer, 30, 60);
    }
}

/// Of guesses that are made at the same time, each counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_the_same_time_are_counted() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    registered(&service, "anna@example.org").await;
    let guesses = (0..12).map(|_| logging_in(&service, "anna@example.org", "wrong horse battery"));
    let answers = futures_util::future::join_all(guesses).await;
    let told = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(told, 5, "{answers:?}");
}
