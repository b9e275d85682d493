//! Writes under an idempotency key: the key, the effect and what came of it in one transaction.

use sea_orm::{ConnectionTrait, DbErr};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::idempotency::{IdempotentOutcome, KeyedRequest};
use taskhold_repository::tasks::TaskWrite;

use super::row::{self, Listed};
use super::{removal, update};
use crate::connection::Connection;
use crate::error::{is_foreign_key_violation, is_lock_timeout};
use crate::policy::Attempt;
use crate::transaction::Verdict;
use crate::{idempotency, users};

/// Does the write, or finds out why not.
pub(super) async fn write(
    connection: &Connection,
    attempt: Attempt,
    owner: &UserId,
    request: &KeyedRequest,
    write: &TaskWrite,
    now: Timestamp,
) -> Result<Verdict<IdempotentOutcome>, DbErr> {
    let added = match write {
        TaskWrite::Add(task) => Some(task),
        TaskWrite::Change { .. } | TaskWrite::Remove { .. } => None,
    };
    if added.is_some() {
        // The key belongs to a user.
        users::make_known(connection, owner, now).await?;
    }
    match idempotency::take(connection, owner, request, added, now).await {
        Ok(true) => {}
        Ok(false) => return before(connection, attempt, owner, request, now).await,
        // The store does not know the user, who then has no task to change.
        Err(error) if is_foreign_key_violation(&error) => {
            return Ok(Verdict::Undo(IdempotentOutcome::Missed));
        }
        // Whoever holds the key is not an earlier attempt of ours.
        Err(error) if is_lock_timeout(&error) && attempt.is_first => {
            return Ok(Verdict::Undo(IdempotentOutcome::KeyInFlight));
        }
        Err(error) => return Err(error),
    }
    match write {
        TaskWrite::Add(task) => {
            connection
                .execute(&row::insert(std::slice::from_ref(task)))
                .await?;
            Ok(Verdict::Keep(IdempotentOutcome::Done(Some(task.clone()))))
        }
        TaskWrite::Change {
            id,
            change,
            precondition,
        } => {
            let backend = connection.get_database_backend();
            let update = update(backend, owner, *id, change, precondition, now);
            let Some(row) = Listed::read_one(connection, update).await? else {
                return Ok(Verdict::Undo(IdempotentOutcome::Missed));
            };
            let task = row.task(owner.clone());
            let task = task.map_err(row::DamagedRow::into_db_error)?;
            idempotency::keep(connection, owner, request, &task).await?;
            Ok(Verdict::Keep(IdempotentOutcome::Done(Some(task))))
        }
        TaskWrite::Remove { id, precondition } => {
            let backend = connection.get_database_backend();
            let removal = removal(backend, owner, *id, precondition);
            let removed = connection.execute_raw(removal).await?;
            Ok(if removed.rows_affected() > 0 {
                Verdict::Keep(IdempotentOutcome::Done(None))
            } else {
                Verdict::Undo(IdempotentOutcome::Missed)
            })
        }
    }
}

/// What the request that has the key came to.
async fn before(
    connection: &Connection,
    attempt: Attempt,
    owner: &UserId,
    request: &KeyedRequest,
    now: Timestamp,
) -> Result<Verdict<IdempotentOutcome>, DbErr> {
    let once = match idempotency::recall(connection, owner, request, now).await? {
        // An attempt before did it, and its answer was lost.
        Some(IdempotentOutcome::Replayed(outcome)) if attempt.may_be_done => {
            IdempotentOutcome::Done(outcome)
        }
        Some(once) => once,
        // It was taken a moment ago and is forgotten by now: only a purge does that.
        None => IdempotentOutcome::KeyInFlight,
    };
    Ok(Verdict::Undo(once))
}
