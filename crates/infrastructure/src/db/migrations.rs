//! Schema migrations, safe to run by several instances at once: all pending ones run in one transaction
//! under a lock, so an instance sees either all or nothing of another's work.
//!
//! PostgreSQL builds indexes without keeping writes waiting, but in no transaction. A migration that does so runs in a
//! session of its own, while the transaction of the lock does nothing else.
//!
//! Everybody who needs a table queues up behind a migration that waits for its lock. So on PostgreSQL a migration
//! waits for seconds, gives up everything that it holds, and tries again.

mod error;
mod exclusion;
mod history;
mod lock_holders;
mod session;

use std::pin::pin;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use taskhold_migration::Migrator;
use tokio::time::Instant;
use uuid::Uuid;

pub use self::error::MigrationError;
use self::exclusion::{ensure_locks, exclude_others};
pub(crate) use self::history::pending;
pub use self::history::{MigrationStatus, compare_with_known, is_foreign, known};
use self::history::{applied, refuse_unknown};
use self::session::{one_session, schema, server_process, use_schema};
use crate::db::connect::{ConnectError, ConnectOptions, session_options};
use crate::db::due_dates;
use crate::db::search;
use crate::db::session::MaintenanceSession;
use crate::db::sqlite::{self, make_private_file};
use crate::url::DatabaseKind;

/// The number of tasks whose columns for searches and orders are rebuilt at once.
const REBUILT_AT_ONCE: u32 = 1_000;
/// The limits of a migration in its transaction: it may take its time, but not wait for locks, nor keep others waiting.
/// The time is longer than the second after which autovacuum gives way.
const LIMITS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
     SET LOCAL lock_timeout = '2s'";
/// The limits of a build of an index in its session, before the time for locks. Nobody queues up behind a build, and
/// each try begins anew.
const LIMITS_OF_BUILDS: &str = "SET statement_timeout = 0; SET lock_timeout = ";
/// The pause between two tries, in which the requests are served that have queued up.
const PAUSE: Duration = Duration::from_secs(1);
/// The default time for which a migration tries to get its locks.
pub const LOCK_WAIT: Duration = Duration::from_mins(1);

/// A connection that migrates a database. Its statements have no time limits but those for locks.
pub struct SchemaMigrator {
    connection: DatabaseConnection,
    options: ConnectOptions,
    lock_wait: Duration,
    /// The number of the server's process that may wait for a lock.
    process: AtomicI32,
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
                sqlite::single_connection(path, sqlite::options(path)).await?
            }
            DatabaseKind::Postgres(server) => {
                let server = session_options(server);
                let (session, _) = options.connect_session(&server).await?;
                MaintenanceSession::Postgres(Box::new(session))
                    .close()
                    .await;
                one_session(server)
            }
        };
        Ok(Self {
            connection,
            options: options.clone(),
            lock_wait: LOCK_WAIT,
            process: AtomicI32::default(),
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
    /// Then rebuilds the texts that a search compares, and the due dates that orders and filters compare, in a short
    /// transaction for each batch, so that it neither blocks other instances nor holds all tasks in memory. If it is
    /// interrupted, the service goes on with the texts, and the next migration computes the due dates.
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
        let mut count = 0;
        loop {
            let applied =
                self.transact_alone(async |transaction| self.apply_next(transaction).await);
            match applied.await? {
                0 => break,
                applied => count += applied,
            }
        }
        if count > 0 {
            self.rebuild(async |transaction, after| {
                let rebuilt = search::rebuild(transaction, after, REBUILT_AT_ONCE).await?;
                Ok(rebuilt.last().copied())
            })
            .await?;
            for table in due_dates::TABLES {
                self.rebuild(async |transaction, after| {
                    due_dates::rebuild(transaction, table, after, REBUILT_AT_ONCE).await
                })
                .await?;
            }
        }
        Ok(count)
    }

    /// Applies the pending migrations up to the first one that needs a session of its own, or that one. Returns their
    /// number, 0 if none is pending: another instance may have held the lock and applied them.
    async fn apply_next(&self, transaction: &DatabaseTransaction) -> Result<usize, MigrationError> {
        let applied = applied(transaction).await?;
        let mut pending = Migrator::migrations();
        pending.retain(|migration| !applied.iter().any(|name| name == migration.name()));
        if pending.is_empty() {
            return Ok(0);
        }
        refuse_unknown(transaction).await?;
        // SQLite has one writer, and nobody writes to tables that are made just now.
        let server = match self.options.url.kind() {
            DatabaseKind::Postgres(server) if !applied.is_empty() => Some(server),
            _ => None,
        };
        let together = pending
            .iter()
            .take_while(|migration| server.is_none() || migration.use_transaction() != Some(false))
            .count();
        match server {
            Some(server) if together == 0 => {
                self.build_indexes(server, transaction).await?;
                Ok(1)
            }
            _ => {
                let steps = u32::try_from(together).unwrap_or(u32::MAX);
                Migrator::up(transaction, Some(steps)).await?;
                Ok(together)
            }
        }
    }

    /// Applies the next migration, which builds indexes, in a session of its own. The transaction excludes others.
    async fn build_indexes(
        &self,
        server: &PgConnectOptions,
        transaction: &DatabaseTransaction,
    ) -> Result<(), MigrationError> {
        let session = one_session(session_options(server));
        let built = async {
            let limits = format!("{LIMITS_OF_BUILDS}{}", self.lock_wait.as_millis().max(1));
            session.execute_unprepared(&limits).await?;
            use_schema(&session, schema(transaction).await?, false).await?;
            self.process
                .store(server_process(&session).await?, Ordering::Relaxed);
            Migrator::up(&session, Some(1)).await
        };
        let built = built.await.map_err(MigrationError::Index);
        session.close().await?;
        built
    }

    /// Rebuilds columns of rows in batches, each in a short transaction, given what rebuilds the batch after an id and
    /// returns the last id of the batch, or `None` if there are no more rows.
    async fn rebuild(
        &self,
        batch: impl AsyncFn(&DatabaseTransaction, Option<Uuid>) -> Result<Option<Uuid>, DbErr>,
    ) -> Result<(), MigrationError> {
        let mut last = None;
        loop {
            let next =
                async |transaction: &DatabaseTransaction| Ok(batch(transaction, last).await?);
            last = self
                .transact(SqliteTransactionMode::Immediate, next)
                .await?;
            if last.is_none() {
                return Ok(());
            }
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
        self.repeat(async || {
            ensure_locks(&self.connection, LIMITS).await?;
            self.attempt(immediate, &work).await
        })
        .await
    }

    /// Runs `work` in a transaction, again and again while others hold the locks that it needs.
    async fn transact<T>(
        &self,
        mode: SqliteTransactionMode,
        work: impl AsyncFn(&DatabaseTransaction) -> Result<T, MigrationError>,
    ) -> Result<T, MigrationError> {
        self.repeat(async || self.attempt(mode, &work).await).await
    }

    /// Makes attempts while others hold the locks that they need.
    async fn repeat<T>(
        &self,
        attempt: impl AsyncFn() -> Result<T, MigrationError>,
    ) -> Result<T, MigrationError> {
        let started = Instant::now();
        let mut holders = "a session that cannot be seen".to_owned();
        for tries in 1.. {
            self.process.store(0, Ordering::Relaxed);
            let mut attempt = pin!(attempt());
            let outcome = tokio::select! {
                biased;
                outcome = &mut attempt => outcome,
                found = lock_holders::find(&self.options, &self.process) => {
                    holders = found;
                    attempt.await
                }
            };
            let error = match outcome {
                Err(error) if error.is_lock_conflict() => error,
                outcome => return outcome,
            };
            if started.elapsed() + PAUSE >= self.lock_wait {
                return Err(MigrationError::Locked {
                    holders,
                    tries,
                    waited: started.elapsed(),
                    is_index: matches!(error, MigrationError::Index(_)),
                });
            }
            tracing::warn!(%holders, cause = %error, "the migration waits for a lock; running instances serve on");
            tokio::time::sleep(PAUSE).await;
        }
        unreachable!("the loop has no end")
    }

    /// Runs `work` in a transaction.
    async fn attempt<T>(
        &self,
        mode: SqliteTransactionMode,
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
            let process = server_process(&transaction).await?;
            self.process.store(process, Ordering::Relaxed);
        }
        let done = work(&transaction).await?;
        transaction.commit().await?;
        Ok(done)
    }
}
