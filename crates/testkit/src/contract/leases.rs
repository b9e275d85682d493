//! The obligations of leases.

use futures_util::future::join_all;
use taskhold_repository::leases::LeaseOutcome::{self, Acquired, HeldUntil};
use uuid::Uuid;

use super::Ports;
use super::fixtures::at;

const JOB: &str = "job";

async fn acquire(store: &Ports, name: &'static str, holder: u128, now: i64) -> LeaseOutcome {
    let holder = Uuid::from_u128(holder);
    let (until, latest) = (at(now + 100), at(now + 1_000));
    let acquired = store.leases.acquire(name, holder, at(now), until, latest);
    acquired.await.expect("answered")
}

/// Checks that a lease whose end a wrong clock has set is free for others.
pub async fn lease_with_an_end_far_ahead_is_free(store: &Ports) {
    assert_eq!(acquire(store, JOB, 1, 5_000).await, Acquired);
    assert_eq!(acquire(store, JOB, 2, 4_100).await, HeldUntil(at(5_100)));
    assert_eq!(acquire(store, JOB, 2, 4_099).await, Acquired);
    assert_eq!(acquire(store, JOB, 1, 4_100).await, HeldUntil(at(4_199)));
}

/// Checks that only its holder renews a lease, and that anybody acquires it once it has expired.
pub async fn lease_has_one_holder_until_it_expires(store: &Ports) {
    for (holder, now, expected) in [
        (1, 0, Acquired),
        (2, 0, HeldUntil(at(100))),
        (1, 50, Acquired),
        (2, 100, HeldUntil(at(150))),
        (2, 149, HeldUntil(at(150))),
        (2, 150, Acquired),
        (1, 151, HeldUntil(at(250))),
        // Its holder acquires it after its end, too.
        (2, 1_000, Acquired),
    ] {
        let acquired = acquire(store, JOB, holder, now).await;
        assert_eq!(acquired, expected, "{holder} at {now}");
    }
    assert_eq!(acquire(store, "another job", 1, 1_000).await, Acquired);
}

/// Checks that a released lease is free, and that only its holder releases it.
pub async fn lease_is_released_by_its_holder(store: &Ports) {
    assert_eq!(acquire(store, JOB, 1, 0).await, Acquired);
    for (releasing, expected) in [(2, HeldUntil(at(100))), (1, Acquired)] {
        let released = store.leases.release(JOB, Uuid::from_u128(releasing));
        released.await.expect("released");
        assert_eq!(acquire(store, JOB, 2, 1).await, expected, "{releasing}");
    }
}

/// Checks that of concurrent instances one acquires a lease that is free, and one that has expired.
pub async fn concurrent_instances_have_one_holder(store: &Ports) {
    for now in [0, 100_u8, 200] {
        let instances =
            (1..=8).map(|holder| acquire(store, JOB, holder + u128::from(now), now.into()));
        let outcomes = join_all(instances).await;
        let acquired = outcomes.iter().filter(|outcome| **outcome == Acquired);
        assert_eq!(acquired.count(), 1, "{outcomes:?}");
    }
}
