//! Statements that move tasks to the trash, take them out of it, and delete them for good.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use taskhold_domain::task::TaskId;
use taskhold_domain::task::change_log::{ChangeKind, ChangeSeq, ChangeStamp};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::Precondition;

use super::sql::{LOG, Sql, all_columns, read_columns, strictly_after};
use crate::entities::change::seq_at;

/// Returns the statement that moves a task to the trash and returns the number of the change.
pub(crate) fn removal(
    backend: DbBackend,
    owner: &UserId,
    id: TaskId,
    precondition: &Precondition,
    stamp: &ChangeStamp,
) -> Statement {
    let mut sql = Sql::new(backend);
    let allowed = sql.allowed(owner, id, precondition);
    let (at, by) = (sql.bind(stamp.at.as_micros()), sql.bind(stamp.by.as_str()));
    if backend == DbBackend::Sqlite {
        let columns = all_columns().join(", ");
        let kind = ChangeKind::Deleted.as_str();
        let feed = sql.feed("SELECT user_id, 1", &format!("FROM tasks WHERE {allowed}"));
        return sql.statement(format!(
            "{feed}; INSERT INTO {LOG} SELECT tasks.user_id, feeds.seq, tasks.id, '{kind}', '{{}}', {at}, {by} \
             FROM tasks JOIN feeds USING (user_id) WHERE {allowed}; \
             INSERT INTO trash ({columns}, deleted_at) SELECT {columns}, {at} FROM tasks WHERE {allowed}; \
             DELETE FROM tasks WHERE {allowed} \
             RETURNING (SELECT seq FROM feeds WHERE feeds.user_id = tasks.user_id)"
        ));
    }
    let target = format!(
        "SELECT tasks.*, tasks.id AS place, {at} AS deleted_at, {by} AS by FROM tasks \
         WHERE {allowed} FOR UPDATE"
    );
    move_to_trash(sql, &target, "seq")
}

/// Returns PostgreSQL's statement that moves several tasks, given their ids and owners, to the trash. Returns
/// the id, owner and number of each.
pub(crate) fn removals(requests: &[(TaskId, &str, &ChangeStamp)]) -> Statement {
    let mut sql = Sql::new(DbBackend::Postgres);
    let mut rows = Vec::new();
    for (id, owner, stamp) in requests {
        let values = [sql.bind(id.as_uuid()), sql.bind(*owner), sql.stamp(stamp)];
        rows.push(format!("({})", values.join(", ")));
    }
    let target = format!(
        "SELECT tasks.*, tasks.id AS place, request.at AS deleted_at, request.by \
         FROM (VALUES {}) AS request (id, user_id, at, by), tasks WHERE tasks.id = request.id AND tasks.user_id = request.user_id \
         ORDER BY tasks.id FOR UPDATE OF tasks",
        rows.join(", ")
    );
    move_to_trash(sql, &target, "id, user_id, seq")
}

fn move_to_trash(sql: Sql, target: &str, returned: &str) -> Statement {
    let columns = all_columns().join(", ");
    let kind = ChangeKind::Deleted.as_str();
    let numbered = sql.numbered();
    sql.statement(format!(
        "WITH target AS ({target}), {numbered}, \
         log AS (INSERT INTO {LOG} SELECT user_id, seq, id, '{kind}', '{{}}', deleted_at, by FROM numbered), \
         trashed AS (INSERT INTO trash ({columns}, deleted_at) SELECT {columns}, deleted_at FROM numbered), \
         removed AS (DELETE FROM tasks USING numbered WHERE tasks.id = numbered.id AND tasks.user_id = numbered.user_id) \
         SELECT {returned} FROM numbered"
    ))
}

/// Returns the statement that takes a task out of the trash and returns its [new row](super::LoggedRow).
pub(crate) fn restoration(
    backend: DbBackend,
    owner: &UserId,
    id: TaskId,
    stamp: &ChangeStamp,
) -> Statement {
    let mut sql = Sql::new(backend);
    let in_trash = sql.owned("trash", owner, id);
    let now = sql.bind(stamp.at.as_micros());
    let log_stamp = sql.stamp(stamp);
    let kind = ChangeKind::Restored.as_str();
    let columns = all_columns();
    let (restored, columns) = (restored_columns(&columns, &now), columns.join(", "));
    let returned = read_columns("tasks");
    if backend == DbBackend::Sqlite {
        let feed = sql.feed("SELECT user_id, 1", &format!("FROM trash WHERE {in_trash}"));
        return sql.statement(format!(
            "{feed}; INSERT INTO {LOG} SELECT trash.user_id, feeds.seq, trash.id, '{kind}', '{{}}', {log_stamp} \
             FROM trash JOIN feeds USING (user_id) WHERE {in_trash}; \
             INSERT INTO tasks ({columns}) SELECT {restored} FROM trash WHERE {in_trash} \
             RETURNING {returned}, (SELECT seq FROM feeds WHERE feeds.user_id = tasks.user_id); \
             DELETE FROM trash WHERE {in_trash}",
            returned = returned.replace("tasks.", "")
        ));
    }
    let numbered = sql.numbered();
    sql.statement(format!(
        "WITH target AS (SELECT trash.*, 0 AS place FROM trash WHERE {in_trash} FOR UPDATE), {numbered}, \
         log AS (INSERT INTO {LOG} SELECT user_id, seq, id, '{kind}', '{{}}', {log_stamp} FROM numbered), \
         removed AS (DELETE FROM trash USING numbered WHERE trash.id = numbered.id AND trash.user_id = numbered.user_id), \
         restored AS (INSERT INTO tasks ({columns}) SELECT {restored} FROM numbered RETURNING {returned}) \
         SELECT {}, numbered.seq FROM restored, numbered",
        read_columns("restored"),
    ))
}

/// Returns the values of these columns for a task that is restored at `now`, a placeholder.
pub(super) fn restored_columns(columns: &[String], now: &str) -> String {
    let values = columns.iter().map(|column| match column.as_str() {
        "version" | "search_version" => format!("{column} + 1"),
        "updated_at" => strictly_after("updated_at", now),
        _ => column.clone(),
    });
    values.collect::<Vec<_>>().join(", ")
}

/// The tasks of the trash that are deleted for good.
pub(crate) enum Purged<'a> {
    /// One of an owner.
    One(&'a UserId, TaskId),
    /// All of an owner.
    All(&'a UserId),
    /// At most so many that were deleted before a time.
    Expired(i64, u32),
}

/// Returns the statement that deletes tasks in the trash for good. It returns a number for each task: PostgreSQL's
/// that of its change, SQLite's the last one of its owner.
fn purge_statement(backend: DbBackend, purged: &Purged<'_>, stamp: &ChangeStamp) -> Statement {
    let mut sql = Sql::new(backend);
    let found = match purged {
        Purged::One(owner, id) => sql.owned("trash", owner, *id),
        Purged::All(owner) => format!("trash.user_id = {}", sql.bind(owner.as_str())),
        Purged::Expired(before, most) => format!(
            // The trash of a user who has moved away stays: there is no log for its changes.
            "trash.id IN (SELECT id FROM trash WHERE deleted_at < {} \
                AND NOT EXISTS (SELECT 1 FROM feeds WHERE feeds.user_id = trash.user_id AND feeds.epoch < 0) \
                ORDER BY deleted_at LIMIT {most})",
            sql.bind(*before)
        ),
    };
    let log_stamp = sql.stamp(stamp);
    let kind = ChangeKind::Purged.as_str();
    if backend == DbBackend::Sqlite {
        let feed = sql.feed(
            "SELECT user_id, count(*)",
            &format!("FROM trash WHERE {found} GROUP BY user_id"),
        );
        return sql.statement(format!(
            "{feed}; INSERT INTO {LOG} SELECT trash.user_id, \
                feeds.seq + 1 - row_number() OVER (PARTITION BY trash.user_id ORDER BY trash.id DESC), \
                trash.id, '{kind}', '{{}}', {log_stamp} FROM trash JOIN feeds USING (user_id) WHERE {found}; \
             DELETE FROM trash WHERE {found} \
             RETURNING (SELECT seq FROM feeds WHERE feeds.user_id = trash.user_id)"
        ));
    }
    let numbered = sql.numbered();
    sql.statement(format!(
        "WITH target AS (SELECT id, user_id, id AS place FROM trash WHERE {found} ORDER BY id FOR UPDATE), \
         {numbered}, \
         removed AS (DELETE FROM trash USING numbered WHERE trash.id = numbered.id AND trash.user_id = numbered.user_id) \
         INSERT INTO {LOG} SELECT user_id, seq, id, '{kind}', '{{}}', {log_stamp} FROM numbered RETURNING seq"
    ))
}

/// Deletes tasks in the trash for good. Returns a number for each, of which the greatest is that of the last change.
pub(crate) async fn purge(
    connection: &impl ConnectionTrait,
    purged: &Purged<'_>,
    stamp: &ChangeStamp,
) -> Result<Vec<ChangeSeq>, DbErr> {
    let statement = purge_statement(connection.get_database_backend(), purged, stamp);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| seq_at(row, 0)).collect()
}
