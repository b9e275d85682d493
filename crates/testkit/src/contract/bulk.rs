//! The obligations of writes of several tasks.

#![expect(
    clippy::indexing_slicing,
    reason = "an obligation states what it expects"
)]

use futures_util::future::{join, join_all};
use taskhold_domain::task::change_log::{ChangeKind, ChangeSeq};
use taskhold_domain::task::{
    Details, Due, FollowUp, Position, RepeatFrom, Task, TaskChange, TaskId, TaskIds,
};
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKey, IdempotentOutcome, KeyedRequest,
};
use taskhold_repository::tasks::{BulkWrite, TaskWrite};
use taskhold_repository::written::{BulkOutcome, Written};

use super::Ports;
use super::change_log::{ALL, change, changes, feed, history, remove, seq, trash};
use super::fixtures::{
    add_task, at, created_at, find_task, id, list_tasks, rule, some_details, stamp, task, user,
};

/// The number of the first follow-up in a write of [`completion`].
const FIRST_FOLLOW_UP: u128 = 1000;

/// Returns the completion of tasks. The follow-up of the task `n` has the number `1000 + n`.
pub(super) fn completion(numbers: &[u128]) -> BulkWrite {
    let follow_up = |number| FollowUp {
        id: id(FIRST_FOLLOW_UP + number),
        zone: Zone::UTC,
    };
    let tasks = numbers
        .iter()
        .map(|number| (id(*number), follow_up(*number)));
    BulkWrite::Complete(tasks.collect())
}

pub(super) fn removal(numbers: &[u128]) -> BulkWrite {
    let ids = numbers.iter().map(|number| id(*number));
    BulkWrite::Remove(TaskIds::parse(ids).expect("a list"))
}

/// Writes as alice.
async fn try_write(store: &Ports, write: &BulkWrite) -> BulkOutcome {
    let (alice, stamp) = (alice(), stamp(7));
    let written = store.tasks.write_bulk(&alice, write, &stamp);
    written.await.expect("answered")
}

pub(super) async fn write(store: &Ports, write: &BulkWrite) -> Written<Vec<Task>> {
    match try_write(store, write).await {
        BulkOutcome::Done(written) => written,
        other @ BulkOutcome::NoneChanged(_) => panic!("{other:?}"),
    }
}

/// Returns a request with a fingerprint of `content`.
fn request(key: &str, content: u8) -> KeyedRequest {
    KeyedRequest {
        key: IdempotencyKey::parse(key).expect("a key"),
        fingerprint: Fingerprint([content; 32]),
    }
}

async fn write_keyed(store: &Ports, key: &str, write: &BulkWrite) -> IdempotentOutcome {
    write_keyed_as(store, &alice(), &request(key, 1), write).await
}

async fn write_keyed_as(
    store: &Ports,
    owner: &UserId,
    request: &KeyedRequest,
    write: &BulkWrite,
) -> IdempotentOutcome {
    let (write, stamp) = (TaskWrite::Bulk(write.clone()), stamp(7));
    let written = store.tasks.write_idempotent(owner, request, &write, &stamp);
    written.await.expect("answered")
}

pub(super) fn alice() -> UserId {
    user("alice")
}

pub(super) async fn add(store: &Ports, numbers: impl IntoIterator<Item = u128>) -> Vec<Task> {
    let mut tasks = Vec::new();
    for number in numbers {
        tasks.push(add_task(store, task("alice", number)).await);
    }
    tasks
}

/// Returns a task that repeats every day.
pub(super) fn repeating(number: u128) -> Task {
    let details = Details {
        due: Some(Due::parse("2026-12-01").expect("a due date")),
        repeat: Some(rule("FREQ=DAILY")),
        repeat_from: RepeatFrom::Due,
        ..some_details()
    };
    Task {
        details,
        ..task("alice", number)
    }
}

/// Returns a task as its completion at the time of [`try_write`] leaves it.
fn completed(task: &Task) -> Task {
    let mut task = task.clone();
    task.apply(&TaskChange::complete(true), at(7));
    task
}

pub(super) async fn find_all(store: &Ports, tasks: &[Task]) -> Vec<Option<Task>> {
    join_all(tasks.iter().map(|task| find_task(store, task))).await
}

/// Returns the number of the latest change of a task.
async fn latest(store: &Ports, task: &Task) -> ChangeSeq {
    let history = history(store, task).await;
    history.last().expect("a change").seq
}

/// Checks the tasks, their order, the log and the feed. A task that is completed already is changed too.
pub async fn completed_tasks_have_consecutive_numbers(store: &Ports) {
    let mut tasks = add(store, 1..=4).await;
    tasks[1] = change(store, &tasks[1], TaskChange::complete(true), 3)
        .await
        .outcome;
    let others = add_task(store, task("bob", 9)).await;
    // The order of a write is not that of the ids.
    let order = [2, 0, 1];
    let expected: Vec<_> = order
        .iter()
        .map(|place| completed(&tasks[*place]))
        .collect();
    let written = write(store, &completion(&[3, 1, 2])).await;
    assert_eq!(written, Written::new(expected.clone(), seq(8)));
    assert_eq!(expected[2].completed_at, Some(at(3)));
    let found = find_all(store, &expected).await;
    assert_eq!(
        found,
        expected.iter().cloned().map(Some).collect::<Vec<_>>()
    );
    for (number, task) in (6..).zip(&expected) {
        let history = history(store, task).await;
        let last = history.last().expect("a change");
        assert_eq!(last.seq, seq(number));
        assert_eq!((last.kind, &last.stamp), (ChangeKind::Completed, &stamp(7)));
        let was_open = task.id != tasks[1].id;
        assert_eq!(last.before.completed, was_open.then_some(false));
    }
    assert_eq!(feed(store, &alice()).await.last, seq(8));
    let page = changes(store, &alice(), 5, ALL).await;
    let changed = page.changes.into_iter().map(|change| change.task);
    assert_eq!(changed.collect::<Vec<_>>(), found);
    assert_eq!(find_task(store, &tasks[3]).await.as_ref(), Some(&tasks[3]));
    assert_eq!(find_task(store, &others).await, Some(others));
}

/// Checks the trash, the log and the feed.
pub async fn deleted_tasks_go_to_the_trash_together(store: &Ports) {
    let tasks = add(store, 1..=4).await;
    let written = write(store, &removal(&[3, 1, 4, 3, 1])).await;
    assert_eq!(written, Written::new(Vec::new(), seq(7)));
    assert_eq!(list_tasks(store, &alice()).await, [tasks[1].clone()]);
    let page = store.trash.list(&alice(), None, ALL).await;
    let trashed = page.expect("answered").tasks.into_iter();
    let trashed: Vec<_> = trashed
        .map(|trashed| (trashed.task, trashed.deleted_at))
        .collect();
    let expected = [3, 2, 0].map(|place: usize| (tasks[place].clone(), at(7)));
    assert_eq!(trashed, expected);
    let page = changes(store, &alice(), 4, ALL).await;
    let removed = page.changes.into_iter();
    let removed: Vec<_> = removed
        .map(|change| (change.seq, change.id, change.task))
        .collect();
    assert_eq!(
        removed,
        [(5, 3), (6, 1), (7, 4)].map(|(number, task)| (seq(number), id(task), None))
    );
}

/// Checks that a task of another user, one that never was and one in the trash are alike, and that the first of them in
/// the order of the write is named; with a key, which stays free, and without.
pub async fn task_that_is_not_the_owners_changes_none(store: &Ports) {
    let tasks = add(store, 1..=3).await;
    add_task(store, task("bob", 4)).await;
    remove(store, &tasks[2], 1).await;
    let before = find_all(store, &tasks).await;
    for (numbers, named) in [
        (&[1, 4, 2, 3][..], 4),
        (&[3, 1, 4], 3),
        (&[2, 1, 99, 3], 99),
        (&[98], 98),
    ] {
        for bulk in [completion(numbers), removal(numbers)] {
            let outcome = try_write(store, &bulk).await;
            assert_eq!(outcome, BulkOutcome::NoneChanged(id(named)), "{bulk:?}");
            let outcome = write_keyed(store, "k", &bulk).await;
            let expected = IdempotentOutcome::NoneChanged(id(named));
            assert_eq!(outcome, expected, "{bulk:?}");
        }
    }
    assert_eq!(find_all(store, &tasks).await, before);
    assert_eq!(feed(store, &alice()).await.last, seq(4));
    // The store does not know this user.
    let carol = user("carol");
    let outcome = write_keyed_as(store, &carol, &request("k", 1), &removal(&[2, 1])).await;
    assert_eq!(outcome, IdempotentOutcome::NoneChanged(id(2)));
    let done = write_keyed(store, "k", &removal(&[2, 1])).await;
    assert!(matches!(done, IdempotentOutcome::Done(_)), "{done:?}");
}

/// Checks that tasks that repeat and others are completed in one write, each follow-up right after its task in the log
/// and in the order by hand.
pub async fn tasks_that_repeat_get_follow_ups(store: &Ports) {
    // A rule that ends has no follow-up.
    let rules = [
        Some("FREQ=DAILY"),
        None,
        Some("FREQ=DAILY"),
        Some("FREQ=DAILY;COUNT=1"),
    ];
    let mut tasks = Vec::new();
    for (number, repeat) in (1_u8..).zip(rules) {
        let created = created_at(repeating(u128::from(number)), -10 * i64::from(number));
        let details = Details {
            repeat: repeat.map(rule),
            ..created.details.clone()
        };
        let new = Task {
            // The latest comes first.
            position: Position::of_creation(created.created_at),
            details,
            ..created
        };
        tasks.push(add_task(store, new).await);
    }
    let written = write(store, &completion(&[3, 2, 1, 4])).await;
    assert_eq!(written.seq, seq(10));
    let ids = |tasks: &[Task]| tasks.iter().map(|task| task.id).collect::<Vec<TaskId>>();
    assert_eq!(ids(&written.outcome), [3, 2, 1, 4].map(id));
    assert_eq!(ids(&written.next), [1003, 1001].map(id));
    for task in &written.outcome {
        assert!(task.completed && task.details.repeat.is_none());
    }
    for next in &written.next {
        let due = Due::parse("2026-12-02").expect("a due date");
        assert_eq!(next.details.due, Some(due));
        assert_eq!(next.details.repeat, Some(rule("FREQ=DAILY")));
    }
    let mut all = [written.outcome, written.next].concat();
    let mut numbers = Vec::new();
    for task in &all {
        assert_eq!(find_task(store, task).await.as_ref(), Some(task));
        numbers.push(latest(store, task).await.get());
    }
    assert_eq!(numbers, [5, 7, 8, 10, 6, 9]);
    all.sort_by(|one, other| (&one.position, one.id).cmp(&(&other.position, other.id)));
    assert_eq!(ids(&all), [1, 1001, 2, 3, 1003, 4].map(id));
    // Completed again, none of them repeats.
    let again = write(store, &completion(&[3, 1])).await;
    assert_eq!((again.seq, again.next), (seq(12), Vec::new()));
}

/// Checks that a replay has the tasks and the follow-ups as they were.
pub async fn replayed_bulk_write_changes_nothing(store: &Ports) {
    let tasks = [
        add_task(store, task("alice", 1)).await,
        add_task(store, repeating(2)).await,
    ];
    let IdempotentOutcome::Done(done) = write_keyed(store, "k", &completion(&[2, 1])).await else {
        panic!("not done");
    };
    assert_eq!((done.seq, done.outcome.len()), (seq(5), 2));
    assert_eq!(done.next.len(), 1);
    change(store, &tasks[0], TaskChange::complete(false), 8).await;
    remove(store, &tasks[1], 9).await;
    let replayed = IdempotentOutcome::Replayed {
        tasks: done.outcome,
        seq: Some(done.seq),
        next: done.next,
    };
    assert_eq!(
        write_keyed(store, "k", &completion(&[2, 1])).await,
        replayed
    );
    assert_eq!(feed(store, &alice()).await.last, seq(7));

    let IdempotentOutcome::Done(done) = write_keyed(store, "r", &removal(&[1, 1002])).await else {
        panic!("not done");
    };
    assert_eq!(done, Written::new(Vec::new(), seq(9)));
    let replayed = IdempotentOutcome::Replayed {
        tasks: Vec::new(),
        seq: Some(seq(9)),
        next: Vec::new(),
    };
    assert_eq!(
        write_keyed(store, "r", &removal(&[1, 1002])).await,
        replayed
    );
    for (key, write) in [("k", removal(&[1])), ("r", completion(&[1]))] {
        let refused = write_keyed_as(store, &alice(), &request(key, 2), &write).await;
        assert_eq!(refused, IdempotentOutcome::KeyReused);
    }
    assert_eq!(feed(store, &alice()).await.last, seq(9));
}

/// Checks that of concurrent requests with one key one is made.
pub async fn concurrent_duplicates_of_a_bulk_write_are_made_once(store: &Ports) {
    let tasks = add(store, 1..=5).await;
    let completion = completion(&[5, 4, 3, 2, 1]);
    let duplicates = (0..8).map(|_| write_keyed(store, "k", &completion));
    let outcomes = join_all(duplicates).await;
    let done = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, IdempotentOutcome::Done(_)));
    assert_eq!(done.count(), 1, "{outcomes:?}");
    for task in find_all(store, &tasks).await {
        assert_eq!(task.expect("there").version.get(), 2);
    }
    assert_eq!(feed(store, &alice()).await.last, seq(10));
}

/// Checks that concurrent writes of overlapping tasks in different orders, and writes of one of them, are all made: each
/// task is changed once for each, every number is that of one change, and the numbers of a write follow each other.
pub async fn concurrent_bulk_writes_do_not_deadlock(store: &Ports) {
    let tasks = add(store, 1..=12).await;
    let mut orders = Vec::new();
    for number in 0..8 {
        let mut order: Vec<u128> = (1..=12).collect();
        order.rotate_left(number);
        if number % 2 == 0 {
            order.reverse();
        }
        order.truncate(9);
        orders.push(order);
    }
    let writes: Vec<_> = orders.iter().map(|order| completion(order)).collect();
    let single = |task| change(store, task, TaskChange::complete(true), 7);
    let (bulk, single) = join(
        join_all(writes.iter().map(|bulk| write(store, bulk))),
        join_all(tasks.iter().map(single)),
    )
    .await;
    for (task, found) in (1..).zip(find_all(store, &tasks).await) {
        let times = orders.iter().filter(|order| order.contains(&task)).count();
        let changes = i64::try_from(times).expect("few") + 1;
        assert_eq!(found.expect("there").version.get(), 1 + changes, "{task}");
    }
    let mut numbers: Vec<_> = single.iter().map(|written| written.seq.get()).collect();
    for written in &bulk {
        let last = written.seq.get();
        numbers.extend(last - 8..=last);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (13..13 + 8 * 9 + 12).collect::<Vec<_>>());
    assert_eq!(feed(store, &alice()).await.last, seq(13 + 8 * 9 + 12 - 1));

    // Of concurrent deletions of the same tasks, one finds them.
    let (forth, back) = (removal(&[1, 2, 3, 4]), removal(&[4, 3, 2, 1]));
    let removals = [&forth, &back, &forth, &back].map(|bulk| try_write(store, bulk));
    let outcomes = join_all(removals).await;
    let done = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, BulkOutcome::Done(_)));
    assert_eq!(done.count(), 1, "{outcomes:?}");
    assert_eq!(trash(store, &alice()).await.len(), 4);
}
