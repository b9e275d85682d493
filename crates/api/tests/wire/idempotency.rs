//! Requests under an `Idempotency-Key`.

use actix_web::http::Method;
use insta::assert_snapshot;

use crate::wire::{Request, TASKS, Wire, get, post, request, transcript};

#[actix_web::test]
async fn repeated_key_replays_the_first_response() {
    let mut wire = Wire::new();
    let path = wire.created(r#"{"title": "there before"}"#).await;
    let complete = &format!("{path}/complete");
    let with = |request: Request, key: &str| request.header("idempotency-key", key);
    for request in [
        with(post(r#"{"title": "once"}"#), "create"),
        with(post(r#"{"title": "once"}"#), "create"),
        with(post(r#"{"title": "something else"}"#), "create"),
        with(post(r#"{"title": ""}"#), "create"),
        with(request(Method::PATCH, complete), "toggle"),
        with(request(Method::PATCH, complete), "toggle"),
        with(
            request(Method::PATCH, complete).json(r#"{"completed": true}"#),
            "toggle",
        ),
        with(
            request(Method::PUT, &path).json(r#"{"title": "put"}"#),
            "put",
        ),
        with(
            request(Method::PATCH, &path).json(r#"{"title": "patched"}"#),
            "patch",
        ),
        // The response is replayed as it was then.
        with(
            request(Method::PUT, &path).json(r#"{"title": "put"}"#),
            "put",
        ),
        // A failed request does not use up its key.
        with(
            request(Method::PUT, &path).json(r#"{"title": "conditional"}"#),
            "k",
        )
        .header("if-match", "\"1-6475ef675d3b5\""),
        with(
            request(Method::PUT, &path).json(r#"{"title": "conditional"}"#),
            "k",
        )
        .header("if-match", "\"4-6475ef6efe5b5\""),
        with(
            request(Method::PUT, &path).json(r#"{"title": "conditional"}"#),
            "k",
        )
        .header("if-match", "\"4-6475ef6efe5b5\""),
        // Keys of another user reveal nothing.
        with(request(Method::DELETE, &path), "create").header("authorization", "Bearer user:bob"),
        with(request(Method::DELETE, &path), "delete"),
        with(request(Method::DELETE, &path), "delete"),
        with(request(Method::DELETE, &path), "delete-again"),
        // A read ignores its key.
        with(get(TASKS), "create"),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn malformed_keys_are_rejected() {
    let keyed = |key: &str| post(r#"{"title": "x"}"#).header("idempotency-key", key);
    let requests = [
        keyed(" "),
        keyed("two words"),
        keyed("\u{43a}\u{43b}\u{44e}\u{447}"),
        keyed(&"k".repeat(256)),
        keyed(&"k".repeat(255)),
        keyed("\"quoted\""),
    ];
    assert_snapshot!(transcript(Wire::new(), requests).await);
}

#[actix_web::test]
async fn replayed_creation_ignores_the_used_up_quota() {
    let mut wire = Wire::limited(1);
    let keyed = |title: &str, key: &str| {
        post(&format!("{{\"title\": \"{title}\"}}")).header("idempotency-key", key)
    };
    for request in [
        keyed("the only one", "a"),
        keyed("one too many", "b"),
        keyed("the only one", "a"),
        keyed("another one", "a"),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}
