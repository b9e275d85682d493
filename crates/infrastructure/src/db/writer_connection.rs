//! The connection of the SQLite writer.
//!
//! Each statement is a round trip to the connection's thread, which takes longer than most statements. So
//! the savepoint statements between two writes have no round trip of their own: they are a prefix of the
//! next write's first statement.

use sea_orm::sea_query::Values;
use sea_orm::sqlx;
use sea_orm::sqlx::sqlite::{SqliteConnection, SqliteQueryResult, SqliteRow};

use crate::db::sqlite;

/// A connection, and the statements that it sends before the next one.
pub(crate) struct WriterConnection {
    connection: SqliteConnection,
    prefix: Option<&'static str>,
}

impl WriterConnection {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        Self {
            connection,
            prefix: None,
        }
    }

    /// Sends `sql` before the next statement, in the same round trip.
    pub(crate) fn prefix_next(&mut self, sql: &'static str) {
        self.prefix = Some(sql);
    }

    /// Returns whether no prefix waits for a statement.
    pub(crate) fn has_sent_prefix(&self) -> bool {
        self.prefix.is_none()
    }

    /// Drops the prefix.
    pub(crate) fn clear_prefix(&mut self) {
        self.prefix = None;
    }

    /// Executes a statement. Returns its result and its rows. A statement with values is prepared and cached.
    pub(crate) async fn execute(
        &mut self,
        sql: String,
        values: Option<Values>,
    ) -> Result<(SqliteQueryResult, Vec<SqliteRow>), sqlx::Error> {
        let sql = match self.prefix.take() {
            Some(prefix) => format!("{prefix}; {sql}"),
            None => sql,
        };
        sqlite::execute(&mut self.connection, sql, values).await
    }

    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        sqlx::Connection::close(self.connection).await
    }
}
