//! The obligations of rate-limit counters.

use std::time::Duration;

use futures_util::future::join_all;
use taskhold_repository::rate_limits::{Count, RateLimitKey};

use super::Ports;
use super::fixtures::at;

const WINDOW: Duration = Duration::from_micros(100);

fn rate_limit_key(name: &str) -> RateLimitKey {
    RateLimitKey::of(&[7; 32], "test", &[name])
}

async fn count_attempt(store: &Ports, name: &str, micros: i64) -> Count {
    let counted = store
        .rate_limits
        .count(rate_limit_key(name), WINDOW, at(micros));
    counted.await.expect("counted")
}

fn count(count: u32, since: i64) -> Count {
    Count {
        count,
        since: at(since),
    }
}

/// Checks that a window starts with the first attempt after the previous window.
pub async fn attempts_are_counted_per_window(store: &Ports) {
    for (micros, expected) in [
        (0, count(1, 0)),
        (1, count(2, 0)),
        (99, count(3, 0)),
        (100, count(1, 100)),
        (199, count(2, 100)),
        // The clock was set back.
        (50, count(3, 100)),
        (1000, count(1, 1000)),
    ] {
        assert_eq!(
            count_attempt(store, "a", micros).await,
            expected,
            "{micros}"
        );
    }
}

/// Checks that keys do not share a counter.
pub async fn counters_are_independent(store: &Ports) {
    for expected in 1..=3 {
        for name in ["a", "A", "b", ""] {
            let counted = count_attempt(store, name, expected.into()).await;
            assert_eq!(counted, count(expected, 1), "{name}");
        }
    }
}

/// Checks that no concurrent attempt is lost.
pub async fn concurrent_attempts_are_all_counted(store: &Ports) {
    let names = (0..60).map(|number| if number % 3 == 0 { "a" } else { "b" });
    let attempts = names.map(async |name| (name, count_attempt(store, name, 5).await));
    let mut counts: Vec<_> = join_all(attempts).await;
    counts.sort_by_key(|(name, counted)| (*name, counted.count));
    let one = (1..=20).map(|number| ("a", count(number, 5)));
    let other = (1..=40).map(|number| ("b", count(number, 5)));
    assert_eq!(counts, one.chain(other).collect::<Vec<_>>());
}

/// Checks that a refund leaves other counters alone and accepts missing ones.
pub async fn refunded_attempt_is_not_counted(store: &Ports) {
    for name in ["a", "a", "a", "b", "c", "d", "d"] {
        count_attempt(store, name, 1).await;
    }
    let several = ["a", "b", "nobody's", "d"].map(rate_limit_key);
    let refunded = store.rate_limits.refund(&several).await;
    refunded.expect("taken back");
    let refunded = store.rate_limits.refund(&[]).await;
    refunded.expect("nothing to do");
    assert_eq!(count_attempt(store, "a", 2).await, count(3, 1));
    assert_eq!(count_attempt(store, "b", 2).await, count(1, 2));
    assert_eq!(count_attempt(store, "c", 2).await, count(2, 1));
    assert_eq!(count_attempt(store, "d", 2).await, count(2, 1));
}

/// Checks that the order of the keys does not matter.
pub async fn concurrent_refunds_are_all_applied(store: &Ports) {
    for _ in 0..20 {
        count_attempt(store, "a", 1).await;
        count_attempt(store, "b", 1).await;
    }
    let attempts = (0..20).map(async |number| {
        let order = if number % 2 == 0 {
            ["a", "b"]
        } else {
            ["b", "a"]
        };
        store.rate_limits.refund(&order.map(rate_limit_key)).await
    });
    for refunded in join_all(attempts).await {
        refunded.expect("taken back");
    }
    assert_eq!(count_attempt(store, "a", 2).await, count(1, 2));
    assert_eq!(count_attempt(store, "b", 2).await, count(1, 2));
}

/// Checks that clearing leaves other counters alone and accepts missing ones.
pub async fn cleared_counter_starts_over(store: &Ports) {
    for name in ["a", "b", "c"] {
        count_attempt(store, name, 1).await;
    }
    for _ in 0..2 {
        let cleared = store
            .rate_limits
            .clear(&["a", "c"].map(rate_limit_key))
            .await;
        cleared.expect("cleared");
    }
    assert_eq!(count_attempt(store, "a", 2).await, count(1, 2));
    assert_eq!(count_attempt(store, "b", 2).await, count(2, 1));
    assert_eq!(count_attempt(store, "c", 2).await, count(1, 2));
}

/// Checks that counters of newer windows stay.
pub async fn expired_counters_are_purged_in_batches(store: &Ports) {
    for (micros, name) in (1..).zip(["a", "b", "c", "d", "e"]) {
        count_attempt(store, name, micros).await;
    }
    for expected in [2, 2, 0] {
        let purged = store.rate_limits.purge_expired(at(5), 2).await;
        assert_eq!(purged.expect("answered"), expected);
    }
    assert_eq!(count_attempt(store, "a", 6).await, count(1, 6));
    assert_eq!(count_attempt(store, "e", 6).await, count(2, 5));
}

/// Checks that marks are no counters of others, can be prolonged, and are purged after their end.
pub async fn mark_lasts_until_its_end(store: &Ports) {
    let is_marked = async |name: &str, micros| {
        let marked = store
            .rate_limits
            .is_marked(rate_limit_key(name), at(micros));
        marked.await.expect("answered")
    };
    assert!(!is_marked("a", 0).await);
    for until in [10, 20] {
        let marked = store.rate_limits.mark(rate_limit_key("a"), at(until)).await;
        marked.expect("marked");
        for (micros, expected) in [(0, true), (until - 1, true), (until, false)] {
            assert_eq!(is_marked("a", micros).await, expected, "{until} {micros}");
        }
        assert!(!is_marked("b", 0).await);
    }
    for (time, expected) in [(20, 0), (21, 1)] {
        let purged = store.rate_limits.purge_expired(at(time), 9).await;
        assert_eq!(purged.expect("answered"), expected);
    }
}
