//! The use cases of tasks.

use std::num::NonZeroU64;
use std::sync::Arc;

use taskhold_domain::task::{Task, TaskChange, TaskDraft, TaskId};
use taskhold_domain::timestamp::Timestamp;
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
use crate::user_limit::{InProgress, UserLimit};

/// The number of tasks in a page of an export, or of a list without a limit.
const PAGE: u32 = 1000;
/// The longest page that is not counted as a long statement: an index finds it within a millisecond or so.
const SHORT_PAGE: u32 = 100;
/// The number of long statements that the store executes for one user at a time. Further ones of the same user
/// wait, so that the store has connections and processors left for other users.
const MAX_SCANS: usize = 2;

/// The tasks of a user. Every method acts for `caller` on the caller's own tasks.
///
/// A task of another user is reported like one that does not exist, except to a caller who tries to
/// change or delete it ([`TaskError::Forbidden`]).
#[derive(Clone)]
pub struct TaskService {
    tasks: Arc<dyn TaskRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    quota: Arc<Quota>,
    keys: Arc<Quota>,
    scans: Arc<UserLimit>,
}

/// The result of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteResult<T> {
    /// The task after the write, if there is one.
    pub outcome: T,
    /// `true` for the stored result of an earlier request with the same idempotency key.
    pub replayed: bool,
}

/// The reason that a use case of tasks failed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The caller has no such task.
    #[error("there is no such task")]
    NotFound,
    /// The task that was to be changed or deleted belongs to another user.
    #[error("the task belongs to another user")]
    Forbidden,
    /// The task has changed since the caller read it; this is the current one.
    #[error("the task has changed since it was read")]
    Stale(Box<Task>),
    /// The caller's account was just deleted.
    #[error("the caller's account was deleted")]
    UnknownCaller,
    /// The caller has as many tasks as a user may have.
    #[error("the quota of {quota} tasks is used up")]
    QuotaExceeded {
        /// The number of tasks that a user may have.
        quota: u64,
    },
    /// The caller has used as many idempotency keys as a user may use in their retention.
    #[error("the {limit} idempotency keys of a user are used up")]
    TooManyKeys {
        /// The number of keys that a user may use.
        limit: u64,
    },
    /// The idempotency key belongs to another request; nothing was done.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A request with the same idempotency key is in progress; nothing was done.
    #[error("a request under this idempotency key is under way")]
    KeyInFlight,
    /// Too many requests wait for the store; nothing was done.
    #[error("too many requests wait for the store")]
    Busy,
    /// The store is unavailable; nothing was done.
    #[error("the store is not available")]
    Unavailable(#[source] Source),
    /// The store was lost during a write, which may or may not have been done.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown(#[source] Source),
    /// The store was lost during a write with an idempotency key. Repeating the request with the same
    /// key is safe and returns the outcome.
    #[error("the outcome of the write is unknown, and it can be repeated")]
    RetryWithKey(#[source] Source),
    /// A defect of the service or of the stored data.
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
            StoreError::RetryWithKey(source) => Self::RetryWithKey(source),
            StoreError::Defect(source) => Self::Defect(source),
            // Ids are generated here, each once: a duplicate is a defect of the service.
            duplicate @ StoreError::Duplicate => Self::Defect(duplicate.into()),
        }
    }
}

impl TaskService {
    /// Creates the service on its ports. Each user may have about `quota` tasks, and about `keys` idempotency
    /// keys that have not expired.
    #[must_use]
    pub fn new(
        tasks: Arc<dyn TaskRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        quota: NonZeroU64,
        keys: NonZeroU64,
    ) -> Self {
        Self {
            tasks,
            clock,
            ids,
            quota: Arc::new(Quota::new(quota)),
            keys: Arc::new(Quota::new(keys)),
            scans: UserLimit::new(MAX_SCANS),
        }
    }

    /// Creates a task; at most once if the request has an idempotency key.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `NotFound`, `Forbidden`, `Stale`.
    pub async fn create(
        &self,
        caller: &UserId,
        draft: TaskDraft,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<Task>, TaskError> {
        let now = self.clock.now();
        let count = async || Ok(self.tasks.count(caller).await?.total);
        let written = if self.quota.admits(caller, now, count).await? {
            let id = TaskId::from_uuid(self.ids.next());
            let task = Task::create(id, caller.clone(), draft, now);
            let write = TaskWrite::Add(task);
            self.write(caller, write, request, now).await?
        } else {
            let quota = self.quota.limit();
            let exceeded = TaskError::QuotaExceeded { quota };
            match request {
                Some(request) => self.replay(caller, request, now, exceeded).await?,
                None => return Err(exceeded),
            }
        };
        with_task(written.ok_or_else(missing_task)?)
    }

    /// Returns one task.
    ///
    /// # Errors
    /// [`TaskError`]: `NotFound`, `Unavailable`, `Defect`.
    pub async fn find(&self, caller: &UserId, id: TaskId) -> Result<Task, TaskError> {
        let task = self.tasks.find(caller, id).await?;
        task.ok_or(TaskError::NotFound)
    }

    /// Returns the tasks that match `query`, or a page of them: the next page begins after [`TaskPage::next`].
    /// A query without a limit has pages too, so that no list is ever held whole.
    ///
    /// # Errors
    /// [`TaskError`]: `Busy`, `Unavailable`, `Defect`.
    pub async fn list(&self, caller: &UserId, query: &TaskQuery) -> Result<TaskPage, TaskError> {
        let limit = query.limit.unwrap_or(PAGE);
        let is_short = query.sort.key == SortKey::CreatedAt
            && limit <= SHORT_PAGE
            && query.text.is_none()
            && query.completed.is_none()
            && !matches!(query.start, Start::Offset(_));
        let _scan = if is_short {
            None
        } else {
            Some(self.begin_scan(caller).await?)
        };
        let page = TaskQuery {
            limit: Some(limit),
            ..query.clone()
        };
        Ok(self.tasks.list(caller, &page).await?)
    }

    /// Returns a page of all tasks, oldest first, without leaving any out.
    ///
    /// # Errors
    /// [`TaskError`]: `Busy`, `Unavailable`; `Defect` also if a stored task is corrupt,
    /// since an export without it would look complete.
    pub async fn export_page(
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

    /// Returns the number of tasks.
    ///
    /// # Errors
    /// [`TaskError`]: `Busy`, `Unavailable`, `Defect`.
    pub async fn count(&self, caller: &UserId) -> Result<TaskCounts, TaskError> {
        let _scan = self.begin_scan(caller).await?;
        Ok(self.tasks.count(caller).await?)
    }

    /// Changes a task; at most once if the request has an idempotency key.
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
    ) -> Result<WriteResult<Task>, TaskError> {
        let write = TaskWrite::Change {
            id,
            change: change.clone(),
            precondition: precondition.clone(),
        };
        let written = self.write(caller, write, request, self.clock.now()).await?;
        match written {
            Some(written) => with_task(written),
            None => Err(self.why_missed(caller, id, precondition).await?),
        }
    }

    /// Deletes a task; at most once if the request has an idempotency key.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `QuotaExceeded`.
    pub async fn delete(
        &self,
        caller: &UserId,
        id: TaskId,
        precondition: &Precondition,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<()>, TaskError> {
        let write = TaskWrite::Remove {
            id,
            precondition: precondition.clone(),
        };
        let written = self.write(caller, write, request, self.clock.now()).await?;
        let Some(WriteResult { replayed, .. }) = written else {
            return Err(self.why_missed(caller, id, precondition).await?);
        };
        self.quota.freed(caller);
        Ok(WriteResult {
            outcome: (),
            replayed,
        })
    }

    /// Waits until the store may execute a long statement for the caller. While the store is away the caller's
    /// earlier ones do not end, so the error is that of a store that is away.
    async fn begin_scan(&self, caller: &UserId) -> Result<InProgress, TaskError> {
        let scan = self.scans.begin(caller).await;
        scan.map_err(|error| TaskError::Unavailable(error.into()))
    }

    /// Makes a write; returns `None` if there is no task that it applies to.
    async fn write(
        &self,
        caller: &UserId,
        write: TaskWrite,
        request: Option<&KeyedRequest>,
        now: Timestamp,
    ) -> Result<Option<WriteResult<Option<Task>>>, TaskError> {
        let tasks = &self.tasks;
        if let Some(request) = request {
            let count = async || tasks.count_keys(caller, now).await;
            if !self.keys.admits(caller, now, count).await? {
                let limit = self.keys.limit();
                let exceeded = TaskError::TooManyKeys { limit };
                return self.replay(caller, request, now, exceeded).await;
            }
            let outcome = tasks.write_idempotent(caller, request, &write, now).await?;
            return into_result(outcome);
        }
        let written = match write {
            TaskWrite::Add(task) => {
                tasks.add(&task).await?;
                Some(Some(task))
            }
            TaskWrite::Change {
                id,
                change,
                precondition,
            } => {
                let changed = tasks.change(caller, id, &change, &precondition, now);
                changed.await?.map(Some)
            }
            TaskWrite::Remove { id, precondition } => {
                let is_removed = tasks.remove(caller, id, &precondition).await?;
                is_removed.then_some(None)
            }
        };
        Ok(written.map(|outcome| WriteResult {
            outcome,
            replayed: false,
        }))
    }

    /// Returns the outcome of a request that succeeded before it exceeded a quota. A first request gets the
    /// error.
    async fn replay(
        &self,
        caller: &UserId,
        request: &KeyedRequest,
        now: Timestamp,
        exceeded: TaskError,
    ) -> Result<Option<WriteResult<Option<Task>>>, TaskError> {
        let recalled = self.tasks.recall(caller, request, now).await?;
        into_result(recalled.ok_or(exceeded)?)
    }

    /// Returns why a change found nothing. Queried only then, so that a successful change is one
    /// statement.
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

/// Converts the outcome of an idempotent write; `None` if there is no task that it applies to.
fn into_result(outcome: IdempotentOutcome) -> Result<Option<WriteResult<Option<Task>>>, TaskError> {
    let (outcome, replayed) = match outcome {
        IdempotentOutcome::Done(outcome) => (outcome, false),
        IdempotentOutcome::Replayed(outcome) => (outcome, true),
        IdempotentOutcome::Missed => return Ok(None),
        IdempotentOutcome::KeyReused => return Err(TaskError::KeyReused),
        IdempotentOutcome::KeyInFlight => return Err(TaskError::KeyInFlight),
    };
    Ok(Some(WriteResult { outcome, replayed }))
}

fn with_task(written: WriteResult<Option<Task>>) -> Result<WriteResult<Task>, TaskError> {
    let WriteResult { outcome, replayed } = written;
    let outcome = outcome.ok_or_else(missing_task)?;
    Ok(WriteResult { outcome, replayed })
}

/// The error of an adapter that breaks the contract of its port.
fn missing_task() -> TaskError {
    TaskError::Defect("the store told of a creation or change without its task".into())
}
