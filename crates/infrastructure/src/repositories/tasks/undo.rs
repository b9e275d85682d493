//! Takes a change back.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};
use taskhold_domain::task::TaskId;
use taskhold_domain::task::change_log::{
    ChangeKind, ChangeSeq, ChangeStamp, Inverse, LoggedChange,
};
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::UndoOutcome;
use taskhold_repository::tasks::Precondition;
use taskhold_repository::written::{Undo, Written};

use super::logged::{LoggedRow, read_seq, removal, restoration, update};
use crate::db::connection::Connection;
use crate::entities::change::{self, Column, Entity, Model};
use crate::entities::task::{self, TaskRow};

/// Takes a change back in the transaction of `connection`, with the other change of its write.
pub(crate) async fn undo(
    connection: &Connection,
    owner: &UserId,
    undo: Undo,
    stamp: &ChangeStamp,
) -> Result<UndoOutcome, DbErr> {
    let Some((undone, second)) = find_write(connection, owner, undo.seq).await? else {
        return Ok(UndoOutcome::NotFound);
    };
    let Some(inverse) = undone.inverse() else {
        return Ok(UndoOutcome::NotFound);
    };
    let backend = connection.get_database_backend();
    let id = undone.task;
    let ids = [id].into_iter().chain(undone.next).map(TaskId::as_uuid);
    // Locked in the order of their ids, so that no change comes between the comparison and the undo. SQLite ignores
    // this.
    let select = TaskRow::select()
        .filter(task::Column::UserId.eq(owner.as_str()))
        .filter(task::Column::Id.is_in(ids))
        .order_by_asc(task::Column::Id)
        .lock_exclusive();
    let rows = TaskRow::read_all(connection, select.build(backend)).await?;
    let current = rows.into_iter().find(|row| row.id() == id);
    let current = current.map(|row| row.into_task(owner.clone()));
    let current = current.transpose()?;
    let second = match second {
        Some(second) if is_latest(connection, owner, &second).await? => Some(second),
        _ => None,
    };
    let written = match (inverse, current) {
        // Only a deleted task can be restored, and only a living one changed.
        (Inverse::Restore, Some(task)) => return Ok(UndoOutcome::Conflict(Box::new(task))),
        (Inverse::Delete | Inverse::Set(_), None) => return Ok(UndoOutcome::NotFound),
        (Inverse::Restore, None) if !undo.may_restore => return Ok(UndoOutcome::QuotaExceeded),
        (Inverse::Restore, None) => {
            let restoration = restoration(backend, owner, id, stamp);
            let Some(row) = LoggedRow::read_one(connection, restoration).await? else {
                return Ok(UndoOutcome::NotFound);
            };
            row.into_written(owner)?
        }
        (Inverse::Delete, Some(task)) => {
            let removal = removal(backend, owner, id, &Precondition::None, stamp);
            let Some(seq) = read_seq(connection, removal).await? else {
                return Ok(UndoOutcome::NotFound);
            };
            Written::new(task, seq)
        }
        (Inverse::Set(change), Some(task)) => {
            if !task.allows(&change) || is_overtaken(connection, owner, &undone).await? {
                return Ok(UndoOutcome::Conflict(Box::new(task)));
            }
            let any = Precondition::None;
            let next = second.as_ref().map(|second| second.task);
            let update = update(backend, owner, id, &change, &any, next, stamp);
            let Some(row) = LoggedRow::read_one(connection, update).await? else {
                return Ok(UndoOutcome::NotFound);
            };
            let mut written = row.into_written(owner)?;
            if let Some(second) = second {
                let Some(seq) = take_back(connection, owner, &second, stamp).await? else {
                    return Ok(UndoOutcome::NotFound);
                };
                written.seq = seq;
            }
            written
        }
    };
    Ok(UndoOutcome::Done(Box::new(written)))
}

/// Returns the change of this number with the second change of the same write, if there is one. Of a second change,
/// returns the whole write.
async fn find_write(
    connection: &Connection,
    owner: &UserId,
    seq: ChangeSeq,
) -> Result<Option<(LoggedChange, Option<LoggedChange>)>, DbErr> {
    let number = seq.get();
    let changes = Entity::find()
        .filter(Column::UserId.eq(owner.as_str()))
        .filter(Column::Seq.between(number - 1, number + 1))
        .order_by_asc(Column::Seq)
        .all(connection)
        .await?;
    let changes: Result<Vec<_>, DbErr> = changes.into_iter().map(Model::parse).collect();
    let mut changes = changes?.into_iter().peekable();
    let before = changes.next_if(|change| change.seq < seq);
    let Some(change) = changes.next_if(|change| change.seq == seq) else {
        return Ok(None);
    };
    let leads_to = |one: &LoggedChange, other: &LoggedChange| one.next == Some(other.task);
    Ok(Some(match before {
        Some(first) if leads_to(&first, &change) => (first, Some(change)),
        _ => {
            let second = changes.next().filter(|second| leads_to(&change, second));
            (change, second)
        }
    }))
}

/// Returns whether the task of a change has not changed since.
async fn is_latest(
    connection: &Connection,
    owner: &UserId,
    change: &LoggedChange,
) -> Result<bool, DbErr> {
    let latest = change::latest(connection, owner, change.task).await?;
    Ok(latest == Some(change.seq))
}

/// Takes the second change of a write back: the creation, the deletion or the restoration of a follow-up.
async fn take_back(
    connection: &Connection,
    owner: &UserId,
    second: &LoggedChange,
    stamp: &ChangeStamp,
) -> Result<Option<ChangeSeq>, DbErr> {
    let backend = connection.get_database_backend();
    match second.inverse() {
        Some(Inverse::Delete) => {
            let removal = removal(backend, owner, second.task, &Precondition::None, stamp);
            read_seq(connection, removal).await
        }
        Some(Inverse::Restore) => {
            let restoration = restoration(backend, owner, second.task, stamp);
            let row = LoggedRow::read_one(connection, restoration).await?;
            Ok(row.map(|row| row.seq))
        }
        Some(Inverse::Set(_)) | None => Ok(None),
    }
}

/// Returns whether a later change has changed one of the fields again.
async fn is_overtaken(
    connection: &Connection,
    owner: &UserId,
    undone: &LoggedChange,
) -> Result<bool, DbErr> {
    let later = change::of_task(owner, undone.task)
        .filter(Column::Seq.gt(undone.seq.get()))
        .filter(Column::Kind.is_in([
            ChangeKind::Updated.as_str(),
            ChangeKind::Completed.as_str(),
            ChangeKind::Reopened.as_str(),
            ChangeKind::Moved.as_str(),
        ]))
        .order_by_asc(Column::Seq)
        .all(connection)
        .await?;
    for later in later {
        if later.parse()?.before.overlaps(&undone.before) {
            return Ok(true);
        }
    }
    Ok(false)
}
