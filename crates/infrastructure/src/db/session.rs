//! Sessions of operator commands, beside those that serve.

use sea_orm::QueryResult;
use sea_orm::sea_query::{InsertStatement, PostgresQueryBuilder, SqliteQueryBuilder};
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, Executor as _};
use sea_query_sqlx::SqlxBinder as _;

/// An exclusive session without time limits.
pub enum MaintenanceSession {
    /// With a PostgreSQL server.
    Postgres(Box<PgConnection>),
    /// With a SQLite file.
    Sqlite(Box<SqliteConnection>),
}

impl MaintenanceSession {
    /// Executes statements without parameters.
    ///
    /// # Errors
    /// The driver's.
    pub async fn execute(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Postgres(connection) => connection.execute(sql).await.map(drop),
            Self::Sqlite(connection) => connection.execute(sql).await.map(drop),
        }
    }

    /// Executes a query with numbers as its parameters.
    pub(crate) async fn query(
        &mut self,
        sql: &str,
        parameters: &[i64],
    ) -> Result<Vec<QueryResult>, sqlx::Error> {
        match self {
            Self::Postgres(connection) => {
                let query = sqlx::query(AssertSqlSafe(sql));
                let query = parameters.iter().fold(query, sqlx::query::Query::bind);
                let rows = query.fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
            Self::Sqlite(connection) => {
                let query = sqlx::query(AssertSqlSafe(sql));
                let query = parameters.iter().fold(query, sqlx::query::Query::bind);
                let rows = query.fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
        }
    }

    /// Inserts rows.
    pub(crate) async fn insert(&mut self, insert: &InsertStatement) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(connection) => {
                let (sql, values) = insert.build_sqlx(PostgresQueryBuilder);
                let query = sqlx::query_with(AssertSqlSafe(sql), values);
                query.execute(&mut **connection).await.map(drop)
            }
            Self::Sqlite(connection) => {
                let (sql, values) = insert.build_sqlx(SqliteQueryBuilder);
                let query = sqlx::query_with(AssertSqlSafe(sql), values);
                query.execute(&mut **connection).await.map(drop)
            }
        }
    }

    /// Closes the session. An error is only logged: what was committed is safe.
    pub async fn close(self) {
        let closed = match self {
            Self::Postgres(connection) => connection.close().await,
            Self::Sqlite(connection) => connection.close().await,
        };
        if let Err(error) = closed {
            tracing::debug!(%error, "a session did not close cleanly");
        }
    }
}

/// Returns whether two sessions with PostgreSQL are with one database of one server. One takes a random name, and the
/// other must see it: a copy of the database has the same names and numbers, but not its sessions.
///
/// # Errors
/// The driver's.
pub async fn is_one_database(
    one: &mut MaintenanceSession,
    other: &mut MaintenanceSession,
) -> Result<bool, sqlx::Error> {
    let key = fastrand::u32(..);
    // In a transaction, so that a pooler keeps the session until the end.
    one.execute(&format!(
        "BEGIN; SET LOCAL application_name = 'taskhold {key}'"
    ))
    .await?;
    let sql = "SELECT 1 FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'taskhold ' || $1";
    let seen = other.query(sql, &[key.into()]).await?;
    one.execute("ROLLBACK").await?;
    Ok(!seen.is_empty())
}

/// Appends a text in the text format of PostgreSQL's `COPY`.
pub fn copy_text(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            other => out.push(other),
        }
    }
}
