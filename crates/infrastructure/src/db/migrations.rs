//! Schema migrations, safe to run by several instances at once: all pending ones run in one transaction
//! under a lock, so an instance sees either all or nothing of another's work.

use sea_orm::sea_query::{Func, Query};
use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult,
    SqliteTransactionMode, SqlxPostgresConnector, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use taskhold_migration::Migrator;

use crate::db::connect::{ATTEMPT_TIMEOUT, ConnectError, ConnectOptions, session_options};
use crate::db::error::sql_state;
use crate::db::search::rebuild;
use crate::db::session::MaintenanceSession;
use crate::db::sqlite::{self, make_private_file};
use crate::db::tables::{self, quoted};
use crate::url::DatabaseKind;

/// An arbitrary number that no other program on the same database uses for its own advisory lock.
const LOCK_KEY: i64 = 0x7461_736b_686f_6c64;

/// The number of tasks whose texts for the search are rebuilt at once.
const REBUILT_AT_ONCE: u32 = 1_000;

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
    /// The database's error.
    #[error(transparent)]
    Database(#[from] DbErr),
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

/// A connection that migrates a database. It has no time limits.
pub struct SchemaMigrator {
    connection: DatabaseConnection,
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
        Ok(Self { connection })
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
        if pending(&self.connection).await? == 0 {
            return Ok(0);
        }
        let transaction = begin_locked(&self.connection).await?;
        // Counted again: another instance may have held the lock and applied them.
        let pending = pending(&transaction).await?;
        if pending > 0 {
            refuse_unknown(&transaction).await?;
            Migrator::up(&transaction, None).await?;
        }
        transaction.commit().await?;
        if pending > 0 {
            self.rebuild_search().await?;
        }
        Ok(pending)
    }

    async fn rebuild_search(&self) -> Result<(), DbErr> {
        let mut last = None;
        loop {
            let transaction = self.connection.begin_with_options(writing()).await?;
            let rebuilt = rebuild(&transaction, last, REBUILT_AT_ONCE).await?;
            transaction.commit().await?;
            last = match rebuilt.last() {
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
        let transaction = begin_locked(&self.connection).await?;
        refuse_unknown(&transaction).await?;
        let before = applied(&transaction).await?;
        Migrator::down(&transaction, Some(steps)).await?;
        let left = applied(&transaction).await?;
        transaction.commit().await?;
        let reverted = before.into_iter().filter(|name| !left.contains(name));
        Ok((reverted.collect(), left))
    }

    /// Drops every table and applies all migrations, which leaves an empty database.
    ///
    /// # Errors
    /// [`MigrationError`].
    pub async fn fresh(&self) -> Result<(), MigrationError> {
        let transaction = begin_locked(&self.connection).await?;
        match refuse_unknown(&transaction).await {
            // Everything goes, whatever a newer program made.
            Ok(()) | Err(MigrationError::Newer(_)) => {}
            Err(error) => return Err(error),
        }
        Migrator::fresh(&transaction).await?;
        transaction.commit().await?;
        Ok(())
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
    let known = known();
    let (known, unknown): (Vec<_>, Vec<_>) =
        applied?.into_iter().partition(|name| known.contains(name));
    match (known.is_empty(), unknown.is_empty()) {
        (_, true) => Ok(()),
        (true, false) => Err(MigrationError::Foreign(unknown.join(", "))),
        (false, false) => Err(MigrationError::Newer(unknown.join(", "))),
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

/// Takes SQLite's only write lock at once. PostgreSQL ignores this.
fn writing() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// Begins a transaction that excludes other instances that migrate.
async fn begin_locked(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let transaction = connection.begin_with_options(writing()).await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        // Bound to the transaction: it works through a pooler and is released with the transaction.
        let lock = Query::select()
            .expr(Func::cust("pg_advisory_xact_lock").arg(LOCK_KEY))
            .to_owned();
        transaction.query_one(&lock).await?;
        if let Some(schema) = schema(&transaction).await? {
            // New tables belong to those that are there, which need not be in the first schema of the path.
            let path = Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT set_config('search_path', $1 || ', ' || current_setting('search_path'), true)",
                [quoted(&schema).into()],
            );
            transaction.query_one_raw(path).await?;
        }
    }
    Ok(transaction)
}
