//! The obligations of tasks that repeat.

#![expect(
    clippy::indexing_slicing,
    reason = "an obligation states what it expects"
)]

use futures_util::future::{join, join_all};
use taskhold_domain::task::change_log::{ChangeKind, FieldValues};
use taskhold_domain::task::{
    Completion, Details, DetailsChange, Due, FollowUp, Position, Repeat, Task, TaskChange, TaskId,
    Version,
};
use taskhold_domain::zone::Zone;
use taskhold_repository::change_log::UndoOutcome;
use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKey, IdempotentOutcome, KeyedRequest,
};
use taskhold_repository::tasks::{Precondition, TaskWrite};
use taskhold_repository::written::Written;

use super::Ports;
use super::change_log::{change, feed, history, remove, seq, trash, undo, undone};
use super::fixtures::{
    add_task, at, find_task, id, list_tasks, rule, some_details, stamp, task, title,
};

fn due(text: &str) -> Due {
    Due::parse(text).expect("a due date")
}

/// Returns a task of alice that is due and repeats as given.
fn repeating(number: u128, repeat: &str) -> Task {
    let details = Details {
        due: Some(due("2026-12-01T09:00:00+01:00[Europe/Berlin]")),
        repeat: Some(rule(repeat)),
        ..some_details()
    };
    Task {
        details,
        ..task("alice", number)
    }
}

fn follow_up(number: u128) -> FollowUp {
    FollowUp {
        id: id(number),
        zone: Zone::UTC,
    }
}

async fn complete(
    store: &Ports,
    task: &Task,
    change: &TaskChange,
    precondition: &Precondition,
    next: u128,
) -> Option<Written<Task>> {
    let (follow_up, stamp) = (follow_up(next), stamp(7));
    let tasks = &store.tasks;
    let completed = tasks.change(
        &task.owner,
        task.id,
        change,
        precondition,
        Some(&follow_up),
        &stamp,
    );
    completed.await.expect("answered")
}

async fn completed(store: &Ports, task: &Task, change: &TaskChange, next: u128) -> Written<Task> {
    let completed = complete(store, task, change, &Precondition::None, next).await;
    completed.expect("completed")
}

fn keyed(key: &str) -> KeyedRequest {
    KeyedRequest {
        key: IdempotencyKey::parse(key).expect("a key"),
        fingerprint: Fingerprint([1; 32]),
    }
}

async fn complete_keyed(store: &Ports, task: &Task, key: &str, next: u128) -> IdempotentOutcome {
    let write = TaskWrite::Change {
        id: task.id,
        change: TaskChange::toggle(),
        precondition: Precondition::None,
        follow_up: Some(follow_up(next)),
    };
    let (request, stamp) = (keyed(key), stamp(7));
    let tasks = &store.tasks;
    let written = tasks.write_idempotent(&task.owner, &request, &write, &stamp);
    written.await.expect("answered")
}

/// Returns the only follow-up.
fn one(mut next: Vec<Task>) -> Task {
    assert_eq!(next.len(), 1, "{next:?}");
    next.remove(0)
}

/// Returns what the completion of a task leads to.
fn expected(task: &Task, change: &TaskChange, next: u128) -> (Task, Vec<Task>) {
    let (change, next) = task
        .repeated(change, &follow_up(next), at(7))
        .expect("a follow-up");
    let mut after = task.clone();
    after.apply(&change, at(7));
    let next = next.map(|mut next| {
        // The task is the last one of its owner.
        next.position = Position::of_follow_up(&task.position, None);
        *next
    });
    (after, next.into_iter().collect())
}

/// Checks every combination of a due date, a rule and the flag, before and in a change: what
/// [`Task::allows`] refuses is not made, alone or under a key, and leaves no trace; the rest is made.
pub async fn change_is_made_only_if_the_task_allows_it(store: &Ports) {
    let some_due = Some(due("2026-12-01"));
    let daily = Some(rule("FREQ=DAILY"));
    let before = [
        (None, None),
        (some_due.clone(), None),
        (some_due.clone(), daily.clone()),
    ];
    let dues = [None, Some(None), Some(some_due)];
    let rules: [Option<Option<Repeat>>; 3] = [None, Some(None), Some(daily)];
    let completions = [
        None,
        Some(Completion::Set(true)),
        Some(Completion::Set(false)),
        Some(Completion::Toggle),
    ];
    let mut number = 0;
    let mut refused = 0;
    for (index, (due, repeat)) in before.iter().cycle().take(6).enumerate() {
        for due_change in &dues {
            for repeat_change in &rules {
                for completion in completions {
                    number += 1;
                    let details = Details {
                        due: due.clone(),
                        repeat: repeat.clone(),
                        ..Details::default()
                    };
                    let mut task = Task {
                        completed: index >= 3,
                        completed_at: (index >= 3).then(|| at(0)),
                        details,
                        ..task("alice", number)
                    };
                    add_task(store, task.clone()).await;
                    let change = TaskChange {
                        completion,
                        details: DetailsChange {
                            due: due_change.clone(),
                            repeat: repeat_change.clone(),
                            ..DetailsChange::default()
                        },
                        ..TaskChange::default()
                    };
                    let last = feed(store, &task.owner).await.last;
                    let (any, stamp) = (Precondition::None, stamp(1));
                    let tasks = &store.tasks;
                    let changed = tasks.change(&task.owner, task.id, &change, &any, None, &stamp);
                    let changed = changed.await.expect("answered");
                    if task.allows(&change) {
                        task.apply(&change, at(1));
                        assert_eq!(changed, Some(Written::new(task.clone(), last.next())));
                    } else {
                        refused += 1;
                        assert_eq!(changed, None, "{task:?} {change:?}");
                        let write = TaskWrite::Change {
                            id: task.id,
                            change: change.clone(),
                            precondition: Precondition::None,
                            follow_up: None,
                        };
                        let request = keyed("refused");
                        let written = tasks.write_idempotent(&task.owner, &request, &write, &stamp);
                        let written = written.await.expect("answered");
                        assert_eq!(written, IdempotentOutcome::Missed);
                        assert_eq!(feed(store, &task.owner).await.last, last);
                    }
                    assert_eq!(find_task(store, &task).await.as_ref(), Some(&task));
                    if change.details.breaks_repeat(&task.details) {
                        let completed =
                            complete(store, &task, &change, &Precondition::None, 1 << 64).await;
                        assert_eq!(completed, None, "{task:?} {change:?}");
                    }
                }
            }
        }
    }
    assert!(refused > 30, "{refused}");
}

/// Checks that of tasks that are completed, toggled and reopened at the same time, by which an adapter may batch them,
/// only those are left out that are open and repeat.
pub async fn concurrent_changes_leave_out_tasks_that_repeat(store: &Ports) {
    let mut tasks = Vec::new();
    for number in 1..=24 {
        let repeating = repeating(number, "FREQ=DAILY");
        let task = Task {
            completed: number % 4 == 0,
            details: match number % 2 {
                0 => repeating.details.clone(),
                _ => Details {
                    repeat: None,
                    ..repeating.details.clone()
                },
            },
            ..repeating
        };
        tasks.push(add_task(store, task).await);
    }
    let kinds = [
        TaskChange::complete(true),
        TaskChange::toggle(),
        TaskChange::complete(false),
    ];
    let changes = tasks
        .iter()
        .zip(kinds.iter().cycle())
        .map(async |(task, change)| {
            let (any, stamp) = (Precondition::None, stamp(1));
            let changed = store
                .tasks
                .change(&task.owner, task.id, change, &any, None, &stamp);
            let changed = changed.await.expect("answered");
            assert_eq!(
                changed.is_some(),
                task.allows(change),
                "{task:?} {change:?}"
            );
        });
    join_all(changes).await;
}

/// Checks the task, its follow-up, and the log of both; and that a second completion is an ordinary one, even of a task
/// that was reopened.
pub async fn completion_adds_one_follow_up(store: &Ports) {
    let before = add_task(store, repeating(1, "FREQ=WEEKLY;COUNT=3")).await;
    let renamed = TaskChange {
        title: Some(title("renamed with the completion")),
        ..TaskChange::complete(true)
    };
    let (after, next) = expected(&before, &renamed, 100);
    let written = completed(store, &before, &renamed, 100).await;
    assert_eq!(written.outcome, after);
    assert_eq!((written.seq, &written.next), (seq(3), &next));
    let next = one(next);
    assert_eq!(next.title, after.title);
    assert_eq!(next.details.repeat, Some(rule("FREQ=WEEKLY;COUNT=2")));
    assert_eq!(find_task(store, &before).await.as_ref(), Some(&after));
    assert_eq!(find_task(store, &next).await.as_ref(), Some(&next));

    let change = TaskChange::complete(true);
    for (number, change) in [
        (3, TaskChange::complete(true)),
        (4, TaskChange::toggle()),
        (5, change.clone()),
    ] {
        let again = completed(store, &before, &change, 101).await;
        assert_eq!((again.seq, again.next), (seq(number + 1), Vec::new()));
    }
    let logged = history(store, &next).await;
    let numbers: Vec<_> = logged
        .iter()
        .map(|change| (change.seq, change.kind))
        .collect();
    assert_eq!(numbers, [(seq(3), ChangeKind::Created)]);
    let logged = history(store, &before).await;
    let (kinds, next_ids): (Vec<_>, Vec<_>) = logged
        .iter()
        .map(|change| (change.kind, change.next))
        .unzip();
    assert_eq!(
        kinds,
        [
            ChangeKind::Created,
            ChangeKind::Updated,
            ChangeKind::Completed,
            ChangeKind::Reopened,
            ChangeKind::Completed,
        ]
    );
    assert_eq!(next_ids, [None, Some(next.id), None, None, None]);
    // The follow-up has one of its own, and the log calls that a completion.
    let written = completed(store, &next, &change, 102).await;
    let (after, next) = expected(&next, &change, 102);
    assert_eq!((&written.outcome, &written.next), (&after, &next));
    let logged = history(store, &after).await;
    assert_eq!(
        logged.last().map(|change| change.kind),
        Some(ChangeKind::Completed)
    );
    assert_eq!(list_tasks(store, &before.owner).await.len(), 3);
}

/// Checks that a rule that has ended is taken off the task all the same.
pub async fn last_completion_adds_none(store: &Ports) {
    for (number, repeat) in (1..).zip(["FREQ=WEEKLY;COUNT=1", "FREQ=DAILY;UNTIL=20260101"]) {
        let before = add_task(store, repeating(number, repeat)).await;
        let change = TaskChange::toggle();
        let (after, next) = expected(&before, &change, 100);
        assert_eq!(next, []);
        let written = completed(store, &before, &change, 100).await;
        assert_eq!((&written.outcome, written.next), (&after, next));
        assert!(after.completed && after.details.repeat.is_none());
        assert_eq!(find_task(store, &before).await, Some(after));
    }
}

/// Checks that neither a stale completion nor one of another user's or an absent task adds anything.
pub async fn stale_completion_adds_no_follow_up(store: &Ports) {
    let before = add_task(store, repeating(1, "FREQ=DAILY")).await;
    let stale = Precondition::RevisionIn(Vec::new());
    let change = TaskChange::complete(true);
    assert_eq!(complete(store, &before, &change, &stale, 100).await, None);
    let others = Task {
        owner: task("bob", 2).owner,
        ..before.clone()
    };
    let absent = repeating(3, "FREQ=DAILY");
    for task in [others, absent] {
        let any = Precondition::None;
        assert_eq!(complete(store, &task, &change, &any, 100).await, None);
    }
    let tasks = list_tasks(store, &before.owner).await;
    assert_eq!(tasks, std::slice::from_ref(&before));
    assert_eq!(feed(store, &before.owner).await.last, seq(1));
    let current = Precondition::RevisionIn(vec![before.revision()]);
    let written = complete(store, &before, &change, &current, 100).await;
    assert_eq!(written.expect("completed").next.len(), 1);
}

/// Checks that one of concurrent completions adds a follow-up, and that its number follows that of the completion,
/// whatever else is written meanwhile.
pub async fn concurrent_completions_add_one_follow_up(store: &Ports) {
    let before = add_task(store, repeating(1, "FREQ=DAILY")).await;
    let change = TaskChange::complete(true);
    let completions = (0..8).map(|number| completed(store, &before, &change, 100 + number));
    let others = (0..8).map(|number| add_task(store, task("alice", 200 + number)));
    let (completions, _) = join(join_all(completions), join_all(others)).await;
    let mut next = completions.iter().filter_map(|written| {
        let next = written.next.first()?;
        Some((written.seq, next.clone()))
    });
    let (number, next) = next.next().expect("a follow-up");
    let logged = history(store, &next).await;
    assert_eq!(logged.first().map(|change| change.seq), Some(number));
    let completion = history(store, &before).await;
    let completion = completion
        .iter()
        .find(|change| change.next == Some(next.id));
    assert_eq!(completion.map(|change| change.seq.next()), Some(number));
    let with_next = completions
        .iter()
        .filter(|written| !written.next.is_empty());
    assert_eq!(with_next.count(), 1);
    assert_eq!(list_tasks(store, &before.owner).await.len(), 10);
    let after = find_task(store, &before).await.expect("still there");
    assert_eq!(after.version, Version::parse(9).expect("a version"));
}

/// Checks that the task repeats once, however often it is completed and reopened at the same time.
pub async fn concurrent_toggles_add_one_follow_up(store: &Ports) {
    let before = add_task(store, repeating(1, "FREQ=DAILY")).await;
    let change = TaskChange::toggle();
    let toggles = (0..9).map(|number| completed(store, &before, &change, 100 + number));
    let toggles = join_all(toggles).await;
    let with_next = toggles.iter().filter(|written| !written.next.is_empty());
    assert_eq!(with_next.count(), 1);
    assert_eq!(list_tasks(store, &before.owner).await.len(), 2);
    let after = find_task(store, &before).await.expect("still there");
    assert!(after.completed);
}

/// Checks that a replay has the follow-up as it was, and adds none.
pub async fn replayed_completion_adds_no_follow_up(store: &Ports) {
    let before = add_task(store, repeating(1, "FREQ=DAILY")).await;
    let (after, next) = expected(&before, &TaskChange::toggle(), 100);
    let done = complete_keyed(store, &before, "k", 100).await;
    let written = Written {
        outcome: vec![after.clone()],
        seq: seq(3),
        next: next.clone(),
    };
    assert_eq!(done, IdempotentOutcome::Done(written));
    change(store, &next[0], TaskChange::complete(false), 8).await;
    remove(store, &next[0], 9).await;
    let replayed = IdempotentOutcome::Replayed {
        tasks: vec![after],
        seq: Some(seq(3)),
        next,
    };
    assert_eq!(complete_keyed(store, &before, "k", 101).await, replayed);
    let (request, now) = (keyed("k"), at(10));
    let recalled = store.tasks.recall(&before.owner, &request, now).await;
    assert_eq!(recalled.expect("answered"), Some(replayed));
    assert_eq!(list_tasks(store, &before.owner).await.len(), 1);
    // Under another key it is a toggle of a task that does not repeat any more.
    let other = complete_keyed(store, &before, "other", 102).await;
    assert!(matches!(other, IdempotentOutcome::Done(written) if written.next.is_empty()));
}

/// Checks that of concurrent requests with one key one completes the task.
pub async fn concurrent_duplicates_add_one_follow_up(store: &Ports) {
    let before = add_task(store, repeating(1, "FREQ=DAILY")).await;
    let duplicates = (0..8).map(|number| complete_keyed(store, &before, "k", 100 + number));
    let mut ids: Vec<TaskId> = Vec::new();
    for outcome in join_all(duplicates).await {
        let next = match outcome {
            IdempotentOutcome::Done(written) => written.next,
            IdempotentOutcome::Replayed { next, .. } => next,
            IdempotentOutcome::KeyInFlight => continue,
            other => panic!("{other:?}"),
        };
        ids.push(one(next).id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(list_tasks(store, &before.owner).await.len(), 2);
}

/// Checks that the number of either change takes the whole write back, and that undoing the undo repeats it.
pub async fn undone_completion_takes_its_follow_up_back(store: &Ports) {
    let before = add_task(store, repeating(1, "FREQ=DAILY;COUNT=9")).await;
    let alice = &before.owner;
    let written = completed(store, &before, &TaskChange::complete(true), 100).await;
    let next = one(written.next);
    assert_eq!(written.seq, seq(3));
    let after = FieldValues::of(&written.outcome);
    for (undone_number, redone_number) in [(3, 5), (6, 8), (11, 12), (14, 17)] {
        let back = undone(store, alice, seq(undone_number)).await;
        assert_eq!(FieldValues::of(&back.outcome), FieldValues::of(&before));
        assert_eq!(
            find_task(store, &before).await.as_ref(),
            Some(&back.outcome)
        );
        assert_eq!(back.next, []);
        assert_eq!(find_task(store, &next).await, None);
        assert_eq!(trash(store, alice).await, [next.id]);
        assert_eq!(feed(store, alice).await.last, back.seq);
        let conflict = undo(store, alice, seq(undone_number)).await;
        assert_eq!(conflict, UndoOutcome::Conflict(Box::new(back.outcome)));

        let again = undone(store, alice, seq(redone_number)).await;
        assert_eq!(FieldValues::of(&again.outcome), after);
        assert_eq!(feed(store, alice).await.last, again.seq);
        let restored = find_task(store, &next).await.expect("a follow-up");
        assert_eq!(FieldValues::of(&restored), FieldValues::of(&next));
    }
}

/// Checks that an undo never loses what was done to a follow-up, nor brings it back against the will of its owner.
pub async fn undo_leaves_a_changed_follow_up(store: &Ports) {
    let before = add_task(store, repeating(1, "FREQ=DAILY")).await;
    let alice = &before.owner;
    let written = completed(store, &before, &TaskChange::complete(true), 100).await;
    let next = one(written.next);
    let changed = change(store, &next, TaskChange::complete(false), 8).await;
    let back = undone(store, alice, written.seq).await;
    assert_eq!(FieldValues::of(&back.outcome), FieldValues::of(&before));
    assert_eq!(
        list_tasks(store, alice).await,
        [changed.outcome, back.outcome]
    );

    // Its owner has deleted the follow-up, so it stays in the trash.
    remove(store, &next, 9).await;
    let again = undone(store, alice, back.seq).await;
    undone(store, alice, again.seq).await;
    assert_eq!(trash(store, alice).await, [next.id]);
}

/// Checks that an undo that would leave a rule without a due date conflicts, and so does one that would complete a task
/// which repeats by now.
pub async fn undo_leaves_no_rule_without_due_date(store: &Ports) {
    let new = add_task(store, task("alice", 1)).await;
    let alice = &new.owner;
    let set = |due: Option<Option<Due>>, repeat: Option<Option<Repeat>>| TaskChange {
        details: DetailsChange {
            due,
            repeat,
            ..DetailsChange::default()
        },
        ..TaskChange::default()
    };
    let some_due = Some(due("2026-12-01"));
    let daily = Some(rule("FREQ=DAILY"));
    let with_due = change(store, &new, set(Some(some_due), None), 1).await;
    let with_rule = change(store, &new, set(None, Some(daily.clone())), 2).await;
    let conflict = undo(store, alice, with_due.seq).await;
    let current = Box::new(with_rule.outcome.clone());
    assert_eq!(conflict, UndoOutcome::Conflict(current));

    let without_rule = change(store, &new, set(None, Some(None)), 3).await;
    let without_due = change(store, &new, set(Some(None), None), 4).await;
    let conflict = undo(store, alice, without_rule.seq).await;
    let current = Box::new(without_due.outcome.clone());
    assert_eq!(conflict, UndoOutcome::Conflict(current));
    undone(store, alice, without_due.seq).await;
    undone(store, alice, without_rule.seq).await;

    change(store, &new, set(None, Some(None)), 5).await;
    change(store, &new, TaskChange::complete(true), 6).await;
    let reopened = change(store, &new, TaskChange::complete(false), 7).await;
    let repeats = change(store, &new, set(None, Some(daily)), 8).await;
    let conflict = undo(store, alice, reopened.seq).await;
    assert_eq!(conflict, UndoOutcome::Conflict(Box::new(repeats.outcome)));
}
