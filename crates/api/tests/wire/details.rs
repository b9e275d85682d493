//! Transcripts of requests about the details of a task: due date, priority and tags.

use std::fmt::Write as _;

use actix_web::http::Method;
use insta::assert_snapshot;

use crate::wire::{TASK, Wire, get, patch, post, request};

#[actix_web::test]
async fn details_are_set_kept_cleared_and_undone() {
    let mut wire = Wire::new();
    wire.ask(post(
        r#"{"title": "Pay rent", "due": "2026-12-01", "priority": "high", "tags": ["Home", "money", "HOME"], "completed_at": "x"}"#,
    ))
    .await;
    wire.ask_slowly([
        // A PUT of a client that knows the console's fields only.
        request(Method::PUT, TASK).json(r#"{"title": "Pay the rent"}"#),
        patch(r#"{"due": "2026-03-29T02:30:00+01:00[Europe/Berlin]", "priority": "low"}"#),
        patch(r#"{"tags": ["home"], "completed": true}"#),
        request(Method::PATCH, &format!("{TASK}/complete")),
        request(Method::PUT, TASK)
            .json(r#"{"title": "Rent", "due": null, "priority": null, "tags": []}"#),
        request(Method::POST, "/api/v1/changes/6/undo"),
        patch(r#"{"priority": null, "tags": null}"#),
        get(&format!("{TASK}/history")),
        post(r#"{"title": "Second", "priority": null, "tags": null, "completed": true}"#),
        get("/api/v1/tasks"),
        get("/api/v1/export?format=ndjson"),
        get("/api/v1/export?format=console"),
    ])
    .await;
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn lists_are_filtered_and_sorted_by_details() {
    let mut wire = Wire::new();
    for body in [
        r#"{"title": "a", "priority": "high", "tags": ["Straße", "home"]}"#,
        r#"{"title": "b", "priority": "low", "tags": ["home"]}"#,
        r#"{"title": "c"}"#,
    ] {
        wire.created(body).await;
    }
    for query in [
        "priority=high,low&sort=-priority",
        "priority=low,high&sort=-priority&limit=1",
        "priority=none",
        "tag=HOME",
        "tag=home&tag=STRASSE",
        "tag=om",
        "sort=priority&limit=2",
        "priority=",
        "priority=urgent",
        "priority=high,",
        "priority=High",
        "priority=low&priority=high",
        "tag=",
        "tag=a,b",
        "tag=%20",
        "tags=home",
    ] {
        wire.ask(get(&format!("/api/v1/tasks?{query}"))).await;
    }
    let many: Vec<_> = (0..21).map(|number| format!("tag={number}")).collect();
    wire.ask(get(&format!("/api/v1/tasks?{}", many.join("&"))))
        .await;
    assert_snapshot!(wire.transcript());
}

/// The clock shows 2026-01-02T03:04:05Z, and in Pago Pago the day before.
#[actix_web::test]
async fn lists_are_filtered_and_sorted_by_due_date() {
    let mut wire = Wire::new();
    for body in [
        r#"{"title": "none"}"#,
        r#"{"title": "today", "due": "2026-01-02"}"#,
        r#"{"title": "this morning", "due": "2026-01-02T03:00:00Z"}"#,
        r#"{"title": "tonight", "due": "2026-01-03T00:30:00+01:00[Europe/Berlin]"}"#,
        r#"{"title": "tomorrow", "due": "2026-01-03"}"#,
        r#"{"title": "last year", "due": "2025-12-31", "completed": true}"#,
        r#"{"title": "yesterday", "due": "2026-01-01"}"#,
    ] {
        wire.created(body).await;
    }
    let mut listed = String::new();
    for query in [
        "sort=due",
        "sort=-due",
        "sort=due&timezone=Europe/Berlin",
        "sort=-completed_at",
        "sort=completed_at",
        "due=overdue&sort=due",
        "due=overdue&sort=due&completed=true",
        "due=overdue&sort=due&timezone=Pacific/Pago_Pago",
        "due=today&sort=due",
        "due=today&sort=due&timezone=Europe/Berlin",
        "due=today&sort=due&timezone=Pacific/Pago_Pago",
        "due=none",
        "due=any&sort=-due",
        "due_from=2026-01-02&sort=due",
        "due_to=2026-01-01&sort=due",
        "due_from=2026-01-03&due_to=2026-01-03&sort=due&timezone=Europe/Berlin",
        "due_from=9999-12-31&due_to=9999-12-31",
        "sort=due&limit=2&offset=3",
        "sort=-due&limit=2&offset=7",
    ] {
        let titles = wire.titles(query).await;
        writeln!(listed, "{query}: {}", titles.join(", ")).expect("written");
    }
    assert_snapshot!(listed);

    for query in [
        "due_from=2026-02-30",
        "due_to=2026-13-01",
        "due_from=0000-01-01",
        "due_from=10000-01-01",
        "due_from=20260101",
        "due_from=2026-01-01T09:00:00Z",
        "due_from=",
        "due_from=tomorrow",
        "due_from=2026-01-02&due_to=2026-01-01",
        "due_from=2026-01-01&due_from=2026-01-01",
        "due=late",
        "due=Today",
        "due=",
        "due=today&due=today",
        "due=overdue&due_from=2026-01-01",
        "due=none&due_to=2026-01-01",
        "timezone=Mars/Olympus",
        "timezone=europe/berlin",
        "timezone=%2B01:00",
        "timezone=",
        "timezone=UTC&timezone=UTC",
        "due_form=2026-01-01",
        "sort=dues",
    ] {
        wire.ask(get(&format!("/api/v1/tasks?{query}"))).await;
    }
    for query in [
        "",
        "?timezone=Europe/Berlin",
        "?timezone=Pacific/Pago_Pago",
        "?timezone=X",
        "?zone=UTC",
    ] {
        wire.ask(get(&format!("/api/v1/tasks/stats{query}"))).await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn pages_of_what_is_due_today_are_of_one_day() {
    let mut wire = Wire::new();
    for title in ["a", "b", "c"] {
        let body = format!(r#"{{"title": "{title}", "due": "2026-01-02"}}"#);
        wire.created(&body).await;
    }
    for (due, sort) in [
        ("today", "due"),
        ("overdue&timezone=Asia/Tokyo", "-due"),
        ("any", "due"),
    ] {
        let query = format!("due={due}&sort={sort}&limit=1");
        let mut answer = wire.listed(&query).await;
        let mut titles = vec![answer["tasks"][0]["title"].clone()];
        while let Some(cursor) = answer["next_cursor"].as_str() {
            // Another day.
            wire.clock().advance(86_400_000_000);
            answer = wire.listed(&format!("{query}&cursor={cursor}")).await;
            titles.push(answer["tasks"][0]["title"].clone());
        }
        assert_eq!(titles.len(), 3, "{due}: {titles:?}");
        // The next list is of the day that it is by now.
        let count = wire.titles("due=today").await.len();
        assert_eq!(count, 0);
    }
    let cursor = wire.listed("due=any&sort=due&limit=1").await["next_cursor"].clone();
    let cursor = cursor.as_str().expect("more");
    for query in [
        "due=any&limit=1&sort=-due",
        "due=any&limit=1&sort=due&timezone=Asia/Tokyo",
        "due=today&limit=1&sort=due",
        "due_from=2026-01-01&limit=1&sort=due",
        "limit=1&sort=due",
        "due=any&limit=1&sort=completed_at",
    ] {
        wire.ask(get(&format!("/api/v1/tasks?{query}&cursor={cursor}")))
            .await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn invalid_details_return_422_in_the_order_of_the_fields() {
    let mut wire = Wire::new();
    wire.ask(post(r#"{"title": "before"}"#)).await;
    let due = |due: &str| post(&format!(r#"{{"title": "x", "due": "{due}"}}"#));
    let tags = |tags: &str| post(&format!(r#"{{"title": "x", "tags": {tags}}}"#));
    let many = |count: usize| {
        let tags: Vec<_> = (0..count).map(|number| format!("\"{number}\"")).collect();
        format!("[{}]", tags.join(","))
    };
    for request in [
        post(r#"{"title": "", "completed": 1, "due": 1, "priority": "urgent", "tags": "home"}"#),
        post(r#"{"title": "x", "priority": "High"}"#),
        post(r#"{"title": "x", "priority": 3}"#),
        due("20261201"),
        due("2026-02-30"),
        due("0000-01-01"),
        due("2026-12-01T09:00:00"),
        due("2026-12-01T09:00:00+02:00[Europe/Berlin]"),
        due("2026-12-01T09:00:00+01:00[Mars/Olympus]"),
        due("2026-12-01T23:59:60Z"),
        tags("{}"),
        tags(r#"["home", 1]"#),
        tags(r#"["home", null]"#),
        tags(r#"["home", ""]"#),
        tags(r#"["a,b"]"#),
        tags(r#"[" a"]"#),
        tags(r#"["a\u0000"]"#),
        tags(&format!("[\"{}\"]", "ä".repeat(51))),
        tags(&many(21)),
        tags(&many(1001)),
        patch(r#"{"priority": "", "tags": ["\n"]}"#),
        request(Method::PUT, TASK).json(r#"{"title": "x", "priority": true}"#),
        get(TASK),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}
