//! The latest changes of an owner's tasks.

use sea_orm::sea_query::Iden as _;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use taskhold_domain::task::TaskId;
use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::{ChangePage, Feed, LatestChange};
use taskhold_repository::error::StoreError;
use uuid::Uuid;

use super::feed;
use crate::entities::task::{Column, TaskRow};

/// The state of the log, and the latest change of a task, if there is one.
pub(super) struct Row {
    feed: Feed,
    change: Option<(i64, Uuid, Option<TaskRow>)>,
}

/// Returns the statement that reads a page, and one row more if there is one. A task whose change has a later
/// one is left out: the later one comes. The rows of the log and the tasks are of one moment.
pub(super) fn select(
    backend: DbBackend,
    owner: &UserId,
    after: ChangeSeq,
    limit: u32,
) -> Statement {
    let columns = TaskRow::COLUMNS.map(|column: Column| format!("tasks.{}", column.unquoted()));
    let feed = feed::columns(backend);
    let sql = format!(
        "SELECT {feed}, latest.seq, latest.task_id, {columns} \
         FROM feeds LEFT JOIN ( \
            SELECT changes.user_id, changes.seq, changes.task_id FROM changes \
            WHERE changes.user_id = $1 AND changes.seq > $2 AND NOT EXISTS ( \
                SELECT 1 FROM changes AS later \
                WHERE later.task_id = changes.task_id AND later.seq > changes.seq \
                AND later.user_id = changes.user_id) \
            ORDER BY changes.seq LIMIT {limit}) AS latest ON latest.user_id = feeds.user_id \
         LEFT JOIN tasks ON tasks.id = latest.task_id AND tasks.user_id = latest.user_id \
         WHERE feeds.user_id = $1 ORDER BY latest.seq",
        columns = columns.join(", "),
        // PostgreSQL would plan the statement anew each time if it did not know the limit.
        limit = i64::from(limit) + 1,
    );
    let values = [owner.as_str().into(), after.get().into()];
    Statement::from_sql_and_values(backend, sql, values)
}

pub(super) async fn read(
    connection: &impl ConnectionTrait,
    select: Statement,
) -> Result<Vec<Row>, DbErr> {
    let rows = connection.query_all_raw(select).await?;
    rows.iter().map(read_row).collect()
}

fn read_row(row: &QueryResult) -> Result<Row, DbErr> {
    let (seq, id) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
    let change = match (seq, id) {
        (Some(seq), Some(id)) => Some((seq, id, TaskRow::read_optional(row, 5)?)),
        _ => None,
    };
    let feed = feed::read(row, 0)?;
    Ok(Row { feed, change })
}

/// Returns the page that consists of these rows.
pub(super) fn page(owner: &UserId, rows: Vec<Row>, limit: u32) -> Result<ChangePage, StoreError> {
    let number = |raw| ChangeSeq::parse(raw).map_err(|error| StoreError::Defect(error.into()));
    let feed = rows.first().map(|row| row.feed);
    let mut changes = Vec::with_capacity(rows.len());
    for (seq, id, task) in rows.into_iter().filter_map(|row| row.change) {
        let task = task.map(|row| row.into_task(owner.clone())).transpose()?;
        changes.push(LatestChange {
            seq: number(seq)?,
            id: TaskId::from_uuid(id),
            task,
        });
    }
    let has_more = changes.len() > limit as usize;
    changes.truncate(limit as usize);
    Ok(ChangePage {
        feed,
        changes,
        has_more,
    })
}
