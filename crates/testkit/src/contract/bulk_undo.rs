//! The obligations of undoing writes of several tasks.

#![expect(
    clippy::indexing_slicing,
    reason = "an obligation states what it expects"
)]

use taskhold_domain::task::change_log::{ChangeKind, FieldValues};
use taskhold_domain::task::{Task, TaskChange};
use taskhold_repository::change_log::UndoOutcome;
use taskhold_repository::written::Undo;

use super::Ports;
use super::bulk::{add, alice, completion, find_all, removal, repeating, write};
use super::change_log::{change, feed, history, remove, seq, trash, undo, undone};
use super::fixtures::{add_task, find_task, id, list_tasks, stamp, task, title};

/// Returns the values of tasks, without their versions and times of change.
async fn values(store: &Ports, tasks: &[Task]) -> Vec<Option<FieldValues>> {
    let found = find_all(store, tasks).await.into_iter();
    found
        .map(|task| task.as_ref().map(FieldValues::of))
        .collect()
}

fn some_values(tasks: &[Task]) -> Vec<Option<FieldValues>> {
    let values = tasks.iter().map(|task| Some(FieldValues::of(task)));
    values.collect()
}

/// Checks that the number of any change takes the whole write back, follow-ups included, and that undoing the undo
/// brings it again.
pub async fn completions_are_undone_and_redone_by_any_number(store: &Ports) {
    let tasks = [
        add_task(store, task("alice", 1)).await,
        add_task(store, repeating(2)).await,
        add_task(store, task("alice", 3)).await,
        add_task(store, repeating(4)).await,
    ];
    let written = write(store, &completion(&[1, 2, 3, 4])).await;
    assert_eq!(written.seq, seq(10));
    let follow_ups: Vec<_> = written.next.iter().map(|next| next.id).collect();
    // Each write has six changes.
    let mut first = 5;
    for place in 0..6 {
        let back = undone(store, &alice(), seq(first + place)).await;
        assert_eq!(back.seq, seq(first + 11));
        assert_eq!(FieldValues::of(&back.outcome), FieldValues::of(&tasks[0]));
        assert_eq!(values(store, &tasks).await, some_values(&tasks));
        assert_eq!(values(store, &written.next).await, [None, None]);
        let mut trashed = trash(store, &alice()).await;
        trashed.sort();
        assert_eq!(trashed, follow_ups);
        let again = undo(store, &alice(), seq(first + place)).await;
        assert!(matches!(again, UndoOutcome::Conflict(_)), "{again:?}");

        let redone = undone(store, &alice(), seq(first + 6 + 5 - place)).await;
        assert_eq!(redone.seq, seq(first + 17));
        let expected = some_values(&written.outcome);
        assert_eq!(values(store, &written.outcome).await, expected);
        assert_eq!(
            values(store, &written.next).await,
            some_values(&written.next)
        );
        assert_eq!(trash(store, &alice()).await, []);
        first += 12;
    }
    assert_eq!(feed(store, &alice()).await.last, seq(first + 5));
}

/// Checks that the number of any change restores all tasks, and that undoing the undo deletes them again.
pub async fn deletions_are_undone_and_redone_by_any_number(store: &Ports) {
    let tasks = add(store, 1..=3).await;
    write(store, &removal(&[2, 1, 3])).await;
    let mut first = 4;
    for place in 0..3 {
        let back = undone(store, &alice(), seq(first + place)).await;
        assert_eq!(back.seq, seq(first + 5));
        assert_eq!(back.outcome.id, id(2));
        assert_eq!(values(store, &tasks).await, some_values(&tasks));
        assert_eq!(trash(store, &alice()).await, []);
        for task in &tasks {
            let history = history(store, task).await;
            let last = history.last().expect("a change");
            assert_eq!(last.kind, ChangeKind::Restored);
        }
        undone(store, &alice(), seq(first + 3 + place)).await;
        assert_eq!(list_tasks(store, &alice()).await, []);
        assert_eq!(trash(store, &alice()).await.len(), 3);
        first += 6;
    }
    assert_eq!(feed(store, &alice()).await.last, seq(first + 2));
}

/// Checks that an undo takes back all tasks or none, and names the task that keeps it from doing so. A change of another
/// field is kept.
pub async fn bulk_write_with_a_changed_task_is_not_undone(store: &Ports) {
    let tasks = add(store, 1..=3).await;
    let written = write(store, &completion(&[1, 2, 3])).await;
    let rename = |text: &str| TaskChange {
        title: Some(title(text)),
        ..TaskChange::default()
    };
    change(store, &tasks[0], rename("renamed"), 8).await;
    let reopened = change(store, &tasks[1], TaskChange::complete(false), 8).await;
    for number in 4..=6 {
        let conflict = undo(store, &alice(), seq(number)).await;
        let current = Box::new(reopened.outcome.clone());
        assert_eq!(conflict, UndoOutcome::Conflict(current));
    }
    assert_eq!(feed(store, &alice()).await.last, reopened.seq);
    let third = find_task(store, &tasks[2]).await;
    assert_eq!(third.as_ref(), Some(&written.outcome[2]));
    // The reopening is undone, but it was a change.
    undone(store, &alice(), reopened.seq).await;
    let conflict = undo(store, &alice(), written.seq).await;
    assert!(matches!(conflict, UndoOutcome::Conflict(_)), "{conflict:?}");

    let written = write(store, &completion(&[1, 3])).await;
    remove(store, &tasks[2], 9).await;
    let gone = undo(store, &alice(), written.seq).await;
    assert_eq!(gone, UndoOutcome::NotFound);

    let deleted = write(store, &removal(&[1, 2])).await;
    let restored = store.trash.restore(&alice(), id(2), &stamp(9)).await;
    let restored = restored.expect("answered").expect("restored");
    let conflict = undo(store, &alice(), deleted.seq).await;
    let current = Box::new(restored.outcome);
    assert_eq!(conflict, UndoOutcome::Conflict(current));
    remove(store, &tasks[1], 9).await;
    let purged = store.trash.purge(&alice(), Some(id(2)), &stamp(9)).await;
    purged.expect("answered").expect("purged");
    let gone = undo(store, &alice(), deleted.seq).await;
    assert_eq!(gone, UndoOutcome::NotFound);
    assert_eq!(find_task(store, &tasks[0]).await, None);
}

/// Checks that deleted tasks are restored only if the owner may have one more, and follow-ups in any case.
pub async fn undo_of_deletions_needs_room(store: &Ports) {
    add_task(store, repeating(1)).await;
    add(store, 2..=3).await;
    let undo_when_full = async |seq| {
        let undo = Undo {
            seq,
            may_restore: false,
        };
        let undone = store.change_log.undo(&alice(), undo, &stamp(9)).await;
        undone.expect("answered")
    };
    let completed = write(store, &completion(&[1, 2])).await;
    let back = undone(store, &alice(), completed.seq).await;
    let redone = undo_when_full(back.seq).await;
    assert!(matches!(redone, UndoOutcome::Done(_)), "{redone:?}");
    let deleted = write(store, &removal(&[2, 3])).await;
    let refused = undo_when_full(deleted.seq).await;
    assert_eq!(refused, UndoOutcome::QuotaExceeded);
    assert_eq!(trash(store, &alice()).await.len(), 2);
}

/// Checks writes of as many tasks as one may have, each with a follow-up.
pub async fn hundred_tasks_are_written_and_undone(store: &Ports) {
    let mut tasks = Vec::new();
    for number in 1..=100 {
        tasks.push(add_task(store, repeating(number)).await);
    }
    let numbers: Vec<u128> = (1..=100).rev().collect();
    let written = write(store, &completion(&numbers)).await;
    assert_eq!(written.seq, seq(300));
    assert_eq!((written.outcome.len(), written.next.len()), (100, 100));
    let back = undone(store, &alice(), seq(101)).await;
    assert_eq!(back.seq, seq(500));
    assert_eq!(values(store, &tasks).await, some_values(&tasks));
    let redone = undone(store, &alice(), back.seq).await;
    assert_eq!(redone.seq, seq(700));
    assert_eq!(list_tasks(store, &alice()).await.len(), 200);
    let deleted = write(store, &removal(&numbers)).await;
    assert_eq!(deleted.seq, seq(800));
    assert_eq!(list_tasks(store, &alice()).await.len(), 100);
    undone(store, &alice(), seq(701)).await;
    assert_eq!(list_tasks(store, &alice()).await.len(), 200);
    assert_eq!(feed(store, &alice()).await.last, seq(900));
}
