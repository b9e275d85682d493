//! Counters that are stored under keys computed with a secret.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use taskhold_application::clock::Clock as _;
use taskhold_application::rate_limits::{Guesser, RateLimiter, RateLimits};
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::memory::MemoryStore;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

#[tokio::test]
async fn counters_of_one_secret_are_shared_and_of_another_are_not() {
    let store = Arc::new(MemoryStore::default());
    let limits = RateLimits {
        requests: 10,
        failures_per_address: 1,
        failures: 10,
        refreshes: 10,
    };
    let with = |secret: u8| RateLimiter::new(store.clone(), [secret; 32], limits);
    let now = ManualClock::default().now();
    let remaining = async |secret: u8| {
        let counted = with(secret).count_request(ADDRESS, now).await;
        counted.expect("allowed").remaining
    };
    assert_eq!(remaining(1).await, 9);
    assert_eq!(remaining(1).await, 8);
    assert_eq!(remaining(2).await, 9);

    let fail = async |secret: u8| {
        let limiter = with(secret);
        let failed = limiter.count_failure(Guesser::Stranger, "anna@example.org", ADDRESS, now);
        failed.await.ok()
    };
    let first = fail(1).await.expect("allowed");
    assert!(fail(1).await.is_none());
    assert!(fail(2).await.is_some());
    with(1).succeed(&first).await.expect("cleared");
    let second = fail(1).await.expect("allowed again");
    with(1).refund(&second).await.expect("refunded");
    assert!(fail(1).await.is_some());
    assert!(fail(2).await.is_none());
}
