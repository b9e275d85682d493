//! Whose turn it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What waits in a line: it is either begun or withdrawn, never both.
#[derive(Clone, Default)]
pub(crate) struct Turn(Arc<AtomicU8>);

impl Turn {
    const WAITING: u8 = 0;
    const BEGUN: u8 = 1;
    const WITHDRAWN: u8 = 2;

    /// Whether it is begun, and by this.
    pub(crate) fn begin(&self) -> bool {
        self.leave_waiting(Self::BEGUN)
    }

    /// Whether it is withdrawn, and by this.
    pub(crate) fn withdraw(&self) -> bool {
        self.leave_waiting(Self::WITHDRAWN)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::WAITING
    }

    /// Withdraws it when this is dropped: whoever waited went away.
    pub(crate) fn until_given_up(&self) -> GivenUp<'_> {
        GivenUp(self)
    }

    fn leave_waiting(&self, state: u8) -> bool {
        let before =
            self.0
                .compare_exchange(Self::WAITING, state, Ordering::AcqRel, Ordering::Acquire);
        before.is_ok()
    }
}

/// Withdraws what nobody waits for any more.
pub(crate) struct GivenUp<'a>(&'a Turn);

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.0.withdraw();
    }
}
