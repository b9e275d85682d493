//! The obligations of writes under an idempotency key.

use futures_util::future::join_all;
use taskhold_domain::task::{Task, TaskChange};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKey, IdempotentOutcome, KeyedRequest, RETENTION,
};
use taskhold_repository::tasks::{Precondition, TaskWrite};

use super::{Ports, all, at, found, kept, removed, task, user};

/// A request whose content is this number.
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
    }
}

fn removal(task: &Task) -> TaskWrite {
    TaskWrite::Remove {
        id: task.id,
        precondition: Precondition::None,
    }
}

/// As alice, unless said otherwise.
async fn written(
    store: &Ports,
    request: &KeyedRequest,
    write: &TaskWrite,
    now: Timestamp,
) -> IdempotentOutcome {
    written_by(store, "alice", request, write, now).await
}

async fn written_by(
    store: &Ports,
    owner: &str,
    request: &KeyedRequest,
    write: &TaskWrite,
    now: Timestamp,
) -> IdempotentOutcome {
    store
        .tasks
        .write_idempotent(&user(owner), request, write, now)
        .await
        .expect("answered")
}

async fn recalled(
    store: &Ports,
    owner: &str,
    request: &KeyedRequest,
    now: Timestamp,
) -> Option<IdempotentOutcome> {
    store
        .tasks
        .recall(&user(owner), request, now)
        .await
        .expect("answered")
}

/// And the second time tells what the first one did, whatever happened since.
pub async fn every_write_under_a_key_is_done_once(store: &Ports) {
    let new = task("alice", 1);
    let add = TaskWrite::Add(new.clone());
    let created = written(store, &request("add", 1), &add, at(0)).await;
    assert_eq!(created, IdempotentOutcome::Done(Some(new.clone())));
    assert_eq!(found(store, &new).await, Some(new.clone()));

    let toggled = written(store, &request("toggle", 2), &toggle(&new), at(1)).await;
    let IdempotentOutcome::Done(Some(toggled)) = toggled else {
        panic!("{toggled:?}")
    };
    assert!(toggled.completed);
    let again = written(store, &request("toggle", 2), &toggle(&new), at(2)).await;
    assert_eq!(again, IdempotentOutcome::Replayed(Some(toggled.clone())));
    assert_eq!(found(store, &new).await, Some(toggled));

    let removed = written(store, &request("remove", 3), &removal(&new), at(3)).await;
    assert_eq!(removed, IdempotentOutcome::Done(None));
    let again = written(store, &request("remove", 3), &removal(&new), at(4)).await;
    assert_eq!(again, IdempotentOutcome::Replayed(None));

    // A repeated creation has another id: ids are made for each request.
    let another = TaskWrite::Add(task("alice", 9));
    let again = written(store, &request("add", 1), &another, at(5)).await;
    assert_eq!(again, IdempotentOutcome::Replayed(Some(new)));
    assert_eq!(all(store, &user("alice")).await, []);
}

/// The same key is no excuse for something else.
pub async fn a_key_of_another_request_is_refused(store: &Ports) {
    let first = kept(store, task("alice", 1)).await;
    written(store, &request("k", 1), &toggle(&first), at(1)).await;
    let second = TaskWrite::Add(task("alice", 2));
    let refused = written(store, &request("k", 2), &second, at(2)).await;
    assert_eq!(refused, IdempotentOutcome::KeyReused);
    assert_eq!(all(store, &first.owner).await.len(), 1);
}

/// What found nothing to do may be tried again, and be another request.
pub async fn a_write_that_misses_leaves_its_key_free(store: &Ports) {
    let absent = task("alice", 1);
    let present = kept(store, task("alice", 2)).await;
    let stale = TaskWrite::Change {
        id: present.id,
        change: TaskChange::toggle(),
        precondition: Precondition::VersionIn(Vec::new()),
    };
    let others = kept(store, task("bob", 3)).await;
    for write in [
        toggle(&absent),
        removal(&absent),
        stale,
        toggle(&others),
        removal(&others),
    ] {
        assert_eq!(
            written(store, &request("k", 1), &write, at(1)).await,
            IdempotentOutcome::Missed
        );
    }
    // Also for somebody whom the store does not know.
    let stranger = written_by(store, "carol", &request("k", 1), &removal(&absent), at(1)).await;
    assert_eq!(stranger, IdempotentOutcome::Missed);
    let done = written(store, &request("k", 2), &removal(&present), at(2)).await;
    assert_eq!(done, IdempotentOutcome::Done(None));
    assert_eq!(found(store, &others).await, Some(others));
}

/// Nobody can meet another's keys.
pub async fn everybody_has_their_own_keys(store: &Ports) {
    for (number, name) in (1..).zip(["alice", "bob", "Alice"]) {
        let new = task(name, number);
        let once = written_by(
            store,
            name,
            &request("k", 1),
            &TaskWrite::Add(new.clone()),
            at(0),
        )
        .await;
        assert_eq!(once, IdempotentOutcome::Done(Some(new)));
    }
    // Keys are compared to the letter.
    let new = task("alice", 9);
    let once = written(store, &request("K", 1), &TaskWrite::Add(new.clone()), at(0)).await;
    assert_eq!(once, IdempotentOutcome::Done(Some(new)));
}

/// Neither before nor much later, and purging changes nothing about it.
pub async fn a_key_is_forgotten_after_its_time(store: &Ports) {
    let kept_for = i64::try_from(RETENTION.as_micros()).expect("in range");
    let toggled = kept(store, task("alice", 1)).await;
    let request = request("k", 1);
    written(store, &request, &toggle(&toggled), at(0)).await;
    let last = written(store, &request, &toggle(&toggled), at(kept_for - 1)).await;
    assert!(
        matches!(last, IdempotentOutcome::Replayed(Some(_))),
        "{last:?}"
    );
    let after = written(store, &request, &toggle(&toggled), at(kept_for)).await;
    assert!(
        matches!(after, IdempotentOutcome::Done(Some(_))),
        "{after:?}"
    );
    // It is a new one now.
    let again = written(store, &request, &toggle(&toggled), at(kept_for + 1)).await;
    assert!(
        matches!(again, IdempotentOutcome::Replayed(Some(_))),
        "{again:?}"
    );

    let keys = &store.keys;
    let later = at(kept_for + 1);
    assert_eq!(
        keys.purge_expired(at(kept_for), 10)
            .await
            .expect("answered"),
        0
    );
    assert!(recalled(store, "alice", &request, later).await.is_some());
    assert_eq!(keys.purge_expired(later, 10).await.expect("answered"), 1);
    assert_eq!(recalled(store, "alice", &request, later).await, None);
}

/// So that a purge holds up nobody.
pub async fn keys_are_forgotten_in_bounded_steps(store: &Ports) {
    for number in 0..5_u8 {
        let write = TaskWrite::Add(task("alice", number.into()));
        written(
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
    let left = recalled(store, "alice", &request("k4", 4), at(5)).await;
    assert!(left.is_some());
}

/// A key is asked for without a write.
pub async fn a_request_under_a_key_can_be_recalled(store: &Ports) {
    let new = task("alice", 1);
    let first = request("k", 1);
    assert_eq!(recalled(store, "alice", &first, at(0)).await, None);
    written(store, &first, &TaskWrite::Add(new.clone()), at(0)).await;
    let other = request("k", 2);
    for (owner, request, expected) in [
        (
            "alice",
            &first,
            Some(IdempotentOutcome::Replayed(Some(new))),
        ),
        ("alice", &other, Some(IdempotentOutcome::KeyReused)),
        ("bob", &first, None),
    ] {
        assert_eq!(recalled(store, owner, request, at(1)).await, expected);
    }
}

/// Also where the owner is new to the store.
pub async fn concurrent_duplicates_are_done_once(store: &Ports) {
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
            .map(|(request, write)| written(store, request, write, at(0))),
    )
    .await;
    let done = outcomes
        .iter()
        .filter(|once| matches!(once, IdempotentOutcome::Done(Some(_))))
        .count();
    let repeated = outcomes
        .iter()
        .filter(|once| matches!(once, IdempotentOutcome::Replayed(Some(_))))
        .count();
    assert_eq!((done, repeated), (4, 36), "{outcomes:?}");
    assert_eq!(all(store, &user("alice")).await.len(), 4);
}

/// With everything else that is theirs.
pub async fn removing_a_user_removes_their_keys(store: &Ports) {
    let write = TaskWrite::Add(task("alice", 1));
    written(store, &request("k", 1), &write, at(0)).await;
    assert!(removed(store, "alice").await);
    let after = recalled(store, "alice", &request("k", 1), at(1)).await;
    assert_eq!(after, None);
}
