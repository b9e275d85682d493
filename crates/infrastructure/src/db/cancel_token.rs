//! Cancellation of queued requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The state of a queued request: either a worker claims it or its caller cancels it, never both.
#[derive(Debug, Clone, Default)]
pub(crate) struct CancelToken(Arc<AtomicU8>);

impl CancelToken {
    const QUEUED: u8 = 0;
    const CLAIMED: u8 = 1;
    const CANCELLED: u8 = 2;

    /// Claims the request for execution. Returns whether this call did so.
    pub(crate) fn claim(&self) -> bool {
        self.leave_queue(Self::CLAIMED)
    }

    /// Cancels the request. Returns whether this call did so; if not, a worker has claimed it.
    pub(crate) fn cancel(&self) -> bool {
        self.leave_queue(Self::CANCELLED)
    }

    /// Returns whether a worker has claimed the request, so that it may have been executed.
    pub(crate) fn is_claimed(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::CLAIMED
    }

    /// Returns whether the request is neither claimed nor cancelled.
    pub(crate) fn is_queued(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::QUEUED
    }

    /// Returns a guard that cancels the request when it is dropped, as when its caller goes away.
    pub(crate) fn cancel_on_drop(&self) -> CancelOnDrop<'_> {
        CancelOnDrop(self)
    }

    fn leave_queue(&self, state: u8) -> bool {
        let before =
            self.0
                .compare_exchange(Self::QUEUED, state, Ordering::AcqRel, Ordering::Acquire);
        before.is_ok()
    }
}

/// Cancels a request that no caller waits for any more.
pub(crate) struct CancelOnDrop<'a>(&'a CancelToken);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
