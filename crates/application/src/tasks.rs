//! What a person can do with tasks.

use std::num::NonZeroU64;
use std::sync::Arc;

use taskhold_domain::task::{Task, TaskChange, TaskDraft, TaskId};
use taskhold_domain::user::UserId;
use taskhold_repository::error::{Source, StoreError};
use taskhold_repository::idempotency::IdempotentOutcome;
pub use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKey, IdempotencyKeyError, KeyedRequest,
};
pub use taskhold_repository::tasks::{
    Key, Position, Precondition, Sort, SortKey, Start, TaskCounts, TaskPage, TaskQuery,
};
use taskhold_repository::tasks::{TaskRepository, TaskWrite};

use crate::clock::Clock;
use crate::ids::Ids;
use crate::quota::Quota;

/// How many tasks a page of an export has.
const EXPORTED_AT_ONCE: u32 = 1000;

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

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written<T> {
    /// The task as it is afterwards, or nothing.
    pub outcome: T,
    /// Whether it was not done now: this is what came of it the first time.
    pub replayed: bool,
}

impl<T> Written<T> {
    fn now(outcome: T) -> Self {
        Self {
            outcome,
            replayed: false,
        }
    }
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
    /// The caller's account was deleted a moment ago.
    #[error("the caller's account was deleted")]
    UnknownCaller,
    /// The caller has as many tasks as anybody may have.
    #[error("the quota of {quota} tasks is used up")]
    QuotaExceeded {
        /// How many that is.
        quota: u64,
    },
    /// The key of the request belongs to another one; nothing was done.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A request under the same key is under way; nothing was done.
    #[error("a request under this idempotency key is under way")]
    KeyInFlight,
    /// Too many requests wait for the store already; nothing was done.
    #[error("too many requests wait for the store")]
    Busy,
    /// The store is away; nothing was done.
    #[error("the store is not available")]
    Unavailable(#[source] Source),
    /// The store was lost during a write, which may or may not have been done.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown(#[source] Source),
    /// The store was lost during a write under a key: repeating the request under the same key is
    /// safe, and tells.
    #[error("the outcome of the write is unknown, and it can be repeated")]
    Repeatable(#[source] Source),
    /// A fault of ours.
    #[error("there is a defect in this service")]
    Defect(#[source] Source),
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UnknownOwner => Self::UnknownCaller,
            StoreError::Busy => Self::Busy,
            StoreError::Unavailable(source) => Self::Unavailable(source),
            StoreError::OutcomeUnknown(source) => Self::OutcomeUnknown(source),
            StoreError::RetryWithKey(source) => Self::Repeatable(source),
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

    /// Creates a task; once, where the request has a key.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `NotFound`, `Forbidden`, `Stale`.
    pub async fn create(
        &self,
        caller: &UserId,
        draft: TaskDraft,
        request: Option<&KeyedRequest>,
    ) -> Result<Written<Task>, TaskError> {
        let now = self.clock.now();
        if !self.quota.admits(caller, &*self.tasks, now).await? {
            // What was done before is told again, also when there is no room for more by now.
            if let Some(request) = request
                && let Some(before) = self.tasks.recall(caller, request, now).await?
                && let Some(written) = told(before)?
            {
                return with_task(written);
            }
            return Err(TaskError::QuotaExceeded {
                quota: self.quota.limit(),
            });
        }
        let id = TaskId::from_uuid(self.ids.next());
        let task = Task::create(id, caller.clone(), draft, now);
        let Some(request) = request else {
            self.tasks.add(&task).await?;
            return Ok(Written::now(task));
        };
        let write = TaskWrite::Add(task);
        let once = self
            .tasks
            .write_idempotent(caller, request, &write, now)
            .await?;
        told(once)?.map_or(Err(incomplete()), with_task)
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

    /// The next page of all tasks, those that were created first coming first: all of them or an error.
    ///
    /// # Errors
    /// [`TaskError`]: `Unavailable`; `Defect` also where a stored task is damaged: what lacks it must not
    /// be taken for everything.
    pub async fn oldest_first(
        &self,
        caller: &UserId,
        from: Option<Position>,
    ) -> Result<TaskPage, TaskError> {
        let query = TaskQuery {
            sort: Sort {
                key: SortKey::CreatedAt,
                descending: false,
            },
            start: from.map_or(Start::First, Start::After),
            limit: Some(EXPORTED_AT_ONCE),
            ..TaskQuery::default()
        };
        let page = self.list(caller, &query).await?;
        if page.corrupt_rows > 0 {
            return Err(TaskError::Defect(
                "a stored task is damaged; the log names it".into(),
            ));
        }
        Ok(page)
    }

    /// How many tasks there are.
    ///
    /// # Errors
    /// [`TaskError`]: `Unavailable`, `Defect`.
    pub async fn count(&self, caller: &UserId) -> Result<TaskCounts, TaskError> {
        Ok(self.tasks.count(caller).await?)
    }

    /// Changes a task; once, where the request has a key.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `QuotaExceeded`.
    pub async fn change(
        &self,
        caller: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        request: Option<&KeyedRequest>,
    ) -> Result<Written<Task>, TaskError> {
        let now = self.clock.now();
        let written = if let Some(request) = request {
            let write = TaskWrite::Change {
                id,
                change: change.clone(),
                precondition: precondition.clone(),
            };
            let once = self
                .tasks
                .write_idempotent(caller, request, &write, now)
                .await?;
            told(once)?.map(with_task).transpose()?
        } else {
            let changed = self.tasks.change(caller, id, change, precondition, now);
            changed.await?.map(Written::now)
        };
        match written {
            Some(written) => Ok(written),
            None => Err(self.why_missed(caller, id, precondition).await?),
        }
    }

    /// Deletes a task; once, where the request has a key.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `QuotaExceeded`.
    pub async fn delete(
        &self,
        caller: &UserId,
        id: TaskId,
        precondition: &Precondition,
        request: Option<&KeyedRequest>,
    ) -> Result<Written<()>, TaskError> {
        let written = if let Some(request) = request {
            let write = TaskWrite::Remove {
                id,
                precondition: precondition.clone(),
            };
            let now = self.clock.now();
            let once = self
                .tasks
                .write_idempotent(caller, request, &write, now)
                .await?;
            told(once)?.map(|written| Written {
                outcome: (),
                replayed: written.replayed,
            })
        } else {
            let removed = self.tasks.remove(caller, id, precondition).await?;
            removed.then(|| Written::now(()))
        };
        match written {
            Some(written) => {
                self.quota.freed(caller);
                Ok(written)
            }
            None => Err(self.why_missed(caller, id, precondition).await?),
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

/// What a write under a key means to its caller; `None` where it found nothing.
fn told(once: IdempotentOutcome) -> Result<Option<Written<Option<Task>>>, TaskError> {
    match once {
        IdempotentOutcome::Done(outcome) => Ok(Some(Written::now(outcome))),
        IdempotentOutcome::Replayed(outcome) => Ok(Some(Written {
            outcome,
            replayed: true,
        })),
        IdempotentOutcome::Missed => Ok(None),
        IdempotentOutcome::KeyReused => Err(TaskError::KeyReused),
        IdempotentOutcome::KeyInFlight => Err(TaskError::KeyInFlight),
    }
}

/// What came of a creation or a change.
fn with_task(written: Written<Option<Task>>) -> Result<Written<Task>, TaskError> {
    let Written { outcome, replayed } = written;
    let outcome = outcome.ok_or_else(incomplete)?;
    Ok(Written { outcome, replayed })
}

/// No adapter of the port tells that.
fn incomplete() -> TaskError {
    TaskError::Defect("the store told of a creation or change without its task".into())
}
