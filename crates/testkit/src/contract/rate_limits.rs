//! The obligations of counters.

use std::time::Duration;

use futures_util::future::join_all;
use taskhold_repository::rate_limits::{Count, RateLimitKey};

use super::{Ports, at};

const WINDOW: Duration = Duration::from_micros(100);

fn bucket(name: &str) -> RateLimitKey {
    RateLimitKey::of("test", &[name])
}

async fn counted(store: &Ports, name: &str, micros: i64) -> Count {
    let counted = store.rate_limits.count(bucket(name), WINDOW, at(micros));
    counted.await.expect("counted")
}

fn count(count: u32, since: i64) -> Count {
    Count {
        count,
        since: at(since),
    }
}

/// A window begins with the first attempt after the one before is over.
pub async fn attempts_are_counted_in_windows(store: &Ports) {
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
        assert_eq!(counted(store, "a", micros).await, expected, "{micros}");
    }
}

/// Whatever is counted elsewhere.
pub async fn every_counter_counts_for_itself(store: &Ports) {
    for expected in 1..=3 {
        for name in ["a", "A", "b", ""] {
            let counted = counted(store, name, expected.into()).await;
            assert_eq!(counted, count(expected, 1), "{name}");
        }
    }
}

/// None is lost under another.
pub async fn concurrent_attempts_are_all_counted(store: &Ports) {
    let names = (0..60).map(|number| if number % 3 == 0 { "a" } else { "b" });
    let attempts = names.map(async |name| (name, counted(store, name, 5).await));
    let mut counts: Vec<_> = join_all(attempts).await;
    counts.sort_by_key(|(name, counted)| (*name, counted.count));
    let one = (1..=20).map(|number| ("a", count(number, 5)));
    let other = (1..=40).map(|number| ("b", count(number, 5)));
    assert_eq!(counts, one.chain(other).collect::<Vec<_>>());
}

/// As if it had never been; others stay, and there need be none.
pub async fn an_attempt_that_is_taken_back_does_not_count(store: &Ports) {
    for name in ["a", "a", "a", "b", "c", "d", "d"] {
        counted(store, name, 1).await;
    }
    let several = ["a", "b", "nobody's", "d"].map(bucket);
    let taken_back = store.rate_limits.refund(&several).await;
    taken_back.expect("taken back");
    let taken_back = store.rate_limits.refund(&[]).await;
    taken_back.expect("nothing to do");
    assert_eq!(counted(store, "a", 2).await, count(3, 1));
    assert_eq!(counted(store, "b", 2).await, count(1, 2));
    assert_eq!(counted(store, "c", 2).await, count(2, 1));
    assert_eq!(counted(store, "d", 2).await, count(2, 1));
}

/// Whatever the order that they are named in.
pub async fn concurrent_attempts_are_all_taken_back(store: &Ports) {
    for _ in 0..20 {
        counted(store, "a", 1).await;
        counted(store, "b", 1).await;
    }
    let attempts = (0..20).map(async |number| {
        let order = if number % 2 == 0 {
            ["a", "b"]
        } else {
            ["b", "a"]
        };
        store.rate_limits.refund(&order.map(bucket)).await
    });
    for taken_back in join_all(attempts).await {
        taken_back.expect("taken back");
    }
    assert_eq!(counted(store, "a", 2).await, count(1, 2));
    assert_eq!(counted(store, "b", 2).await, count(1, 2));
}

/// As after a success; others stay, and there need be none.
pub async fn a_cleared_counter_begins_anew(store: &Ports) {
    for name in ["a", "b", "c"] {
        counted(store, name, 1).await;
    }
    for _ in 0..2 {
        let cleared = store.rate_limits.clear(&["a", "c"].map(bucket)).await;
        cleared.expect("cleared");
    }
    assert_eq!(counted(store, "a", 2).await, count(1, 2));
    assert_eq!(counted(store, "b", 2).await, count(2, 1));
    assert_eq!(counted(store, "c", 2).await, count(1, 2));
}

/// Those whose window began since stay.
pub async fn counters_are_forgotten_in_bounded_steps(store: &Ports) {
    for (micros, name) in (1..).zip(["a", "b", "c", "d", "e"]) {
        counted(store, name, micros).await;
    }
    for expected in [2, 2, 0] {
        let forgotten = store.rate_limits.purge_expired(at(5), 2).await;
        assert_eq!(forgotten.expect("answered"), expected);
    }
    assert_eq!(counted(store, "a", 6).await, count(1, 6));
    assert_eq!(counted(store, "e", 6).await, count(2, 5));
}
