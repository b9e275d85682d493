//! Locks tasks for a write that is planned in memory, and stores what was planned.

use sea_orm::sea_query::{Expr, ExprTrait as _, LockType, Order, Query};
use sea_orm::{ConnectionTrait as _, DbErr};
use taskhold_domain::task::change_log::{ChangeKind, ChangeSeq, ChangeStamp, PlannedChange};
use taskhold_domain::task::{Task, TaskChange, TaskId};
use taskhold_domain::user::UserId;

use super::logged::{append, change_all, insert_all, restore_all, trash_all};
use crate::db::connection::Connection;
use crate::entities::change::seq_at;
use crate::entities::task::{Column, TaskRow};

/// A table with the columns of tasks.
#[derive(Clone, Copy)]
pub(super) enum Table {
    Tasks,
    Trash,
}

/// Locks those of these tasks that the owner has in a table, and returns them.
///
/// Rows are locked in the order of their ids, those of tasks before those of the trash, and both before the counter of
/// the log, so that two transactions cannot deadlock. SQLite has one writer and ignores locks.
pub(super) async fn lock(
    connection: &Connection,
    table: Table,
    owner: &UserId,
    ids: &[TaskId],
) -> Result<Vec<Task>, DbErr> {
    let mut select = Query::select();
    select
        .columns(TaskRow::COLUMNS)
        .from(match table {
            Table::Tasks => "tasks",
            Table::Trash => "trash",
        })
        .and_where(Expr::col(Column::UserId).eq(owner.as_str()))
        .and_where(Expr::col(Column::Id).is_in(ids.iter().map(|id| id.as_uuid())))
        .order_by(Column::Id, Order::Asc)
        .lock(LockType::Update);
    let select = connection.get_database_backend().build(&select);
    let rows = TaskRow::read_all(connection, select).await?;
    let tasks = rows.into_iter().map(|row| row.into_task(owner.clone()));
    Ok(tasks.collect::<Result<_, _>>()?)
}

/// Stores changes of an owner's tasks as one write, in the transaction of `connection`, which has locked the tasks.
/// Returns the number of the last change.
pub(super) async fn store(
    connection: &Connection,
    owner: &UserId,
    planned: &[PlannedChange],
    stamp: &ChangeStamp,
) -> Result<ChangeSeq, DbErr> {
    let backend = connection.get_database_backend();
    let append = append(backend, owner, planned, stamp)?;
    let rows = connection.query_all_raw(append).await?;
    let numbers = rows.iter().map(|row| seq_at(row, 0));
    let last = numbers.collect::<Result<Vec<_>, _>>()?.into_iter().max();

    let mut changed: Vec<(&TaskChange, Vec<TaskId>)> = Vec::new();
    let (mut added, mut trashed, mut restored) = (Vec::new(), Vec::new(), Vec::new());
    for planned in planned {
        let id = planned.task.id;
        match planned.kind {
            ChangeKind::Created => added.push(&planned.task),
            ChangeKind::Deleted => trashed.push(id),
            ChangeKind::Restored => restored.push(id),
            ChangeKind::Purged => return Err(DbErr::Custom("a purge is not planned".into())),
            ChangeKind::Updated
            | ChangeKind::Completed
            | ChangeKind::Reopened
            | ChangeKind::Moved => {
                let mut same = changed.iter_mut();
                match same.find(|(change, _)| **change == planned.change) {
                    Some((_, ids)) => ids.push(id),
                    None => changed.push((&planned.change, vec![id])),
                }
            }
        }
    }
    let mut statements = Vec::new();
    // One statement for all tasks that change alike, which are mostly all.
    for (change, ids) in changed {
        statements.push(change_all(backend, owner, &ids, change, stamp.at));
    }
    if !added.is_empty() {
        statements.push(insert_all(backend, &added));
    }
    if !trashed.is_empty() {
        statements.extend(trash_all(backend, owner, &trashed, stamp.at));
    }
    if !restored.is_empty() {
        statements.extend(restore_all(backend, owner, &restored, stamp.at));
    }
    for statement in statements {
        connection.execute_raw(statement).await?;
    }
    last.ok_or_else(|| DbErr::RecordNotFound("a write has a number".into()))
}
