//! What a write of a task leads to.

use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_domain::task::{Task, TaskId};

/// The result of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// The tasks after the write.
    pub outcome: T,
    /// The number of the write in the change log; of its last change, if it consists of several.
    pub seq: ChangeSeq,
    /// The follow-ups that completions have added, in the order of the tasks that they follow.
    pub next: Vec<Task>,
}

impl<T> Written<T> {
    /// Returns the result of a write that adds no follow-ups.
    #[must_use]
    pub fn new(outcome: T, seq: ChangeSeq) -> Self {
        Self {
            outcome,
            seq,
            next: Vec::new(),
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

/// The result of a bulk write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkOutcome {
    /// All tasks were changed. They are in the order of the write; deleted ones are left out.
    Done(Written<Vec<Task>>),
    /// Nothing was done: the owner does not have this task, the first such one in the order of the write.
    NoneChanged(TaskId),
}

/// Which change is to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undo {
    /// The number of the change.
    pub seq: ChangeSeq,
    /// `true` if the owner may have one more task, so that a deletion can be undone.
    pub may_restore: bool,
}
