//! Transcripts of requests about changes, histories and the trash.

use actix_web::http::Method;
use insta::assert_snapshot;
use serde_json::Value;

use crate::wire::{Request, TASK, Wire, body, get, post, request};

const CHANGES: &str = "/api/v1/changes";
const TRASH: &str = "/api/v1/trash";

fn undo(seq: &str) -> Request {
    request(Method::POST, &format!("{CHANGES}/{seq}/undo"))
}

#[actix_web::test]
async fn changes_are_read_undone_and_listed() {
    let mut wire = Wire::new();
    wire.ask(post(r#"{"title": "Buy milk"}"#)).await;
    let history = &format!("{TASK}/history");
    wire.ask_slowly([
        request(Method::PUT, TASK).json(r#"{"title": "Buy oat milk", "description": "2 litres"}"#),
        request(Method::PATCH, &format!("{TASK}/complete")),
        get(history),
        get(&format!("{history}?limit=1")),
        undo("2"),
        undo("2"),
        undo("4"),
        get(CHANGES),
        undo("99"),
        undo("x"),
        undo("+2"),
        undo("02"),
        undo("2").header("authorization", "Bearer user:bob"),
        get(history).header("authorization", "Bearer user:bob"),
        undo("3").header("idempotency-key", "k"),
        undo("3").header("idempotency-key", "k"),
    ])
    .await;
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn deleted_task_is_listed_restored_and_purged() {
    let mut wire = Wire::new();
    wire.ask(post(r#"{"title": "Buy milk"}"#)).await;
    let trashed = TASK.replace("tasks", "trash");
    let restore = &format!("{trashed}/restore");
    wire.ask_slowly([
        get(TRASH),
        request(Method::POST, restore),
        request(Method::DELETE, TASK),
        get(TASK),
        get(TRASH),
        get(TRASH).header("authorization", "Bearer user:bob"),
        request(Method::POST, restore).header("authorization", "Bearer user:bob"),
        request(Method::POST, restore),
        request(Method::DELETE, TASK),
        request(Method::DELETE, &trashed).header("authorization", "Bearer user:bob"),
        request(Method::DELETE, &trashed),
        request(Method::DELETE, &trashed),
        undo("1"),
        request(Method::DELETE, TRASH),
    ])
    .await;
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn invalid_cursors_and_limits_return_400() {
    let mut wire = Wire::new();
    wire.created(r#"{"title": "Buy milk"}"#).await;
    let page = wire.answer(&get(CHANGES)).await;
    let page: Value = serde_json::from_slice(&body(page).await).expect("JSON");
    let cursor = page["cursor"].as_str().expect("a cursor");
    for request in [
        get(&format!("{CHANGES}?cursor={cursor}")),
        get(&format!("{CHANGES}?cursor={cursor}")).header("authorization", "Bearer user:bob"),
        get(&format!("{TRASH}?cursor={cursor}")),
        get(&format!("{TASK}/history?cursor={cursor}")),
        get(&format!("{CHANGES}?cursor=")),
        get(&format!("{CHANGES}?cursor=x{cursor}")),
        get(&format!("{CHANGES}?limit=0")),
        get(&format!("{CHANGES}?limit=1001")),
        get(&format!("{TRASH}?limit=many")),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}
