//! Why a use case of tasks fails.

use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::violation::Violations;
use taskhold_repository::error::{Source, StoreError};

/// The reason that a use case of tasks failed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The caller has no such task.
    #[error("there is no such task")]
    NotFound,
    /// The task that was to be changed or deleted belongs to another user.
    #[error("the task belongs to another user")]
    Forbidden,
    /// The caller does not have this one of several tasks that were to be written; none was changed.
    #[error("there is no task {0}; none was changed")]
    OneNotFound(TaskId),
    /// This one of several tasks that were to be written belongs to another user; none was changed.
    #[error("the task {0} belongs to another user; none was changed")]
    OneForbidden(TaskId),
    /// A quick text breaks rules, or a change breaks one for the task as it is.
    #[error(transparent)]
    Invalid(#[from] Violations),
    /// The caller has no task such as the one next to which another was to be moved.
    #[error("there is no such task to move another next to")]
    NoNeighbour,
    /// The task next to which another was to be moved belongs to another user.
    #[error("the task to move another next to belongs to another user")]
    ForbiddenNeighbour,
    /// The task has changed since the caller read it; this is the current one.
    #[error("the task has changed since it was read")]
    Stale(Box<Task>),
    /// A field that the change had changed has changed again, or the undo would break a rule; this is the current task.
    #[error("a field was changed again since the change that was to be undone")]
    UndoConflict(Box<Task>),
    /// The caller's account was just deleted.
    #[error("the caller's account was deleted")]
    UnknownCaller,
    /// The caller lives in another store; nothing was done.
    #[error("the caller lives in another store")]
    CallerMoved,
    /// The caller has as many tasks as a user may have.
    #[error("the quota of {quota} tasks is used up")]
    QuotaExceeded {
        /// The number of tasks that a user may have.
        quota: u64,
    },
    /// The file has more new tasks than the caller may still have; none was imported.
    #[error("{imported} more tasks would exceed the quota of {quota} tasks")]
    ImportExceedsQuota {
        /// The number of new tasks in the file.
        imported: u64,
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
            StoreError::UserMoved => Self::CallerMoved,
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
