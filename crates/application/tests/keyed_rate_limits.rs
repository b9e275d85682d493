//! Counters that are stored under a key.

use std::sync::Arc;
use std::time::Duration;

use taskhold_application::clock::Clock as _;
use taskhold_application::keyed_rate_limits::KeyedRateLimits;
use taskhold_repository::rate_limits::{RateLimitKey, RateLimitRepository};
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::memory::MemoryStore;

#[tokio::test]
async fn counters_of_one_secret_are_shared_and_of_another_are_not() {
    let store = Arc::new(MemoryStore::default());
    let with = |secret: u8| KeyedRateLimits::new(store.clone(), [secret; 32]);
    let key = RateLimitKey::of("requests", &["192.0.2.1"]);
    let now = ManualClock::default().now();
    let count = async |counters: &dyn RateLimitRepository| {
        let counted = counters.count(key, Duration::from_mins(1), now).await;
        counted.expect("counted").count
    };
    assert_eq!(count(&with(1)).await, 1);
    assert_eq!(count(&with(1)).await, 2);
    assert_eq!(count(&with(2)).await, 1);
    assert_eq!(count(&*store).await, 1, "the plain key is not stored");
    with(1).refund(&[key]).await.expect("refunded");
    assert_eq!(count(&with(1)).await, 2);
    with(1).clear(&[key]).await.expect("cleared");
    assert_eq!(count(&with(1)).await, 1);
    assert_eq!(count(&with(2)).await, 2);
}
