//! Batched calls do not affect each other.

use std::collections::HashMap;

use futures_util::FutureExt;
use futures_util::future::{join, join_all};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeKind};
use taskhold_domain::task::{
    Description, Details, Due, Priority, Tags, Task, TaskChange, TaskDraft, TaskId, Title,
};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Precondition, TaskQuery};
use taskhold_testkit::contract::{try_add, try_change, try_remove};
use uuid::Uuid;

use crate::database::TestDatabase;

/// Few enough that all concurrent calls of a test are admitted.
const MANY: u128 = 50;

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user id")
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_767_323_045_000_000).expect("in range")
}

fn task(owner: &UserId, number: u128) -> Task {
    let draft = TaskDraft {
        title: Title::parse(format!("task {number}")).expect("a title"),
        description: Description::default(),
        completed: false,
        details: Details::default(),
    };
    let id = TaskId::from_uuid(Uuid::from_u128(number));
    Task::create(id, owner.clone(), draft, now())
}

/// Adds tasks of two owners, alternately.
async fn seed(store: &TestDatabase) -> (UserId, UserId) {
    let (alice, bob) = (user("alice"), user("bob"));
    let added = (1..=MANY).map(|number| async move {
        let owner = if number % 2 == 0 { "alice" } else { "bob" };
        try_add(store, &task(&user(owner), number)).await
    });
    // Neither owner exists yet, so the first statements fail.
    for added in join_all(added).await {
        added.expect("added");
    }
    for owner in [&alice, &bob] {
        let count = store.tasks.count(owner).await.expect("counted");
        assert_eq!(u128::from(count.total), MANY / 2);
    }
    (alice, bob)
}

async fn additions(store: &TestDatabase) {
    let (alice, bob) = seed(store).await;
    // Every third task reuses an existing id and fails alone.
    let tasks: Vec<_> = (1..=MANY)
        .map(|number| {
            let is_new = number % 3 != 0;
            (is_new, task(&alice, if is_new { MANY + number } else { 1 }))
        })
        .collect();
    let added = join_all(tasks.iter().map(|(_, task)| try_add(store, task))).await;
    for ((is_new, task), added) in tasks.iter().zip(added) {
        match added {
            Ok(()) => assert!(is_new, "{task:?}"),
            Err(StoreError::Duplicate) => assert!(!is_new, "{task:?}"),
            Err(error) => panic!("{error:?}"),
        }
        let owner = if *is_new { &alice } else { &bob };
        let found = store.tasks.find(owner, task.id).await.expect("found");
        assert!(found.is_some());
    }
}

/// Returns tasks of two owners that differ in every column, each with its author.
fn varied_tasks() -> Vec<(Task, ChangeAuthor)> {
    let (day, time) = ("2026-03-29", "2026-03-29T02:30:00+01:00[Europe/Berlin]");
    let tasks = (1..=MANY).map(|number| {
        let draft = TaskDraft {
            title: Title::parse(format!("{number} \"\\' [null] Ä 😀")).expect("a title"),
            description: Description::parse(format!("{{}}\n\t{number}")).expect("a description"),
            completed: number % 3 == 0,
            details: match number % 5 {
                0 => Details::default(),
                _ => Details {
                    due: Some(
                        Due::parse(if number % 2 == 0 { time } else { day }).expect("a due date"),
                    ),
                    priority: Priority::High,
                    tags: Tags::parse(["Zuhause", "\"\\ {}"]).expect("tags"),
                    ..Details::default()
                },
            },
        };
        let owner = user(if number % 2 == 0 { "alice" } else { "bob" });
        let id = TaskId::from_uuid(Uuid::from_u128(1_000 + number));
        let time = i64::try_from(number).expect("small") + now().as_micros();
        let time = Timestamp::from_micros(time).expect("in range");
        let author = ChangeAuthor::named(format!("program {number}"));
        (Task::create(id, owner, draft, time), author)
    });
    tasks.collect()
}

async fn numbers_of_additions(store: &TestDatabase) {
    let (alice, bob) = seed(store).await;
    let tasks = varied_tasks();
    let added = tasks.iter().map(|(task, by)| store.tasks.add(task, by));
    let added: Vec<_> = join_all(added).await;
    let mut numbers: HashMap<_, Vec<_>> = HashMap::new();
    for ((task, by), seq) in tasks.iter().zip(added) {
        let seq = seq.expect("added");
        let history = store.change_log.history(&task.owner, task.id).await;
        let (found, changes) = history.expect("answered").expect("there");
        assert_eq!(found, *task);
        let [change] = &changes[..] else {
            panic!("{changes:?}");
        };
        assert_eq!((change.seq, change.kind), (seq, ChangeKind::Created));
        assert_eq!((change.stamp.at, &change.stamp.by), (task.created_at, by));
        numbers.entry(&task.owner).or_default().push(seq.get());
    }
    // Each owner has some tasks already.
    let expected: Vec<_> = (26..=50).collect();
    for owner in [&alice, &bob] {
        let numbers = numbers.get_mut(owner).expect("numbers");
        numbers.sort_unstable();
        assert_eq!(*numbers, expected, "{owner:?}");
    }
}

/// Returns the rows of the table `tasks` of a SQLite file, with every column.
async fn rows(store: &TestDatabase) -> Vec<String> {
    let text = async |sql: String| {
        let statement = Statement::from_string(DbBackend::Sqlite, sql);
        let row = store.sql.query_one_raw(statement).await.expect("queried");
        let text: String = row.expect("a row").try_get_by_index(0).expect("a text");
        text
    };
    let columns =
        "SELECT group_concat('quote(' || name || ')', ' || ') FROM pragma_table_info('tasks')";
    let columns = text(columns.to_owned()).await;
    let lines = text(format!(
        "SELECT group_concat(line, char(30)) FROM (SELECT {columns} AS line FROM tasks ORDER BY id)"
    ));
    lines.await.split('\u{1e}').map(str::to_owned).collect()
}

#[tokio::test]
async fn additions_in_one_statement_store_the_same_rows() {
    let batched = crate::database::batched(crate::database::sqlite()).await;
    let alone = crate::database::sqlite().await;
    seed(&batched).await;
    seed(&alone).await;
    let tasks = varied_tasks();
    let added = tasks.iter().map(|(task, by)| batched.tasks.add(task, by));
    for added in join_all(added).await {
        added.expect("added");
    }
    for (task, by) in &tasks {
        alone.tasks.add(task, by).await.expect("added");
    }
    let rows = (rows(&batched).await, rows(&alone).await);
    assert_eq!(rows.0.len() as u128, 2 * MANY);
    assert_eq!(rows.0, rows.1);
}

async fn completions(store: &TestDatabase) {
    let (alice, bob) = seed(store).await;
    let ids: Vec<_> = (1..=MANY)
        .map(|number| (number, TaskId::from_uuid(Uuid::from_u128(number))))
        .collect();
    let hot = TaskId::from_uuid(Uuid::from_u128(2));
    let toggle = TaskChange::toggle();
    let complete = async |owner: &UserId, id, change: &TaskChange| {
        let changed = try_change(store, owner, id, change, &Precondition::None, now());
        changed.await.expect("changed")
    };
    // Both users toggle every task; only the owner's toggle applies. The owner of one task toggles
    // that task `MANY` more times.
    let by_alice = join_all(ids.iter().map(|(_, id)| complete(&alice, *id, &toggle)));
    let by_bob = join_all(ids.iter().map(|(_, id)| complete(&bob, *id, &toggle)));
    let often = join_all((0..MANY).map(|_| complete(&alice, hot, &toggle)));
    let ((by_alice, by_bob), often) = join(join(by_alice, by_bob), often).await;
    for (((number, id), by_alice), by_bob) in ids.iter().zip(by_alice).zip(by_bob) {
        let (owners, others) = if number % 2 == 0 {
            (by_alice, by_bob)
        } else {
            (by_bob, by_alice)
        };
        assert_eq!(others, None, "{number}");
        let toggled = owners.expect("the owner's own");
        assert_eq!(toggled.id, *id);
        if *id != hot {
            assert!(toggled.completed, "{number}");
            assert_eq!(toggled.version.get(), 2);
            assert_eq!(toggled.updated_at.as_micros(), now().as_micros() + 1);
        }
    }
    let mut versions: Vec<_> = often
        .into_iter()
        .map(|toggled| toggled.expect("the owner's own").version.get())
        .collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len() as u128, MANY, "no toggle is lost or doubled");
    let often = store.tasks.find(&alice, hot).await.expect("found");
    let often = often.expect("there");
    assert_eq!(u128::from(often.version.get().unsigned_abs()), MANY + 2);
    assert!(often.completed, "an odd number of toggles");
}

async fn removals(store: &TestDatabase) {
    let (alice, bob) = seed(store).await;
    // Each task is removed three times by its owner and twice by the other user.
    let requests: Vec<_> = (1..=MANY)
        .flat_map(|number| {
            let (owner, other) = if number % 2 == 0 {
                (&alice, &bob)
            } else {
                (&bob, &alice)
            };
            [other, owner, owner, other, owner].map(|by| (number, by, by == owner))
        })
        .collect();
    let removed = join_all(requests.iter().map(|(number, by, _)| {
        let id = TaskId::from_uuid(Uuid::from_u128(*number));
        try_remove(store, by, id, &Precondition::None)
    }))
    .await;
    let mut by_owners = 0;
    for ((number, _, is_owner), removed) in requests.iter().zip(removed) {
        let removed = removed.expect("asked");
        assert!(*is_owner || !removed, "{number} by the other");
        by_owners += u128::from(removed);
    }
    assert_eq!(by_owners, MANY, "each task was removed once");
    for owner in [&alice, &bob] {
        let left = store.tasks.list(owner, &TaskQuery::default()).await;
        assert_eq!(left.expect("listed").tasks, []);
    }
}

async fn pages(store: &TestDatabase) {
    let (alice, bob) = seed(store).await;
    // Pages of different lengths are batched into one statement too.
    let requests: Vec<_> = (1..=100)
        .map(|number| (if number % 2 == 0 { &alice } else { &bob }, number % 25 + 1))
        .collect();
    let found = join_all(requests.iter().map(|(owner, limit)| async move {
        let query = TaskQuery {
            limit: Some(*limit),
            ..TaskQuery::default()
        };
        store.tasks.list(owner, &query).await.expect("listed")
    }))
    .await;
    for ((owner, limit), page) in requests.iter().zip(found) {
        assert_eq!(page.tasks.len(), *limit as usize);
        assert_eq!(page.next.is_some(), *limit < 25, "{limit}");
        assert!(page.tasks.iter().all(|task| task.owner == **owner));
        // All tasks have the same creation time, so they are sorted by id.
        assert!(page.tasks.is_sorted_by(|one, next| one.id > next.id));
        let newest = if **owner == alice { MANY } else { MANY - 1 };
        let first = page.tasks.first().expect("a task");
        assert_eq!(first.id.as_uuid(), Uuid::from_u128(newest));
    }
}

/// The limit on concurrent calls holds in the queue of a batch too.
#[tokio::test]
async fn batched_calls_above_the_limit_are_busy_at_once() {
    const MAX_CALLS: usize = 256;
    let store = crate::database::batched(crate::database::postgres()).await;
    let alice = user("alice");
    let id = TaskId::from_uuid(Uuid::from_u128(1));
    let mut calls: Vec<_> = (0..MAX_CALLS + 10)
        .map(|_| store.tasks.find(&alice, id))
        .collect();
    let busy = calls
        .iter_mut()
        .map(FutureExt::now_or_never)
        .filter(|polled| matches!(polled, Some(Err(StoreError::Busy))))
        .count();
    assert_eq!(busy, 10);
    let waiting = store.database.pool_use().waiting;
    assert!(waiting >= MAX_CALLS - 128, "{waiting}");
    drop(calls);
    let found = store.tasks.find(&alice, id).await;
    assert_eq!(found.expect("answered"), None);
}

macro_rules! on_both_stores {
    ($($test:ident: $what:ident)*) => {$(
        mod $test {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                super::$what(&crate::database::batched(crate::database::postgres()).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                super::$what(&crate::database::batched(crate::database::sqlite()).await).await;
            }
        }
    )*};
}

on_both_stores! {
    failed_addition_fails_alone: additions
    each_addition_has_its_own_number: numbers_of_additions
    each_completion_applies_once_for_its_owner: completions
    each_task_is_removed_once_by_its_owner: removals
    each_caller_gets_its_own_page: pages
}
