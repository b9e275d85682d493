//! Transcripts of tasks that are added by one line of text.

use actix_web::http::Method;
use insta::assert_snapshot;

use crate::wire::{Request, TASKS, Wire, get, request};

fn quick(body: &str) -> Request {
    request(Method::POST, "/api/v1/tasks/quick").json(body)
}

#[actix_web::test]
async fn line_of_text_becomes_a_task() {
    let mut wire = Wire::new();
    for body in [
        r#"{"text": " Call mum tomorrow 9am #home !high", "timezone": "Europe/Berlin"}"#,
        r#"{"text": "🥛 Buy milk #Café", "except": [], "dry_run": null, "owner": "bob"}"#,
        r#"{"text": "Read Tomorrow's paper"}"#,
        r#"{"text": "Pay !low rent tomorrow #home", "except": ["due", "priority"]}"#,
        r#"{"text": "Pay rent tomorrow", "timezone": "Asia/Tokyo", "dry_run": true}"#,
        r#"{"text": "tomorrow", "dry_run": true}"#,
    ] {
        wire.ask(quick(body)).await;
    }
    wire.ask(get(TASKS)).await;
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn repeated_key_returns_the_task_of_the_first_day() {
    let mut wire = Wire::new();
    let text = r#"{"text": "Call mum 2 jan"}"#;
    let with_key = |body: &str| quick(body).header("idempotency-key", "mum");
    wire.ask(with_key(text)).await;
    wire.clock().advance(24 * 3600 * 1_000_000);
    wire.ask(with_key(text)).await;
    wire.ask(with_key(r#"{"text": "Call dad"}"#)).await;
    // Nothing is written, so the key is not used.
    wire.ask(with_key(r#"{"text": "Call dad", "dry_run": true}"#))
        .await;
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn invalid_quick_text_returns_an_error() {
    let mut wire = Wire::new();
    let long = format!(r#"{{"text": "{}\u0000 tomorrow"}}"#, "a".repeat(101));
    for body in [
        "{}",
        r#"{"text": null, "timezone": 1, "except": "due", "dry_run": "yes"}"#,
        r#"{"text": "\t ", "timezone": "europe/berlin", "except": ["title"], "dry_run": 1}"#,
        r#"{"text": ["x"], "timezone": "", "except": [null], "dry_run": null}"#,
        r#"{"text": "x", "timezone": "Europe/Berlin\u0000"}"#,
        &long,
        "[]",
        r#"{"text": "x""#,
        "",
    ] {
        wire.ask(quick(body)).await;
    }
    wire.ask(request(Method::GET, "/api/v1/tasks/quick")).await;
    wire.ask(request(Method::PUT, "/api/v1/tasks/quick").json(r#"{"text": "x"}"#))
        .await;
    wire.ask(quick(r#"{"text": "x"}"#).header("content-type", "text/plain"))
        .await;
    wire.ask(get(TASKS)).await;
    assert_snapshot!(wire.transcript());
}
