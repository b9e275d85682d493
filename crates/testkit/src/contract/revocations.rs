//! The obligations of revocations.

use taskhold_domain::revocation::Revocation;
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::revocations::SubjectHash;

use super::{LIFETIME, Ports, at, not_before, password, register, revocation, user};

/// Ends every session of the user.
async fn end_sessions(store: &Ports, name: &str, micros: i64) {
    let ended = store.sessions.end(None, &revocation(name, micros)).await;
    ended.expect("ended");
}

async fn current(store: &Ports, micros: i64) -> Vec<(SubjectHash, Timestamp)> {
    let current = store.revocations.current(at(micros)).await;
    let mut current = current.expect("answered");
    current.sort_unstable();
    current
}

/// Checks that a revocation lasts until every older token has expired.
pub async fn revocation_is_current_until_it_expires(store: &Ports) {
    assert_eq!(current(store, 0).await, []);
    for (name, micros) in [("anna", 10), ("bob", 20), ("Anna", 30)] {
        end_sessions(store, name, micros).await;
    }
    let of = |name: &str, micros| (SubjectHash::of(&user(name)), at(micros));
    let mut all = [of("anna", 10), of("bob", 20), of("Anna", 30)];
    all.sort_unstable();
    assert_eq!(current(store, 10).await, all);
    assert_eq!(current(store, LIFETIME + 10).await, all);
    let mut later = [of("bob", 20), of("Anna", 30)];
    later.sort_unstable();
    assert_eq!(current(store, LIFETIME + 11).await, later);
    assert_eq!(current(store, LIFETIME + 31).await, []);
}

/// Checks that an older revocation never replaces a later one, since the clocks of instances
/// differ.
pub async fn latest_revocation_of_a_user_wins(store: &Ports) {
    for (micros, expected) in [(10, 10), (30, 30), (20, 30), (30, 30), (40, 40)] {
        end_sessions(store, "anna", micros).await;
        assert_eq!(not_before(store, "anna").await, Some(at(expected)));
    }
    let last = current(store, LIFETIME + 40).await;
    assert_eq!(last, [(SubjectHash::of(&user("anna")), at(40))]);
    assert_eq!(current(store, LIFETIME + 41).await, []);
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

/// Checks that current revocations stay.
pub async fn expired_revocations_are_purged_in_batches(store: &Ports) {
    for micros in 1..=5 {
        end_sessions(store, &format!("user{micros}"), micros).await;
    }
    for expected in [2, 2, 0] {
        let purged = store.revocations.purge_expired(at(LIFETIME + 5), 2).await;
        assert_eq!(purged.expect("answered"), expected);
    }
    let left = current(store, 0).await;
    assert_eq!(left, [(SubjectHash::of(&user("user5")), at(5))]);
}
