//! The obligations of owners: how they become known, and what goes with them.

use futures_util::future::{join_all, join3};
use taskhold_domain::revocation::MAX_PROPAGATION;
use taskhold_domain::session::Rotation;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKey, IdempotentOutcome, KeyedRequest,
};
use taskhold_repository::tasks::TaskWrite;

use super::{
    Ports, all, at, created_at, found, kept, not_before, registered, removed, revocation, rotated,
    task, user, user_by_email, user_of,
};

fn request(key: &str) -> KeyedRequest {
    KeyedRequest {
        key: IdempotencyKey::parse(key).expect("a key"),
        fingerprint: Fingerprint([1; 32]),
    }
}

/// Nobody needs to register first.
pub async fn the_first_task_makes_its_owner_known(store: &Ports) {
    let first = kept(store, task("alice", 1)).await;
    let owner = store
        .users
        .find(&first.owner)
        .await
        .expect("answered")
        .expect("known");
    assert_eq!(owner.id, first.owner);
    assert_eq!(owner.created_at, first.created_at);
}

/// All tasks are kept.
pub async fn concurrent_first_tasks_make_one_owner(store: &Ports) {
    let first: Vec<_> = (1..=10).map(|number| task("newcomer", number)).collect();
    for outcome in join_all(first.iter().map(|task| store.tasks.add(task))).await {
        outcome.expect("added");
    }
    let newcomer = user("newcomer");
    assert_eq!(all(store, &newcomer).await.len(), 10);
    assert!(removed(store, "newcomer").await);
    assert!(!removed(store, "newcomer").await);
}

/// No task is left without its owner.
pub async fn removing_a_user_removes_their_tasks_and_no_others(store: &Ports) {
    let hers = kept(store, task("alice", 1)).await;
    kept(store, task("alice", 2)).await;
    let his = kept(store, task("bob", 3)).await;
    assert!(removed(store, "alice").await);
    assert_eq!(store.users.find(&hers.owner).await.expect("answered"), None);
    assert_eq!(all(store, &hers.owner).await, []);
    assert!(
        !store
            .tasks
            .belongs_to_another(&his.owner, hers.id)
            .await
            .expect("answered")
    );
    assert_eq!(found(store, &his).await, Some(his));
}

/// No row is left that names them: only the digest by which their tokens are known.
pub async fn removing_a_user_removes_all_that_is_theirs(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    let bob = registered(store, "bob", 2).await;
    let hers = kept(store, task("anna", 1)).await;
    let his = kept(store, task("bob", 2)).await;
    let write = TaskWrite::Add(task("anna", 3));
    let tasks = &store.tasks;
    let keyed = tasks
        .write_idempotent(&anna.id, &request("k"), &write, at(0))
        .await;
    assert!(
        matches!(keyed, Ok(IdempotentOutcome::Done(Some(_)))),
        "{keyed:?}"
    );

    let gone = store.users.remove(&revocation("anna", 5)).await;
    assert!(gone.expect("answered"));
    assert_eq!(user_of(store, "anna").await, None);
    assert_eq!(user_by_email(store, "anna@example.org").await, None);
    assert_eq!(all(store, &anna.id).await, []);
    assert_eq!(found(store, &hers).await, None);
    assert_eq!(rotated(store, 1, 3).await, Rotation::Refused);
    let recalled = tasks.recall(&anna.id, &request("k"), at(1)).await;
    assert_eq!(recalled.expect("answered"), None);
    assert_eq!(not_before(store, "anna").await, Some(at(5)));
    assert_eq!(user_of(store, "bob").await.as_ref(), Some(&bob));
    assert_eq!(found(store, &his).await, Some(his));
    assert_eq!(rotated(store, 2, 4).await, Rotation::Rotated(bob));

    // The revocation is kept also where there was nobody.
    assert!(!removed(store, "nobody").await);
    assert_eq!(not_before(store, "nobody").await, Some(at(1)));
    // The address is free again.
    registered(store, "anna", 5).await;
}

/// Instances that have not heard of it yet take tokens from before; who comes later is somebody new.
pub async fn a_removed_user_does_not_come_back_at_once(store: &Ports) {
    let known_within = i64::try_from(MAX_PROPAGATION.as_micros()).expect("in range");
    let tasks = &store.tasks;
    for (name, number) in [("by add", 1), ("by key", 2)] {
        kept(store, task(name, number)).await;
        assert!(removed(store, name).await);
    }
    for micros in [0, 1, 2, known_within] {
        let by_add = created_at(task("by add", 3), micros);
        let refused = tasks.add(&by_add).await;
        assert!(
            matches!(refused, Err(StoreError::UnknownOwner)),
            "{refused:?}"
        );
        let write = TaskWrite::Add(created_at(task("by key", 4), micros));
        let refused = tasks
            .write_idempotent(&user("by key"), &request("k"), &write, at(micros))
            .await;
        assert!(
            matches!(refused, Err(StoreError::UnknownOwner)),
            "{refused:?}"
        );
    }
    for name in ["by add", "by key"] {
        assert_eq!(user_of(store, name).await, None);
        assert_eq!(all(store, &user(name)).await, []);
    }
    let later = known_within + 1;
    kept(store, created_at(task("by add", 3), later)).await;
    let write = TaskWrite::Add(created_at(task("by key", 4), later));
    let done = tasks
        .write_idempotent(&user("by key"), &request("k"), &write, at(later))
        .await;
    assert!(
        matches!(done, Ok(IdempotentOutcome::Done(Some(_)))),
        "{done:?}"
    );
}

/// Whatever they were writing at that moment, with a key and without.
pub async fn a_user_who_is_removed_while_writing_stays_removed(store: &Ports) {
    for round in 0..5_u32 {
        let name = format!("user{round}");
        let writer = registered(store, &name, round).await.id;
        let first = u128::from(round) * 100;
        let keyed = join_all((0..8).map(|number| {
            let write = TaskWrite::Add(task(&name, first + number));
            let request = request(&format!("k{number}"));
            let (tasks, writer) = (&store.tasks, &writer);
            async move {
                let done = tasks
                    .write_idempotent(writer, &request, &write, at(2))
                    .await;
                done.map(drop)
            }
        }));
        let added = join_all((8..16).map(|number| {
            let task = task(&name, first + number);
            async move { store.tasks.add(&task).await }
        }));
        let (keyed, gone, added) = join3(keyed, removed(store, &name), added).await;
        assert!(gone);
        for outcome in keyed.into_iter().chain(added) {
            assert!(
                matches!(outcome, Ok(()) | Err(StoreError::UnknownOwner)),
                "{outcome:?}"
            );
        }
        assert_eq!(user_of(store, &name).await, None);
        assert_eq!(all(store, &writer).await, []);
    }
}

/// Only who was removed has to wait.
pub async fn a_user_whose_tokens_were_revoked_goes_on_writing(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    let ended = store.sessions.end(None, &revocation("anna", 5)).await;
    ended.expect("ended");
    kept(store, created_at(task("anna", 1), 6)).await;
    let write = TaskWrite::Add(created_at(task("anna", 2), 7));
    let done = store
        .tasks
        .write_idempotent(&anna.id, &request("k"), &write, at(7))
        .await;
    assert!(
        matches!(done, Ok(IdempotentOutcome::Done(Some(_)))),
        "{done:?}"
    );
}
