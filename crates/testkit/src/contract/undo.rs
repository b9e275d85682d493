//! The obligations of undo.

#![expect(
    clippy::indexing_slicing,
    reason = "an obligation states what it expects"
)]

use taskhold_domain::task::change_log::{ChangeKind, FieldValues};
use taskhold_domain::task::{DetailsChange, Position, Task, TaskChange};
use taskhold_repository::change_log::UndoOutcome;
use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKey, IdempotentOutcome, KeyedRequest,
};
use taskhold_repository::tasks::TaskWrite;
use taskhold_repository::written::Undo;

use super::Ports;
use super::change_log::{change, feed, history, remove, seq, trash, undo, undone};
use super::fixtures::{
    add_task, at, description, find_task, list_tasks, some_details, stamp, task, title, user,
};

/// Checks that an undo restores each field, and that it can be undone itself.
pub async fn change_is_undone_and_redone(store: &Ports) {
    let before = Task {
        completed: true,
        completed_at: Some(at(0)),
        ..task("alice", 1)
    };
    let before = add_task(store, before).await;
    let alice = &before.owner;
    let both = TaskChange {
        completion: TaskChange::toggle().completion,
        position: Some(Position::default()),
        details: DetailsChange::of(&some_details()),
        ..TaskChange::update(title("Buy oat milk"), description("3 litres"))
    };
    let changed = change(store, &before, both, 1).await;
    let back = undone(store, alice, changed.seq).await;
    assert_eq!(FieldValues::of(&back.outcome), FieldValues::of(&before));
    assert_eq!(back.seq, changed.seq.next());
    assert_eq!(back.outcome.version.get(), 3);
    assert_eq!(find_task(store, &before).await, Some(back.outcome));
    let again = undone(store, alice, back.seq).await;
    assert_eq!(
        FieldValues::of(&again.outcome),
        FieldValues::of(&changed.outcome)
    );
    let kinds: Vec<_> = history(store, &before).await;
    let kinds: Vec<_> = kinds.iter().map(|change| change.kind).collect();
    assert_eq!(kinds[1..], [ChangeKind::Updated; 3]);
}

/// Checks that a later change of another field is no conflict, and one of the same field is.
pub async fn undo_conflicts_only_with_later_changes_of_its_fields(store: &Ports) {
    let new = add_task(store, task("alice", 1)).await;
    let alice = &new.owner;
    let rename = |text| TaskChange {
        title: Some(title(text)),
        ..TaskChange::default()
    };
    let renamed = change(store, &new, rename("second"), 1).await;
    let completed = change(store, &new, TaskChange::complete(true), 2).await;
    // The same title: no field changes.
    change(store, &new, rename("second"), 3).await;
    let back = undone(store, alice, renamed.seq).await;
    assert_eq!(back.outcome.title, new.title);
    assert!(back.outcome.completed);

    let conflict = undo(store, alice, renamed.seq).await;
    assert_eq!(
        conflict,
        UndoOutcome::Conflict(Box::new(back.outcome.clone()))
    );
    assert_eq!(find_task(store, &new).await, Some(back.outcome));
    let reopened = undone(store, alice, completed.seq).await;
    assert!(!reopened.outcome.completed);
}

/// Checks that a creation goes to the trash and a deletion out of it, both ways.
pub async fn deletion_and_creation_are_undone(store: &Ports) {
    let new = add_task(store, task("alice", 1)).await;
    let alice = &new.owner;
    let deleted = undone(store, alice, seq(1)).await;
    assert_eq!(deleted.outcome, new);
    assert_eq!(trash(store, alice).await, [new.id]);
    // A task in the trash is gone for everything else.
    assert_eq!(undo(store, alice, seq(1)).await, UndoOutcome::NotFound);
    let full = Undo {
        seq: deleted.seq,
        may_restore: false,
    };
    let refused = store.change_log.undo(alice, full, &stamp(3)).await;
    assert_eq!(refused.expect("answered"), UndoOutcome::QuotaExceeded);
    let restored = undone(store, alice, deleted.seq).await;
    assert_eq!(FieldValues::of(&restored.outcome), FieldValues::of(&new));
    assert_eq!(trash(store, alice).await, []);
    let conflict = undo(store, alice, deleted.seq).await;
    assert_eq!(conflict, UndoOutcome::Conflict(Box::new(restored.outcome)));
    undone(store, alice, restored.seq).await;
    assert_eq!(list_tasks(store, alice).await, []);
    assert_eq!(undo(store, alice, seq(99)).await, UndoOutcome::NotFound);

    let purged = store.trash.purge(alice, Some(new.id), &stamp(9)).await;
    let purged = purged.expect("answered").expect("purged");
    for number in 1..=purged.get() {
        let outcome = undo(store, alice, seq(number)).await;
        assert_eq!(outcome, UndoOutcome::NotFound, "{number}");
    }
}

/// Checks that an undo and a restoration with a key are made once, and that a conflict leaves the key free.
pub async fn replayed_undo_changes_nothing(store: &Ports) {
    let new = add_task(store, task("alice", 1)).await;
    let alice = &new.owner;
    let toggled = change(store, &new, TaskChange::toggle(), 1).await;
    let request = |key: &str| KeyedRequest {
        key: IdempotencyKey::parse(key).expect("a key"),
        fingerprint: Fingerprint([1; 32]),
    };
    let write = async |key: &str, write: TaskWrite| {
        let request = request(key);
        let stamp = stamp(3);
        let written = store
            .tasks
            .write_idempotent(alice, &request, &write, &stamp);
        written.await.expect("answered")
    };
    let undo = TaskWrite::Undo(Undo {
        seq: toggled.seq,
        may_restore: false,
    });
    let IdempotentOutcome::Done(done) = write("undo", undo.clone()).await else {
        panic!("not done");
    };
    assert_eq!(done.seq, seq(3));
    let replayed = IdempotentOutcome::Replayed {
        tasks: done.outcome.clone(),
        seq: Some(done.seq),
        next: Vec::new(),
    };
    assert_eq!(write("undo", undo.clone()).await, replayed);
    let conflict = IdempotentOutcome::UndoConflict(Box::new(done.outcome[0].clone()));
    assert_eq!(write("conflict", undo).await, conflict);

    remove(store, &new, 4).await;
    let restore = TaskWrite::Restore { id: new.id };
    let restored = write("conflict", restore.clone()).await;
    assert!(
        matches!(restored, IdempotentOutcome::Done(_)),
        "{restored:?}"
    );
    let again = write("conflict", restore.clone()).await;
    assert!(
        matches!(again, IdempotentOutcome::Replayed { .. }),
        "{again:?}"
    );
    assert_eq!(write("missed", restore).await, IdempotentOutcome::Missed);
    assert_eq!(feed(store, alice).await.last, seq(5));
}

/// Checks that the number of another user's change means nothing.
pub async fn change_of_another_user_cannot_be_undone(store: &Ports) {
    let hers = add_task(store, task("alice", 1)).await;
    change(store, &hers, TaskChange::toggle(), 1).await;
    add_task(store, task("bob", 2)).await;
    assert_eq!(
        undo(store, &user("bob"), seq(2)).await,
        UndoOutcome::NotFound
    );
    assert_eq!(
        undo(store, &user("carol"), seq(1)).await,
        UndoOutcome::NotFound
    );
    assert!(find_task(store, &hers).await.expect("there").completed);
}
