//! Transcripts of requests about tasks that repeat.

use actix_web::http::Method;
use insta::assert_snapshot;

use crate::wire::{TASK, Wire, get, patch, post, request};

#[actix_web::test]
async fn completed_task_has_a_follow_up_which_an_undo_takes_back() {
    let mut wire = Wire::new();
    wire.ask(post(
        r#"{"title": "Pay rent", "due": "2026-12-01", "repeat": "count=3;freq=monthly", "tags": ["home"]}"#,
    ))
    .await;
    let complete =
        || request(Method::PATCH, &format!("{TASK}/complete")).json(r#"{"completed": true}"#);
    wire.ask_slowly([
        complete().header("idempotency-key", "k"),
        complete().header("idempotency-key", "k"),
        complete(),
        get(&format!("{TASK}/history")),
        get("/api/v1/tasks"),
        request(Method::POST, "/api/v1/changes/2/undo"),
        get("/api/v1/trash"),
        patch(r#"{"completed": true, "title": "Pay the rent", "repeat_from": "completion"}"#),
        get("/api/v1/export?format=ndjson"),
        get("/api/v1/export?format=console"),
    ])
    .await;
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn day_of_the_completion_is_that_of_the_timezone() {
    let mut wire = Wire::new();
    for query in [
        "?timezone=Pacific/Kiritimati",
        "?timezone=Pacific/Pago_Pago",
        "",
        "?timezone=",
        "?timezone=europe/berlin",
        "?timezone=Mars/Olympus",
        "?timezone=UTC&timezone=UTC",
        "?time_zone=UTC",
    ] {
        let task = wire
            .created(r#"{"title": "x", "due": "2026-12-01", "repeat": "FREQ=DAILY", "repeat_from": "completion"}"#)
            .await;
        wire.ask(request(Method::PATCH, &format!("{task}/complete{query}")))
            .await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn each_rule_of_repeats_is_named() {
    let mut wire = Wire::new();
    let long = format!("FREQ=DAILY;BYMONTHDAY={}1", "1,".repeat(117));
    assert_eq!(long.chars().count(), 257);
    let mut answers = Vec::new();
    for repeat in [
        "",
        " ",
        "FREQ=DAILY\\n",
        "FREQ=DAILY\\u0000",
        "\u{1f600}",
        "every day",
        &long,
        "RRULE:FREQ=DAILY",
        "FREQ",
        "FREQ=DAILY;",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;BYSETPOS=1",
        "FREQ=DAILY;WKST=SU",
        "FREQ=DAILY;EVERY=2",
        "INTERVAL=2",
        "FREQ=",
        "FREQ=HOURLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=1.5",
        "FREQ=DAILY;INTERVAL=3652060",
        "FREQ=DAILY;INTERVAL=1000000000",
        "FREQ=DAILY;INTERVAL=99999999999999999999",
        "FREQ=WEEKLY;BYDAY=",
        "FREQ=WEEKLY;BYDAY=MO,",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=YEARLY;BYDAY=54MO",
        "FREQ=MONTHLY;BYMONTHDAY=",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=3652060",
        "FREQ=DAILY;UNTIL=20261301",
        "FREQ=DAILY;UNTIL=20260230",
        "FREQ=DAILY;UNTIL=00000101",
        "FREQ=DAILY;UNTIL=2026-12-24",
        "FREQ=DAILY;UNTIL=20261224T170000",
        "FREQ=DAILY;UNTIL=20261224T235960Z",
        "FREQ=DAILY;COUNT=1;UNTIL=20261224",
    ] {
        let body = format!(r#"{{"title": "x", "due": "2026-12-01", "repeat": "{repeat}"}}"#);
        let (status, answer) = wire.ask(post(&body)).await;
        assert_eq!(status, 422, "{repeat}");
        let errors = answer["errors"].as_array().expect("a list");
        assert_eq!((errors.len(), &errors[0]["field"]), (1, &"repeat".into()));
        let message = errors[0]["message"].as_str().expect("a sentence");
        answers.push(format!("{repeat:.60}: {message}"));
    }
    assert_snapshot!(answers.join("\n"));
}

#[actix_web::test]
async fn invalid_rules_return_422() {
    let mut wire = Wire::new();
    let repeat = |repeat: &str| {
        post(&format!(
            r#"{{"title": "x", "due": "2026-12-01", "repeat": {repeat}}}"#
        ))
    };
    wire.ask(post(r#"{"title": "before"}"#)).await;
    for request in [
        post(r#"{"title": "x", "repeat": "FREQ=DAILY"}"#),
        post(r#"{"title": "x", "due": null, "repeat": "FREQ=DAILY"}"#),
        post(r#"{"title": "", "due": 1, "priority": 1, "tags": 1, "repeat": 1, "repeat_from": 1}"#),
        post(r#"{"title": "", "repeat": "FREQ=DAILY", "repeat_from": "Due"}"#),
        repeat("true"),
        repeat(r#"["FREQ=DAILY"]"#),
        patch(r#"{"repeat": "FREQ=DAILY"}"#),
        request(Method::PUT, TASK).json(r#"{"title": "x", "repeat": "FREQ=DAILY"}"#),
        patch(r#"{"repeat": "FREQ=DAILY", "completed": true}"#).header("idempotency-key", "k"),
        patch(r#"{"repeat": "FREQ=DAILY"}"#).header("if-match", "\"1-1\""),
        patch(r#"{"repeat": "FREQ=DAILY", "due": "2026-12-01"}"#),
        patch(r#"{"due": null}"#),
        patch(r#"{"due": null, "completed": true}"#),
        patch(r#"{"due": null, "repeat": null}"#),
        patch(r#"{"repeat": null, "repeat_from": null}"#),
        get(TASK),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}
