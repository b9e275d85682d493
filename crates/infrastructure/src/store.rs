//! The connections to the store, and the one way through which every query goes.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Executor as _};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, SqlxPostgresConnector, SqlxSqliteConnector};
use taskhold_repository::error::StoreError;
use tokio::runtime::Handle;

use crate::error::{Access, store_error, timed_out};
use crate::url::DatabaseUrl;

/// How long a call waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call may take as a whole, waiting included.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// How long SQLite waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections to PostgreSQL at most; must stay below what the role is allowed.
const POSTGRES_CONNECTIONS: u32 = 10;
/// Neon suspends a database after five minutes; a connection that idles for less is never dead.
const POSTGRES_IDLE_TIMEOUT: Duration = Duration::from_mins(4);
const POSTGRES_MAX_LIFETIME: Duration = Duration::from_mins(30);
/// How long a connection may take to show that it is alive when it comes back to the pool.
const RELEASE_CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// SQLite has one writer at a time anyhow; readers run beside it.
const SQLITE_READERS: u32 = 4;

/// The connections of a running service: one pool on PostgreSQL; on SQLite one connection that
/// writes and a pool that only reads. Cloning it is cheap and shares them.
#[derive(Debug, Clone)]
pub struct Store {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    runtime: Handle,
}

/// Why the store could not be opened. Its text never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The folder of the SQLite file is missing and cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The SQLite file cannot be opened.
    #[error("cannot open the SQLite file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The PostgreSQL server does not answer or refuses the connection.
    #[error("cannot connect to {server}")]
    Server {
        /// The server and the database, without the password.
        server: String,
        /// What the driver says.
        source: sqlx::Error,
    },
}

impl Store {
    /// Opens the store for serving: makes a missing SQLite file, and shows once that the store
    /// answers. Every call will run on the runtime that this is called on.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn open(url: &DatabaseUrl) -> Result<Self, ConnectError> {
        match url {
            DatabaseUrl::Sqlite(path) => Self::open_sqlite(path).await,
            DatabaseUrl::Postgres(options) => {
                let pool = postgres_pool(POSTGRES_CONNECTIONS)
                    .after_connect(|connection, _| {
                        Box::pin(async move {
                            connection
                                .execute(
                                    "SET statement_timeout = '8s'; SET lock_timeout = '3s'; \
                                     SET idle_in_transaction_session_timeout = '10s'",
                                )
                                .await
                                .map(drop)
                        })
                    })
                    // A connection that died silently would otherwise keep its place in the pool.
                    .after_release(|connection, _| {
                        Box::pin(async move {
                            match tokio::time::timeout(RELEASE_CHECK_TIMEOUT, connection.ping())
                                .await
                            {
                                Ok(answer) => answer.map(|()| true),
                                Err(_) => Ok(false),
                            }
                        })
                    });
                let pool = connect_postgres(pool, options, url).await?;
                Ok(Self {
                    reader: pool.clone(),
                    writer: pool,
                    runtime: Handle::current(),
                })
            }
        }
    }

    /// One connection without time limits, for migrations and the like.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn open_for_maintenance(
        url: &DatabaseUrl,
    ) -> Result<DatabaseConnection, ConnectError> {
        match url {
            DatabaseUrl::Sqlite(path) => Ok(Self::open_sqlite(path).await?.writer),
            DatabaseUrl::Postgres(options) => {
                connect_postgres(postgres_pool(1), options, url).await
            }
        }
    }

    async fn open_sqlite(path: &Path) -> Result<Self, ConnectError> {
        make_private_file(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An answered write must outlive a power cut, which NORMAL does not promise in WAL.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let pool = |size| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(|error| ConnectError::File {
                path: path.to_owned(),
                source: error.into(),
            })?;
        let reader = pool(SQLITE_READERS).connect_lazy_with(options.read_only(true));
        Ok(Self {
            reader: SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
            writer: SqlxSqliteConnector::from_sqlx_sqlite_pool(writer),
            runtime: Handle::current(),
        })
    }

    /// Which dialect of SQL it speaks.
    pub(crate) fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// Runs a query that changes nothing.
    pub(crate) async fn read<T, Fut>(
        &self,
        query: impl FnOnce(DatabaseConnection) -> Fut,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        self.run(query(self.reader.clone()), Access::Read).await
    }

    /// Runs a statement that changes the store.
    pub(crate) async fn write<T, Fut>(
        &self,
        statement: impl FnOnce(DatabaseConnection) -> Fut,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        self.run(statement(self.writer.clone()), Access::Write)
            .await
    }

    /// Runs a call on the runtime that opened the store. A connection belongs to the runtime that
    /// it was made on and dies with it, so it must not be made on one of an HTTP worker, which may
    /// end before the others. And a call that was begun is finished, also when its caller goes away.
    async fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, DbErr>> + Send + 'static,
        access: Access,
    ) -> Result<T, StoreError> {
        let call = self.runtime.spawn(tokio::time::timeout(CALL_TIMEOUT, call));
        match call.await {
            Ok(Ok(answer)) => answer.map_err(|error| store_error(error, access)),
            Ok(Err(elapsed)) => Err(timed_out(elapsed, access)),
            Err(panicked) => Err(StoreError::Defect(panicked.into())),
        }
    }

    /// Ends every connection, after the calls that are under way.
    pub async fn close(&self) {
        // Closing the same pool twice, as on PostgreSQL, does nothing the second time.
        for connection in [&self.reader, &self.writer] {
            if let Err(error) = connection.close_by_ref().await {
                tracing::warn!(%error, "a connection to the store did not close cleanly");
            }
        }
    }
}

fn postgres_pool(size: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(POSTGRES_IDLE_TIMEOUT)
        .max_lifetime(POSTGRES_MAX_LIFETIME)
}

async fn connect_postgres(
    pool: PgPoolOptions,
    options: &PgConnectOptions,
    url: &DatabaseUrl,
) -> Result<DatabaseConnection, ConnectError> {
    let mut options = options.clone().disable_statement_logging();
    if options.get_application_name().is_none() {
        options = options.application_name("taskhold");
    }
    let pool = pool
        .connect_with(options)
        .await
        .map_err(|source| ConnectError::Server {
            server: url.to_string(),
            source,
        })?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// Makes the file and its folder where they are missing, for the owner's eyes only. SQLite gives
/// the files beside it the same mode.
fn make_private_file(path: &Path) -> Result<(), ConnectError> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        make_private_folder(folder).map_err(|source| ConnectError::Folder {
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
        .map_err(|source| ConnectError::File {
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
