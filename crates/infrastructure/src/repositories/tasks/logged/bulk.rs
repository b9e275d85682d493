//! Statements on several tasks of one owner, whose rows the transaction has locked. They have the same text on both
//! databases, and the log is appended to by a statement of its own.

use sea_orm::{DbBackend, DbErr, Statement};
use taskhold_domain::task::change_log::{ChangeStamp, PlannedChange};
use taskhold_domain::task::{Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use super::sql::{Change, LOG, Sql, all_columns, strictly_after};
use super::trash::restored_columns;
use crate::entities::{change, task};

impl Sql {
    /// Returns the condition for the rows of this owner and these ids in a table with the columns of `tasks`.
    fn all_owned(&mut self, table: &str, owner: &UserId, ids: &[TaskId]) -> String {
        let owner = self.bind(owner.as_str());
        let ids: Vec<_> = ids.iter().map(|id| self.bind(id.as_uuid())).collect();
        let ids = ids.join(", ");
        format!("{table}.user_id = {owner} AND {table}.id IN ({ids})")
    }
}

/// Returns the statement that appends changes to the owner's log as one write, and returns their numbers.
pub(in crate::repositories::tasks) fn append(
    backend: DbBackend,
    owner: &UserId,
    planned: &[PlannedChange],
    stamp: &ChangeStamp,
) -> Result<Statement, DbErr> {
    let mut sql = Sql::new(backend);
    let owner = sql.bind(owner.as_str());
    let log_stamp = sql.stamp(stamp);
    let count = planned.len();
    let next = planned.iter().skip(1).map(|next| Some(next.task.id));
    let mut rows = Vec::with_capacity(count);
    for (place, (planned, next)) in (1..).zip(planned.iter().zip(next.chain([None]))) {
        let (id, kind) = (sql.bind(planned.task.id.as_uuid()), planned.kind.as_str());
        let before = sql.bind(change::to_json(&planned.before, next)?);
        rows.push(format!("({place}, {id}, '{kind}', {before})"));
    }
    let planned = format!(
        "planned (place, task_id, kind, before) AS (VALUES {})",
        rows.join(", ")
    );
    let feed = sql.feed(&format!("SELECT {owner}, {count}"), "WHERE true");
    let append = format!(
        "INSERT INTO {LOG} SELECT {owner}, feed.seq - {count} + planned.place, planned.task_id, planned.kind, \
            planned.before, {log_stamp} FROM planned, feeds AS feed WHERE feed.user_id = {owner} RETURNING seq"
    );
    Ok(sql.statement(match backend {
        DbBackend::Sqlite => format!("{feed}; WITH {planned} {append}"),
        _ => format!(
            "WITH {planned}, feed AS ({feed} RETURNING user_id, seq) {}",
            append.replace("feeds AS feed", "feed")
        ),
    }))
}

/// Returns the statement that applies a change to tasks.
pub(in crate::repositories::tasks) fn change_all(
    backend: DbBackend,
    owner: &UserId,
    ids: &[TaskId],
    change: &TaskChange,
    now: Timestamp,
) -> Statement {
    let mut sql = Sql::new(backend);
    let found = sql.all_owned("tasks", owner, ids);
    let now = sql.bind(now.as_micros());
    let updated_at = strictly_after("tasks.updated_at", &now);
    let Change { assignments, .. } = sql.change(change, "tasks", &now);
    sql.statement(format!(
        "UPDATE tasks SET version = tasks.version + 1, updated_at = {updated_at}{assignments} WHERE {found}"
    ))
}

/// Returns the statement that adds tasks, whose owner exists.
pub(in crate::repositories::tasks) fn insert_all(backend: DbBackend, tasks: &[&Task]) -> Statement {
    let mut sql = Sql::new(backend);
    let mut rows = Vec::with_capacity(tasks.len());
    for task in tasks {
        let cells = task::cells(task).map(|(_, value)| sql.bind(value));
        rows.push(format!("({})", cells.collect::<Vec<_>>().join(", ")));
    }
    let (columns, rows) = (all_columns().join(", "), rows.join(", "));
    sql.statement(format!("INSERT INTO tasks ({columns}) VALUES {rows}"))
}

/// Returns the statements that move tasks to the trash.
pub(in crate::repositories::tasks) fn trash_all(
    backend: DbBackend,
    owner: &UserId,
    ids: &[TaskId],
    now: Timestamp,
) -> [Statement; 2] {
    let columns = all_columns().join(", ");
    let mut insert = Sql::new(backend);
    let (found, now) = (
        insert.all_owned("tasks", owner, ids),
        insert.bind(now.as_micros()),
    );
    let mut delete = Sql::new(backend);
    let deleted = delete.all_owned("tasks", owner, ids);
    [
        insert.statement(format!(
            "INSERT INTO trash ({columns}, deleted_at) SELECT {columns}, {now} FROM tasks WHERE {found}"
        )),
        delete.statement(format!("DELETE FROM tasks WHERE {deleted}")),
    ]
}

/// Returns the statements that take tasks out of the trash.
pub(in crate::repositories::tasks) fn restore_all(
    backend: DbBackend,
    owner: &UserId,
    ids: &[TaskId],
    now: Timestamp,
) -> [Statement; 2] {
    let columns = all_columns();
    let mut insert = Sql::new(backend);
    let found = insert.all_owned("trash", owner, ids);
    let restored = restored_columns(&columns, &insert.bind(now.as_micros()));
    let columns = columns.join(", ");
    let mut delete = Sql::new(backend);
    let deleted = delete.all_owned("trash", owner, ids);
    [
        insert.statement(format!(
            "INSERT INTO tasks ({columns}) SELECT {restored} FROM trash WHERE {found}"
        )),
        delete.statement(format!("DELETE FROM trash WHERE {deleted}")),
    ]
}
