//! Writes under an idempotency key: the key, the effect and the outcome in one transaction.

use sea_orm::{ConnectionTrait, DbErr};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::idempotency::{IdempotentOutcome, KeyedRequest};
use taskhold_repository::tasks::TaskWrite;

use super::{removal, update};
use crate::db::connection::Connection;
use crate::db::error::{is_foreign_key_violation, is_lock_timeout};
use crate::db::retry::Attempt;
use crate::db::transaction::TransactionOutcome;
use crate::entities::idempotency_key::{self, Recalled};
use crate::entities::task::{self, TaskRow};
use crate::entities::user;

/// Executes the write, or finds out why it cannot be.
pub(super) async fn write(
    connection: &Connection,
    attempt: Attempt,
    owner: &UserId,
    request: &KeyedRequest,
    write: &TaskWrite,
    now: Timestamp,
) -> Result<TransactionOutcome<IdempotentOutcome>, DbErr> {
    let added = match write {
        TaskWrite::Add(task) => Some(task),
        TaskWrite::Change { .. } | TaskWrite::Remove { .. } => None,
    };
    if added.is_some() {
        // The key's row refers to its user.
        user::ensure_user_exists(connection, owner, now).await?;
    }
    let outcome = added.map(task::to_json).transpose()?;
    match idempotency_key::take(connection, owner, request, outcome, now).await {
        Ok(true) => {}
        Ok(false) => return earlier_outcome(connection, attempt, owner, request, now).await,
        // The user does not exist, and so has no task to change.
        Err(error) if is_foreign_key_violation(&error) => {
            return Ok(TransactionOutcome::Rollback(IdempotentOutcome::Missed));
        }
        // The transaction that holds the key is not an earlier attempt of this call.
        Err(error) if is_lock_timeout(&error) && attempt.is_first => {
            // It may be the user's row that is locked, to which that of the key refers.
            connection.roll_back().await?;
            connection.begin().await?;
            user::lock_without_waiting(connection, owner).await?;
            return Ok(TransactionOutcome::Rollback(IdempotentOutcome::KeyInFlight));
        }
        Err(error) => return Err(error),
    }
    match write {
        TaskWrite::Add(task) => {
            connection
                .execute(&task::insert(std::slice::from_ref(task)))
                .await?;
            Ok(TransactionOutcome::Commit(IdempotentOutcome::Done(Some(
                task.clone(),
            ))))
        }
        TaskWrite::Change {
            id,
            change,
            precondition,
        } => {
            let backend = connection.get_database_backend();
            let update = update(backend, owner, *id, change, precondition, now);
            let Some(row) = TaskRow::read_one(connection, update).await? else {
                return Ok(TransactionOutcome::Rollback(IdempotentOutcome::Missed));
            };
            let task = row.into_task(owner.clone())?;
            let outcome = task::to_json(&task)?;
            idempotency_key::record_outcome(connection, owner, request, outcome).await?;
            Ok(TransactionOutcome::Commit(IdempotentOutcome::Done(Some(
                task,
            ))))
        }
        TaskWrite::Remove { id, precondition } => {
            let backend = connection.get_database_backend();
            let removal = removal(backend, owner, *id, precondition);
            let removed = connection.execute_raw(removal).await?;
            Ok(if removed.rows_affected() > 0 {
                TransactionOutcome::Commit(IdempotentOutcome::Done(None))
            } else {
                TransactionOutcome::Rollback(IdempotentOutcome::Missed)
            })
        }
    }
}

/// Returns the outcome of the request that holds the key.
async fn earlier_outcome(
    connection: &Connection,
    attempt: Attempt,
    owner: &UserId,
    request: &KeyedRequest,
    now: Timestamp,
) -> Result<TransactionOutcome<IdempotentOutcome>, DbErr> {
    let outcome = match recall(connection, owner, request, now).await? {
        // An earlier attempt of this call did it, and its answer was lost.
        Some(IdempotentOutcome::Replayed(task)) if attempt.may_have_applied => {
            IdempotentOutcome::Done(task)
        }
        Some(outcome) => outcome,
        // The key was taken a moment ago and has expired since, which only a purge explains.
        None => IdempotentOutcome::KeyInFlight,
    };
    Ok(TransactionOutcome::Rollback(outcome))
}

/// Returns the outcome of an earlier request with the same key; `None` if the key is free.
pub(super) async fn recall(
    connection: &impl ConnectionTrait,
    owner: &UserId,
    request: &KeyedRequest,
    now: Timestamp,
) -> Result<Option<IdempotentOutcome>, DbErr> {
    Ok(
        match idempotency_key::recall(connection, owner, request, now).await? {
            None => None,
            Some(Recalled::Other) => Some(IdempotentOutcome::KeyReused),
            Some(Recalled::Same(json)) => {
                let task = json.map(|json| task::from_json(&json, owner));
                Some(IdempotentOutcome::Replayed(task.transpose()?))
            }
        },
    )
}
