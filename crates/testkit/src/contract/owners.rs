//! The obligations of owners: their creation and their removal.

use futures_util::future::{join_all, join3};
use taskhold_domain::revocation::MAX_PROPAGATION;
use taskhold_domain::session::{Ending, Rotation};
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKey, IdempotentOutcome, KeyedRequest,
};
use taskhold_repository::tasks::TaskWrite;

use super::Ports;
use super::fixtures::{
    add_task, at, created_at, find_task, find_user, find_user_by_email, list_tasks, not_before,
    register, remove_user, revocation, rotate, rotated, stamp, task, try_add, user,
};

fn request(key: &str) -> KeyedRequest {
    KeyedRequest {
        key: IdempotencyKey::parse(key).expect("a key"),
        fingerprint: Fingerprint([1; 32]),
    }
}

/// Checks that a first task needs no registration.
pub async fn first_task_creates_its_owner(store: &Ports) {
    let first = add_task(store, task("alice", 1)).await;
    let owner = store
        .users
        .find(&first.owner)
        .await
        .expect("answered")
        .expect("known");
    assert_eq!(owner.id, first.owner);
    assert_eq!(owner.created_at, first.created_at);
}

/// Checks that all tasks are stored.
pub async fn concurrent_first_tasks_create_one_owner(store: &Ports) {
    let first: Vec<_> = (1..=10).map(|number| task("newcomer", number)).collect();
    for outcome in join_all(first.iter().map(|task| try_add(store, task))).await {
        outcome.expect("added");
    }
    let newcomer = user("newcomer");
    assert_eq!(list_tasks(store, &newcomer).await.len(), 10);
    assert!(remove_user(store, "newcomer").await);
    assert!(!remove_user(store, "newcomer").await);
}

/// Checks that no task is left without its owner.
pub async fn removing_a_user_removes_only_their_tasks(store: &Ports) {
    let hers = add_task(store, task("alice", 1)).await;
    add_task(store, task("alice", 2)).await;
    let his = add_task(store, task("bob", 3)).await;
    assert!(remove_user(store, "alice").await);
    assert_eq!(store.users.find(&hers.owner).await.expect("answered"), None);
    assert_eq!(list_tasks(store, &hers.owner).await, []);
    assert!(
        !store
            .tasks
            .belongs_to_another(&his.owner, hers.id)
            .await
            .expect("answered")
    );
    assert_eq!(find_task(store, &his).await, Some(his));
}

/// Checks that no row identifies the user afterwards but the digest that revokes their tokens.
pub async fn removing_a_user_removes_all_their_rows(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    let bob = register(store, "bob", 2).await;
    let hers = add_task(store, task("anna", 1)).await;
    let his = add_task(store, task("bob", 2)).await;
    let write = TaskWrite::Add(task("anna", 3));
    let tasks = &store.tasks;
    let keyed = tasks
        .write_idempotent(&anna.id, &request("k"), &write, &stamp(0))
        .await;
    assert!(matches!(keyed, Ok(IdempotentOutcome::Done(_))), "{keyed:?}");

    let removed = store.users.remove(&revocation("anna", 5)).await;
    assert!(removed.expect("answered"));
    assert_eq!(find_user(store, "anna").await, None);
    assert_eq!(find_user_by_email(store, "anna@example.org").await, None);
    assert_eq!(list_tasks(store, &anna.id).await, []);
    assert_eq!(find_task(store, &hers).await, None);
    assert_eq!(rotate(store, 1, 3).await, Rotation::Refused);
    let recalled = tasks.recall(&anna.id, &request("k"), at(1)).await;
    assert_eq!(recalled.expect("answered"), None);
    assert_eq!(not_before(store, "anna").await, Some(at(5)));
    assert_eq!(find_user(store, "bob").await.as_ref(), Some(&bob));
    assert_eq!(find_task(store, &his).await, Some(his));
    assert_eq!(rotate(store, 2, 4).await, rotated(bob));

    // The revocation is stored even if the user did not exist.
    assert!(!remove_user(store, "nobody").await);
    assert_eq!(not_before(store, "nobody").await, Some(at(1)));
    // The address is available again.
    register(store, "anna", 5).await;
}

/// Checks that tokens which other instances still accept cannot recreate the user; a later write
/// creates a new one.
pub async fn removed_user_is_not_recreated_within_the_propagation_time(store: &Ports) {
    let known_within = i64::try_from(MAX_PROPAGATION.as_micros()).expect("in range");
    let tasks = &store.tasks;
    for (name, number) in [("by add", 1), ("by key", 2)] {
        add_task(store, task(name, number)).await;
        assert!(remove_user(store, name).await);
    }
    for micros in [0, 1, 2, known_within] {
        let by_add = created_at(task("by add", 3), micros);
        let refused = try_add(store, &by_add).await;
        assert!(
            matches!(refused, Err(StoreError::UnknownOwner)),
            "{refused:?}"
        );
        let write = TaskWrite::Add(created_at(task("by key", 4), micros));
        let refused = tasks
            .write_idempotent(&user("by key"), &request("k"), &write, &stamp(micros))
            .await;
        assert!(
            matches!(refused, Err(StoreError::UnknownOwner)),
            "{refused:?}"
        );
    }
    for name in ["by add", "by key"] {
        assert_eq!(find_user(store, name).await, None);
        assert_eq!(list_tasks(store, &user(name)).await, []);
    }
    let later = known_within + 1;
    add_task(store, created_at(task("by add", 3), later)).await;
    let write = TaskWrite::Add(created_at(task("by key", 4), later));
    let done = tasks
        .write_idempotent(&user("by key"), &request("k"), &write, &stamp(later))
        .await;
    assert!(matches!(done, Ok(IdempotentOutcome::Done(_))), "{done:?}");
}

/// Checks concurrent writes with and without an idempotency key.
pub async fn user_removed_while_writing_stays_removed(store: &Ports) {
    for round in 0..5_u32 {
        let name = format!("user{round}");
        let writer = register(store, &name, round).await.id;
        let first = u128::from(round) * 100;
        let keyed = join_all((0..8).map(|number| {
            let write = TaskWrite::Add(task(&name, first + number));
            let request = request(&format!("k{number}"));
            let (tasks, writer) = (&store.tasks, &writer);
            async move {
                let done = tasks
                    .write_idempotent(writer, &request, &write, &stamp(2))
                    .await;
                done.map(drop)
            }
        }));
        let added = join_all((8..16).map(|number| {
            let task = task(&name, first + number);
            async move { try_add(store, &task).await }
        }));
        let (keyed, removed, added) = join3(keyed, remove_user(store, &name), added).await;
        assert!(removed);
        for outcome in keyed.into_iter().chain(added) {
            assert!(
                matches!(outcome, Ok(()) | Err(StoreError::UnknownOwner)),
                "{outcome:?}"
            );
        }
        assert_eq!(find_user(store, &name).await, None);
        assert_eq!(list_tasks(store, &writer).await, []);
    }
}

/// Checks that only a removal, not a revocation, refuses writes.
pub async fn user_with_revoked_tokens_can_still_write(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    let ended = store
        .sessions
        .end(Ending::All, &revocation("anna", 5))
        .await;
    ended.expect("ended");
    add_task(store, created_at(task("anna", 1), 6)).await;
    let write = TaskWrite::Add(created_at(task("anna", 2), 7));
    let done = store
        .tasks
        .write_idempotent(&anna.id, &request("k"), &write, &stamp(7))
        .await;
    assert!(matches!(done, Ok(IdempotentOutcome::Done(_))), "{done:?}");
}
