//! Restores that are unconfirmed or come at the wrong time.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use super::contents::contents;
use super::text;
use crate::service::{Database, SECRET, Service, run_with_input, signed};

on_both_stores! {
    restore_over_rows_needs_the_typed_name
    restore_of_a_served_store_is_refused
    backup_of_an_older_schema_is_migrated
}

async fn restore_over_rows_needs_the_typed_name(database: Database) {
    let service = Service::start(&database).await;
    service.client("anna").create(json!({"title": "one"})).await;
    let backup = database.backup();
    service.client("anna").create(json!({"title": "two"})).await;
    assert!(service.stop().await.success());
    let before = contents(&database).await;

    database.restore(&backup).assert_refused(
        "is not empty (users has 1 row): restore into an empty one, or say --force",
    );
    assert!(contents(&database).await == before);
    let variables = [("DATABASE_URL", database.url.as_str())];
    for typed in ["", "yes", "taskhold"] {
        let arguments = ["restore", text(&backup), "--force"];
        let output = run_with_input(database.folder.path(), &variables, &arguments, typed);
        super::CommandOutcome::of(&output).assert_refused("was not typed");
        assert!(contents(&database).await == before, "{typed:?}");
    }
    database.restore_over(&backup).assert_success();
    let service = Service::start(&database).await;
    let tasks = service.client("anna").tasks().await;
    assert_eq!(
        tasks.len(),
        1,
        "it was restored, and tokens of another issuer count"
    );
}

async fn restore_of_a_served_store_is_refused(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    anna.create(json!({"title": "one"})).await;
    let backup = database.backup();
    anna.create(json!({"title": "two"})).await;
    let sentence = if database.is_sqlite() {
        "another process serves"
    } else {
        "stop every service on it first"
    };
    database.restore_over(&backup).assert_refused(sentence);
    assert_eq!(anna.tasks().await.len(), 2);
    anna.create(json!({"title": "three"})).await;
    assert!(service.stop().await.success());
    database.restore_over(&backup).assert_success();
}

async fn backup_of_an_older_schema_is_migrated(database: Database) {
    let service = Service::start(&database).await;
    let task = service
        .client("anna")
        .create(json!({"title": "from long ago"}))
        .await;
    assert!(service.stop().await.success());
    let newer = super::manifest(&database.backup()).migrations.len() - 1;
    database
        .run_command(&["migrate", "down", "--steps", &newer.to_string(), "--yes"])
        .assert_success();
    let backup = database.backup();
    assert_eq!(super::manifest(&backup).migrations.len(), 1);
    database.verify(&backup).assert_success();

    let target = database.another().await;
    database
        .run_command_with(&[("TO_DATABASE_URL", &target.url)], &["copy"])
        .assert_refused("run `taskhold migrate up` first");
    let printed = target.restore(&backup).assert_success();
    assert!(
        printed.contains(&format!("{newer} migrations applied that it lacked")),
        "{printed}"
    );
    // The same works over a newer schema.
    database.run_command(&["migrate", "up"]).assert_success();
    database.restore_over(&backup).assert_success();
    for restored in [&target, &database] {
        let service = Service::start(restored).await;
        let anna = service.client_with(Some(issued_now("anna")));
        assert_eq!(anna.tasks().await, std::slice::from_ref(&task));
    }
}

/// Returns a token issued after the restore, since older tokens may be revoked.
#[expect(
    clippy::disallowed_methods,
    reason = "the service under test reads the same clock"
)]
fn issued_now(user: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("a time after 1970").as_secs_f64();
    let claims = json!({"sub": user, "iat": now, "exp": now + 3600.0});
    signed(&claims, SECRET)
}

/// Until the restored file takes its place, the served one must have everything that it acknowledged, and what is in
/// its log is lost with the log.
#[tokio::test]
async fn restore_beside_a_reader_of_the_log_is_refused() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    anna.create(json!({"title": "one"})).await;
    let backup = database.backup();
    anna.create(json!({"title": "two"})).await;
    service.kill();
    let mut reader = SqliteConnection::connect(&database.url)
        .await
        .expect("opened");
    let mut reading = reader.begin().await.expect("begun");
    let count = "SELECT count(*) FROM tasks";
    let count: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut *reading)
        .await
        .expect("read");
    assert_eq!(count, 2);
    let log = database.folder.path().join("data/taskhold.db-wal");
    assert!(log.metadata().expect("a log").len() > 0);
    database
        .restore_over(&backup)
        .assert_refused("another process reads or writes");
    drop(reading);
    reader.close().await.expect("closed");
    let service = Service::start(&database).await;
    assert_eq!(service.client("anna").tasks().await.len(), 2);
    assert!(service.stop().await.success());
    database.restore_over(&backup).assert_success();
}
