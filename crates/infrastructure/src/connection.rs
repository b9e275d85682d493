//! One connection for one call, on either store, as SeaORM wants it.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor as _};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

use crate::error::ends_session;
use crate::job_connection::JobConnection;
use crate::pool::{Links, Loan};

/// A connection that a call has to itself. Cloning it gives another handle on the same one; no lock
/// is ever contended.
#[derive(Clone)]
pub(crate) enum Connection {
    /// On loan from our pool.
    Postgres(Arc<Mutex<Lent>>),
    /// One of SeaORM's own pool, which only reads.
    SqliteReader(DatabaseConnection),
    /// The one that writes, within a transaction.
    SqliteWriter(Arc<Mutex<JobConnection>>),
}

/// A connection on loan, which goes back to its pool only if it can be used again.
pub(crate) struct Lent {
    loan: Option<Loan>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(loan) = self.loan.take()
            && loan.is_in_use()
        {
            // Closed at once: what it has begun must not keep its locks until somebody finds it.
            drop(Loan::take(loan));
        }
    }
}

impl Lent {
    /// Runs one statement, and notes whether the connection can be used again. A statement whose
    /// future is dropped half way leaves it marked as in use.
    async fn run<T>(
        &mut self,
        statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let Some(loan) = &mut self.loan else {
            return Err(sqlx::Error::PoolClosed);
        };
        loan.unfinished = true;
        let outcome = statement(&mut loan.connection).await;
        match &outcome {
            Err(error) if ends_session(error) => {
                if let Some(pool) = Loan::pool(loan) {
                    let links: &Links = pool.manager();
                    links.distrust();
                }
            }
            _ => loan.finished(),
        }
        outcome
    }

    fn set_in_transaction(&mut self, in_transaction: bool) {
        if let Some(loan) = &mut self.loan {
            loan.in_transaction = in_transaction;
        }
    }
}

impl Connection {
    pub(crate) fn on_loan(loan: Loan) -> Self {
        Self::Postgres(Arc::new(Mutex::new(Lent { loan: Some(loan) })))
    }

    /// Begins a transaction on PostgreSQL; the writer of SQLite is in one already.
    pub(crate) async fn begin(&self) -> Result<(), DbErr> {
        if let Self::Postgres(lent) = self {
            lent.lock().await.set_in_transaction(true);
            // For sessions that a pooler shares, which have no limits of ours.
            self.execute_unprepared("BEGIN; SET LOCAL lock_timeout = '3s'")
                .await?;
        }
        Ok(())
    }

    /// Ends the transaction: its effect stays.
    pub(crate) async fn commit(&self) -> Result<(), DbErr> {
        self.end("COMMIT").await
    }

    /// Ends the transaction, which then never was.
    pub(crate) async fn roll_back(&self) -> Result<(), DbErr> {
        self.end("ROLLBACK").await
    }

    async fn end(&self, how: &'static str) -> Result<(), DbErr> {
        if let Self::Postgres(lent) = self {
            self.execute_unprepared(how).await?;
            lent.lock().await.set_in_transaction(false);
        }
        Ok(())
    }
}

/// Takes the values out of a statement: it is run once.
fn values(statement: &mut Statement) -> Values {
    statement.values.take().unwrap_or(Values(Vec::new()))
}

fn prepared(statement: &mut Statement) -> sqlx::query::Query<'_, sqlx::Postgres, SqlxValues> {
    let values = values(statement);
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Postgres(_) => DbBackend::Postgres,
            Self::SqliteReader(_) | Self::SqliteWriter(_) => DbBackend::Sqlite,
        }
    }

    async fn execute_raw(&self, mut statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(lent) => {
                let executed = lent
                    .lock()
                    .await
                    .run(async |connection| connection.execute(prepared(&mut statement)).await)
                    .await;
                executed.map(Into::into).map_err(exec_error)
            }
            Self::SqliteReader(pool) => pool.execute_raw(statement).await,
            Self::SqliteWriter(writer) => {
                let values = values(&mut statement);
                let mut writer = writer.lock().await;
                let ran = writer.run(&statement.sql, Some(values)).await;
                ran.map(|(outcome, _)| outcome.into()).map_err(exec_error)
            }
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(lent) => {
                let executed = lent
                    .lock()
                    .await
                    .run(async |connection| connection.execute(AssertSqlSafe(sql)).await)
                    .await;
                executed.map(Into::into).map_err(exec_error)
            }
            Self::SqliteReader(pool) => pool.execute_unprepared(sql).await,
            Self::SqliteWriter(writer) => {
                let ran = writer.lock().await.run(sql, None).await;
                ran.map(|(outcome, _)| outcome.into()).map_err(exec_error)
            }
        }
    }

    async fn query_one_raw(&self, mut statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Postgres(lent) => {
                let found = lent
                    .lock()
                    .await
                    .run(async |connection| {
                        connection.fetch_optional(prepared(&mut statement)).await
                    })
                    .await;
                Ok(found.map_err(query_error)?.map(Into::into))
            }
            Self::SqliteReader(pool) => pool.query_one_raw(statement).await,
            Self::SqliteWriter(writer) => {
                let values = values(&mut statement);
                let mut writer = writer.lock().await;
                let ran = writer.run(&statement.sql, Some(values)).await;
                let (_, rows) = ran.map_err(query_error)?;
                Ok(rows.into_iter().next().map(Into::into))
            }
        }
    }

    async fn query_all_raw(&self, mut statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Postgres(lent) => {
                let found = lent
                    .lock()
                    .await
                    .run(async |connection| connection.fetch_all(prepared(&mut statement)).await)
                    .await;
                let rows = found.map_err(query_error)?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
            Self::SqliteReader(pool) => pool.query_all_raw(statement).await,
            Self::SqliteWriter(writer) => {
                let values = values(&mut statement);
                let mut writer = writer.lock().await;
                let ran = writer.run(&statement.sql, Some(values)).await;
                let (_, rows) = ran.map_err(query_error)?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
        }
    }
}
