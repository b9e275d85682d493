//! A restored store equals the backed-up store.

use reqwest::Method;
use serde_json::json;

use super::contents::{SESSIONS, contents};
use super::life::{Person, populate, send_keyed, tasks};
use super::{manifest, text};
use crate::service::{Answer, Client, Database, Service, eventually, path};

on_both_stores! {
    restored_store_equals_the_backed_up_store
    etag_of_a_lost_state_is_not_used_again
}

async fn restored_store_equals_the_backed_up_store(database: Database) {
    let service = Service::start(&database).await;
    let person = populate(&database, &service).await;
    let expected_tasks = tasks(&person, &service).await;
    // The service runs during the backup.
    let backup = database.backup();
    assert!(service.stop().await.success());
    let mut expected = contents(&database).await;
    for table in SESSIONS {
        let rows = expected.get_mut(table).expect("a table of sessions");
        assert!(!rows.is_empty(), "{table} would not be missed");
        rows.clear();
    }
    assert!(expected.values().filter(|rows| rows.is_empty()).count() == SESSIONS.len());

    let target = database.another().await;
    let printed = target
        .run_command_with(
            &[("LIVE_DATABASE_URL", &database.url)],
            &["restore", text(&backup)],
        )
        .assert_success();
    assert!(
        printed.contains("0 accounts deleted again, 0 deactivated again, 0 revocations"),
        "{printed}"
    );
    assert!(
        contents(&target).await == expected,
        "every row of every table"
    );
    let again = target.backup();
    let tables = |backup| {
        let mut tables = manifest(backup).tables;
        let feeds = tables.remove("feeds").expect("a table");
        (feeds, tables)
    };
    let ((before, expected), (after, found)) = (tables(&backup), tables(&again));
    assert_eq!(found, expected);
    // Other epochs, so that no cursor from before is taken for one of now.
    assert_eq!(after.rows, before.rows);
    assert_ne!(after.digest, before.digest);

    let service = Service::start(&target).await;
    assert_eq!(
        person.refresh_status(&service).await,
        401,
        "sessions are gone"
    );
    let person = Person::log_in(&service, &person.email).await;
    assert!(tasks(&person, &service).await == expected_tasks);
    let answer = send_keyed(&person.client(&service)).await;
    assert_eq!(answer.header("idempotent-replayed"), "true");
    person
        .client(&service)
        .create(json!({"title": "life goes on"}))
        .await;
}

/// A change after the backup is lost by the restore, and its version is given to another change.
async fn etag_of_a_lost_state_is_not_used_again(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = path(&alice.create(json!({"title": "before"})).await);
    let backup = database.backup();
    let change = |client: &Client, title: &str| {
        let request = client.request(Method::PUT, &task);
        request.json(&json!({"title": title}))
    };
    let lost = Answer::of(change(&alice, "lost")).await;
    assert!(service.stop().await.success());
    database.restore_over(&backup).assert_success();

    let service = Service::start(&database).await;
    let kept = eventually("tokens of after the restore are valid", async || {
        let answer = Answer::of(change(&service.client("alice"), "kept")).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(kept.version(), lost.version());
    assert_ne!(kept.header("etag"), lost.header("etag"));
    let alice = service.client("alice");
    let read = alice.request(Method::GET, &task);
    let read = Answer::of(read.header("if-none-match", lost.header("etag"))).await;
    assert_eq!(
        (read.status, &read.body["task"]["title"]),
        (200, &json!("kept"))
    );
    let overwriting = change(&alice, "overwritten").header("if-match", lost.header("etag"));
    Answer::of(overwriting)
        .await
        .assert_problem(412, "PRECONDITION_FAILED");

    let listed = alice.tasks().await.remove(0);
    assert_eq!(listed["etag"], kept.header("etag"));
    let tag = listed["etag"].as_str().expect("a tag");
    let seen = Answer::of(change(&alice, "seen in a list").header("if-match", tag)).await;
    assert_eq!(seen.status, 200);
}
