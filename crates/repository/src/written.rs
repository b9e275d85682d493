//! What a write of a task leads to.

use taskhold_domain::task::Task;
use taskhold_domain::task::change_log::ChangeSeq;

/// The result of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// The task after the write.
    pub outcome: T,
    /// The number of the write in the change log; of its last change, if it consists of two.
    pub seq: ChangeSeq,
    /// The follow-up that a completion has added.
    pub next: Option<Box<Task>>,
}

impl<T> Written<T> {
    /// Returns the result of a write that adds no follow-up.
    #[must_use]
    pub fn new(outcome: T, seq: ChangeSeq) -> Self {
        Self {
            outcome,
            seq,
            next: None,
        }
    }

    /// Returns the same result with the outcome that `map` makes.
    #[must_use]
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Written<U> {
        Written {
            outcome: map(self.outcome),
            seq: self.seq,
            next: self.next,
        }
    }
}

/// Which change is to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undo {
    /// The number of the change.
    pub seq: ChangeSeq,
    /// Whether the owner may have one more task, so that a deletion can be undone.
    pub may_restore: bool,
}
