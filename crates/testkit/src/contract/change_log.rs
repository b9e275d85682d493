//! The obligations of the change log and of the trash.

#![expect(
    clippy::indexing_slicing,
    reason = "an obligation states what it expects"
)]

use std::collections::BTreeSet;

use futures_util::future::join_all;
use taskhold_domain::task::change_log::{
    ChangeAuthor, ChangeKind, ChangeSeq, FieldValues, LoggedChange,
};
use taskhold_domain::task::{Description, Details, Task, TaskChange, TaskId};
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::{ChangePage, Feed, UndoOutcome};
use taskhold_repository::import::{ImportedRow, RowIdentity};
use taskhold_repository::tasks::Precondition;
use taskhold_repository::written::{Undo, Written};

use super::Ports;
use super::fixtures::{
    add_task, at, description, details_changes, find_task, id, remove_user, some_details, stamp,
    task, title, user,
};

pub(super) const ALL: u32 = 1000;

pub(super) fn seq(number: i64) -> ChangeSeq {
    ChangeSeq::parse(number).expect("a number")
}

pub(super) async fn changes(store: &Ports, owner: &UserId, after: i64, limit: u32) -> ChangePage {
    let page = store.change_log.changes(owner, seq(after), limit).await;
    page.expect("answered")
}

pub(super) async fn feed(store: &Ports, owner: &UserId) -> Feed {
    changes(store, owner, 0, 0).await.feed.expect("a log")
}

/// Returns the changes of a task, oldest first.
pub(super) async fn history(store: &Ports, task: &Task) -> Vec<LoggedChange> {
    let found = store.change_log.history(&task.owner, task.id).await;
    let (current, mut changes) = found.expect("answered").expect("the owner's task");
    assert_eq!(Some(current), find_task(store, task).await);
    changes.reverse();
    changes
}

pub(super) async fn change(
    store: &Ports,
    task: &Task,
    change: TaskChange,
    micros: i64,
) -> Written<Task> {
    let stamp = stamp(micros);
    let changed = store.tasks.change(
        &task.owner,
        task.id,
        &change,
        &Precondition::None,
        None,
        &stamp,
    );
    changed.await.expect("answered").expect("changed")
}

pub(super) async fn undo(store: &Ports, owner: &UserId, seq: ChangeSeq) -> UndoOutcome {
    let undo = Undo {
        seq,
        may_restore: true,
    };
    let undone = store.change_log.undo(owner, undo, &stamp(500)).await;
    undone.expect("answered")
}

pub(super) async fn undone(store: &Ports, owner: &UserId, undone: ChangeSeq) -> Written<Task> {
    match undo(store, owner, undone).await {
        UndoOutcome::Done(written) => *written,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn remove(store: &Ports, task: &Task, micros: i64) -> ChangeSeq {
    let stamp = stamp(micros);
    let removed = store
        .tasks
        .remove(&task.owner, task.id, &Precondition::None, &stamp);
    removed.await.expect("answered").expect("removed")
}

pub(super) async fn trash(store: &Ports, owner: &UserId) -> Vec<TaskId> {
    let page = store.trash.list(owner, None, ALL).await.expect("answered");
    assert_eq!(page.next, None);
    page.tasks.iter().map(|trashed| trashed.task.id).collect()
}

/// Checks the numbers, kinds, times and authors of every kind of write, and that a write which changes nothing
/// appends nothing.
pub async fn every_write_appends_one_change(store: &Ports) {
    let new = task("alice", 1);
    let by = ChangeAuthor::named("a token");
    let first = store.tasks.add(&new, &by).await.expect("added");
    assert_eq!(first, seq(1));
    let renamed = TaskChange::update(title("Buy oat milk"), Description::default());
    let mut numbers = vec![
        change(store, &new, renamed, 1).await.seq,
        change(store, &new, TaskChange::complete(true), 2).await.seq,
        change(store, &new, TaskChange::complete(true), 3).await.seq,
        change(store, &new, TaskChange::toggle(), 4).await.seq,
    ];
    let alice = &new.owner;
    let stale = Precondition::RevisionIn(Vec::new());
    let missed = store
        .tasks
        .change(
            alice,
            new.id,
            &TaskChange::toggle(),
            &stale,
            None,
            &stamp(5),
        )
        .await;
    assert_eq!(missed.expect("answered"), None);
    let missed = store.tasks.remove(alice, new.id, &stale, &stamp(5)).await;
    assert_eq!(missed.expect("answered"), None);

    numbers.push(remove(store, &new, 6).await);
    let restored = store.trash.restore(alice, new.id, &stamp(7)).await;
    numbers.push(restored.expect("answered").expect("restored").seq);
    assert_eq!(numbers, (2..=7).map(seq).collect::<Vec<_>>());

    let logged = history(store, &new).await;
    let kinds: Vec<_> = logged.iter().map(|change| change.kind).collect();
    assert_eq!(
        kinds,
        [
            ChangeKind::Created,
            ChangeKind::Updated,
            ChangeKind::Completed,
            ChangeKind::Completed,
            ChangeKind::Reopened,
            ChangeKind::Deleted,
            ChangeKind::Restored,
        ]
    );
    let times: Vec<_> = logged.iter().map(|change| change.stamp.at).collect();
    assert_eq!(times, [0, 1, 2, 3, 4, 6, 7].map(at));
    assert_eq!(logged[0].stamp.by, by);
    assert_eq!(logged[1].stamp.by, ChangeAuthor::session());
    assert_eq!(feed(store, alice).await.last, seq(7));

    let others = store.tasks.add(&task("bob", 2), &by).await;
    assert_eq!(others.expect("added"), seq(1), "each owner has numbers");
}

/// Checks the old values, of texts in any script.
pub async fn change_keeps_the_old_values_of_what_changed(store: &Ports) {
    let unusual = Task {
        title: title(" \"\\ привет 😀 e\u{301}\r\n\t\u{1} "),
        description: description(&"\u{10FFFF}".repeat(500)),
        details: Details {
            repeat: None,
            ..some_details()
        },
        ..task("alice", 1)
    };
    let mut current = add_task(store, unusual).await;
    let changes = [
        TaskChange::update(title("%_'\"\\ 😀"), description("{\"title\": null}")),
        TaskChange::update(title("%_'\"\\ 😀"), Description::default()),
        TaskChange::toggle(),
        TaskChange::complete(true),
        TaskChange::complete(false),
        TaskChange::default(),
        TaskChange {
            title: Some(title("last")),
            ..TaskChange::toggle()
        },
    ];
    let mut expected = vec![FieldValues::default()];
    for (micros, step) in (1..).zip(changes.into_iter().chain(details_changes())) {
        expected.push(step.overwrites(&current));
        current = change(store, &current, step, micros).await.outcome;
    }
    let logged = history(store, &current).await;
    let before: Vec<_> = logged.into_iter().map(|change| change.before).collect();
    assert_eq!(before, expected);
}

/// Checks that a user without changes has no log, and that the epochs of two users differ.
pub async fn log_is_empty_before_the_first_change(store: &Ports) {
    let alice = user("alice");
    let empty = ChangePage {
        feed: None,
        changes: Vec::new(),
        has_more: false,
    };
    assert_eq!(changes(store, &alice, 0, ALL).await, empty);
    add_task(store, task("alice", 1)).await;
    add_task(store, task("bob", 2)).await;
    let (hers, his) = (feed(store, &alice).await, feed(store, &user("bob")).await);
    assert_ne!(hers.epoch, his.epoch);
    assert!(hers.epoch > 0 && his.epoch > 0);
    assert_eq!((hers.last, hers.floor), (seq(1), ChangeSeq::ZERO));
}

/// Checks that only the latest change of a task counts, and that pages follow each other without a gap.
pub async fn pages_have_each_task_once_and_as_it_is_now(store: &Ports) {
    let mut tasks = Vec::new();
    for number in 1..=5 {
        tasks.push(add_task(store, task("alice", number)).await);
    }
    // Changes 6 to 8.
    let first = change(store, &tasks[0], TaskChange::toggle(), 1)
        .await
        .outcome;
    remove(store, &tasks[1], 2).await;
    let third = change(store, &tasks[2], TaskChange::toggle(), 3)
        .await
        .outcome;
    let alice = &first.owner;
    let expected = [
        (4, id(4), Some(tasks[3].clone())),
        (5, id(5), Some(tasks[4].clone())),
        (6, id(1), Some(first.clone())),
        (7, id(2), None),
        (8, id(3), Some(third)),
    ];
    for limit in [1, 2, 3, 5, ALL] {
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = changes(store, alice, after, limit).await;
            assert!(page.changes.len() <= limit as usize);
            assert_eq!(page.feed.map(|feed| feed.last), Some(seq(8)));
            for change in page.changes {
                after = change.seq.get();
                found.push((after, change.id, change.task));
            }
            if !page.has_more {
                break;
            }
        }
        assert_eq!(found, expected, "{limit}");
    }
    let rest = changes(store, alice, 7, ALL).await;
    assert_eq!(rest.changes.len(), 1);
    assert_eq!(changes(store, alice, 8, ALL).await.changes, []);
}

/// Checks that neither the log nor the history nor the trash of another user is read.
pub async fn log_of_another_user_is_not_read(store: &Ports) {
    let hers = add_task(store, task("alice", 1)).await;
    add_task(store, task("bob", 2)).await;
    let bob = user("bob");
    let ids: Vec<_> = changes(store, &bob, 0, ALL).await.changes;
    let ids: Vec<_> = ids.iter().map(|change| change.id).collect();
    assert_eq!(ids, [id(2)]);
    let hidden = store.change_log.history(&bob, hers.id).await;
    assert_eq!(hidden.expect("answered"), None);
    remove(store, &hers, 1).await;
    assert_eq!(trash(store, &bob).await, []);
    let restored = store.trash.restore(&bob, hers.id, &stamp(2)).await;
    assert_eq!(restored.expect("answered"), None);
    let purged = store.trash.purge(&bob, Some(hers.id), &stamp(2)).await;
    assert_eq!(purged.expect("answered"), None);
    assert_eq!(
        store
            .trash
            .purge(&bob, None, &stamp(2))
            .await
            .expect("answered"),
        None
    );
    assert_eq!(trash(store, &hers.owner).await, [hers.id]);
}

/// Checks that concurrent writes of two users get the numbers 1, 2, 3 and so on.
pub async fn concurrent_changes_have_numbers_without_gaps(store: &Ports) {
    let owner = |number: u128| {
        if number.is_multiple_of(2) {
            "alice"
        } else {
            "bob"
        }
    };
    let added =
        (1..=30).map(|number| async move { add_task(store, task(owner(number), number)).await });
    let tasks = join_all(added).await;
    let toggled = tasks
        .iter()
        .map(|task| change(store, task, TaskChange::toggle(), 1));
    join_all(toggled).await;
    let removed = tasks.iter().take(20).map(|task| remove(store, task, 2));
    let removed: BTreeSet<_> = join_all(removed).await.into_iter().collect();
    assert_eq!(removed, (31..=40).map(seq).collect(), "ten of each user");
    for name in ["alice", "bob"] {
        let page = changes(store, &user(name), 0, ALL).await;
        assert_eq!(page.feed.map(|feed| feed.last), Some(seq(40)));
        let gone = page.changes.iter().filter(|change| change.task.is_none());
        assert_eq!((page.changes.len(), gone.count()), (15, 10));
    }
}

/// Checks that the oldest changes go first, and that the floor rises with them.
pub async fn expired_changes_are_purged_in_batches(store: &Ports) {
    let hers = add_task(store, task("alice", 1)).await;
    let his = add_task(store, task("bob", 2)).await;
    for micros in 1..=4 {
        change(store, &hers, TaskChange::toggle(), micros).await;
    }
    change(store, &his, TaskChange::toggle(), 9).await;
    let purge = async |micros, most| {
        let purged = store.change_log.purge_expired(at(micros), most).await;
        purged.expect("answered")
    };
    assert_eq!(purge(0, 10).await, 0);
    // Two creations and three changes.
    assert_eq!(purge(4, 2).await, 2);
    assert_eq!(purge(4, 2).await, 2);
    assert_eq!(purge(4, 2).await, 1);
    assert_eq!(purge(4, 2).await, 0);
    let (alice, bob) = (&hers.owner, &his.owner);
    assert_eq!(feed(store, alice).await.floor, seq(4));
    assert_eq!(feed(store, bob).await.floor, seq(1));
    assert_eq!(history(store, &hers).await.len(), 1);
    assert_eq!(undo(store, alice, seq(2)).await, UndoOutcome::NotFound);
    undone(store, alice, seq(5)).await;
}

/// Checks that the logs of several owners are read as that of one is.
pub async fn feeds_of_several_owners_are_read(store: &Ports) {
    assert_eq!(store.change_log.feeds(&[]).await.expect("answered"), []);
    let names = ["alice", "bob", r#"quote " comma , \ brace }"#, "nobody"];
    let owners = names.map(user);
    for (number, name) in (1..).zip(&names[..3]) {
        add_task(store, task(name, number)).await;
    }
    add_task(store, task("alice", 9)).await;
    let feeds = store.change_log.feeds(&owners).await.expect("answered");
    assert_eq!(feeds.len(), 3);
    for (owner, found) in feeds {
        assert_eq!(found, feed(store, &owner).await);
        let last = if owner == owners[0] { 2 } else { 1 };
        assert_eq!(found.last, seq(last));
    }
}

/// Checks that the log of a user who returns is another one.
pub async fn removing_a_user_removes_log_and_trash(store: &Ports) {
    let new = add_task(store, task("alice", 1)).await;
    add_task(store, task("alice", 2)).await;
    remove(store, &new, 1).await;
    let alice = &new.owner;
    let before = feed(store, alice).await;
    assert!(remove_user(store, "alice").await);
    assert_eq!(changes(store, alice, 0, ALL).await.feed, None);
    assert_eq!(trash(store, alice).await, []);
    assert_eq!(undo(store, alice, before.last).await, UndoOutcome::NotFound);
}

/// Checks that imported tasks are in the log, and that an import does not find what is in the trash.
pub async fn import_appends_changes(store: &Ports) {
    let first = add_task(store, task("alice", 9)).await;
    let rows: Vec<_> = (1..=3)
        .map(|number| ImportedRow {
            position: number,
            task: task(if number < 3 { "alice" } else { "bob" }, number.into()),
            identity: RowIdentity::Native,
        })
        .collect();
    let import = async |again| {
        let mut run = store.imports.begin_import().await.expect("begun");
        run.stage(&rows).await.expect("staged");
        let outcome = run.import(at(7), again).await.expect("imported");
        run.verify().await.expect("verified");
        run.commit().await.expect("committed");
        outcome
    };
    import(false).await;
    let (alice, bob) = (&first.owner, &user("bob"));
    assert_eq!(feed(store, alice).await.last, seq(3));
    assert_eq!(feed(store, bob).await.last, seq(1));
    let logged = history(store, &rows[1].task).await;
    assert_eq!(logged[0].seq, seq(3));
    assert_eq!(logged[0].kind, ChangeKind::Created);
    assert_eq!(logged[0].stamp.at, at(7));
    assert_eq!(logged[0].stamp.by.as_str(), ChangeAuthor::IMPORT);

    remove(store, &rows[0].task, 8).await;
    let outcome = import(false).await;
    assert_eq!(outcome.owners[alice].deleted_since, 1);
    assert_eq!(trash(store, alice).await, [rows[0].task.id]);
    let outcome = import(true).await;
    assert_eq!(outcome.owners[alice].imported, 1);
    assert_eq!(trash(store, alice).await, []);
    assert_eq!(feed(store, alice).await.last, seq(5));
}
