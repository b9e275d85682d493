//! Whether the replica is used: it is passed over while it does not answer, or lags far behind.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Whether the replica is used.
#[derive(Debug, Default)]
pub(super) struct Health {
    is_in_use: AtomicBool,
    /// Nobody has asked the replica for so long that it is not known how far it lags behind.
    is_resting: AtomicBool,
    /// Wakes the task that checks the replica.
    wake: Notify,
}

impl Health {
    /// Returns whether the replica executes reads.
    pub(super) fn is_in_use(&self) -> bool {
        self.is_in_use.load(Ordering::Relaxed) && !self.is_resting.load(Ordering::Relaxed)
    }

    /// Lets the primary execute reads until the replica was checked, although nothing is wrong with it.
    pub(super) fn rest(&self) {
        self.is_resting.store(true, Ordering::Relaxed);
        tracing::debug!(
            "nobody asks the read replica: the next read finds out how far it lags behind"
        );
    }

    /// Lets the primary execute reads until the replica answers again.
    pub(super) fn pass_over(&self, reason: &(dyn Error + 'static)) {
        if self.is_in_use.swap(false, Ordering::Relaxed) {
            tracing::warn!(error = reason, "the read replica is passed over");
        }
        self.report();
        self.wake();
    }

    /// Wakes the task that checks the replica.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until the replica must be checked.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Lets the replica execute reads.
    pub(super) fn use_again(&self) {
        self.is_resting.store(false, Ordering::Relaxed);
        if !self.is_in_use.swap(true, Ordering::Relaxed) {
            tracing::info!("the read replica is used");
        }
        self.report();
    }

    /// Records in the metrics whether the replica is used. One that rests is.
    pub(super) fn report(&self) {
        let is_in_use = self.is_in_use.load(Ordering::Relaxed);
        let in_use = if is_in_use { 1.0 } else { 0.0 };
        metrics::gauge!("taskhold_replica_in_use").set(in_use);
    }
}
