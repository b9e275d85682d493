//! A restore that is not meant, or comes at the wrong time.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::contents::contents;
use super::text;
use crate::service::{Database, SECRET, Service, run_with_input, signed};

on_both_stores! {
    a_store_with_rows_is_given_up_only_by_who_types_its_name
    a_store_that_is_served_is_not_restored
    a_backup_of_an_older_schema_is_migrated
}

async fn a_store_with_rows_is_given_up_only_by_who_types_its_name(database: Database) {
    let service = Service::start(&database).await;
    service.client("anna").create(json!({"title": "one"})).await;
    let backup = database.backup();
    service.client("anna").create(json!({"title": "two"})).await;
    assert!(service.stop().await.success());
    let before = contents(&database).await;

    database
        .restore(&backup)
        .refused("is not empty (users has 1 rows): restore into an empty one, or say --force");
    assert!(contents(&database).await == before);
    let variables = [("DATABASE_URL", database.url.as_str())];
    for typed in ["", "yes", "taskhold"] {
        let arguments = ["restore", text(&backup), "--force"];
        let output = run_with_input(database.folder.path(), &variables, &arguments, typed);
        super::Ended::of(&output).refused("was not typed");
        assert!(contents(&database).await == before, "{typed:?}");
    }
    database.restore_over(&backup).done();
    let service = Service::start(&database).await;
    let tasks = service.client("anna").tasks().await;
    assert_eq!(
        tasks.len(),
        1,
        "it was restored, and tokens of another issuer count"
    );
}

async fn a_store_that_is_served_is_not_restored(database: Database) {
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
    database.restore_over(&backup).refused(sentence);
    assert_eq!(anna.tasks().await.len(), 2);
    anna.create(json!({"title": "three"})).await;
    assert!(service.stop().await.success());
    database.restore_over(&backup).done();
}

async fn a_backup_of_an_older_schema_is_migrated(database: Database) {
    let service = Service::start(&database).await;
    let task = service
        .client("anna")
        .create(json!({"title": "from long ago"}))
        .await;
    assert!(service.stop().await.success());
    database
        .ended(&["migrate", "down", "--steps", "3", "--yes"])
        .done();
    let backup = database.backup();
    assert_eq!(super::manifest(&backup).migrations.len(), 1);
    database.verify(&backup).done();

    let target = database.another().await;
    database
        .ended_with(&[("TO_DATABASE_URL", &target.url)], &["copy"])
        .refused("run `taskhold migrate up` first");
    let said = target.restore(&backup).done();
    assert!(
        said.contains("3 migrations applied that it lacked"),
        "{said}"
    );
    // Also over what is newer.
    database.ended(&["migrate", "up"]).done();
    database.restore_over(&backup).done();
    for restored in [&target, &database] {
        let service = Service::start(restored).await;
        let anna = service.client_with(Some(issued_now("anna")));
        assert_eq!(anna.tasks().await, std::slice::from_ref(&task));
    }
}

/// A token from after the restore: those from before need not count.
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
