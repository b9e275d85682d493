//! Leases as instances see them.

#![expect(clippy::expect_used, reason = "a test states what it expects")]

use std::sync::Arc;
use std::time::Duration;

use taskhold_application::clock::Clock as _;
use taskhold_application::leases::{Lease, LeaseOutcome};
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::memory::MemoryStore;
use uuid::Uuid;

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: i64 = 60_000_000;

struct Instances {
    store: MemoryStore,
    clock: Arc<ManualClock>,
}

impl Instances {
    fn new() -> Self {
        Self {
            store: MemoryStore::default(),
            clock: Arc::default(),
        }
    }

    fn lease_of(&self, holder: u128) -> Lease {
        let store = Arc::new(self.store.clone());
        let holder = Uuid::from_u128(holder);
        Lease::new(store, self.clock.clone(), "job", holder, HOUR)
    }
}

async fn has(lease: &Lease) -> bool {
    lease.acquire().await.expect("answered") == LeaseOutcome::Acquired
}

/// Acquires the lease and keeps it after the job.
async fn does_the_job(lease: &Lease) -> bool {
    has(lease).await && lease.keep().await.expect("answered") == LeaseOutcome::Acquired
}

#[tokio::test]
async fn holder_does_the_job_again_and_is_replaced_after_its_end() {
    let instances = Instances::new();
    let (first, second) = (instances.lease_of(1), instances.lease_of(2));
    // Both ask at every interval, the second one somewhat later.
    for _ in 0..3 {
        assert!(does_the_job(&first).await);
        instances.clock.advance(MINUTE);
        assert!(!has(&second).await);
        instances.clock.advance(59 * MINUTE);
    }
    // The first one has ended: its lease outlasts the interval by five minutes.
    instances.clock.advance(4 * MINUTE);
    assert!(!has(&second).await);
    instances.clock.advance(MINUTE);
    assert!(has(&second).await);
    assert!(!has(&first).await);
}

#[tokio::test]
async fn released_lease_is_free_for_those_who_ask() {
    let instances = Instances::new();
    let (first, second) = (instances.lease_of(1), instances.lease_of(2));
    assert!(has(&first).await);
    second.release().await.expect("nothing to release");
    assert!(!has(&instances.lease_of(3)).await);
    first.release().await.expect("released");
    assert!(has(&second).await);
}

#[tokio::test]
async fn store_is_not_asked_while_another_instance_has_the_lease() {
    let instances = Instances::new();
    let (first, second) = (instances.lease_of(1), instances.lease_of(2));
    assert!(does_the_job(&first).await);
    let until = instances
        .clock
        .now()
        .saturating_add(Duration::from_mins(65));
    let asked = second.acquire().await.expect("answered");
    assert_eq!(asked, LeaseOutcome::HeldUntil(until));
    // Another answer would come from the store.
    first.release().await.expect("released");
    let asked = second.acquire().await.expect("answered");
    assert_eq!(asked, LeaseOutcome::HeldUntil(until));
}

#[tokio::test(start_paused = true)]
async fn long_job_keeps_its_lease() {
    let instances = Instances::new();
    let (first, second) = (instances.lease_of(1), instances.lease_of(2));
    assert!(has(&first).await);
    let job = async {
        for _ in 0..180 {
            tokio::time::sleep(Duration::from_mins(1)).await;
            instances.clock.advance(MINUTE);
            assert!(!has(&second).await);
        }
        "done"
    };
    assert_eq!(first.renewing(job).await, "done");
    // Its instance ends before it keeps the lease: another one need not wait for an interval.
    instances.clock.advance(5 * MINUTE);
    assert!(has(&second).await);
}
