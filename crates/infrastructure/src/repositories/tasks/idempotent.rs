//! Writes under an idempotency key: the key, the effect and the outcome in one transaction.

use sea_orm::{ConnectionTrait, DbErr};
use taskhold_domain::task::Task;
use taskhold_domain::task::change_log::ChangeStamp;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::UndoOutcome;
use taskhold_repository::idempotency::{IdempotentOutcome, KeyedRequest};
use taskhold_repository::tasks::TaskWrite;
use taskhold_repository::written::{BulkOutcome, Written};

use super::bulk;
use super::complete::CompletionWithFollowUp;
use super::logged::{LoggedRow, add_one, addition, read_seq, removal, restoration, update};
use super::place::move_to;
use super::undo;
use crate::db::connection::Connection;
use crate::db::error::{is_foreign_key_violation, is_lock_timeout};
use crate::db::retry::Attempt;
use crate::db::transaction::TransactionOutcome;
use crate::entities::change::parse_seq;
use crate::entities::idempotency_key::{self, Recalled};
use crate::entities::task;
use crate::entities::user;

/// Executes the write, or finds out why it cannot be.
pub(super) async fn write(
    connection: &Connection,
    attempt: Attempt,
    owner: &UserId,
    request: &KeyedRequest,
    write: &TaskWrite,
    stamp: &ChangeStamp,
) -> Result<TransactionOutcome<IdempotentOutcome>, DbErr> {
    let now = stamp.at;
    if matches!(write, TaskWrite::Add(_)) {
        // The key's row refers to its user.
        user::ensure_user_exists(connection, owner, now).await?;
    }
    match idempotency_key::take(connection, owner, request, now).await {
        Ok(true) => {}
        Ok(false) => return earlier_outcome(connection, attempt, owner, request, now).await,
        // The user does not exist, and so has no task to change.
        Err(error) if is_foreign_key_violation(&error) => {
            return Ok(TransactionOutcome::Rollback(missed(write)));
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
    let written = match apply(connection, owner, write, stamp).await? {
        Ok(written) => written,
        Err(missed) => return Ok(TransactionOutcome::Rollback(missed)),
    };
    let outcome = task::to_json(&written.outcome, &written.next)?;
    idempotency_key::record_outcome(connection, owner, request, outcome, written.seq.get()).await?;
    Ok(TransactionOutcome::Commit(IdempotentOutcome::Done(written)))
}

/// Returns the outcome of a write of a user who has no tasks.
fn missed(write: &TaskWrite) -> IdempotentOutcome {
    let first = match write {
        TaskWrite::Bulk(write) => write.ids().into_iter().next(),
        _ => None,
    };
    first.map_or(IdempotentOutcome::Missed, IdempotentOutcome::NoneChanged)
}

/// Makes the write, or returns why it applies to no task.
async fn apply(
    connection: &Connection,
    owner: &UserId,
    write: &TaskWrite,
    stamp: &ChangeStamp,
) -> Result<Result<Written<Vec<Task>>, IdempotentOutcome>, DbErr> {
    let backend = connection.get_database_backend();
    let changed = match write {
        TaskWrite::Add(task) => {
            let insert = addition(backend, &[(task, stamp.by.as_str())]);
            let seq = add_one(connection, insert).await?;
            return Ok(Ok(Written::new(vec![task.clone()], seq)));
        }
        TaskWrite::Remove { id, precondition } => {
            let removal = removal(backend, owner, *id, precondition, stamp);
            let removed = read_seq(connection, removal).await?;
            let removed = removed.map(|seq| Written::new(Vec::new(), seq));
            return Ok(removed.ok_or(IdempotentOutcome::Missed));
        }
        TaskWrite::Undo(undo) => {
            return Ok(match undo::undo(connection, owner, *undo, stamp).await? {
                UndoOutcome::Done(written) => Ok(written.map(one)),
                UndoOutcome::Conflict(task) => Err(IdempotentOutcome::UndoConflict(task)),
                UndoOutcome::QuotaExceeded => Err(IdempotentOutcome::QuotaExceeded),
                UndoOutcome::NotFound => Err(IdempotentOutcome::Missed),
            });
        }
        TaskWrite::Bulk(write) => {
            return Ok(match bulk::write(connection, owner, write, stamp).await? {
                BulkOutcome::Done(written) => Ok(written),
                BulkOutcome::NoneChanged(id) => Err(IdempotentOutcome::NoneChanged(id)),
            });
        }
        TaskWrite::Change {
            id,
            change,
            precondition,
            follow_up,
        } => {
            let update = update(backend, owner, *id, change, precondition, stamp);
            let row = LoggedRow::read_one(connection, update).await?;
            let changed = match (row, follow_up) {
                (Some(row), _) => Some(row.into_written(owner)?),
                (None, Some(follow_up)) => {
                    let completion = CompletionWithFollowUp {
                        owner: owner.clone(),
                        id: *id,
                        change: change.clone(),
                        precondition: precondition.clone(),
                        follow_up: follow_up.clone(),
                        stamp: stamp.clone(),
                    };
                    completion.execute(connection).await?
                }
                (None, None) => None,
            };
            let changed = changed.map(|written| written.map(one));
            return Ok(changed.ok_or(IdempotentOutcome::Missed));
        }
        TaskWrite::Move {
            id,
            to,
            precondition,
        } => move_to(connection, owner, *id, *to, precondition, stamp).await?,
        TaskWrite::Restore { id } => {
            let restoration = restoration(backend, owner, *id, stamp);
            LoggedRow::read_one(connection, restoration).await?
        }
    };
    let Some(row) = changed else {
        return Ok(Err(IdempotentOutcome::Missed));
    };
    Ok(Ok(row.into_written(owner)?.map(one)))
}

fn one(task: Task) -> Vec<Task> {
    vec![task]
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
        Some(IdempotentOutcome::Replayed {
            tasks: outcome,
            seq: Some(seq),
            next,
        }) if attempt.may_have_applied => IdempotentOutcome::Done(Written { outcome, seq, next }),
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
            Some(Recalled::Same(json, seq)) => {
                let tasks = json.map(|json| task::from_json(&json, owner));
                let (tasks, next) = tasks.transpose()?.unwrap_or_default();
                Some(IdempotentOutcome::Replayed {
                    tasks,
                    seq: seq.map(parse_seq).transpose()?,
                    next,
                })
            }
        },
    )
}
