//! A clock that only moves when a test advances it.

use std::sync::atomic::{AtomicI64, Ordering};

use taskhold_application::clock::Clock;
use taskhold_domain::timestamp::Timestamp;

/// A clock that starts at 2026-01-02T03:04:05.678901Z and moves only by [`advance`](Self::advance).
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl Default for ManualClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_767_323_045_678_901))
    }
}

impl ManualClock {
    /// Moves the clock by `micros` microseconds, which may be negative.
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed)).expect("a time that tests set")
    }
}
