//! The obligations of writes under an idempotency key.

use futures_util::future::join_all;
use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_domain::task::{Task, TaskChange};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKey, IdempotentOutcome, KeyedRequest, RETENTION,
};
use taskhold_repository::tasks::{Precondition, TaskWrite};

use super::Ports;
use super::fixtures::{
    add_task, at, find_task, list_tasks, remove_user, stamp, stamp_at, task, user,
};

/// Returns a request with a fingerprint of `content`.
fn request(key: &str, content: u8) -> KeyedRequest {
    KeyedRequest {
        key: IdempotencyKey::parse(key).expect("a key"),
        fingerprint: Fingerprint([content; 32]),
    }
}

fn toggle(task: &Task) -> TaskWrite {
    TaskWrite::Change {
        id: task.id,
        change: TaskChange::toggle(),
        precondition: Precondition::None,
        follow_up: None,
    }
}

fn removal(task: &Task) -> TaskWrite {
    TaskWrite::Remove {
        id: task.id,
        precondition: Precondition::None,
    }
}

/// An outcome without the numbers of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Done(Option<Task>),
    Replayed(Option<Task>),
    Missed,
    KeyReused,
    KeyInFlight,
}

impl From<IdempotentOutcome> for Outcome {
    fn from(outcome: IdempotentOutcome) -> Self {
        match outcome {
            IdempotentOutcome::Done(written) => {
                assert!(written.seq > ChangeSeq::ZERO);
                Self::Done(one_at_most(written.outcome))
            }
            IdempotentOutcome::Replayed { tasks, seq, .. } => {
                assert!(seq > Some(ChangeSeq::ZERO));
                Self::Replayed(one_at_most(tasks))
            }
            IdempotentOutcome::Missed => Self::Missed,
            IdempotentOutcome::KeyReused => Self::KeyReused,
            IdempotentOutcome::KeyInFlight => Self::KeyInFlight,
            refused @ (IdempotentOutcome::UndoConflict(_)
            | IdempotentOutcome::QuotaExceeded
            | IdempotentOutcome::NoneChanged(_)) => {
                panic!("{refused:?}")
            }
        }
    }
}

fn one_at_most(mut tasks: Vec<Task>) -> Option<Task> {
    let task = tasks.pop();
    assert_eq!(tasks, []);
    task
}

/// Writes as alice.
async fn write_keyed(
    store: &Ports,
    request: &KeyedRequest,
    write: &TaskWrite,
    now: Timestamp,
) -> Outcome {
    write_keyed_as(store, "alice", request, write, now).await
}

async fn write_keyed_as(
    store: &Ports,
    owner: &str,
    request: &KeyedRequest,
    write: &TaskWrite,
    now: Timestamp,
) -> Outcome {
    store
        .tasks
        .write_idempotent(&user(owner), request, write, &stamp_at(now))
        .await
        .expect("answered")
        .into()
}

async fn recall(
    store: &Ports,
    owner: &str,
    request: &KeyedRequest,
    now: Timestamp,
) -> Option<Outcome> {
    store
        .tasks
        .recall(&user(owner), request, now)
        .await
        .expect("answered")
        .map(Into::into)
}

/// Checks that a repetition returns the outcome of the first write, whatever happened since.
pub async fn keyed_write_is_applied_once(store: &Ports) {
    let new = task("alice", 1);
    let add = TaskWrite::Add(new.clone());
    let created = write_keyed(store, &request("add", 1), &add, at(0)).await;
    assert_eq!(created, Outcome::Done(Some(new.clone())));
    assert_eq!(find_task(store, &new).await, Some(new.clone()));

    let toggled = write_keyed(store, &request("toggle", 2), &toggle(&new), at(1)).await;
    let Outcome::Done(Some(toggled)) = toggled else {
        panic!("{toggled:?}")
    };
    assert!(toggled.completed);
    let again = write_keyed(store, &request("toggle", 2), &toggle(&new), at(2)).await;
    assert_eq!(again, Outcome::Replayed(Some(toggled.clone())));
    assert_eq!(find_task(store, &new).await, Some(toggled));

    let removed = write_keyed(store, &request("remove", 3), &removal(&new), at(3)).await;
    assert_eq!(removed, Outcome::Done(None));
    let again = write_keyed(store, &request("remove", 3), &removal(&new), at(4)).await;
    assert_eq!(again, Outcome::Replayed(None));

    // The repeated creation has another id, since ids are generated per request.
    let another = TaskWrite::Add(task("alice", 9));
    let again = write_keyed(store, &request("add", 1), &another, at(5)).await;
    assert_eq!(again, Outcome::Replayed(Some(new)));
    assert_eq!(list_tasks(store, &user("alice")).await, []);
}

/// Checks that a key cannot be reused for different content.
pub async fn key_of_a_different_request_is_refused(store: &Ports) {
    let first = add_task(store, task("alice", 1)).await;
    write_keyed(store, &request("k", 1), &toggle(&first), at(1)).await;
    let second = TaskWrite::Add(task("alice", 2));
    let refused = write_keyed(store, &request("k", 2), &second, at(2)).await;
    assert_eq!(refused, Outcome::KeyReused);
    assert_eq!(list_tasks(store, &first.owner).await.len(), 1);
}

/// Checks that a write that changed nothing can be retried, even with different content.
pub async fn missed_write_leaves_its_key_free(store: &Ports) {
    let absent = task("alice", 1);
    let present = add_task(store, task("alice", 2)).await;
    let stale = TaskWrite::Change {
        id: present.id,
        change: TaskChange::toggle(),
        precondition: Precondition::RevisionIn(Vec::new()),
        follow_up: None,
    };
    let others = add_task(store, task("bob", 3)).await;
    for write in [
        toggle(&absent),
        removal(&absent),
        stale,
        toggle(&others),
        removal(&others),
    ] {
        assert_eq!(
            write_keyed(store, &request("k", 1), &write, at(1)).await,
            Outcome::Missed
        );
    }
    // The store does not know this user.
    let unknown_user =
        write_keyed_as(store, "carol", &request("k", 1), &removal(&absent), at(1)).await;
    assert_eq!(unknown_user, Outcome::Missed);
    let done = write_keyed(store, &request("k", 2), &removal(&present), at(2)).await;
    assert_eq!(done, Outcome::Done(None));
    assert_eq!(find_task(store, &others).await, Some(others));
}

/// Checks that users cannot observe each other's keys.
pub async fn keys_are_scoped_to_their_user(store: &Ports) {
    for (number, name) in (1..).zip(["alice", "bob", "Alice"]) {
        let new = task(name, number);
        let outcome = write_keyed_as(
            store,
            name,
            &request("k", 1),
            &TaskWrite::Add(new.clone()),
            at(0),
        )
        .await;
        assert_eq!(outcome, Outcome::Done(Some(new)));
    }
    // Keys are case-sensitive.
    let new = task("alice", 9);
    let outcome = write_keyed(store, &request("K", 1), &TaskWrite::Add(new.clone()), at(0)).await;
    assert_eq!(outcome, Outcome::Done(Some(new)));
}

/// Checks that a key expires exactly at its retention, whether purged or not.
pub async fn key_expires_after_its_retention(store: &Ports) {
    let kept_for = i64::try_from(RETENTION.as_micros()).expect("in range");
    let toggled = add_task(store, task("alice", 1)).await;
    let request = request("k", 1);
    write_keyed(store, &request, &toggle(&toggled), at(0)).await;
    let last = write_keyed(store, &request, &toggle(&toggled), at(kept_for - 1)).await;
    assert!(matches!(last, Outcome::Replayed(Some(_))), "{last:?}");
    let after = write_keyed(store, &request, &toggle(&toggled), at(kept_for)).await;
    assert!(matches!(after, Outcome::Done(Some(_))), "{after:?}");
    // The key now belongs to the new write.
    let again = write_keyed(store, &request, &toggle(&toggled), at(kept_for + 1)).await;
    assert!(matches!(again, Outcome::Replayed(Some(_))), "{again:?}");

    let keys = &store.keys;
    let later = at(kept_for + 1);
    assert_eq!(
        keys.purge_expired(at(kept_for), 10)
            .await
            .expect("answered"),
        0
    );
    assert!(recall(store, "alice", &request, later).await.is_some());
    assert_eq!(keys.purge_expired(later, 10).await.expect("answered"), 1);
    assert_eq!(recall(store, "alice", &request, later).await, None);
}

/// Checks that a purge deletes a bounded number of rows, so that it blocks no one for long.
pub async fn expired_keys_are_purged_in_batches(store: &Ports) {
    for number in 0..5_u8 {
        let write = TaskWrite::Add(task("alice", number.into()));
        write_keyed(
            store,
            &request(&format!("k{number}"), number),
            &write,
            at(number.into()),
        )
        .await;
    }
    let keys = &store.keys;
    for expected in [2, 2, 0] {
        assert_eq!(
            keys.purge_expired(at(4), 2).await.expect("answered"),
            expected
        );
    }
    let left = recall(store, "alice", &request("k4", 4), at(5)).await;
    assert!(left.is_some());
}

/// Checks that a key can be looked up without a write.
pub async fn keyed_request_can_be_recalled(store: &Ports) {
    let new = task("alice", 1);
    let first = request("k", 1);
    assert_eq!(recall(store, "alice", &first, at(0)).await, None);
    write_keyed(store, &first, &TaskWrite::Add(new.clone()), at(0)).await;
    let other = request("k", 2);
    for (owner, request, expected) in [
        ("alice", &first, Some(Outcome::Replayed(Some(new)))),
        ("alice", &other, Some(Outcome::KeyReused)),
        ("bob", &first, None),
    ] {
        assert_eq!(recall(store, owner, request, at(1)).await, expected);
    }
}

/// Checks concurrent writes whose owner is new to the store.
pub async fn concurrent_duplicates_are_applied_once(store: &Ports) {
    let requests: Vec<_> = (0..40_u8)
        .map(|number| {
            (
                request(&format!("k{}", number % 4), number % 4),
                TaskWrite::Add(task("alice", number.into())),
            )
        })
        .collect();
    let outcomes = join_all(
        requests
            .iter()
            .map(|(request, write)| write_keyed(store, request, write, at(0))),
    )
    .await;
    let done = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::Done(Some(_))))
        .count();
    let replayed = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::Replayed(Some(_))))
        .count();
    assert_eq!((done, replayed), (4, 36), "{outcomes:?}");
    assert_eq!(list_tasks(store, &user("alice")).await.len(), 4);
}

/// Checks that the keys are removed with the user's other rows.
pub async fn removing_a_user_removes_their_keys(store: &Ports) {
    let write = TaskWrite::Add(task("alice", 1));
    write_keyed(store, &request("k", 1), &write, at(0)).await;
    assert!(remove_user(store, "alice").await);
    let after = recall(store, "alice", &request("k", 1), at(1)).await;
    assert_eq!(after, None);
}

/// Checks the count of keys. A write that missed keeps no key.
pub async fn keys_are_counted_by_user_until_they_expire(store: &Ports) {
    let hers = task("alice", 1);
    for (key, write, now) in [
        ("first", TaskWrite::Add(hers.clone()), at(1)),
        ("second", toggle(&hers), at(2)),
        ("second", toggle(&hers), at(3)),
        ("missed", toggle(&task("alice", 2)), at(4)),
    ] {
        write_keyed(store, &request(key, 1), &write, now).await;
    }
    let his = TaskWrite::Add(task("bob", 3));
    let bob = user("bob");
    let tasks = &store.tasks;
    tasks
        .write_idempotent(&bob, &request("first", 1), &his, &stamp(5))
        .await
        .expect("written");
    for (now, expected) in [
        (at(5), 2),
        (at(1).saturating_add(RETENTION), 1),
        (at(2).saturating_add(RETENTION), 0),
    ] {
        let count = tasks.count_keys(&hers.owner, now).await;
        assert_eq!(count.expect("answered"), expected, "{now}");
    }
}
