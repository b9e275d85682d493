//! Schema migrations, safe to run by several instances at once: all pending ones run in one transaction
//! under a lock, so an instance sees either all or nothing of another's work.
//!
//! Everybody who needs a table queues up behind a migration that waits for its lock. So on PostgreSQL a migration
//! waits for seconds, gives up everything that it holds, and tries again.

mod lock_holders;

use std::pin::pin;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use sea_orm::sea_query::{Func, Query};
use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult,
    SqliteTransactionMode, SqlxPostgresConnector, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use taskhold_migration::Migrator;
use tokio::time::Instant;

use crate::db::connect::{ATTEMPT_TIMEOUT, ConnectError, ConnectOptions, session_options};
use crate::db::error::{is_lock_timeout, sql_state};
use crate::db::search::rebuild;
use crate::db::session::MaintenanceSession;
use crate::db::sqlite::{self, make_private_file};
use crate::db::tables::{self, quoted};
use crate::url::DatabaseKind;

/// An arbitrary number that no other program on the same database uses for its own advisory lock.
const LOCK_KEY: i64 = 0x7461_736b_686f_6c64;

/// The number of tasks whose texts for the search are rebuilt at once.
const REBUILT_AT_ONCE: u32 = 1_000;
/// What a migration sets in its transaction: it may take its time, but not wait for locks, nor keep others waiting.
/// The time is longer than the second after which autovacuum gives way.
const LIMITS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
     SET LOCAL lock_timeout = '2s'";
/// The pause between two tries, in which the requests are served that have queued up.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a migration tries to get its locks, unless told otherwise.
pub const LOCK_WAIT: Duration = Duration::from_mins(1);

/// A migration, and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its name.
    pub name: String,
    /// Whether it was applied.
    pub applied: bool,
    /// Whether this program knows it; a newer program may have applied others.
    pub known: bool,
}

/// A migration or a query of the schema's history failed. The schema has not changed then.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The history has migrations that this program does not know, and none that it knows.
    #[error(
        "its table seaql_migrations is that of another program, which has applied {0}: give Taskhold a database of its \
         own, or on PostgreSQL a schema (ALTER ROLE … SET search_path = …)"
    )]
    Foreign(String),
    /// The history has migrations that this program does not know, beside some that it knows.
    #[error(
        "a newer program has migrated it ({0}), and only that program can migrate it further or revert it; this one \
         serves it as it is"
    )]
    Newer(String),
    /// The database refused a statement, or was lost.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// Other sessions held a lock for too long.
    #[error(
        "{holders} held a lock that the migration needs, for {} s and {tries} tries. Nothing has changed, and running \
         instances serve on. Wait until it is free, or end a session with SELECT pg_terminate_backend(PID), and run \
         this again",
        waited.as_secs()
    )]
    Locked {
        /// The sessions.
        holders: String,
        /// How often the migration tried to get its locks.
        tries: u32,
        /// How long it tried.
        waited: Duration,
    },
}

impl MigrationError {
    /// Returns whether the database user lacks a right that the migration needs.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        const INSUFFICIENT_PRIVILEGE: &str = "42501";
        let Self::Database(error) = self else {
            return false;
        };
        sql_state(error).as_deref() == Some(INSUFFICIENT_PRIVILEGE)
    }
}

/// A connection that migrates a database. Its statements have no time limits but those for locks.
pub struct SchemaMigrator {
    connection: DatabaseConnection,
    options: ConnectOptions,
    lock_wait: Duration,
}

impl SchemaMigrator {
    /// Connects to a database. A missing SQLite file is created.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        let connection = match options.url.kind() {
            DatabaseKind::Sqlite(path) => {
                make_private_file(path)?;
                sqlite::pool(path, sqlite::options(path), 1).await?
            }
            DatabaseKind::Postgres(server) => {
                let server = session_options(server);
                let session = options.connect_session(&server).await?;
                MaintenanceSession::Postgres(Box::new(session))
                    .close()
                    .await;
                let pool = PgPoolOptions::new()
                    .max_connections(1)
                    .acquire_timeout(ATTEMPT_TIMEOUT)
                    .connect_lazy_with(server);
                SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
            }
        };
        Ok(Self {
            connection,
            options: options.clone(),
            lock_wait: LOCK_WAIT,
        })
    }

    /// Returns the migrator with the time for which it tries to get locks on PostgreSQL; [`LOCK_WAIT`] otherwise.
    #[must_use]
    pub fn waiting_for_locks(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// Applies all pending migrations. Returns their number. A database that a newer program has migrated
    /// further stays as it is: each version runs on the schema of the next one.
    ///
    /// Then rebuilds the texts that a search compares, in a short transaction for each batch, so that it neither
    /// blocks other instances nor holds all tasks in memory. If it is interrupted, the service goes on with it.
    ///
    /// # Errors
    /// [`MigrationError`].
    pub async fn up(&self) -> Result<usize, MigrationError> {
        let deferred = SqliteTransactionMode::Deferred;
        let is_current =
            async |transaction: &DatabaseTransaction| Ok(pending(transaction).await? == 0);
        if self.transact(deferred, is_current).await? {
            return Ok(0);
        }
        let count = self
            .transact_alone(async |transaction| {
                // Counted again: another instance may have held the lock and applied them.
                let pending = pending(transaction).await?;
                if pending > 0 {
                    refuse_unknown(transaction).await?;
                    Migrator::up(transaction, None).await?;
                }
                Ok(pending)
            })
            .await?;
        if count > 0 {
            self.rebuild_search().await?;
        }
        Ok(count)
    }

    async fn rebuild_search(&self) -> Result<(), MigrationError> {
        let mut last = None;
        loop {
            let rebuild = async |transaction: &DatabaseTransaction| {
                Ok(rebuild(transaction, last, REBUILT_AT_ONCE).await?)
            };
            let immediate = SqliteTransactionMode::Immediate;
            let batch = self.transact(immediate, rebuild).await?;
            last = match batch.last() {
                Some(id) => Some(*id),
                None => return Ok(()),
            };
        }
    }

    /// Reverts the last `steps` migrations, and deletes all data in the tables that they created. Returns
    /// the names of the reverted migrations, and of those that remain.
    ///
    /// # Errors
    /// [`MigrationError`].
    pub async fn down(&self, steps: u32) -> Result<(Vec<String>, Vec<String>), MigrationError> {
        self.transact_alone(async |transaction| {
            refuse_unknown(transaction).await?;
            let before = applied(transaction).await?;
            Migrator::down(transaction, Some(steps)).await?;
            let left = applied(transaction).await?;
            let reverted = before.into_iter().filter(|name| !left.contains(name));
            Ok((reverted.collect(), left))
        })
        .await
    }

    /// Drops every table and applies all migrations, which leaves an empty database.
    ///
    /// # Errors
    /// [`MigrationError`].
    pub async fn fresh(&self) -> Result<(), MigrationError> {
        self.transact_alone(async |transaction| {
            match refuse_unknown(transaction).await {
                // Everything goes, whatever a newer program made.
                Ok(()) | Err(MigrationError::Newer(_)) => {}
                Err(error) => return Err(error),
            }
            Ok(Migrator::fresh(transaction).await?)
        })
        .await
    }

    /// Returns every migration that this program or the database knows, oldest first.
    ///
    /// # Errors
    /// [`MigrationError`].
    pub async fn status(&self) -> Result<Vec<MigrationStatus>, MigrationError> {
        Ok(compare_with_known(applied(&self.connection).await?))
    }

    /// Closes the connection.
    ///
    /// # Errors
    /// [`MigrationError`] when it does not close cleanly.
    pub async fn close(self) -> Result<(), MigrationError> {
        Ok(self.connection.close().await?)
    }

    /// Runs `work` in a transaction that excludes other instances that migrate.
    async fn transact_alone<T>(
        &self,
        work: impl AsyncFn(&DatabaseTransaction) -> Result<T, MigrationError>,
    ) -> Result<T, MigrationError> {
        // Takes SQLite's only write lock at once.
        let immediate = SqliteTransactionMode::Immediate;
        let work = async |transaction: &DatabaseTransaction| {
            exclude_others(transaction).await?;
            work(transaction).await
        };
        self.transact(immediate, work).await
    }

    /// Runs `work` in a transaction, again and again while others hold the locks that it needs.
    async fn transact<T>(
        &self,
        mode: SqliteTransactionMode,
        work: impl AsyncFn(&DatabaseTransaction) -> Result<T, MigrationError>,
    ) -> Result<T, MigrationError> {
        let started = Instant::now();
        let mut holders = "a session that cannot be seen".to_owned();
        for tries in 1.. {
            let process = AtomicI32::default();
            let mut attempt = pin!(self.attempt(mode, &process, &work));
            let outcome = tokio::select! {
                biased;
                outcome = &mut attempt => outcome,
                found = lock_holders::find(&self.options, &process) => {
                    holders = found;
                    attempt.await
                }
            };
            let error = match outcome {
                Err(error) if is_lock_conflict(&error) => error,
                outcome => return outcome,
            };
            if started.elapsed() + PAUSE >= self.lock_wait {
                return Err(MigrationError::Locked {
                    holders,
                    tries,
                    waited: started.elapsed(),
                });
            }
            tracing::warn!(%holders, cause = %error, "the migration waits for a lock; running instances serve on");
            tokio::time::sleep(PAUSE).await;
        }
        unreachable!("the loop has no end")
    }

    /// Runs `work` in a transaction. `process` becomes the number of the server's process.
    async fn attempt<T>(
        &self,
        mode: SqliteTransactionMode,
        process: &AtomicI32,
        work: impl AsyncFn(&DatabaseTransaction) -> Result<T, MigrationError>,
    ) -> Result<T, MigrationError> {
        let options = TransactionOptions {
            // PostgreSQL ignores this.
            sqlite_transaction_mode: Some(mode),
            ..TransactionOptions::default()
        };
        let transaction = self.connection.begin_with_options(options).await?;
        if transaction.get_database_backend() == DbBackend::Postgres {
            transaction.execute_unprepared(LIMITS).await?;
            let own = rows(&transaction, "SELECT pg_backend_pid()".to_owned()).await?;
            let own = own.first().map(|row| row.try_get_by_index(0)).transpose()?;
            process.store(own.unwrap_or_default(), Ordering::Relaxed);
        }
        let done = work(&transaction).await?;
        transaction.commit().await?;
        Ok(done)
    }
}

/// Returns whether another session held a lock.
fn is_lock_conflict(error: &MigrationError) -> bool {
    const DEADLOCK_DETECTED: &str = "40P01";
    let MigrationError::Database(error) = error else {
        return false;
    };
    is_lock_timeout(error) || sql_state(error).as_deref() == Some(DEADLOCK_DETECTED)
}

/// Returns the status of every migration, given those that a database has applied.
#[must_use]
pub fn compare_with_known(applied: Vec<String>) -> Vec<MigrationStatus> {
    let known = known();
    let mut migrations: Vec<_> = known
        .iter()
        .map(|name| MigrationStatus {
            name: name.clone(),
            applied: applied.contains(name),
            known: true,
        })
        .collect();
    migrations.extend(
        applied
            .into_iter()
            .filter(|name| !known.contains(name))
            .map(|name| MigrationStatus {
                name,
                applied: true,
                known: false,
            }),
    );
    migrations
}

/// Returns whether another program keeps the history: some migrations were applied, and none that this program knows.
#[must_use]
pub fn is_foreign(migrations: &[MigrationStatus]) -> bool {
    let mut applied = migrations.iter().filter(|migration| migration.applied);
    applied.clone().next().is_some() && applied.all(|migration| !migration.known)
}

/// Returns the number of pending migrations. Only reads.
pub(crate) async fn pending(connection: &impl ConnectionTrait) -> Result<usize, DbErr> {
    let applied = applied(connection).await?;
    Ok(known()
        .iter()
        .filter(|name| !applied.contains(name))
        .count())
}

/// Returns the names of this program's migrations, oldest first.
#[must_use]
pub fn known() -> Vec<String> {
    let migrations = Migrator::migrations();
    migrations
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect()
}

async fn applied(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let Some(history) = history(connection).await? else {
        return Ok(Vec::new());
    };
    let sql = format!("SELECT version FROM {history} ORDER BY version");
    let rows = rows(connection, sql).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// Refuses a history with migrations that this program does not know. It is the table that the migrator would use,
/// beside which there may be no tables of Taskhold.
async fn refuse_unknown(connection: &impl ConnectionTrait) -> Result<(), MigrationError> {
    let exists = match connection.get_database_backend() {
        DbBackend::Postgres => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
        _ => "SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations'",
    };
    if rows(connection, exists.to_owned()).await?.is_empty() {
        return Ok(());
    }
    let sql = "SELECT version FROM seaql_migrations ORDER BY version".to_owned();
    let applied = rows(connection, sql).await?;
    let applied: Result<Vec<String>, DbErr> =
        applied.iter().map(|row| row.try_get_by_index(0)).collect();
    let migrations = compare_with_known(applied?);
    let unknown = migrations.iter().filter(|migration| !migration.known);
    let unknown: Vec<_> = unknown.map(|migration| migration.name.as_str()).collect();
    let names = unknown.join(", ");
    if unknown.is_empty() {
        Ok(())
    } else if is_foreign(&migrations) {
        Err(MigrationError::Foreign(names))
    } else {
        Err(MigrationError::Newer(names))
    }
}

/// Returns the table of applied migrations, as SQL; `None` if there are no tables.
async fn history(connection: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    if connection.get_database_backend() == DbBackend::Postgres {
        let schema = schema(connection).await?;
        return Ok(schema.map(|schema| format!("{}.seaql_migrations", quoted(&schema))));
    }
    let sql = "SELECT name FROM sqlite_master WHERE name = 'seaql_migrations'";
    let found = rows(connection, sql.to_owned()).await?;
    Ok((!found.is_empty()).then(|| "seaql_migrations".to_owned()))
}

/// Returns the schema of PostgreSQL in which the tables are.
async fn schema(connection: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    let found = rows(connection, tables::FIND.to_owned()).await?;
    let found = found
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
    let found: Result<Vec<_>, DbErr> = found.collect();
    tables::only_schema(found?).map_err(|error| DbErr::Custom(error.to_string()))
}

async fn rows(connection: &impl ConnectionTrait, sql: String) -> Result<Vec<QueryResult>, DbErr> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection.query_all_raw(statement).await
}

/// Excludes other instances that migrate from now on.
async fn exclude_others(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        // Bound to the transaction: it works through a pooler and is released with the transaction.
        let lock = Query::select()
            .expr(Func::cust("pg_advisory_xact_lock").arg(LOCK_KEY))
            .to_owned();
        transaction.query_one(&lock).await?;
        if let Some(schema) = schema(transaction).await? {
            // New tables belong to those that are there, which need not be in the first schema of the path.
            let path = Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT set_config('search_path', $1 || ', ' || current_setting('search_path'), true)",
                [quoted(&schema).into()],
            );
            transaction.query_one_raw(path).await?;
        }
    }
    Ok(())
}
