//! The open database: its connections, and the methods that execute calls and health checks.

mod attempt;
mod batch;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool::managed::Pool;
use futures_util::{FutureExt as _, TryFutureExt as _};
use sea_orm::{DbBackend, DbErr, DeleteMany, EntityTrait};
use taskhold_repository::error::StoreError;
use tokio::runtime::Handle;
use tracing::Instrument as _;

use self::attempt::{Scope, Statements, checkout, checkout_reader, downcast, span};
use crate::db::connect::{ConnectError, ConnectOptions, Engine, session_options};
use crate::db::connection::Connection;
use crate::db::guard::Guard;
use crate::db::pool::{self, ConnectionManager};
use crate::db::retry::{Attempt, Call, Idempotence, RetryPolicy, cut_off};
use crate::db::session::MaintenanceSession;
use crate::db::sqlite::{self, FileError, make_private_file};
use crate::db::sqlite_readers::SqliteReaders;
use crate::db::sqlite_writer::SqliteWriter;
use crate::db::transaction::{Answer, TransactionOutcome};
use crate::url::DatabaseKind;

/// The longest that a health check's statement may take. Its connection is closed then: it is the only one,
/// and the network may have lost it silently.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// An open database, which implements every storage port. Cloning it is cheap and shares its
/// connections: a pool on PostgreSQL; on SQLite one connection that writes and a pool that reads.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
    retry: Arc<RetryPolicy>,
    /// The change that the database must have to answer, if it is a replica.
    guard: Option<Arc<Guard>>,
}

struct Inner {
    connections: Connections,
    options: ConnectOptions,
    /// The calls of all running batches, less one for each batch.
    extra_calls_in_batches: AtomicUsize,
    /// The runtime that opened the connections, on which all calls run.
    runtime: Handle,
}

enum Connections {
    Postgres {
        pool: Pool<ConnectionManager>,
        /// Serves health checks, so that a full pool does not make them fail.
        health: Pool<ConnectionManager>,
        engine: Engine,
    },
    Sqlite {
        readers: SqliteReaders,
        writer: SqliteWriter,
    },
}

impl Connections {
    async fn sqlite(path: &Path, options: &ConnectOptions) -> Result<Self, FileError> {
        make_private_file(path)?;
        let file = sqlite::options(path);
        // The writer opens first: only it may create what a new file lacks.
        let writer = SqliteWriter::start(file.clone(), options.writes_per_commit).await;
        let writer = writer.map_err(|error| FileError::open(path, error))?;
        let readers = SqliteReaders::open(path, sqlite::reading(file)).await?;
        Ok(Self::Sqlite { readers, writer })
    }
}

/// The use of a database's connections at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that execute a call or a batch of calls.
    pub in_use: usize,
    /// Open connections that are free.
    pub idle: usize,
    /// Calls that wait for a connection, in a batch's queue, or for a retry.
    pub waiting: usize,
}

impl Database {
    /// Opens a database, and checks that it answers. Calls run on the runtime on which the database was
    /// opened. A missing SQLite file is created.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        Self::open(options, RetryPolicy::new(options.slow_call)).await
    }

    /// Opens a replica of a database: each call is attempted once.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub(crate) async fn connect_to_replica(options: &ConnectOptions) -> Result<Self, ConnectError> {
        Self::open(options, RetryPolicy::of_replica()).await
    }

    async fn open(options: &ConnectOptions, retry: RetryPolicy) -> Result<Self, ConnectError> {
        let connections = match options.url.kind() {
            DatabaseKind::Sqlite(path) => Connections::sqlite(path, options).await?,
            DatabaseKind::Postgres(server) => {
                let server = session_options(server);
                let (engine, max_connections) = options.check_server(&server).await?;
                let (pool, health) = pool::pools(&server, max_connections, !options.pooled);
                Connections::Postgres {
                    pool,
                    health,
                    engine,
                }
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                connections,
                options: options.clone(),
                extra_calls_in_batches: AtomicUsize::new(0),
                runtime: Handle::current(),
            }),
            retry: Arc::new(retry),
            guard: None,
        })
    }

    /// Returns the same replica, which answers only if it has the change of the guard.
    pub(crate) fn guarded(&self, guard: Arc<Guard>) -> Self {
        Self {
            guard: Some(guard),
            ..self.clone()
        }
    }

    /// Returns whether the database is a PostgreSQL server.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.backend() == DbBackend::Postgres
    }

    /// Returns the engine of a PostgreSQL server; `None` for a SQLite file.
    #[must_use]
    pub fn engine(&self) -> Option<&Engine> {
        match &self.inner.connections {
            Connections::Postgres { engine, .. } => Some(engine),
            Connections::Sqlite { .. } => None,
        }
    }

    /// Returns the SQL dialect of the database.
    pub(crate) fn backend(&self) -> DbBackend {
        match self.inner.connections {
            Connections::Postgres { .. } => DbBackend::Postgres,
            Connections::Sqlite { .. } => DbBackend::Sqlite,
        }
    }

    /// Returns the runtime on which calls run.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    /// Opens a session without time limits beside the pool.
    pub(crate) async fn session(&self) -> Result<MaintenanceSession, ConnectError> {
        self.inner.options.session().await
    }

    /// Returns how the connections are used now. On SQLite every call counts as in use.
    #[must_use]
    pub fn pool_use(&self) -> PoolUse {
        let calls = self.retry.calls();
        match &self.inner.connections {
            Connections::Postgres { pool, .. } => {
                let status = pool.status();
                let in_use = status.size.saturating_sub(status.available);
                let extra = self.inner.extra_calls_in_batches.load(Ordering::Relaxed);
                PoolUse {
                    in_use,
                    idle: status.available,
                    waiting: calls.saturating_sub(in_use + extra),
                }
            }
            Connections::Sqlite { .. } => PoolUse {
                in_use: calls,
                idle: 0,
                waiting: 0,
            },
        }
    }

    /// Admits a call, which is then executed by one of the other methods or in a batch.
    /// `operation` is its name in the metrics.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too many calls are in progress.
    pub(crate) fn admit(&self, operation: &'static str) -> Result<Call, StoreError> {
        self.retry.admit(operation)
    }

    /// Records the outcome of a call that a batch has answered.
    pub(crate) fn finish<T>(
        &self,
        call: Call,
        outcome: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.retry.finish(call, outcome)
    }

    /// Admits and executes a call of one statement.
    pub(crate) async fn execute<T, Fut>(
        &self,
        operation: &'static str,
        idempotence: Idempotence,
        statement: impl Fn(Connection, Attempt) -> Fut + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        let call = self.admit(operation)?;
        self.execute_call(call, idempotence, statement).await
    }

    /// Executes an admitted call of one statement, on a connection of its own.
    pub(crate) async fn execute_call<T, Fut>(
        &self,
        call: Call,
        idempotence: Idempotence,
        statement: impl Fn(Connection, Attempt) -> Fut + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        let guard = self.guard.clone();
        let statement = move |connection: Connection, attempt| {
            let connection = match &guard {
                Some(guard) => connection.guarded(Arc::clone(guard)),
                None => connection,
            };
            let answer = statement(connection, attempt);
            let outcome = answer.map_ok(|answer| TransactionOutcome::Commit(answer).erase());
            outcome.boxed()
        };
        let answer = self.run(call, idempotence, Scope::Statement, Arc::new(statement));
        downcast(answer.await?)
    }

    /// Deletes rows. Returns the number of deleted rows; after a retry it may be too small.
    pub(crate) async fn delete<E: EntityTrait>(
        &self,
        operation: &'static str,
        rows: DeleteMany<E>,
    ) -> Result<u64, StoreError> {
        let delete = move |connection, _| {
            let rows = rows.clone();
            async move { rows.exec(&connection).await }
        };
        let deleted = self.execute(operation, Idempotence::IdempotentWrite, delete);
        Ok(deleted.await?.rows_affected)
    }

    /// Admits and executes a call of several statements in one transaction.
    pub(crate) async fn transact<T, Fut>(
        &self,
        operation: &'static str,
        idempotence: Idempotence,
        statements: impl Fn(Connection, Attempt) -> Fut + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<TransactionOutcome<T>, DbErr>> + Send + 'static,
    {
        let statements = move |connection, attempt| {
            let outcome = statements(connection, attempt);
            outcome.map_ok(TransactionOutcome::erase).boxed()
        };
        let call = self.admit(operation)?;
        let answer = self.run(call, idempotence, Scope::Transaction, Arc::new(statements));
        downcast(answer.await?)
    }

    /// Runs a call on the runtime that opened the database, and completes it even if its caller goes away.
    /// The caller's own runtime will not do: it may be that of an HTTP worker, which can end before others,
    /// and a connection dies with the runtime that opened it.
    async fn run(
        &self,
        call: Call,
        idempotence: Idempotence,
        scope: Scope,
        statements: Statements,
    ) -> Result<Answer, StoreError> {
        let (inner, retry) = (Arc::clone(&self.inner), Arc::clone(&self.retry));
        let span = span(call.operation());
        let run = async move {
            let attempt = |attempt| inner.attempt(attempt, idempotence, scope, &statements);
            retry.run(call, idempotence, attempt).await
        };
        let run = self.runtime().spawn(run.instrument(span));
        run.await.unwrap_or_else(|error| {
            Err(if error.is_panic() {
                StoreError::Defect(error.into())
            } else {
                cut_off(idempotence, error)
            })
        })
    }

    /// Executes a health check, without retries. On PostgreSQL it uses a connection that calls never take.
    pub(crate) async fn check_health<T, Fut>(
        &self,
        statement: impl FnOnce(Connection) -> Fut + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let check = self.runtime().spawn(async move {
            let connection = match &inner.connections {
                Connections::Postgres { health, .. } => checkout(health).await,
                Connections::Sqlite { readers, .. } => checkout_reader(readers).await,
            };
            let connection = connection.map_err(|error| StoreError::Unavailable(error.source))?;
            // Without an answer the connection is dropped with its statement, and so not reused.
            tokio::time::timeout(HEALTH_TIMEOUT, statement(connection))
                .await
                .map_err(|elapsed| StoreError::Unavailable(elapsed.into()))?
                .map_err(|error| StoreError::Unavailable(error.into()))
        });
        check
            .await
            .unwrap_or_else(|error| Err(StoreError::Unavailable(error.into())))
    }

    /// Returns the path of a SQLite file, or `None` on PostgreSQL.
    pub(crate) fn sqlite_path(&self) -> Option<&Path> {
        self.inner.options.url.sqlite_path()
    }

    /// Closes every connection; one that is in use closes when its call ends.
    pub async fn close(&self) {
        match &self.inner.connections {
            Connections::Postgres { pool, health, .. } => {
                pool.close();
                health.close();
            }
            Connections::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}
