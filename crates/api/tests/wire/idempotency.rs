//! Requests under an `Idempotency-Key`.

use std::sync::Arc;

use actix_web::http::Method;
use insta::assert_snapshot;
use taskhold_testkit::memory::MemoryStore;

use crate::wire::{Request, TASKS, Wire, get, post, request, transcript};

#[actix_web::test]
async fn keys() {
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
        // Told as it was then.
        with(
            request(Method::PUT, &path).json(r#"{"title": "put"}"#),
            "put",
        ),
        // What fails keeps no key.
        with(
            request(Method::PUT, &path).json(r#"{"title": "conditional"}"#),
            "k",
        )
        .header("if-match", "\"1\""),
        with(
            request(Method::PUT, &path).json(r#"{"title": "conditional"}"#),
            "k",
        )
        .header("if-match", "\"4\""),
        with(
            request(Method::PUT, &path).json(r#"{"title": "conditional"}"#),
            "k",
        )
        .header("if-match", "\"4\""),
        // Of another user's task nothing is told, under any key.
        with(request(Method::DELETE, &path), "create").header("authorization", "Bearer user:bob"),
        with(request(Method::DELETE, &path), "delete"),
        with(request(Method::DELETE, &path), "delete"),
        with(request(Method::DELETE, &path), "delete-again"),
        // Reading takes no key.
        with(get(TASKS), "create"),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn keys_that_are_none() {
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
async fn a_repeated_creation_is_told_also_when_the_quota_is_used_up() {
    let store = Arc::new(MemoryStore::default());
    let mut wire = Wire::limited(store.clone(), store, 1);
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
