//! The rows of one user.

use futures_util::TryStreamExt as _;
use sea_orm::sqlx::{self, AssertSqlSafe};
use serde_json::{Map, Value as Json};
use taskhold_domain::user::UserId;
use taskhold_infrastructure::db::session::MaintenanceSession;

use crate::copy::{BATCH, insert_statement, postgres_text};
use crate::error::BackupError;
use crate::query::on_either;
use crate::rows::{Row, Value, rows_of};
use crate::table::Table;

/// The tables whose rows belong to a user, with the column of the user's id.
const OF_USER: [(&str, &str); 9] = [
    ("users", "id"),
    ("tasks", "user_id"),
    ("feeds", "user_id"),
    ("changes", "user_id"),
    ("trash", "user_id"),
    ("imports", "user_id"),
    ("idempotency_keys", "user_id"),
    ("refresh_tokens", "user_id"),
    ("personal_tokens", "user_id"),
];

/// The columns of these tables. They are read before the user's writes wait.
pub(super) struct Columns(Vec<Table>);

impl Columns {
    pub(super) async fn of(session: &mut MaintenanceSession) -> Result<Self, BackupError> {
        let names = OF_USER.map(|(name, _)| name);
        Ok(Self(Table::of(session, names).await?))
    }

    pub(super) fn table(&self, name: &'static str) -> Result<&Table, BackupError> {
        let found = self.0.iter().find(|table| table.name == name);
        found.ok_or_else(|| BackupError::Refused(format!("there is no table {name}")))
    }
}

/// The treatment of a row whose key the target has already.
#[derive(Clone, Copy)]
pub(super) enum Clash {
    /// The statement fails.
    Fails,
    /// It is replaced: the columns of its key, and a column that stays as it is.
    Replaced(&'static [&'static str], Option<&'static str>),
}

const IMPORT: Clash = Clash::Replaced(&["user_id", "origin", "console_id", "created_at"], None);
const KEY: Clash = Clash::Replaced(&["user_id", "key"], None);

/// Some changes of a user.
#[derive(Clone, Copy)]
pub(super) struct Range {
    /// The number before the first one.
    pub(super) after: i64,
    /// The number of the last one.
    pub(super) to: i64,
}

impl Range {
    pub(super) fn len(self) -> i64 {
        self.to - self.after
    }

    fn condition(self) -> String {
        let Self { after, to } = self;
        format!("user_id = $1 AND seq > {after} AND seq <= {to}")
    }

    /// Returns the condition for rows of the tasks of these changes, whose ids are in `column`.
    fn of_tasks(self, column: &str) -> String {
        let changes = self.condition();
        format!("user_id = $1 AND {column} IN (SELECT task_id FROM changes WHERE {changes})")
    }
}

/// Copies every row that the change log tells of, and the log up to this number. Rows that change meanwhile are copied
/// as they were before or after.
pub(super) async fn copy_whole(
    from: &mut MaintenanceSession,
    to: &mut MaintenanceSession,
    columns: &Columns,
    user: &UserId,
    seq: i64,
) -> Result<(), BackupError> {
    let log = format!("user_id = $1 AND seq <= {seq}");
    copy_rows(
        from,
        to,
        columns.table("changes")?,
        &log,
        user,
        Clash::Fails,
    )
    .await?;
    for (table, clash) in [
        ("tasks", Clash::Fails),
        ("trash", Clash::Fails),
        ("imports", IMPORT),
        ("idempotency_keys", KEY),
    ] {
        copy_rows(from, to, columns.table(table)?, "user_id = $1", user, clash).await?;
    }
    Ok(())
}

/// Copies these changes, and the rows that they have changed. To be called in a transaction of the target.
pub(super) async fn copy_changed(
    from: &mut MaintenanceSession,
    to: &mut MaintenanceSession,
    columns: &Columns,
    user: &UserId,
    range: Range,
) -> Result<(), BackupError> {
    if range.len() == 0 {
        return Ok(());
    }
    let failed = "replace the rows that have changed";
    copy_rows(
        from,
        to,
        columns.table("changes")?,
        &range.condition(),
        user,
        Clash::Fails,
    )
    .await?;
    for table in ["tasks", "trash"] {
        let sql = format!("DELETE FROM {table} WHERE {}", range.of_tasks("id"));
        execute_for(to, &sql, user, failed).await?;
    }
    for (table, condition, clash) in [
        ("tasks", range.of_tasks("id"), Clash::Fails),
        ("trash", range.of_tasks("id"), Clash::Fails),
        ("imports", range.of_tasks("task_id"), IMPORT),
        ("idempotency_keys", range.condition(), KEY),
    ] {
        copy_rows(from, to, columns.table(table)?, &condition, user, clash).await?;
    }
    Ok(())
}

/// Copies the rows for which a condition on the user's id, `$1`, holds.
pub(super) async fn copy_rows(
    from: &mut MaintenanceSession,
    to: &mut MaintenanceSession,
    table: &Table,
    condition: &str,
    user: &UserId,
    clash: Clash,
) -> Result<(), BackupError> {
    let mut batches = rows_of(from, table, condition, user.as_str())
        .try_chunks(BATCH)
        .map_err(|error| BackupError::sql("read rows of the user")(error.1));
    while let Some(rows) = batches.try_next().await? {
        write_rows(to, table, rows, clash).await?;
    }
    Ok(())
}

/// Executes a statement with the user's id as its parameter. Returns the number of rows that it has written.
pub(super) async fn execute_for(
    session: &mut MaintenanceSession,
    sql: &str,
    user: &UserId,
    failed: &'static str,
) -> Result<u64, BackupError> {
    let sql = AssertSqlSafe(sql);
    let done = on_either!(session, connection =>
        sqlx::query(sql).bind(user.as_str()).execute(&mut **connection).await
            .map(|done| done.rows_affected()));
    done.map_err(BackupError::sql(failed))
}

/// Writes at most [`BATCH`] rows with one statement.
pub(super) async fn write_rows(
    to: &mut MaintenanceSession,
    table: &Table,
    rows: Vec<Row>,
    clash: Clash,
) -> Result<(), BackupError> {
    let on_conflict = on_conflict(table, clash);
    let written = match to {
        MaintenanceSession::Postgres(connection) => {
            let (name, columns) = (table.name, table.column_list());
            let sql = format!(
                "INSERT INTO {name} ({columns}) \
                 SELECT {columns} FROM json_populate_recordset(NULL::{name}, CAST($1 AS json)){on_conflict}"
            );
            let rows = Json::Array(rows.iter().map(|row| object(table, row)).collect());
            let query = sqlx::query(AssertSqlSafe(sql)).bind(rows.to_string());
            query.execute(&mut **connection).await.map(drop)
        }
        MaintenanceSession::Sqlite(connection) => {
            insert_statement(&mut *connection, table, rows, &on_conflict).await
        }
    };
    written.map_err(BackupError::sql("write rows of the user"))
}

fn on_conflict(table: &Table, clash: Clash) -> String {
    let Clash::Replaced(key, kept) = clash else {
        return String::new();
    };
    let names = table.columns.iter().map(|column| column.name.as_str());
    let others = names.filter(|name| !key.contains(name) && kept != Some(*name));
    let assignments: Vec<_> = others
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    format!(
        " ON CONFLICT ({}) DO UPDATE SET {}",
        key.join(", "),
        assignments.join(", ")
    )
}

/// Returns a row as the JSON object that PostgreSQL reads it from.
fn object(table: &Table, row: &Row) -> Json {
    let members = table.columns.iter().zip(row).map(|(column, value)| {
        let value = match value {
            Value::Null => Json::Null,
            Value::Integer(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
            Value::Bytes(bytes) => postgres_text(bytes, &column.kind).into(),
        };
        (column.name.clone(), value)
    });
    Json::Object(members.collect::<Map<_, _>>())
}

/// Returns numbers that are equal if both stores have the same revisions of the same number of rows.
pub(super) async fn totals(
    session: &mut MaintenanceSession,
    user: &UserId,
) -> Result<[i64; 6], BackupError> {
    const SQL: &str = "SELECT tasks.*, trash.*, imports.*, changes.* FROM \
        (SELECT count(*), CAST(coalesce(sum(version), 0) AS bigint) FROM tasks WHERE user_id = $1) AS tasks, \
        (SELECT count(*), CAST(coalesce(sum(version), 0) AS bigint) FROM trash WHERE user_id = $1) AS trash, \
        (SELECT count(*) FROM imports WHERE user_id = $1) AS imports, \
        (SELECT count(*) FROM changes WHERE user_id = $1 \
            AND seq > (SELECT floor FROM feeds WHERE user_id = $1)) AS changes";
    let totals: Result<(i64, i64, i64, i64, i64, i64), _> = on_either!(session, connection =>
        sqlx::query_as(SQL).bind(user.as_str()).fetch_one(&mut **connection).await);
    let totals = totals.map_err(BackupError::sql("count the user's rows"))?;
    Ok(totals.into())
}

/// Counts the user's rows in each table.
pub(super) async fn count_rows(
    session: &mut MaintenanceSession,
    user: &UserId,
) -> Result<Vec<(&'static str, u64)>, BackupError> {
    let mut counts = Vec::new();
    for (table, column) in OF_USER {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE {column} = $1"));
        let count: Result<i64, _> = on_either!(session, connection =>
            sqlx::query_scalar(sql).bind(user.as_str()).fetch_one(&mut **connection).await);
        let count = count.map_err(BackupError::sql("count the user's rows"))?;
        counts.push((table, count.unsigned_abs()));
    }
    Ok(counts)
}
