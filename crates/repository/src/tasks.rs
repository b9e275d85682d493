//! The port for tasks.

use async_trait::async_trait;
use taskhold_domain::task::{Task, TaskChange, TaskId, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;

/// Which readings of a task a change may be based on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Whatever is there: the last writer wins.
    None,
    /// One of these versions. An empty list never matches.
    VersionIn(Vec<Version>),
}

impl Precondition {
    /// Whether a task of `version` may be changed.
    #[must_use]
    pub fn allows(&self, version: Version) -> bool {
        match self {
            Self::None => true,
            Self::VersionIn(versions) => versions.contains(&version),
        }
    }
}

/// One person's tasks. Another person's are as absent as those that never were; only
/// [`belongs_to_another`](Self::belongs_to_another) tells the two apart.
#[async_trait]
pub trait TaskRepository: Send + Sync {
    /// Keeps a new task. An owner whom the store does not know becomes known by it, once, also
    /// when several first tasks arrive at the same time.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when a task of this id is there, whosever it is; otherwise as
    /// every method: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn add(&self, task: &Task) -> Result<(), StoreError>;

    /// The owner's task of this id.
    ///
    /// # Errors
    /// `Unavailable`; `Defect` also where the stored row breaks a rule of the domain.
    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// All of the owner's tasks, newest first: by `created_at`, then by id, both descending. A
    /// stored row that breaks a rule of the domain is left out and logged: one damaged row must
    /// not hide all others.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn list(&self, owner: &UserId) -> Result<Vec<Task>, StoreError>;

    /// Makes `change` at `now`, just as [`Task::apply`] would, if the owner has this task and its
    /// version is allowed. The task as it is afterwards, or `None` when nothing was changed.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Option<Task>, StoreError>;

    /// Removes the owner's task of this id, if its version is allowed. Whether it did.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<bool, StoreError>;

    /// Whether there is a task of this id that belongs to somebody other than `caller`. Asked
    /// only after a change found nothing, to tell "not yours" from "not there".
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn belongs_to_another(&self, caller: &UserId, id: TaskId) -> Result<bool, StoreError>;
}
