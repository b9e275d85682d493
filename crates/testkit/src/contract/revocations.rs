//! The obligations of revocations.

use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::Ending;
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::revocations::SubjectHash;

use super::Ports;
use super::fixtures::{at, not_before, password, register, revocation, user};

/// Ends every session of the user.
async fn end_sessions(store: &Ports, name: &str, micros: i64) {
    let ended = store
        .sessions
        .end(Ending::All, &revocation(name, micros))
        .await;
    ended.expect("ended");
}

async fn current(store: &Ports) -> Vec<(SubjectHash, Timestamp)> {
    let current = store.revocations.current().await;
    let mut current = current.expect("answered");
    current.sort_unstable();
    current
}

/// Checks that all revocations are returned until they are purged, whatever lifetime they were made for: a
/// longer one may be accepted later.
pub async fn revocation_is_current_until_it_is_purged(store: &Ports) {
    assert_eq!(current(store).await, []);
    for (name, micros) in [("anna", 10), ("bob", 20), ("Anna", 30)] {
        end_sessions(store, name, micros).await;
    }
    let of = |name: &str, micros| (SubjectHash::of(&user(name)), at(micros));
    let mut all = [of("anna", 10), of("bob", 20), of("Anna", 30)];
    all.sort_unstable();
    assert_eq!(current(store).await, all);
}

/// Checks that an older revocation never replaces a later one, since the clocks of instances
/// differ.
pub async fn latest_revocation_of_a_user_wins(store: &Ports) {
    for (micros, expected) in [(10, 10), (30, 30), (20, 30), (30, 30), (40, 40)] {
        end_sessions(store, "anna", micros).await;
        assert_eq!(not_before(store, "anna").await, Some(at(expected)));
    }
    let last = current(store).await;
    assert_eq!(last, [(SubjectHash::of(&user("anna")), at(40))]);
}

/// Checks that only a reactivation or a removal ends a deactivation.
pub async fn ending_sessions_does_not_reactivate_a_user(store: &Ports) {
    let anna = register(store, "anna", 1).await.id;
    let users = &store.users;
    let deactivated = users.set_active(false, &Revocation::permanent(&anna)).await;
    assert!(deactivated.expect("answered"));
    end_sessions(store, "anna", 5).await;
    assert_eq!(not_before(store, "anna").await, Some(Timestamp::LAST));
    let (another, since) = (password("new"), revocation("anna", 6));
    let changed = users.set_password(&another, &since).await;
    assert!(changed.expect("answered"));
    assert_eq!(not_before(store, "anna").await, Some(Timestamp::LAST));

    let removed = users.remove(&revocation("anna", 7)).await;
    assert!(removed.expect("answered"));
    assert_eq!(not_before(store, "anna").await, Some(at(7)));
}

/// Checks that revocations of tokens that may live stay, and that the latest deleted one is everybody's from
/// then on.
pub async fn purged_revocations_leave_the_latest_of_their_times(store: &Ports) {
    for micros in 1..=5 {
        end_sessions(store, &format!("user{micros}"), micros).await;
    }
    let purge = async |time| {
        let purged = store.revocations.purge_expired(at(time), 2).await;
        purged.expect("answered")
    };
    assert_eq!(purge(1).await, 0);
    assert_eq!(current(store).await.len(), 5, "nothing was purged");
    for expected in [2, 2, 0] {
        assert_eq!(purge(5).await, expected);
    }
    let user5 = (SubjectHash::of(&user("user5")), at(5));
    assert_eq!(
        current(store).await,
        [(SubjectHash::EVERYBODY, at(4)), user5]
    );
    end_sessions(store, "user1", 2).await;
    assert_eq!(purge(5).await, 1);
    assert_eq!(
        current(store).await,
        [(SubjectHash::EVERYBODY, at(4)), user5]
    );
}
