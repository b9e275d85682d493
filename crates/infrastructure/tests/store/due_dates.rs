//! The due dates that lists compare, as a migration computes them.

use sea_orm::ConnectionTrait as _;
use sea_orm_migration::MigratorTrait as _;
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeStamp};
use taskhold_domain::task::{Description, Details, Due, Task, TaskDraft, TaskId, Title};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_domain::zone::database_version;
use taskhold_migration::Migrator;
use taskhold_repository::tasks::{DueFilter, Precondition, Sort, SortKey, TaskQuery};
use taskhold_testkit::contract::{try_add, try_remove};
use uuid::Uuid;

use crate::database::TestDatabase;

/// The time zone database by which the instants in a store were computed, and the migration that did so.
const COMPUTED_BY: (&str, &str) = ("2026f", "m20261129_000009_due_dates");

#[test]
fn new_time_zone_database_comes_with_a_migration() {
    let (version, migration) = COMPUTED_BY;
    assert_eq!(
        database_version(),
        version,
        "the instants of due dates are computed anew after a migration: add one, even an empty one"
    );
    let mut migrations = Migrator::migrations().into_iter();
    assert!(migrations.any(|known| known.name() == migration));
}

fn alice() -> UserId {
    UserId::parse("alice").expect("a user id")
}

fn id(number: u128) -> TaskId {
    TaskId::from_uuid(Uuid::from_u128(number))
}

async fn add(store: &TestDatabase, number: u128, due: Option<&str>) {
    let draft = TaskDraft {
        title: Title::parse("x").expect("a title"),
        description: Description::default(),
        completed: false,
        details: Details {
            due: due.map(|due| Due::parse(due).expect("a due date")),
            ..Details::default()
        },
    };
    let now = Timestamp::from_micros(0).expect("a time");
    let task = Task::create(id(number), alice(), draft, now);
    try_add(store.as_ref(), &task).await.expect("added");
}

/// Returns the numbers of the tasks with a due date, in its order.
async fn due(store: &TestDatabase) -> Vec<u128> {
    let query = TaskQuery {
        due: vec![DueFilter::Any],
        sort: Sort {
            key: SortKey::Due,
            descending: false,
        },
        ..TaskQuery::default()
    };
    let page = store.tasks.list(&alice(), &query).await.expect("listed");
    let numbers = page.tasks.iter().map(|task| task.id.as_uuid().as_u128());
    numbers.collect()
}

/// The version before writes the document only, and a deleted task comes back with what the migration computed.
async fn migration_computes_due_dates_from_documents(store: &TestDatabase) {
    add(store, 1, Some("2026-12-02")).await;
    add(store, 2, Some("2026-12-01T09:00:00+01:00[Europe/Berlin]")).await;
    add(store, 3, None).await;
    add(store, 4, Some("2026-12-01")).await;
    let removed = try_remove(store.as_ref(), &alice(), id(4), &Precondition::None).await;
    assert!(removed.expect("removed"));
    assert_eq!(due(store).await, [2, 1]);
    store
        .repeat_migrations_from("m20261129_000009_due_dates")
        .await;
    assert_eq!(due(store).await, [2, 1]);
    let stamp = ChangeStamp {
        at: Timestamp::from_micros(1).expect("a time"),
        by: ChangeAuthor::session(),
    };
    let restored = store.as_ref().trash.restore(&alice(), id(4), &stamp).await;
    assert!(restored.expect("answered").is_some());
    assert_eq!(due(store).await, [4, 2, 1]);
}

/// No zone or calendar of the program has such dates, so no cursor can name them.
async fn due_dates_out_of_range_are_left_out(store: &TestDatabase) {
    for number in 1..=4 {
        add(store, number, Some("2026-12-01")).await;
    }
    for (date, title) in [(i64::MIN, "a"), (i64::MAX, "b")] {
        let update = format!(
            "UPDATE tasks SET due_date = {date}, title = '{title}' \
             WHERE id = (SELECT id FROM tasks WHERE title = 'x' ORDER BY id LIMIT 1)"
        );
        store
            .sql
            .execute_unprepared(&update)
            .await
            .expect("executed");
    }
    assert_eq!(due(store).await, [3, 4]);
}

on_both_stores! {
    migration_computes_due_dates_from_documents
    due_dates_out_of_range_are_left_out
}
