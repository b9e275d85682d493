//! Exported files.

use std::sync::Arc;

use actix_web::http::Method;
use insta::assert_snapshot;
use taskhold_repository::error::StoreError;
use taskhold_testkit::memory::MemoryStore;

use crate::faults::Failing;
use crate::wire::{Wire, get, request};

const EXPORT: &str = "/api/v1/export";
const LINES: &str = "/api/v1/export?format=ndjson";

/// Returns the API with two tasks of alice, one of them changed, and one of bob.
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
async fn export_contains_the_callers_tasks() {
    let mut wire = with_tasks().await;
    for request in [
        get(EXPORT),
        get("/api/v1/export?format=console&timezone=Asia/Kolkata"),
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
async fn export_without_tasks_is_an_empty_file() {
    let mut wire = with_tasks().await;
    for path in [EXPORT, LINES] {
        wire.ask(get(path).header("authorization", "Bearer user:nobody"))
            .await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn invalid_export_requests_are_rejected() {
    let mut wire = with_tasks().await;
    for request in [
        get("/api/v1/export?format=csv"),
        get("/api/v1/export?format="),
        get("/api/v1/export?timezone=Atlantis"),
        // The zone is checked even though NDJSON has no local times.
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

#[actix_web::test]
async fn export_from_unavailable_store_returns_503() {
    let failing = Arc::new(Failing(|| {
        StoreError::Unavailable("no route to 10.0.0.7".into())
    }));
    let mut wire = Wire::on(failing.clone(), failing);
    wire.ask(get(EXPORT)).await;
    let transcript = wire.transcript();
    assert!(!transcript.contains("10.0.0.7"));
    assert_snapshot!(transcript);
}
