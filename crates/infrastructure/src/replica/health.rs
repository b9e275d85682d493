//! Whether the replica is used: it is passed over while it does not answer, or lags far behind.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Whether the replica is used.
#[derive(Debug, Default)]
pub(super) struct Health {
    is_in_use: AtomicBool,
    /// Wakes the task that checks the replica.
    wake: Notify,
}

impl Health {
    /// Returns whether the replica executes reads.
    pub(super) fn is_in_use(&self) -> bool {
        self.is_in_use.load(Ordering::Relaxed)
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
        if !self.is_in_use.swap(true, Ordering::Relaxed) {
            tracing::info!("the read replica is used");
        }
        self.report();
    }

    /// Records in the metrics whether the replica is used.
    pub(super) fn report(&self) {
        let in_use = if self.is_in_use() { 1.0 } else { 0.0 };
        metrics::gauge!("taskhold_replica_in_use").set(in_use);
    }
}
