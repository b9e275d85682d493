//! Takes a write back.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use taskhold_domain::task::TaskId;
use taskhold_domain::task::change_log::{
    ChangeKind, ChangeSeq, ChangeStamp, LoggedChange, MAX_CHANGES, UndoRefusal, UndoState, write_of,
};
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::UndoOutcome;
use taskhold_repository::written::{Undo, Written};

use super::planned::{Table, lock, store};
use crate::db::connection::Connection;
use crate::entities::change::{Column, Entity, Model};

/// Takes the write of a change back, in the transaction of `connection`.
pub(crate) async fn undo(
    connection: &Connection,
    owner: &UserId,
    Undo { seq, may_restore }: Undo,
    stamp: &ChangeStamp,
) -> Result<UndoOutcome, DbErr> {
    let write = find_write(connection, owner, seq).await?;
    let Some(first) = write.first() else {
        return Ok(UndoOutcome::NotFound);
    };
    let ids: Vec<_> = write.iter().map(|change| change.task).collect();
    let deleted = write
        .iter()
        .filter(|change| change.kind == ChangeKind::Deleted);
    let deleted: Vec<_> = deleted.map(|change| change.task).collect();
    // Locked, so that no change comes between the comparison and the undo.
    let tasks = lock(connection, Table::Tasks, owner, &ids).await?;
    let trash = match deleted.as_slice() {
        [] => Vec::new(),
        deleted => lock(connection, Table::Trash, owner, deleted).await?,
    };
    let state = UndoState {
        tasks,
        trash,
        later: later_changes(connection, owner, &ids, first.seq).await?,
        may_restore,
    };
    let planned = match state.plan(&write, stamp.at) {
        Ok(planned) => planned,
        Err(UndoRefusal::Conflict(task)) => return Ok(UndoOutcome::Conflict(task)),
        Err(UndoRefusal::QuotaExceeded) => return Ok(UndoOutcome::QuotaExceeded),
        Err(UndoRefusal::NotFound) => return Ok(UndoOutcome::NotFound),
    };
    let Some(first) = planned.first() else {
        return Ok(UndoOutcome::NotFound);
    };
    let seq = store(connection, owner, &planned, stamp).await?;
    let written = Written::new(first.task.clone(), seq);
    Ok(UndoOutcome::Done(Box::new(written)))
}

/// Returns the changes of the write of which the change of this number is one; none if it is not kept.
async fn find_write(
    connection: &Connection,
    owner: &UserId,
    seq: ChangeSeq,
) -> Result<Vec<LoggedChange>, DbErr> {
    let mut write = Vec::new();
    // Most writes are one change, for which its neighbours are enough.
    for distance in [1, MAX_CHANGES] {
        let distance = i64::try_from(distance).unwrap_or(i64::MAX);
        let number = seq.get();
        let (first, last) = (
            number.saturating_sub(distance),
            number.saturating_add(distance),
        );
        let changes = Entity::find()
            .filter(Column::UserId.eq(owner.as_str()))
            .filter(Column::Seq.between(first, last))
            .order_by_asc(Column::Seq)
            .all(connection)
            .await?;
        let changes = parse_all(changes)?;
        write = write_of(&changes, seq).to_vec();
        if write.len() < 2 {
            break;
        }
    }
    Ok(write)
}

/// Returns the changes of these tasks after a number.
async fn later_changes(
    connection: &Connection,
    owner: &UserId,
    ids: &[TaskId],
    seq: ChangeSeq,
) -> Result<Vec<LoggedChange>, DbErr> {
    let later = Entity::find()
        .filter(Column::UserId.eq(owner.as_str()))
        .filter(Column::TaskId.is_in(ids.iter().map(|id| id.as_uuid())))
        .filter(Column::Seq.gt(seq.get()))
        .order_by_asc(Column::Seq)
        .all(connection)
        .await?;
    parse_all(later)
}

fn parse_all(changes: Vec<Model>) -> Result<Vec<LoggedChange>, DbErr> {
    changes.into_iter().map(Model::parse).collect()
}
