//! The obligations of the trash.

#![expect(
    clippy::indexing_slicing,
    reason = "an obligation states what it expects"
)]

use taskhold_domain::task::change_log::{ChangeAuthor, ChangeStamp};
use taskhold_domain::task::{Task, TaskChange};
use taskhold_repository::tasks::Precondition;

use super::Ports;
use super::change_log::{ALL, change, changes, feed, remove, seq, trash};
use super::fixtures::{
    add_task, at, find_task, id, list_tasks, some_details, stamp, task, title, try_remove, user,
};

/// Checks that a deleted task is kept, and gone for every other request.
pub async fn deleted_task_is_in_the_trash(store: &Ports) {
    let new = add_task(store, task("alice", 1)).await;
    let changed = change(store, &new, TaskChange::toggle(), 1).await.outcome;
    let alice = &new.owner;
    remove(store, &new, 5).await;
    let page = store.trash.list(alice, None, ALL).await.expect("answered");
    assert_eq!(page.tasks.len(), 1);
    assert_eq!(page.tasks[0].task, changed);
    assert_eq!(page.tasks[0].deleted_at, at(5));
    assert_eq!(find_task(store, &new).await, None);
    assert_eq!(list_tasks(store, alice).await, []);
    assert_eq!(store.tasks.count(alice).await.expect("answered").total, 0);
    assert!(
        !try_remove(store, alice, new.id, &Precondition::None)
            .await
            .expect("answered")
    );
    let history = store.change_log.history(alice, new.id).await;
    assert_eq!(history.expect("answered"), None);
    let stranger = user("bob");
    let belongs = store.tasks.belongs_to_another(&stranger, new.id).await;
    assert!(!belongs.expect("answered"));
}

/// Checks the order, newest deletion first, and pages of every size.
pub async fn trash_is_listed_in_pages(store: &Ports) {
    let alice = user("alice");
    for (number, micros) in [(1, 5), (2, 9), (3, 5), (4, 1), (5, 7)] {
        let new = add_task(store, task("alice", number)).await;
        remove(store, &new, micros).await;
    }
    for limit in 1..=6 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store
                .trash
                .list(&alice, after, limit)
                .await
                .expect("answered");
            assert!(page.tasks.len() <= limit as usize);
            found.extend(page.tasks.into_iter().map(|trashed| trashed.task.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, [2, 5, 3, 1, 4].map(id), "{limit}");
    }
}

/// Checks that a restored task keeps its fields, is found by a search, and has the next version.
pub async fn restored_task_is_as_it_was(store: &Ports) {
    let unusual = Task {
        title: title("İstanbul 😀"),
        completed: true,
        completed_at: Some(at(-5)),
        details: some_details(),
        ..task("alice", 1)
    };
    let new = add_task(store, unusual).await;
    let alice = &new.owner;
    for clock in [3, 0] {
        let before = find_task(store, &new).await.expect("there");
        remove(store, &new, 2).await;
        let restored = store.trash.restore(alice, new.id, &stamp(clock)).await;
        let restored = restored.expect("answered").expect("restored").outcome;
        let expected = Task {
            version: before.version.next(),
            updated_at: at(clock).strictly_after(before.updated_at),
            ..before
        };
        assert_eq!(restored, expected);
        assert_eq!(list_tasks(store, alice).await, [expected]);
    }
    let twice = store.trash.restore(alice, new.id, &stamp(9)).await;
    assert_eq!(twice.expect("answered"), None);
}

/// Checks that a purge takes one task or all, with a number for each.
pub async fn purged_task_is_gone_for_good(store: &Ports) {
    let alice = user("alice");
    let mut tasks = Vec::new();
    for number in 1..=4 {
        tasks.push(add_task(store, task("alice", number)).await);
    }
    let living = store.trash.purge(&alice, Some(id(1)), &stamp(1)).await;
    assert_eq!(living.expect("answered"), None, "only the trash is purged");
    for task in &tasks[..3] {
        remove(store, task, 1).await;
    }
    let one = store.trash.purge(&alice, Some(id(1)), &stamp(2)).await;
    assert_eq!(one.expect("answered"), Some(seq(8)));
    let again = store.trash.purge(&alice, Some(id(1)), &stamp(2)).await;
    assert_eq!(again.expect("answered"), None);
    let all = store.trash.purge(&alice, None, &stamp(3)).await;
    assert_eq!(all.expect("answered"), Some(seq(10)), "the last of two");
    assert_eq!(trash(store, &alice).await, []);
    assert_eq!(list_tasks(store, &alice).await, [tasks[3].clone()]);
    let page = changes(store, &alice, 7, ALL).await;
    let numbers: Vec<_> = page.changes.iter().map(|change| change.seq).collect();
    assert_eq!(numbers, [8, 9, 10].map(seq));
}

/// Checks that the oldest deletions go first, of every user.
pub async fn expired_trash_is_purged_in_batches(store: &Ports) {
    for (number, name, micros) in [
        (1, "alice", 3),
        (2, "bob", 1),
        (3, "alice", 2),
        (4, "bob", 9),
    ] {
        let new = add_task(store, task(name, number)).await;
        remove(store, &new, micros).await;
    }
    let housekeeping = ChangeStamp {
        at: at(20),
        by: ChangeAuthor::named(ChangeAuthor::HOUSEKEEPING),
    };
    let purge = async |most| {
        let purged = store.trash.purge_expired(at(5), most, &housekeeping).await;
        purged.expect("answered")
    };
    assert_eq!(purge(2).await, 2);
    assert_eq!(trash(store, &user("alice")).await, [id(1)]);
    assert_eq!(purge(2).await, 1);
    assert_eq!(purge(2).await, 0);
    assert_eq!(trash(store, &user("alice")).await, []);
    assert_eq!(trash(store, &user("bob")).await, [id(4)]);
    assert_eq!(feed(store, &user("alice")).await.last, seq(6));
    assert_eq!(feed(store, &user("bob")).await.last, seq(5));
}
