//! Writes of tasks that append to the change log (decision 21).
//!
//! On PostgreSQL a write is one statement, of common table expressions: `target` finds and locks the tasks in
//! the order of their ids; `feed` takes the next numbers of their owners, and locks their counters in the order
//! of the owners; `numbered` gives each task its number. So two transactions cannot deadlock, and the numbers of
//! an owner become visible in their order, since the counter stays locked until the commit.
//!
//! SQLite has no writes in common table expressions, but one writer. So a write consists of several statements,
//! which are sent in one round trip and find the same task.

pub(crate) mod additions;
mod bulk;
mod rebalance;
mod sql;
mod trash;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeKind, ChangeSeq, ChangeStamp};
use taskhold_domain::task::{Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::Precondition;
use taskhold_repository::written::Written;

pub(super) use self::bulk::{append, change_all, insert_all, restore_all, trash_all};
pub(crate) use self::rebalance::rebalance;
pub(super) use self::sql::read_columns;
use self::sql::{Change, LOG, Sql, all_columns, completed_at, old_completed_at, strictly_after};
pub(crate) use self::trash::{Purged, purge, removal, removals, restoration};
use crate::entities::change::seq_at;
use crate::entities::task::{self, CorruptRow, TaskRow};

/// A task after a write, and the number of the write.
pub(crate) struct LoggedRow {
    pub(crate) row: TaskRow,
    pub(crate) seq: ChangeSeq,
}

impl LoggedRow {
    /// Reads a row that consists of [`TaskRow::COLUMNS`] and a number.
    pub(crate) fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            seq: seq_at(row, TaskRow::COLUMNS.len())?,
            row: TaskRow::read(row)?,
        })
    }

    /// Executes a statement that returns one row at most.
    pub(crate) async fn read_one(
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> Result<Option<Self>, DbErr> {
        let rows = connection.query_all_raw(statement).await?;
        rows.first().map(Self::read).transpose()
    }

    /// Converts the row to a task of this owner.
    ///
    /// # Errors
    /// [`CorruptRow`] if a value breaks a rule of the domain.
    pub(crate) fn into_written(self, owner: &UserId) -> Result<Written<Task>, CorruptRow> {
        let task = self.row.into_task(owner.clone())?;
        Ok(Written::new(task, self.seq))
    }
}

/// Adds one task and returns the number of its creation.
pub(crate) async fn add_one(
    connection: &impl ConnectionTrait,
    addition: Statement,
) -> Result<ChangeSeq, DbErr> {
    let row = connection.query_one_raw(addition).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("an addition has a number".into()))?;
    seq_at(&row, 1)
}

/// Reads the number of a write that returns nothing else.
pub(crate) async fn read_seq(
    connection: &impl ConnectionTrait,
    statement: Statement,
) -> Result<Option<ChangeSeq>, DbErr> {
    let row = connection.query_one_raw(statement).await?;
    row.map(|row| seq_at(&row, 0)).transpose()
}

/// Returns the statement that adds tasks, and returns the id and the number of each. An unknown owner breaks a
/// foreign key. SQLite takes one task at a time.
pub(crate) fn addition(backend: DbBackend, tasks: &[(&Task, &str)]) -> Statement {
    let mut sql = Sql::new(backend);
    let kind = ChangeKind::Created.as_str();
    let columns = all_columns().join(", ");
    if backend == DbBackend::Sqlite {
        let mut statements = Vec::new();
        for (task, by) in tasks {
            let owner = sql.bind(task.owner.as_str());
            let feed = sql.feed(&format!("SELECT {owner}, 1"), "WHERE true");
            let (id, at, by) = (
                sql.bind(task.id.as_uuid()),
                sql.bind(task.created_at.as_micros()),
                sql.bind(*by),
            );
            let cells: Vec<_> = task::cells(task)
                .map(|(_, value)| sql.bind(value))
                .collect();
            statements.push(format!(
                "{feed}; INSERT INTO tasks ({columns}) VALUES ({}); \
                 INSERT INTO {LOG} SELECT user_id, seq, {id}, '{kind}', '{{}}', {at}, {by} FROM feeds \
                 WHERE user_id = {owner} RETURNING task_id, seq",
                cells.join(", ")
            ));
        }
        return sql.statement(statements.join("; "));
    }
    let mut rows = Vec::new();
    for (place, (task, by)) in (0_i64..).zip(tasks) {
        let (place, by) = (sql.bind(place), sql.bind(*by));
        let cells: Vec<_> = task::cells(task)
            .map(|(_, value)| sql.bind(value))
            .collect();
        rows.push(format!("({place}, {by}, {})", cells.join(", ")));
    }
    let numbered = sql.numbered();
    sql.statement(format!(
        "WITH target (place, by, {columns}) AS (VALUES {}), {numbered}, \
         added AS (INSERT INTO tasks ({columns}) SELECT {columns} FROM numbered ORDER BY place) \
         INSERT INTO {LOG} SELECT user_id, seq, id, '{kind}', '{{}}', created_at, by FROM numbered \
         RETURNING task_id, seq",
        rows.join(", ")
    ))
}

/// Returns the statement that changes a task and returns its [new row](LoggedRow).
pub(crate) fn update(
    backend: DbBackend,
    owner: &UserId,
    id: TaskId,
    change: &TaskChange,
    precondition: &Precondition,
    stamp: &ChangeStamp,
) -> Statement {
    let mut sql = Sql::new(backend);
    let allowed = sql.allowed_change(owner, id, change, precondition);
    let now = sql.bind(stamp.at.as_micros());
    let updated_at = strictly_after("tasks.updated_at", &now);
    let log_stamp = sql.stamp(stamp);
    let returned = read_columns("tasks");
    if backend == DbBackend::Sqlite {
        let Change {
            assignments,
            before,
            kind,
        } = sql.change(change, "tasks", &now);
        let feed = sql.feed("SELECT user_id, 1", &format!("FROM tasks WHERE {allowed}"));
        return sql.statement(format!(
            "{feed}; INSERT INTO {LOG} SELECT tasks.user_id, feeds.seq, tasks.id, {kind}, {before}, {log_stamp} \
             FROM tasks JOIN feeds USING (user_id) WHERE {allowed}; \
             UPDATE tasks SET version = tasks.version + 1, updated_at = {updated_at}{assignments} WHERE {allowed} \
             RETURNING {returned}, (SELECT seq FROM feeds WHERE feeds.user_id = tasks.user_id)",
            returned = returned.replace("tasks.", "")
        ));
    }
    let Change {
        assignments,
        before,
        kind,
    } = sql.change(change, "numbered", &now);
    let numbered = sql.numbered();
    sql.statement(format!(
        "WITH target AS (SELECT id, user_id, 0 AS place, title, description, is_completed, completed_at, details, \
            created_at, moved_to \
            FROM tasks WHERE {allowed} FOR NO KEY UPDATE), {numbered}, \
         log AS (INSERT INTO {LOG} SELECT user_id, seq, id, {kind}, {before}, {log_stamp} FROM numbered) \
         UPDATE tasks SET version = tasks.version + 1, updated_at = {updated_at}{assignments} FROM numbered \
         WHERE tasks.id = numbered.id AND tasks.user_id = numbered.user_id RETURNING {returned}, numbered.seq"
    ))
}

/// A request to complete, reopen (`false`) or toggle (`None`) a task.
pub(crate) struct CompletionRequest<'a> {
    pub(crate) owner: &'a str,
    pub(crate) id: TaskId,
    pub(crate) completed: Option<bool>,
    pub(crate) stamp: &'a ChangeStamp,
}

/// Returns PostgreSQL's statement that completes several tasks and returns the [new row](LoggedRow) of each. A
/// task must not be requested twice. An open task that repeats is left out, since its completion needs a follow-up.
pub(crate) fn completions(requests: &[CompletionRequest<'_>]) -> Statement {
    let mut sql = Sql::new(DbBackend::Postgres);
    let mut rows = Vec::new();
    for request in requests {
        let values = [
            sql.bind(request.id.as_uuid()),
            sql.bind(request.owner),
            sql.bind(request.completed),
            sql.stamp(request.stamp),
        ];
        rows.push(format!("({})", values.join(", ")));
    }
    let numbered = sql.numbered();
    let has_no_rule = sql.has_no("repeat");
    let before = sql.json(&[
        "'is_completed', CASE WHEN was_completed <> completed THEN was_completed END".to_owned(),
        old_completed_at("completed", "was_completed_at"),
    ]);
    let (completed, reopened) = (
        ChangeKind::Completed.as_str(),
        ChangeKind::Reopened.as_str(),
    );
    sql.statement(format!(
        "WITH request (id, user_id, completed, at, by) AS (VALUES {}), \
         target AS (SELECT tasks.id, tasks.user_id, tasks.id AS place, tasks.is_completed AS was_completed, tasks.completed_at AS was_completed_at, \
            coalesce(request.completed, NOT tasks.is_completed) AS completed, request.at, request.by \
            FROM request, tasks WHERE tasks.id = request.id AND tasks.user_id = request.user_id \
                AND (tasks.is_completed OR request.completed = false OR {has_no_rule}) \
            ORDER BY tasks.id FOR NO KEY UPDATE OF tasks), {numbered}, \
         log AS (INSERT INTO {LOG} SELECT user_id, seq, id, \
            CASE WHEN completed THEN '{completed}' ELSE '{reopened}' END, {before}, at, by FROM numbered) \
         UPDATE tasks SET version = tasks.version + 1, search_version = tasks.search_version + 1, updated_at = {}, \
            is_completed = numbered.completed, completed_at = {} \
         FROM numbered WHERE tasks.id = numbered.id AND tasks.user_id = numbered.user_id RETURNING {}, numbered.seq",
        rows.join(", "),
        strictly_after("tasks.updated_at", "numbered.at"),
        completed_at("numbered.completed", "numbered.at"),
        read_columns("tasks"),
    ))
}

/// Returns the statements that append the creation of every row of the table `staged` of an import.
pub(crate) fn log_imported(backend: DbBackend, now: Timestamp) -> [String; 2] {
    let feed = Sql::new(backend).feed(
        "SELECT user_id, count(*)",
        "FROM staged WHERE true GROUP BY user_id ORDER BY user_id",
    );
    let (kind, by) = (ChangeKind::Created.as_str(), ChangeAuthor::IMPORT);
    let log = format!(
        "INSERT INTO {LOG} SELECT staged.user_id, \
            feeds.seq + 1 - row_number() OVER (PARTITION BY staged.user_id ORDER BY staged.position DESC), \
            staged.id, '{kind}', '{{}}', {now}, '{by}' FROM staged JOIN feeds USING (user_id)",
        now = now.as_micros()
    );
    [feed, log]
}

/// Converts the row of a task of this owner.
pub(crate) fn written(
    row: Option<LoggedRow>,
    owner: &UserId,
) -> Result<Option<Written<Task>>, StoreError> {
    Ok(row.map(|row| row.into_written(owner)).transpose()?)
}
