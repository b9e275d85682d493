//! Files of tasks.

use std::sync::Arc;

use actix_web::http::Method;
use insta::assert_snapshot;
use taskhold_repository::error::StoreError;
use taskhold_testkit::memory::MemoryStore;

use crate::faults::Failing;
use crate::wire::{Wire, get, request};

const EXPORT: &str = "/api/v1/export";
const LINES: &str = "/api/v1/export?format=ndjson";

/// Two of alice, one of them changed, and one of bob.
async fn with_tasks() -> Wire {
    let wire = Wire::on(
        Arc::new(MemoryStore::default()),
        Arc::new(MemoryStore::default()),
    );
    let first = wire
        .created(r#"{"title": "Buy milk", "description": "2 litres"}"#)
        .await;
    wire.created("{\"title\": \"quote \\\" slash \\\\ line \\n é \u{1f95b}\"}")
        .await;
    wire.answer(&request(Method::PATCH, &format!("{first}/complete")))
        .await;
    let bobs = request(Method::POST, "/api/v1/tasks").json(r#"{"title": "bob's"}"#);
    wire.answer(&bobs.header("authorization", "Bearer user:bob"))
        .await;
    wire
}

#[actix_web::test]
async fn files_of_tasks() {
    let mut wire = with_tasks().await;
    for request in [
        get(EXPORT),
        get("/api/v1/export?format=console&timezone=Asia/Kolkata&unknown=x"),
        get(LINES),
        request(Method::HEAD, EXPORT),
        request(Method::HEAD, LINES),
        request(Method::OPTIONS, EXPORT),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn files_of_nothing() {
    let mut wire = with_tasks().await;
    for path in [EXPORT, LINES] {
        wire.ask(get(path).header("authorization", "Bearer user:nobody"))
            .await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn files_that_cannot_be_had() {
    let mut wire = with_tasks().await;
    for request in [
        get("/api/v1/export?format=csv"),
        get("/api/v1/export?format="),
        get("/api/v1/export?timezone=Atlantis"),
        // Also where the file tells no times of a zone.
        get("/api/v1/export?format=ndjson&timezone=%2B02:00"),
        request(Method::HEAD, "/api/v1/export?format=csv"),
        get(EXPORT).header("authorization", ""),
        request(Method::HEAD, EXPORT).header("authorization", ""),
        request(Method::POST, EXPORT),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}

/// A store that is away is told as everywhere, before any part of a file.
#[actix_web::test]
async fn files_of_a_store_that_is_away() {
    let failing = Arc::new(Failing(|| {
        StoreError::Unavailable("no route to 10.0.0.7".into())
    }));
    let mut wire = Wire::on(failing.clone(), failing);
    wire.ask(get(EXPORT)).await;
    let transcript = wire.transcript();
    assert!(!transcript.contains("10.0.0.7"));
    assert_snapshot!(transcript);
}
