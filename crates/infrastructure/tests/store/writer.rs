//! SQLite writes that share a transaction do not affect each other.

use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use taskhold_domain::task::{Description, Details, Task, TaskChange, TaskDraft, TaskId, Title};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Precondition, TaskQuery};
use taskhold_testkit::contract::{try_add, try_change};
use uuid::Uuid;

use crate::database::{self, TestDatabase};

const WRITES: u128 = 300;

fn alice() -> UserId {
    UserId::parse("alice").expect("a user id")
}

fn task(number: u128) -> Task {
    let draft = TaskDraft {
        title: Title::parse(format!("task {number}")).expect("a title"),
        description: Description::default(),
        completed: false,
        details: Details::default(),
    };
    let now = Timestamp::from_micros(1_767_323_045_000_000).expect("in range");
    Task::create(
        TaskId::from_uuid(Uuid::from_u128(number)),
        alice(),
        draft,
        now,
    )
}

async fn count_tasks(store: &TestDatabase) -> usize {
    let page = store.tasks.list(&alice(), &TaskQuery::default()).await;
    page.expect("listed").tasks.len()
}

/// Returns the number of transactions in the write-ahead log. The last frame of a transaction has
/// the database size in its header (<https://www.sqlite.org/fileformat2.html#walformat>).
fn commits(store: &TestDatabase) -> usize {
    const HEADER: usize = 32;
    const FRAME: usize = 24 + 4096;
    let folder = store.folder.as_ref().expect("a folder").path();
    let log = std::fs::read(folder.join("new/taskhold.db-wal")).expect("a write-ahead log");
    let frames = log.get(HEADER..).unwrap_or_default().chunks_exact(FRAME);
    frames
        .filter(|frame| frame.get(4..8) != Some(&[0; 4]))
        .count()
}

#[tokio::test]
async fn failed_write_does_not_undo_others() {
    let store = database::sqlite().await;
    try_add(&store, &task(0)).await.expect("added");
    // Every third task reuses an existing id.
    let tasks: Vec<_> = (1..=WRITES)
        .map(|number| task(if number % 3 == 0 { 0 } else { number }))
        .collect();
    let outcomes = join_all(tasks.iter().map(|task| try_add(&store, task))).await;
    let refused = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(StoreError::Duplicate | StoreError::Busy)))
        .count();
    let added = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(refused + added, outcomes.len(), "{outcomes:?}");
    assert!(refused >= 80, "{refused}");
    assert_eq!(count_tasks(&store).await, added + 1);
}

#[tokio::test]
async fn concurrent_writes_share_commits() {
    let store = database::sqlite().await;
    try_add(&store, &task(0)).await.expect("added");
    let before = commits(&store);
    let tasks: Vec<_> = (1..=100).map(task).collect();
    let outcomes = join_all(tasks.iter().map(|task| try_add(&store, task))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let commit_count = commits(&store) - before;
    assert!(
        (2..50).contains(&commit_count),
        "{commit_count} commits of 100 writes"
    );

    let before = commits(&store);
    for number in 101..=120 {
        try_add(&store, &task(number)).await.expect("added");
    }
    assert_eq!(commits(&store) - before, 20, "one after the other");
}

#[tokio::test]
async fn write_that_ends_the_transaction_fails_alone() {
    let store = database::sqlite().await;
    // The trigger rolls the transaction back as a full disk does.
    let ends = "CREATE TRIGGER ends BEFORE INSERT ON tasks WHEN NEW.title = 'task 50' \
                BEGIN SELECT RAISE(ROLLBACK, 'ended'); END";
    store.sql.execute_unprepared(ends).await.expect("made");
    let tasks: Vec<_> = (0..100).map(task).collect();
    let outcomes = join_all(tasks.iter().map(|task| try_add(&store, task))).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.is_err(), number == 50, "{number}: {outcome:?}");
    }
    assert_eq!(count_tasks(&store).await, 99);
}

#[tokio::test]
async fn write_waits_for_another_process() {
    let store = database::sqlite().await;
    try_add(&store, &task(0)).await.expect("added");
    let execute = async |sql| store.sql.execute_unprepared(sql).await.expect("executed");
    execute("BEGIN IMMEDIATE").await;
    execute("UPDATE tasks SET title = 'by another'").await;
    let toggle = TaskChange::toggle();
    let now = Timestamp::LAST;
    let (owner, id) = (alice(), task(0).id);
    let change = try_change(&store, &owner, id, &toggle, &Precondition::None, now);
    let other = async {
        // Readers do not wait and see the committed state.
        let found = store.tasks.find(&owner, id).await.expect("found");
        assert_eq!(found.map(|task| task.title), Some(task(0).title));
        execute("COMMIT").await;
    };
    let (changed, ()) = tokio::join!(change, other);
    let changed = changed.expect("changed").expect("there");
    assert_eq!(changed.title.as_str(), "by another");
    assert!(changed.completed);
}
