//! The connections to the store, and the one way through which every call goes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::Pool;
use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, SqlxSqliteConnector};
use taskhold_repository::error::StoreError;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::connection::Connection;
use crate::error::Failure;
use crate::policy::{Attempt, Effect, Failed, Policy};
use crate::pool::{self, Links};

/// How long a call waits for a free connection to SQLite.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// SQLite has one writer at a time anyhow; readers run beside it.
const SQLITE_READERS: u32 = 4;

/// The connections of a running service: a pool on PostgreSQL; on SQLite one connection that writes
/// and a pool that only reads. Cloning it is cheap and shares them.
#[derive(Clone)]
pub struct Store {
    links: Arc<Connections>,
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
        writer: DatabaseConnection,
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

/// Why a SQLite file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its folder is missing and cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be opened.
    #[error("cannot open the SQLite file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
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
    pub(crate) async fn sqlite(path: &Path) -> Result<Self, FileError> {
        let writer = sqlite_pool(path, Sqlite::Writer).await?;
        let reader = sqlite_pool(path, Sqlite::Readers).await?;
        Ok(Self::on(Connections::Sqlite { reader, writer }))
    }

    fn on(links: Connections) -> Self {
        Self {
            links: Arc::new(links),
            policy: Arc::default(),
            runtime: Handle::current(),
        }
    }

    /// Which dialect of SQL it speaks.
    pub(crate) fn backend(&self) -> DbBackend {
        match *self.links {
            Connections::Postgres { .. } => DbBackend::Postgres,
            Connections::Sqlite { .. } => DbBackend::Sqlite,
        }
    }

    /// How its connections are used now; only PostgreSQL's are counted.
    #[must_use]
    pub fn pool_use(&self) -> PoolUse {
        let calls = self.policy.calls();
        match &*self.links {
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

    /// Makes a call by the [policy](crate::policy), on a connection of its own. `operation` names
    /// it in the metrics.
    ///
    /// It runs on the runtime that opened the store. A connection belongs to the runtime that it was
    /// made on and dies with it, so it must not be made on one of an HTTP worker, which may end
    /// before the others. And a call that was begun is finished, also when its caller goes away.
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
        let (links, policy) = (Arc::clone(&self.links), Arc::clone(&self.policy));
        let statement = Arc::new(statement);
        let attempt = move |attempt| {
            let (links, statement) = (Arc::clone(&links), Arc::clone(&statement));
            async move {
                let connection = links.connection(effect).await?;
                statement(connection, attempt)
                    .await
                    .map_err(|error| Failed {
                        failure: Failure::of_statement(&error),
                        source: error.into(),
                    })
            }
        };
        let call = self
            .runtime
            .spawn(async move { policy.run(operation, effect, attempt).await });
        call.await
            .unwrap_or_else(|panicked| Err(StoreError::Defect(panicked.into())))
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
        let links = Arc::clone(&self.links);
        let call = self.runtime.spawn(async move {
            let connection = match &*links {
                Connections::Postgres { probe, .. } => loan(probe).await,
                Connections::Sqlite { reader, .. } => Ok(Connection::Sqlite(reader.clone())),
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
        match &*self.links {
            Connections::Postgres { pool, probe } => {
                pool.close();
                probe.close();
            }
            Connections::Sqlite { reader, writer } => {
                for connection in [reader, writer] {
                    if let Err(error) = connection.close_by_ref().await {
                        tracing::warn!(%error, "the SQLite file did not close cleanly");
                    }
                }
            }
        }
    }
}

impl Connections {
    async fn connection(&self, effect: Effect) -> Result<Connection, Failed> {
        match self {
            Self::Postgres { pool, .. } => loan(pool).await,
            Self::Sqlite { reader, .. } if effect == Effect::Read => {
                Ok(Connection::Sqlite(reader.clone()))
            }
            Self::Sqlite { writer, .. } => Ok(Connection::Sqlite(writer.clone())),
        }
    }
}

async fn loan(pool: &Pool<Links>) -> Result<Connection, Failed> {
    match pool.get().await {
        Ok(loan) => Ok(Connection::Postgres(Mutex::new(loan))),
        Err(error) => Err(Failed {
            failure: Failure::of_loan(&error),
            source: error.into(),
        }),
    }
}

/// Who uses a pool of SQLite connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sqlite {
    Writer,
    Readers,
}

/// Connections to a SQLite file, which is made where it is missing.
pub(crate) async fn sqlite_pool(path: &Path, who: Sqlite) -> Result<DatabaseConnection, FileError> {
    make_private_file(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An answered write must outlive a power cut, which NORMAL does not promise in WAL.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(if who == Sqlite::Writer {
            1
        } else {
            SQLITE_READERS
        })
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options.read_only(who == Sqlite::Readers))
        .await
        .map_err(|error| FileError::File {
            path: path.to_owned(),
            source: error.into(),
        })?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

/// Makes the file and its folder where they are missing, for the owner's eyes only. SQLite gives
/// the files beside it the same mode.
fn make_private_file(path: &Path) -> Result<(), FileError> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        make_private_folder(folder).map_err(|source| FileError::Folder {
            path: folder.to_owned(),
            source,
        })?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map(drop)
        .map_err(|source| FileError::File {
            path: path.to_owned(),
            source: source.into(),
        })
}

/// Makes a folder, and those that lead to it, for the eyes of this user only.
///
/// # Errors
/// What the system says.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
