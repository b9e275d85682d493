//! What a person can do with tasks.

use std::num::NonZeroU64;
use std::sync::Arc;

use taskhold_domain::task::{Task, TaskChange, TaskDraft, TaskId};
use taskhold_domain::user::UserId;
use taskhold_repository::error::{Source, StoreError};
use taskhold_repository::tasks::TaskRepository;
pub use taskhold_repository::tasks::{
    Key, Position, Precondition, Sort, SortKey, Start, TaskCounts, TaskPage, TaskQuery,
};

use crate::clock::Clock;
use crate::ids::Ids;
use crate::quota::Quota;

/// A person's tasks: each method acts for `caller` and on nobody else's tasks.
///
/// Another's task cannot be told from one that never was, with one exception: who tries to change
/// or delete it is told that it is not theirs ([`TaskError::Forbidden`]).
#[derive(Clone)]
pub struct TaskService {
    tasks: Arc<dyn TaskRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    quota: Arc<Quota>,
}

/// Why a use case of tasks failed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The caller has no such task, or for a reader: it is another's.
    #[error("there is no such task")]
    NotFound,
    /// It is another's, and was to be changed or deleted.
    #[error("the task belongs to another user")]
    Forbidden,
    /// It has changed since the caller read it; this is what it is now.
    #[error("the task has changed since it was read")]
    Stale(Box<Task>),
    /// The caller has as many tasks as anybody may have.
    #[error("the quota of {quota} tasks is used up")]
    QuotaExceeded {
        /// How many that is.
        quota: u64,
    },
    /// Too many requests wait for the store already; nothing was done.
    #[error("too many requests wait for the store")]
    Busy,
    /// The store is away; nothing was done.
    #[error("the store is not available")]
    Unavailable(#[source] Source),
    /// The store was lost during a write, which may or may not have been done.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown(#[source] Source),
    /// A fault of ours.
    #[error("there is a defect in this service")]
    Defect(#[source] Source),
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            StoreError::Unavailable(source) => Self::Unavailable(source),
            StoreError::OutcomeUnknown(source) => Self::OutcomeUnknown(source),
            StoreError::Defect(source) => Self::Defect(source),
            // Ids are made here and made once: meeting one again is a fault of ours.
            duplicate @ StoreError::Duplicate => Self::Defect(duplicate.into()),
        }
    }
}

impl TaskService {
    /// A service on these ports, which lets everybody have about `quota` tasks.
    #[must_use]
    pub fn new(
        tasks: Arc<dyn TaskRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        quota: NonZeroU64,
    ) -> Self {
        let quota = Arc::new(Quota::new(quota));
        Self {
            tasks,
            clock,
            ids,
            quota,
        }
    }

    /// Creates a task.
    ///
    /// # Errors
    /// [`TaskError`]: `QuotaExceeded`, `Unavailable`, `OutcomeUnknown`, `Defect`.
    pub async fn create(&self, caller: &UserId, draft: TaskDraft) -> Result<Task, TaskError> {
        if !self
            .quota
            .admits(caller, &*self.tasks, self.clock.now())
            .await?
        {
            return Err(TaskError::QuotaExceeded {
                quota: self.quota.limit(),
            });
        }
        let task = Task::create(
            TaskId::from_uuid(self.ids.next()),
            caller.clone(),
            draft,
            self.clock.now(),
        );
        self.tasks.add(&task).await?;
        Ok(task)
    }

    /// One task.
    ///
    /// # Errors
    /// [`TaskError`]: `NotFound`, `Unavailable`, `Defect`.
    pub async fn find(&self, caller: &UserId, id: TaskId) -> Result<Task, TaskError> {
        self.tasks
            .find(caller, id)
            .await?
            .ok_or(TaskError::NotFound)
    }

    /// The tasks that `query` asks for.
    ///
    /// # Errors
    /// [`TaskError`]: `Unavailable`, `Defect`.
    pub async fn list(&self, caller: &UserId, query: &TaskQuery) -> Result<TaskPage, TaskError> {
        Ok(self.tasks.list(caller, query).await?)
    }

    /// How many tasks there are.
    ///
    /// # Errors
    /// [`TaskError`]: `Unavailable`, `Defect`.
    pub async fn count(&self, caller: &UserId) -> Result<TaskCounts, TaskError> {
        Ok(self.tasks.count(caller).await?)
    }

    /// Changes a task.
    ///
    /// # Errors
    /// [`TaskError`]: every variant.
    pub async fn change(
        &self,
        caller: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
    ) -> Result<Task, TaskError> {
        let now = self.clock.now();
        match self
            .tasks
            .change(caller, id, change, precondition, now)
            .await?
        {
            Some(task) => Ok(task),
            None => Err(self.why_missed(caller, id, precondition).await?),
        }
    }

    /// Deletes a task.
    ///
    /// # Errors
    /// [`TaskError`]: every variant.
    pub async fn delete(
        &self,
        caller: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<(), TaskError> {
        if self.tasks.remove(caller, id, precondition).await? {
            self.quota.freed(caller);
            Ok(())
        } else {
            Err(self.why_missed(caller, id, precondition).await?)
        }
    }

    /// What it means that a change found nothing. Asked only then, so that a change that succeeds
    /// is one statement.
    async fn why_missed(
        &self,
        caller: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<TaskError, StoreError> {
        if self.tasks.belongs_to_another(caller, id).await? {
            return Ok(TaskError::Forbidden);
        }
        if *precondition == Precondition::None {
            return Ok(TaskError::NotFound);
        }
        let current = self.tasks.find(caller, id).await?;
        Ok(current.map_or(TaskError::NotFound, |task| TaskError::Stale(Box::new(task))))
    }
}
