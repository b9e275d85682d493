//! A restored store equals the backed-up store.

use super::contents::{SESSIONS, contents};
use super::life::{Person, populate, send_keyed, tasks};
use super::{manifest, text};
use crate::service::{Database, Service};

on_both_stores! {
    restored_store_equals_the_backed_up_store
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
    assert_eq!(manifest(&again).tables, manifest(&backup).tables);

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
        .create(serde_json::json!({"title": "life goes on"}))
        .await;
}
