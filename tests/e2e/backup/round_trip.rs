//! What was backed up is what is there after a restore.

use super::contents::{SESSIONS, contents};
use super::life::{Person, keyed, live, tasks};
use super::{manifest, text};
use crate::service::{Database, Service};

on_both_stores! {
    a_restored_store_equals_the_one_that_was_backed_up
}

async fn a_restored_store_equals_the_one_that_was_backed_up(database: Database) {
    let service = Service::start(&database).await;
    let person = live(&database, &service).await;
    let expected_tasks = tasks(&person, &service).await;
    // Beside the service, which goes on.
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
    let said = target
        .ended_with(
            &[("LIVE_DATABASE_URL", &database.url)],
            &["restore", text(&backup)],
        )
        .done();
    assert!(
        said.contains("0 accounts deleted again, 0 deactivated again, 0 revocations"),
        "{said}"
    );
    assert!(
        contents(&target).await == expected,
        "every row of every table"
    );
    let again = target.backup();
    assert_eq!(manifest(&again).tables, manifest(&backup).tables);

    let service = Service::start(&target).await;
    assert_eq!(person.refreshing(&service).await, 401, "sessions are gone");
    let person = Person::logged_in(&service, &person.email).await;
    assert!(tasks(&person, &service).await == expected_tasks);
    let answer = keyed(&person.client(&service)).await;
    assert_eq!(answer.header("idempotent-replayed"), "true");
    person
        .client(&service)
        .create(serde_json::json!({"title": "life goes on"}))
        .await;
}
