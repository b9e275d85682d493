//! A connection that a command of the operator has to itself, beside those that serve.

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, Executor as _};

/// A session that its user has to itself, without time limits.
pub enum Session {
    /// With a PostgreSQL server.
    Postgres(Box<PgConnection>),
    /// With a SQLite file.
    Sqlite(Box<SqliteConnection>),
}

impl Session {
    /// Runs statements that have no values.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn execute(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Postgres(connection) => connection.execute(sql).await.map(drop),
            Self::Sqlite(connection) => connection.execute(sql).await.map(drop),
        }
    }

    /// Ends it. What was committed is safe, whether or not that goes well.
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

/// Writes a text as PostgreSQL's `COPY` reads it.
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
