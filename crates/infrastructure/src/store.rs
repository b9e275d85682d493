//! The connections to the store, and the one way through which every call goes.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::Pool;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{DatabaseConnection, DbBackend, DbErr, DeleteMany, EntityTrait};
use taskhold_repository::error::StoreError;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::connection::Connection;
use crate::error::Failure;
use crate::policy::{self, Attempt, Earlier, Effect, Failed, Policy};
use crate::pool::{self, Links};
use crate::sqlite::{self, FileError};
use crate::transaction::{Verdict, in_transaction};
use crate::writer::Writer;

/// The connections of a running service: a pool on PostgreSQL; on SQLite one connection that writes
/// and a pool that only reads. Cloning it is cheap and shares them.
#[derive(Clone)]
pub struct Store {
    connections: Arc<Connections>,
    policy: Arc<Policy>,
    runtime: Handle,
}

enum Connections {
    Postgres {
        pool: Pool<Links>,
        /// For asking after the store: a full pool is no dead store.
        probe: Pool<Links>,
    },
    Sqlite {
        reader: DatabaseConnection,
        writer: Writer,
    },
}

/// How the pool of a store is used at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that a call has.
    pub in_use: usize,
    /// Connections that wait for a call.
    pub idle: usize,
    /// Calls that wait for a connection, or for their next attempt.
    pub waiting: usize,
}

impl Store {
    /// A store on a PostgreSQL server; connects when it is first used. Every call will run on the
    /// runtime that this is called on.
    pub(crate) fn postgres(
        options: &PgConnectOptions,
        connections: usize,
        limit_sessions: bool,
    ) -> Self {
        let pool = |size| pool::pool(options.clone(), size, limit_sessions);
        Self::on(Connections::Postgres {
            pool: pool(connections),
            probe: pool(1),
        })
    }

    /// A store in a SQLite file, which is made where it is missing. Every call will run on the
    /// runtime that this is called on.
    pub(crate) async fn sqlite(
        path: &Path,
        writes_per_commit: NonZeroUsize,
    ) -> Result<Self, FileError> {
        sqlite::make_private_file(path)?;
        let options = sqlite::options(path);
        // First the one that may make what a new file lacks.
        let writer = Writer::start(options.clone(), writes_per_commit).await;
        let writer = writer.map_err(|error| FileError::File {
            path: path.to_owned(),
            source: error.into(),
        })?;
        let reader = sqlite::pool(path, options.read_only(true), sqlite::READERS).await?;
        Ok(Self::on(Connections::Sqlite { reader, writer }))
    }

    fn on(connections: Connections) -> Self {
        Self {
            connections: Arc::new(connections),
            policy: Arc::default(),
            runtime: Handle::current(),
        }
    }

    /// The same store, which logs a warning of every call that takes so long, with its retries. To be
    /// said before it is cloned.
    #[must_use]
    pub fn warning_of_calls_over(self, duration: Duration) -> Self {
        Self {
            policy: Arc::new(Policy::new(duration)),
            ..self
        }
    }

    /// Which dialect of SQL it speaks.
    pub(crate) fn backend(&self) -> DbBackend {
        match *self.connections {
            Connections::Postgres { .. } => DbBackend::Postgres,
            Connections::Sqlite { .. } => DbBackend::Sqlite,
        }
    }

    /// How its connections are used now; only PostgreSQL's are counted.
    #[must_use]
    pub fn pool_use(&self) -> PoolUse {
        let calls = self.policy.calls();
        match &*self.connections {
            Connections::Postgres { pool, .. } => {
                let status = pool.status();
                let in_use = status.size.saturating_sub(status.available);
                PoolUse {
                    in_use,
                    idle: status.available,
                    waiting: calls.saturating_sub(in_use),
                }
            }
            Connections::Sqlite { .. } => PoolUse {
                in_use: calls,
                idle: 0,
                waiting: 0,
            },
        }
    }

    /// Makes a call of one statement by the [policy], on a connection of its own.
    /// `operation` names it in the metrics.
    pub(crate) async fn call<T, Fut>(
        &self,
        operation: &'static str,
        effect: Effect,
        statement: impl Fn(Connection, Attempt) -> Fut + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        self.call_after(Earlier::nothing(), operation, effect, statement)
            .await
    }

    /// The same, where something was done for it before.
    pub(crate) async fn call_after<T, Fut>(
        &self,
        earlier: Earlier,
        operation: &'static str,
        effect: Effect,
        statement: impl Fn(Connection, Attempt) -> Fut + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        let connections = Arc::clone(&self.connections);
        let statement = Arc::new(statement);
        self.run(operation, effect, earlier, move |attempt| {
            let (connections, statement) = (Arc::clone(&connections), Arc::clone(&statement));
            async move {
                match &*connections {
                    Connections::Postgres { pool, .. } => {
                        let connection = loan(pool).await?;
                        attempt.is_sent();
                        statement(connection, attempt).await.map_err(failed)
                    }
                    Connections::Sqlite { reader, .. } if effect == Effect::Read => {
                        let connection = Connection::SqliteReader(reader.clone());
                        attempt.is_sent();
                        statement(connection, attempt).await.map_err(failed)
                    }
                    Connections::Sqlite { writer, .. } => {
                        let write = move |connection| async move {
                            attempt.is_sent();
                            statement(connection, attempt).await.map(Verdict::Keep)
                        };
                        writer.write(write).await
                    }
                }
            }
        })
        .await
    }

    /// Deletes rows that nobody will miss, and for which it does no harm to be deleted twice. How many
    /// they were.
    pub(crate) async fn delete<E: EntityTrait>(
        &self,
        operation: &'static str,
        rows: DeleteMany<E>,
    ) -> Result<u64, StoreError> {
        let deleted = self.call(operation, Effect::RepeatableWrite, move |connection, _| {
            let rows = rows.clone();
            async move { rows.exec(&connection).await }
        });
        Ok(deleted.await?.rows_affected)
    }

    /// Makes a call of several statements, as one transaction.
    pub(crate) async fn transact<T, Fut>(
        &self,
        operation: &'static str,
        effect: Effect,
        statements: impl Fn(Connection, Attempt) -> Fut + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<Verdict<T>, DbErr>> + Send + 'static,
    {
        let connections = Arc::clone(&self.connections);
        let statements = Arc::new(statements);
        self.run(operation, effect, Earlier::nothing(), move |attempt| {
            let (connections, statements) = (Arc::clone(&connections), Arc::clone(&statements));
            async move {
                let statements = move |connection| {
                    attempt.is_sent();
                    statements(connection, attempt)
                };
                match &*connections {
                    Connections::Postgres { pool, .. } => {
                        in_transaction(&loan(pool).await?, statements).await
                    }
                    Connections::Sqlite { writer, .. } => writer.write(statements).await,
                }
            }
        })
        .await
    }

    /// Runs on the runtime that opened the store. A connection belongs to the runtime that it was
    /// made on and dies with it, so it must not be made on one of an HTTP worker, which may end
    /// before the others. And a call that was begun is finished, also when its caller goes away.
    async fn run<T, Fut>(
        &self,
        operation: &'static str,
        effect: Effect,
        earlier: Earlier,
        attempt: impl Fn(Attempt) -> Fut + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, Failed>> + Send + 'static,
    {
        let policy = Arc::clone(&self.policy);
        let call = async move { policy.run(operation, effect, earlier, attempt).await };
        let call = self.runtime.spawn(call.instrument(span(operation)));
        call.await
            .unwrap_or_else(|panicked| Err(StoreError::Defect(panicked.into())))
    }

    /// Makes one statement for several calls, once and without the rules for failures: where it fails, how.
    /// `operation` names it in the metrics. On SQLite it reads.
    pub(crate) async fn once<T, Fut>(
        &self,
        operation: &'static str,
        statement: impl FnOnce(Connection) -> Fut,
    ) -> Result<T, Failure>
    where
        Fut: Future<Output = Result<T, DbErr>>,
    {
        let started = Instant::now();
        let made = async {
            let connection = match &*self.connections {
                Connections::Postgres { pool, .. } => loan(pool).await?,
                Connections::Sqlite { reader, .. } => Connection::SqliteReader(reader.clone()),
            };
            statement(connection).await.map_err(failed)
        };
        match made.instrument(span(operation)).await {
            Ok(found) => {
                self.policy.record(operation, "ok", started.elapsed());
                Ok(found)
            }
            Err(Failed { failure, source }) => {
                if failure.may_pass() {
                    policy::is_made_again(failure, &source);
                }
                Err(failure)
            }
        }
    }

    /// Where its calls run.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Asks after the store itself: once, and not on a connection that calls could have taken.
    pub(crate) async fn probe<T, Fut>(
        &self,
        statement: impl FnOnce(Connection) -> Fut + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        let connections = Arc::clone(&self.connections);
        let call = self.runtime.spawn(async move {
            let connection = match &*connections {
                Connections::Postgres { probe, .. } => loan(probe).await,
                Connections::Sqlite { reader, .. } => Ok(Connection::SqliteReader(reader.clone())),
            };
            let connection = connection.map_err(|failed| StoreError::Unavailable(failed.source))?;
            statement(connection)
                .await
                .map_err(|error| StoreError::Unavailable(error.into()))
        });
        call.await
            .unwrap_or_else(|panicked| Err(StoreError::Defect(panicked.into())))
    }

    /// Ends every connection; those in use, when their call ends.
    pub async fn close(&self) {
        match &*self.connections {
            Connections::Postgres { pool, probe } => {
                pool.close();
                probe.close();
            }
            Connections::Sqlite { reader, writer } => {
                if let Err(error) = reader.close_by_ref().await {
                    tracing::warn!(%error, "the SQLite file did not close cleanly");
                }
                writer.close().await;
            }
        }
    }
}

/// The part of a trace that a call is.
fn span(operation: &'static str) -> Span {
    tracing::info_span!("store call", otel.name = operation, otel.kind = "client")
}

pub(crate) fn failed(error: DbErr) -> Failed {
    Failed {
        failure: Failure::of_statement(&error),
        source: error.into(),
    }
}

async fn loan(pool: &Pool<Links>) -> Result<Connection, Failed> {
    match pool.get().await {
        Ok(loan) => Ok(Connection::on_loan(loan)),
        Err(error) => Err(Failed {
            failure: Failure::of_loan(&error),
            source: error.into(),
        }),
    }
}
