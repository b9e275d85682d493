//! Migrations, safe to run by several instances at once: all pending ones happen in one
//! transaction under a lock, so an instance sees either none or all of another's work.

use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Query};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityName,
    EntityTrait, QueryOrder, RuntimeErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use sea_orm_migration::{MigratorTrait, seaql_migrations};
use taskhold_migration::Migrator;

/// Any number that no other program on the same database takes for its own advisory lock.
const LOCK_KEY: i64 = 0x7461_736b_686f_6c64;

/// A migration, and whether the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its name.
    pub name: String,
    /// Whether it was applied.
    pub applied: bool,
    /// Whether this program knows it; a newer program may have applied others.
    pub known: bool,
}

/// Applies what is pending. How many there were. A store that a newer program has migrated
/// further is left as it is: the version before runs on the schema of the next one.
///
/// # Errors
/// [`DbErr`]; nothing has changed then.
pub async fn up(connection: &DatabaseConnection) -> Result<usize, DbErr> {
    if pending(connection).await? == 0 {
        return Ok(0);
    }
    let transaction = begin_locked(connection).await?;
    // Asked again: another instance may have held the lock, and done the work.
    let pending = pending(&transaction).await?;
    if pending > 0 {
        Migrator::up(&transaction, None).await?;
    }
    transaction.commit().await?;
    Ok(pending)
}

/// Takes the last `steps` migrations back, with all data in what they made. How many are left.
///
/// # Errors
/// [`DbErr`]; nothing has changed then.
pub async fn down(connection: &DatabaseConnection, steps: u32) -> Result<usize, DbErr> {
    let transaction = begin_locked(connection).await?;
    Migrator::down(&transaction, Some(steps)).await?;
    let left = applied(&transaction).await?.len();
    transaction.commit().await?;
    Ok(left)
}

/// Drops every table and applies all migrations: an empty store.
///
/// # Errors
/// [`DbErr`]; nothing has changed then.
pub async fn fresh(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = begin_locked(connection).await?;
    Migrator::fresh(&transaction).await?;
    transaction.commit().await
}

/// Every migration that this program or the store knows, oldest first.
///
/// # Errors
/// [`DbErr`].
pub async fn status(connection: &DatabaseConnection) -> Result<Vec<MigrationStatus>, DbErr> {
    Ok(compared(applied(connection).await?))
}

/// The same of a store that has these.
#[must_use]
pub fn compared(applied: Vec<String>) -> Vec<MigrationStatus> {
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

/// Whether the store's user lacks the right to do it.
#[must_use]
pub fn is_denied(error: &DbErr) -> bool {
    const INSUFFICIENT_PRIVILEGE: &str = "42501";
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) =
        error
    else {
        return false;
    };
    let code = cause
        .as_database_error()
        .and_then(|answer| answer.code().map(Into::into));
    code.is_some_and(|code: String| code == INSUFFICIENT_PRIVILEGE)
}

/// How many migrations of this program the store has not got. Only reads.
pub(crate) async fn pending(connection: &impl ConnectionTrait) -> Result<usize, DbErr> {
    let applied = applied(connection).await?;
    Ok(known()
        .iter()
        .filter(|name| !applied.contains(name))
        .count())
}

/// The migrations of this program, oldest first.
#[must_use]
pub fn known() -> Vec<String> {
    let migrations = Migrator::migrations();
    migrations
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect()
}

async fn applied(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    if !has_history(connection).await? {
        return Ok(Vec::new());
    }
    let rows = seaql_migrations::Entity::find()
        .order_by_asc(seaql_migrations::Column::Version)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Whether the table of migrations is there: none was ever applied where it is not.
async fn has_history(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let name = seaql_migrations::Entity.table_name();
    let mut tables = Query::select();
    match connection.get_database_backend() {
        DbBackend::Postgres => tables
            .column("tablename")
            .from("pg_tables")
            .and_where(Expr::cust("schemaname = ANY (current_schemas(false))"))
            .and_where(Expr::col("tablename").eq(name)),
        _ => tables
            .column("name")
            .from("sqlite_master")
            .and_where(Expr::col("name").eq(name)),
    };
    Ok(connection.query_one(&tables).await?.is_some())
}

/// A transaction that no other instance can have at the same time.
async fn begin_locked(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        // Takes SQLite's only write lock at once; PostgreSQL ignores it.
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = connection.begin_with_options(options).await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        // Bound to the transaction, so it works through a pooler and ends by itself.
        let lock = Query::select()
            .expr(Func::cust("pg_advisory_xact_lock").arg(LOCK_KEY))
            .to_owned();
        transaction.query_one(&lock).await?;
    }
    Ok(transaction)
}
