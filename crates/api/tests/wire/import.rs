//! Transcripts of imports.

use actix_web::http::Method;
use insta::assert_snapshot;

use crate::wire::{Request, Wire, get, request, transcript};

const IMPORT: &str = "/api/v1/import";

fn import(query: &str, file: &str) -> Request {
    request(Method::POST, &format!("{IMPORT}{query}")).json(file)
}

fn lines(file: &str) -> Request {
    import("", file).header("content-type", "application/x-ndjson")
}

#[actix_web::test]
async fn file_of_the_console_is_imported_once() {
    let file = r#"[
        {"id": 1, "title": "Buy milk", "user_id": "bob", "created_at": "2026-07-01T12:00:00", "status": "open"},
        {"id": 2, "title": ""},
        {"content": "Old format", "id": 3}
    ]"#;
    let requests = [
        import("?dry_run=true&timezone=Europe/Berlin", file),
        get("/api/v1/tasks"),
        import("?timezone=Europe/Berlin", file),
        import("", file),
        get("/api/v1/tasks"),
        import("", "[]"),
    ];
    assert_snapshot!(transcript(Wire::new(), requests).await);
}

#[actix_web::test]
async fn lines_keep_their_ids_and_those_of_others_are_rejected() {
    let line =
        r#"{"id": "00000000-0000-7000-8000-0000000000ff", "version": 3, "title": "Buy milk"}"#;
    let requests = [
        lines(line),
        lines(line).header("authorization", "Bearer user:bob"),
        get("/api/v1/tasks/00000000-0000-7000-8000-0000000000ff"),
    ];
    assert_snapshot!(transcript(Wire::new(), requests).await);
}

#[actix_web::test]
async fn file_that_cannot_be_imported_changes_nothing() {
    let rows = r#"[{"id": 1, "title": "one"}, {"id": 2, "title": "two"}]"#;
    let requests = [
        import("", ""),
        import("", r#"[{"id": 1, "title": "one"}, {"id": 2, "tit"#),
        import("", r#"{"title": "one"}"#),
        import("", "title,done"),
        lines("null"),
        import("?dry_run=1", rows),
        import("?timezone=europe/berlin", rows),
        import("?user=bob", rows),
        import("", rows).header("content-type", "text/csv"),
        import("", rows).header("content-type", ""),
        import("", rows).header("content-encoding", "gzip"),
        import("", rows),
        get("/api/v1/tasks"),
    ];
    assert_snapshot!(transcript(Wire::limited(1), requests).await);
}
