//! The port for the change log.

use async_trait::async_trait;
use taskhold_domain::task::change_log::{ChangeSeq, ChangeStamp, LoggedChange};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;
use crate::written::{Undo, Written};

/// The state of an owner's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feed {
    /// A random number, which a restore replaces: numbers of another epoch name other changes.
    pub epoch: i64,
    /// The number of the last change.
    pub last: ChangeSeq,
    /// The number of the last change that housekeeping has deleted.
    pub floor: ChangeSeq,
}

/// The latest change of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestChange {
    /// The number of the change.
    pub seq: ChangeSeq,
    /// The id of the task.
    pub id: TaskId,
    /// The task as it is now; `None` if it is not among the owner's tasks any more.
    pub task: Option<Task>,
}

/// A part of an owner's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePage {
    /// The state of the log at the same moment; `None` before the owner's first change.
    pub feed: Option<Feed>,
    /// The tasks that changed, each once, in the order of their latest changes.
    pub changes: Vec<LatestChange>,
    /// `true` if there are further ones.
    pub has_more: bool,
}

/// The result of an undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoOutcome {
    /// The write of the change was undone; its first task after that, or as it was when it moved to the trash.
    Done(Box<Written<Task>>),
    /// A field that the write had changed was changed again, a task would have a rule without a due date, or the
    /// undo would complete a task that repeats by now; nothing was done. The current task.
    Conflict(Box<Task>),
    /// It is a deletion, and the owner may have no further task; nothing was done.
    QuotaExceeded,
    /// The owner has no such change, it is no longer kept, or a task of its write is gone.
    NotFound,
}

/// The log of the changes of an owner's tasks. [`TaskRepository`](crate::tasks::TaskRepository) and
/// [`TrashRepository`](crate::trash::TrashRepository) append to it.
#[async_trait]
pub trait ChangeLogRepository: Send + Sync {
    /// Returns the tasks that changed after the change `after`, at most `limit`. All of it is the state of one
    /// moment. A change that is visible has no smaller number that becomes visible later.
    ///
    /// # Errors
    /// `Unavailable`; `Defect` also if a stored row breaks a rule of the domain.
    async fn changes(
        &self,
        owner: &UserId,
        after: ChangeSeq,
        limit: u32,
    ) -> Result<ChangePage, StoreError>;

    /// Returns the state of the log of each of these owners who has one, in no order, by one statement.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn feeds(&self, owners: &[UserId]) -> Result<Vec<(UserId, Feed)>, StoreError>;

    /// Returns the changes of a task, newest first, or `None` if the owner has no such task.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn history(
        &self,
        owner: &UserId,
        id: TaskId,
    ) -> Result<Option<(Task, Vec<LoggedChange>)>, StoreError>;

    /// Takes the write of a change back by a new write, unless one of its fields was changed since, as
    /// [`UndoState::plan`](taskhold_domain::task::change_log::UndoState::plan) says: all its changes or none. The
    /// follow-up of a completion moves to the trash.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn undo(
        &self,
        owner: &UserId,
        undo: Undo,
        stamp: &ChangeStamp,
    ) -> Result<UndoOutcome, StoreError>;

    /// Deletes at most `most` changes that were made before `time`, and raises the floor of their owners.
    /// Returns their number.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}
