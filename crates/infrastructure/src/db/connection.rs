//! The connection of one call, on either kind of database, as a SeaORM connection.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::sqlite::{SqliteQueryResult, SqliteRow};
use sea_orm::sqlx::{self, AssertSqlSafe, Executor as _};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

use crate::db::error::ends_session;
use crate::db::guard::Guard;
use crate::db::pool::{PoolObject, replaced};
use crate::db::sqlite_readers::Reader;
use crate::db::writer_connection::WriterConnection;

/// A connection that a call has to itself. A clone is another handle on the same connection; its lock is
/// never contended.
#[derive(Clone)]
pub(crate) enum Connection {
    /// A connection of our pool, and the change that a replica at its other end must have.
    Postgres(Arc<Mutex<Checkout>>, Option<Arc<Guard>>),
    /// A connection to a SQLite file.
    Sqlite(SqliteHandle),
}

/// A connection to a SQLite file.
#[derive(Clone)]
pub(crate) enum SqliteHandle {
    /// A read-only connection of our pool.
    Reader(Arc<Mutex<Reader>>),
    /// The only connection that writes, within a transaction.
    Writer(Arc<Mutex<WriterConnection>>),
}

impl SqliteHandle {
    async fn execute(
        &self,
        sql: String,
        values: Option<Values>,
    ) -> Result<(SqliteQueryResult, Vec<SqliteRow>), sqlx::Error> {
        match self {
            Self::Reader(reader) => reader.lock().await.execute(sql, values).await,
            Self::Writer(writer) => writer.lock().await.execute(sql, values).await,
        }
    }
}

/// A connection out of the pool, which returns to it only if it can be reused.
pub(crate) struct Checkout {
    object: Option<PoolObject>,
}

impl Drop for Checkout {
    fn drop(&mut self) {
        if let Some(object) = self.object.take()
            && !object.is_reusable()
        {
            if let Some(began) = object.statement_began
                && let Some(pool) = PoolObject::pool(&object)
            {
                pool.manager().invalidate_unused_since(began);
            }
            // Closed at once: its transaction must not hold locks until the server notices.
            drop(PoolObject::take(object));
        }
    }
}

impl Checkout {
    /// Executes one statement, and records whether the connection can be reused. If the future is dropped
    /// before it completes, the connection stays marked as in use.
    async fn execute<T>(
        &mut self,
        statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let Some(object) = &mut self.object else {
            return Err(sqlx::Error::PoolClosed);
        };
        object.begin_statement();
        let outcome = statement(&mut object.connection).await;
        match &outcome {
            Err(error) if ends_session(error) => {
                object.given_up = true;
                if let Some(pool) = PoolObject::pool(object) {
                    pool.manager().invalidate_idle();
                }
            }
            _ => object.complete_statement(),
        }
        if object.is_replaced() {
            object.given_up = true;
            return outcome.and(Err(replaced()));
        }
        outcome
    }

    /// Lets no further call use the connection.
    fn give_up(&mut self) {
        if let Some(object) = &mut self.object {
            object.given_up = true;
        }
    }

    fn set_in_transaction(&mut self, in_transaction: bool) {
        if let Some(object) = &mut self.object {
            object.in_transaction = in_transaction;
        }
    }
}

impl Connection {
    pub(crate) fn checked_out(object: PoolObject) -> Self {
        let checkout = Checkout {
            object: Some(object),
        };
        Self::Postgres(Arc::new(Mutex::new(checkout)), None)
    }

    /// Returns the connection for statements to which a replica must have an answer.
    pub(crate) fn guarded(self, guard: Arc<Guard>) -> Self {
        match self {
            Self::Postgres(checkout, _) => Self::Postgres(checkout, Some(guard)),
            connection @ Self::Sqlite(_) => connection,
        }
    }

    pub(crate) fn reader(reader: Reader) -> Self {
        Self::Sqlite(SqliteHandle::Reader(Arc::new(Mutex::new(reader))))
    }

    /// Lets no further call use this connection to PostgreSQL.
    pub(crate) async fn give_up(&self) {
        if let Self::Postgres(checkout, _) = self {
            checkout.lock().await.give_up();
        }
    }

    /// Begins a transaction on PostgreSQL. SQLite's writer is always in one.
    pub(crate) async fn begin(&self) -> Result<(), DbErr> {
        if let Self::Postgres(checkout, _) = self {
            checkout.lock().await.set_in_transaction(true);
            // A session that a pooler shares has no limits of ours.
            self.execute_unprepared(
                "BEGIN; SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = '7s'",
            )
            .await?;
        }
        Ok(())
    }

    /// Commits the transaction.
    pub(crate) async fn commit(&self) -> Result<(), DbErr> {
        self.end("COMMIT").await
    }

    /// Rolls the transaction back.
    pub(crate) async fn roll_back(&self) -> Result<(), DbErr> {
        self.end("ROLLBACK").await
    }

    /// Rolls the transaction back after an error, which matters more than one of the roll-back: if that
    /// fails, the connection is closed, and the transaction ends with it.
    pub(crate) async fn roll_back_after_error(&self) {
        if let Err(error) = self.roll_back().await {
            tracing::debug!(%error, "a transaction could not be rolled back");
        }
    }

    async fn end(&self, how: &'static str) -> Result<(), DbErr> {
        if let Self::Postgres(checkout, _) = self {
            self.execute_unprepared(how).await?;
            checkout.lock().await.set_in_transaction(false);
        }
        Ok(())
    }
}

/// Takes the values out of a statement, which is executed once.
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
            Self::Postgres(..) => DbBackend::Postgres,
            Self::Sqlite(_) => DbBackend::Sqlite,
        }
    }

    async fn execute_raw(&self, mut statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(checkout, _) => {
                let executed = checkout
                    .lock()
                    .await
                    .execute(async |connection| connection.execute(prepared(&mut statement)).await)
                    .await;
                executed.map(Into::into).map_err(exec_error)
            }
            Self::Sqlite(connection) => {
                let values = values(&mut statement);
                let executed = connection.execute(statement.sql, Some(values)).await;
                let (outcome, _) = executed.map_err(exec_error)?;
                Ok(outcome.into())
            }
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(checkout, _) => {
                let executed = checkout
                    .lock()
                    .await
                    .execute(async |connection| connection.execute(AssertSqlSafe(sql)).await)
                    .await;
                executed.map(Into::into).map_err(exec_error)
            }
            Self::Sqlite(connection) => {
                let executed = connection.execute(sql.to_owned(), None).await;
                let (outcome, _) = executed.map_err(exec_error)?;
                Ok(outcome.into())
            }
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let rows = self.query_all_raw(statement).await?;
        Ok(rows.into_iter().next())
    }

    async fn query_all_raw(&self, mut statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Postgres(checkout, guard) => {
                if let Some(guard) = guard {
                    statement = guard.guarded(statement);
                }
                let found = checkout
                    .lock()
                    .await
                    .execute(async |connection| {
                        connection.fetch_all(prepared(&mut statement)).await
                    })
                    .await;
                let rows = found.map_err(query_error)?;
                let rows = rows.into_iter().map(Into::into).collect();
                match guard {
                    Some(guard) => guard.check(rows),
                    None => Ok(rows),
                }
            }
            Self::Sqlite(connection) => {
                let values = values(&mut statement);
                let executed = connection.execute(statement.sql, Some(values)).await;
                let (_, rows) = executed.map_err(query_error)?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
        }
    }
}
