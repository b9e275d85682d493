//! One connection for one call, on either store, as SeaORM wants it.

use async_trait::async_trait;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor as _, Postgres};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

use crate::error::ends_session;
use crate::pool::{Links, Loan};

/// A connection that a call has to itself.
pub(crate) enum Connection {
    /// On loan from our pool; the lock is never contended.
    Postgres(Mutex<Loan>),
    /// SeaORM's own pool of SQLite connections.
    Sqlite(DatabaseConnection),
}

impl Connection {
    /// Runs one statement on the borrowed connection, and notes whether it can be used again. A
    /// statement whose future is dropped half way leaves it marked as unfinished.
    async fn postgres<T>(
        loan: &Mutex<Loan>,
        statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut loan = loan.lock().await;
        loan.unfinished = true;
        let outcome = statement(&mut loan.connection).await;
        match &outcome {
            Err(error) if ends_session(error) => {
                if let Some(pool) = Loan::pool(&loan) {
                    let links: &Links = pool.manager();
                    links.distrust();
                }
            }
            _ => loan.finished(),
        }
        outcome
    }
}

fn prepared(statement: &Statement) -> sqlx::query::Query<'_, Postgres, SqlxValues> {
    let values = statement.values.clone().unwrap_or(Values(Vec::new()));
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
            Self::Sqlite(connection) => connection.get_database_backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(loan) => {
                let executed = Self::postgres(loan, async |connection| {
                    connection.execute(prepared(&statement)).await
                });
                executed.await.map(Into::into).map_err(exec_error)
            }
            Self::Sqlite(connection) => connection.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(loan) => {
                let executed = Self::postgres(loan, async |connection| {
                    connection.execute(AssertSqlSafe(sql)).await
                });
                executed.await.map(Into::into).map_err(exec_error)
            }
            Self::Sqlite(connection) => connection.execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Postgres(loan) => {
                let found = Self::postgres(loan, async |connection| {
                    connection.fetch_optional(prepared(&statement)).await
                });
                Ok(found.await.map_err(query_error)?.map(Into::into))
            }
            Self::Sqlite(connection) => connection.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Postgres(loan) => {
                let found = Self::postgres(loan, async |connection| {
                    connection.fetch_all(prepared(&statement)).await
                });
                Ok(found
                    .await
                    .map_err(query_error)?
                    .into_iter()
                    .map(Into::into)
                    .collect())
            }
            Self::Sqlite(connection) => connection.query_all_raw(statement).await,
        }
    }
}
