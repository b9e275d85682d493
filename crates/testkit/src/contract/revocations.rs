//! The obligations of revocations.

use taskhold_domain::revocation::Revocation;
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::revocations::SubjectHash;

use super::{LIFETIME, Ports, at, not_before, password, registered, revocation, user};

/// Ends every session of this user.
async fn revoked(store: &Ports, name: &str, micros: i64) {
    let ended = store.sessions.end(None, &revocation(name, micros)).await;
    ended.expect("ended");
}

async fn current(store: &Ports, micros: i64) -> Vec<(SubjectHash, Timestamp)> {
    let current = store.revocations.current(at(micros)).await;
    let mut current = current.expect("answered");
    current.sort_unstable();
    current
}

/// Then no token from before is alive.
pub async fn a_revocation_matters_until_its_time(store: &Ports) {
    assert_eq!(current(store, 0).await, []);
    for (name, micros) in [("anna", 10), ("bob", 20), ("Anna", 30)] {
        revoked(store, name, micros).await;
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

/// Also where the clocks of two instances differ, or one of them was slow.
pub async fn the_latest_revocation_of_a_user_counts(store: &Ports) {
    for (micros, expected) in [(10, 10), (30, 30), (20, 30), (30, 30), (40, 40)] {
        revoked(store, "anna", micros).await;
        assert_eq!(not_before(store, "anna").await, Some(at(expected)));
    }
    let last = current(store, LIFETIME + 40).await;
    assert_eq!(last, [(SubjectHash::of(&user("anna")), at(40))]);
    assert_eq!(current(store, LIFETIME + 41).await, []);
}

/// Only an operator who lets them in again does that, or who removes them.
pub async fn nobody_who_is_kept_out_comes_in_by_ending_sessions(store: &Ports) {
    let anna = registered(store, "anna", 1).await.id;
    let users = &store.users;
    let kept_out = users.set_active(false, &Revocation::permanent(&anna)).await;
    assert!(kept_out.expect("answered"));
    revoked(store, "anna", 5).await;
    assert_eq!(not_before(store, "anna").await, Some(Timestamp::LAST));
    let (another, since) = (password("new"), revocation("anna", 6));
    let changed = users.set_password(&another, &since).await;
    assert!(changed.expect("answered"));
    assert_eq!(not_before(store, "anna").await, Some(Timestamp::LAST));

    let removed = users.remove(&revocation("anna", 7)).await;
    assert!(removed.expect("answered"));
    assert_eq!(not_before(store, "anna").await, Some(at(7)));
}

/// Those that still matter stay.
pub async fn revocations_are_forgotten_in_bounded_steps(store: &Ports) {
    for micros in 1..=5 {
        revoked(store, &format!("user{micros}"), micros).await;
    }
    for expected in [2, 2, 0] {
        let forgotten = store.revocations.purge_expired(at(LIFETIME + 5), 2).await;
        assert_eq!(forgotten.expect("answered"), expected);
    }
    let left = current(store, 0).await;
    assert_eq!(left, [(SubjectHash::of(&user("user5")), at(5))]);
}
