//! The due dates of follow-ups.

use reqwest::Method;
use serde_json::{Value, json};

use super::{BERLIN, complete, only_follow_up, plants};
use crate::service::{Client, Database, Service, path};

on_both_stores! {
    repeat_that_ends_creates_no_follow_up
    follow_ups_keep_their_wall_time
    day_of_the_completion_is_that_of_the_zone
}

/// Completes a task and its follow-ups until there is none. Returns the due date and the repeat of each follow-up.
async fn follow_ups(client: &Client, due: &str, repeat: &str) -> Vec<(String, String)> {
    let body = json!({"title": "again", "due": due, "repeat": repeat});
    let mut task = client.create(body).await;
    let mut found = Vec::new();
    while found.len() < 4 {
        let completed = complete(client, &task).await;
        assert_eq!(
            completed.body["task"]["repeat"],
            Value::Null,
            "{completed:?}"
        );
        let Some(next) = completed.body.get("next") else {
            break;
        };
        let text = |field: &str| next[field].as_str().expect("a text").to_owned();
        found.push((text("due"), text("repeat")));
        task = next.clone();
    }
    found
}

async fn repeat_that_ends_creates_no_follow_up(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    for (due, repeat, expected) in [
        ("2026-12-01", "FREQ=DAILY;COUNT=1", &[][..]),
        (
            "2026-12-01",
            "FREQ=DAILY;COUNT=3",
            &[
                ("2026-12-02", "FREQ=DAILY;COUNT=2"),
                ("2026-12-03", "FREQ=DAILY;COUNT=1"),
            ],
        ),
        ("2026-12-01", "FREQ=DAILY;UNTIL=20261201", &[]),
        ("2026-12-01", "FREQ=DAILY;UNTIL=20200101", &[]),
        (
            "2026-12-01",
            "FREQ=WEEKLY;UNTIL=20261208",
            &[("2026-12-08", "FREQ=WEEKLY;UNTIL=20261208")],
        ),
        // The next is due at 08:00 in UTC.
        (BERLIN, "FREQ=DAILY;UNTIL=20261202T075959Z", &[]),
        (
            BERLIN,
            "FREQ=DAILY;UNTIL=20261202T080000Z",
            &[(
                "2026-12-02T09:00:00+01:00[Europe/Berlin]",
                "FREQ=DAILY;UNTIL=20261202T080000Z",
            )],
        ),
        ("9999-12-31", "FREQ=DAILY", &[]),
        ("9999-12-30", "FREQ=DAILY", &[("9999-12-31", "FREQ=DAILY")]),
        ("2026-12-01", "FREQ=YEARLY;INTERVAL=3652059", &[]),
        ("9997-02-28", "FREQ=MONTHLY;BYMONTHDAY=29;INTERVAL=12", &[]),
    ] {
        let expected: Vec<_> = expected
            .iter()
            .map(|(due, repeat)| ((*due).to_owned(), (*repeat).to_owned()))
            .collect();
        assert_eq!(
            follow_ups(&alice, due, repeat).await,
            expected,
            "{due} {repeat}"
        );
    }
}

/// Checks a time that clocks skip, and one that they show twice.
async fn follow_ups_keep_their_wall_time(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    for (due, expected) in [
        (
            "2026-03-28T02:30:00+01:00[Europe/Berlin]",
            [
                "2026-03-29T03:30:00+02:00[Europe/Berlin]",
                "2026-03-30T02:30:00+02:00[Europe/Berlin]",
            ],
        ),
        (
            "2026-10-24T02:30:00+02:00[Europe/Berlin]",
            [
                "2026-10-25T02:30:00+02:00[Europe/Berlin]",
                "2026-10-26T02:30:00+01:00[Europe/Berlin]",
            ],
        ),
        (
            "2026-10-03T02:10:00+10:30[Australia/Lord_Howe]",
            [
                "2026-10-04T02:40:00+11:00[Australia/Lord_Howe]",
                "2026-10-05T02:10:00+11:00[Australia/Lord_Howe]",
            ],
        ),
        (
            "2026-03-28T02:30:00+01:00",
            ["2026-03-29T02:30:00+01:00", "2026-03-30T02:30:00+01:00"],
        ),
    ] {
        let found = follow_ups(&alice, due, "FREQ=DAILY;COUNT=3").await;
        let found: Vec<_> = found.iter().map(|(due, _)| due.as_str()).collect();
        assert_eq!(found, expected);
    }
}

/// The two zones never have the same day: their offsets differ by 25 hours.
async fn day_of_the_completion_is_that_of_the_zone(database: Database) {
    let (east, west) = ("Pacific/Kiritimati", "Pacific/Pago_Pago");
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let next_day = async |due: &str, zone: &str| {
        let body = json!({
            "title": "x", "due": due, "repeat": "FREQ=DAILY", "repeat_from": "completion",
        });
        let task = alice.create(body).await;
        let path = format!("{}?timezone={zone}", path(&task));
        let done = json!({"completed": true});
        let answer = alice.send(Method::PATCH, &path, Some(done)).await;
        let next = only_follow_up(&[answer]);
        assert_eq!(next["repeat_from"], "completion");
        let due = next["due"].as_str().expect("a due date");
        due.get(..10).expect("a day").to_owned()
    };
    // West first, so that a midnight between the requests does not matter.
    assert!(next_day("2026-12-01", west).await < next_day("2026-12-01", east).await);
    // The zone of a time is that of its completion, too.
    let at = |time: &str| format!("2026-12-01T09:00:00{time}");
    let (in_east, in_west) = (
        at("+14:00[Pacific/Kiritimati]"),
        at("-11:00[Pacific/Pago_Pago]"),
    );
    assert!(next_day(&in_west, east).await < next_day(&in_east, west).await);

    let task = plants(&alice).await;
    let unknown = format!("{}/complete?timezone=Mars/Olympus", path(&task));
    let refused = alice.send(Method::PATCH, &unknown, None).await;
    refused.assert_problem(400, "MALFORMED_REQUEST");
    assert_eq!(alice.get(&path(&task)).await.body["task"], task);
}
