//! The connection that writes of a SQLite file share, one after the other.
//!
//! Each statement is a trip to the thread of the connection, and the trip takes longer than most
//! statements. So what sets one write apart from the next makes no trip of its own: it goes with the
//! next one's first statement.

use futures_util::TryStreamExt as _;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::sqlite::{SqliteConnection, SqliteQueryResult, SqliteRow};
use sea_orm::sqlx::{self, AssertSqlSafe, Either, Executor as _};
use sea_query_sqlx::SqlxValues;

/// A connection, and what is to be said on it before anything else.
pub(crate) struct JobConnection {
    connection: SqliteConnection,
    before: Option<&'static str>,
}

impl JobConnection {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        Self {
            connection,
            before: None,
        }
    }

    /// Says this before the next statement, on the same trip.
    pub(crate) fn say_before_next(&mut self, sql: &'static str) {
        self.before = Some(sql);
    }

    /// Whether what was to be said is said: there was a statement since.
    pub(crate) fn has_said(&self) -> bool {
        self.before.is_none()
    }

    /// Says nothing before the next statement after all.
    pub(crate) fn forget(&mut self) {
        self.before = None;
    }

    /// Runs a statement: what came of it, and the rows that it returned. With values it is prepared and
    /// kept.
    pub(crate) async fn run(
        &mut self,
        sql: &str,
        values: Option<Values>,
    ) -> Result<(SqliteQueryResult, Vec<SqliteRow>), sqlx::Error> {
        let sql = AssertSqlSafe(match self.before.take() {
            Some(before) => format!("{before}; {sql}"),
            None => sql.to_owned(),
        });
        let mut results = match values {
            Some(values) => self
                .connection
                .fetch_many(sqlx::query_with(sql, SqlxValues(values))),
            None => self.connection.fetch_many(sql),
        };
        let (mut outcome, mut rows) = (SqliteQueryResult::default(), Vec::new());
        while let Some(result) = results.try_next().await? {
            match result {
                // Only the last one counts: a savepoint repeats what an earlier statement changed.
                Either::Left(last) => outcome = last,
                Either::Right(row) => rows.push(row),
            }
        }
        Ok((outcome, rows))
    }

    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        sqlx::Connection::close(self.connection).await
    }
}
