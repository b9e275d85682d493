//! The problems that the use cases of tasks end in.

use actix_web::http::header::{ETAG, RETRY_AFTER};
use serde_json::value::RawValue;
use taskhold_application::tasks::TaskError;

use super::task_json;
use crate::conditional::ETag;
use crate::problem::{BUSY_RETRY_AFTER_SECONDS, Kind, Problem, RETRY_AFTER_SECONDS};

/// The seconds after which the oldest of too many idempotency keys may have expired.
const KEYS_RETRY_AFTER_SECONDS: &str = "3600";

impl From<TaskError> for Problem {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Invalid(violations) => violations.into(),
            TaskError::NotFound => Self::no_such_task(),
            TaskError::Forbidden => Self::new(Kind::Forbidden, "The task belongs to another user."),
            TaskError::OneNotFound(id) => Self::no_such_task_among(&id.to_string()),
            TaskError::OneForbidden(id) => Self::new(
                Kind::Forbidden,
                format!("The task {id} belongs to another user; none was changed."),
            ),
            TaskError::NoNeighbour => {
                Self::new(Kind::NotFound, "You have no task that `before` or `after` names.")
            }
            TaskError::ForbiddenNeighbour => Self::new(
                Kind::Forbidden,
                "The task that `before` or `after` names belongs to another user.",
            ),
            TaskError::Stale(current) => match task_json(&current) {
                Ok(task) => stale(Some(task)).with_header(ETAG, ETag::of(&current).to_string()),
                Err(error) => Self::internal(error),
            },
            TaskError::UndoConflict(current) => match task_json(&current) {
                Ok(task) => undo_conflict(Some(task)),
                Err(error) => Self::internal(error),
            },
            TaskError::QuotaExceeded { quota } => Self::new(
                Kind::QuotaExceeded,
                format!("You have as many tasks as one user may have: {quota}. Delete some to create others."),
            ),
            TaskError::ImportExceedsQuota { imported, quota } => Self::new(
                Kind::QuotaExceeded,
                format!("The file has {imported} new tasks, which are more than you may still have: one user may have {quota}. Nothing was imported."),
            ),
            TaskError::TooManyKeys { limit } => Self::new(
                Kind::RateLimited,
                format!("You have used {limit} Idempotency-Keys, and each is kept for 24 hours; nothing was done. Wait, or send the request without a key."),
            )
            .with_header(RETRY_AFTER, KEYS_RETRY_AFTER_SECONDS),
            TaskError::KeyReused => {
                let detail = "This Idempotency-Key was used for another request; nothing was done.";
                Self::new(Kind::ValidationError, detail).with_error("Idempotency-Key", detail)
            }
            TaskError::KeyInFlight => Self::new(
                Kind::Conflict,
                "A request with this Idempotency-Key is still running. Repeat it in a second.",
            )
            .with_header(RETRY_AFTER, BUSY_RETRY_AFTER_SECONDS),
            TaskError::UnknownCaller => Self::invalid_token(),
            TaskError::CallerMoved => Self::user_moved(),
            TaskError::Busy => Self::busy(),
            TaskError::Unavailable(cause) => Self::unavailable(cause),
            TaskError::OutcomeUnknown(cause) => Self::outcome_unknown(
                "The store was lost while it wrote. Read the task again to see what came of it.",
                cause,
            ),
            TaskError::RetryWithKey(cause) => Self::new(
                Kind::ServiceUnavailable,
                "The store was lost while it wrote. Repeat the request with the same Idempotency-Key: \
                 it is done once, and the answer tells what came of it.",
            )
            .with_header(RETRY_AFTER, RETRY_AFTER_SECONDS)
            .caused_by(cause),
            TaskError::Defect(cause) => Self::internal(cause),
        }
    }
}

/// Returns the problem of an undo of a field that was changed again.
pub(crate) fn undo_conflict(current: Option<Box<RawValue>>) -> Problem {
    Problem::new(
        Kind::UndoConflict,
        "What the undo would take back has changed since; nothing was done. This is the task as it is now.",
    )
    .with_task(current)
}

/// Returns the problem of a change that expected another version than the current one.
pub(crate) fn stale(current: Option<Box<RawValue>>) -> Problem {
    Problem::new(
        Kind::PreconditionFailed,
        "The task has changed since it was read; nothing was done. This is what it is now.",
    )
    .with_task(current)
}
