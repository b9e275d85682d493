//! The port for the trash.

use async_trait::async_trait;
use taskhold_domain::task::change_log::{ChangeSeq, ChangeStamp};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;
use crate::written::Written;

/// A deleted task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashedTask {
    /// The task as it was.
    pub task: Task,
    /// When it was deleted.
    pub deleted_at: Timestamp,
}

/// A part of the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashPage {
    /// The tasks, newest deletion first; equal times by id, greatest first.
    pub tasks: Vec<TrashedTask>,
    /// The time and id after which the next page begins, if there is one.
    pub next: Option<(Timestamp, TaskId)>,
}

/// The deleted tasks of an owner. For every other port they are gone.
#[async_trait]
pub trait TrashRepository: Send + Sync {
    /// Returns at most `limit` of the owner's deleted tasks.
    ///
    /// # Errors
    /// `Unavailable`; `Defect` also if a stored row breaks a rule of the domain.
    async fn list(
        &self,
        owner: &UserId,
        after: Option<(Timestamp, TaskId)>,
        limit: u32,
    ) -> Result<TrashPage, StoreError>;

    /// Takes a task out of the trash, with the next version. Returns the task, or `None` if the owner has not
    /// deleted it.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn restore(
        &self,
        owner: &UserId,
        id: TaskId,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError>;

    /// Deletes a task in the trash for good, or all of them. Returns the number of the last change, or `None`
    /// if there was nothing to delete.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge(
        &self,
        owner: &UserId,
        id: Option<TaskId>,
        stamp: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError>;

    /// Deletes for good at most `most` tasks that were deleted before `time`. Returns their number.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(
        &self,
        time: Timestamp,
        most: u32,
        stamp: &ChangeStamp,
    ) -> Result<u64, StoreError>;
}
