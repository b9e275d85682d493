//! Transcripts of requests about the order by hand.

use actix_web::http::Method;
use insta::assert_snapshot;

use crate::wire::{Wire, get, request};

fn task(number: u32) -> String {
    format!("/api/v1/tasks/00000000-0000-7000-8000-{number:012}")
}

#[actix_web::test]
async fn task_is_moved_and_listed_by_position() {
    let mut wire = Wire::new();
    for body in [
        r#"{"title": "a"}"#,
        r#"{"title": "b"}"#,
        r#"{"title": "c"}"#,
    ] {
        wire.clock().advance(1_000_000);
        wire.created(body).await;
    }
    let move_to = |body: &str| request(Method::POST, &format!("{}/move", task(2))).json(body);
    wire.ask_slowly([
        move_to(r#"{"after": null}"#),
        move_to(r#"{"before": null}"#),
        move_to(r#"{"before": "00000000-0000-7000-8000-000000000099"}"#),
        move_to("{}"),
        move_to(r#"{"before": null, "after": null}"#),
        move_to(r#"{"before": 1}"#),
        move_to(r#"{"after": "x"}"#),
        move_to("[]"),
        get("/api/v1/tasks?sort=position&limit=2"),
        get("/api/v1/tasks?sort=-position"),
        get(&format!("{}/history", task(2))),
        get("/api/v1/export?format=ndjson"),
    ])
    .await;
    assert_snapshot!(wire.transcript());
}
