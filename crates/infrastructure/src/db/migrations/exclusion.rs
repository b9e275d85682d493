//! The lock of those who migrate: a row on PostgreSQL, in a table that is there before the first migration.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, TransactionTrait,
};
use taskhold_migration::create_locks;

use super::error::MigrationError;
use super::history::refuse_unknown;
use super::session::{schema, use_schema};
use crate::db::error::sql_state;
use crate::db::locks::{self, Lock};

/// Creates the table of locks on PostgreSQL, whose rows exclude other instances that migrate. Does nothing if the
/// table exists, and on SQLite, which has one writer.
///
/// # Errors
/// [`MigrationError`]: `Foreign`, `Database`.
pub(super) async fn ensure_locks(
    connection: &DatabaseConnection,
    limits: &str,
) -> Result<(), MigrationError> {
    /// Another session created the table in the meantime.
    const ALREADY_CREATED: [&str; 3] = ["23505", "42710", "42P07"];
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let transaction = connection.begin().await?;
    transaction.execute_unprepared(limits).await?;
    use_schema(&transaction, schema(&transaction).await?, true).await?;
    match refuse_unknown(&transaction).await {
        // A newer program has created the table.
        Ok(()) | Err(MigrationError::Newer(_)) => {}
        Err(error) => return Err(error),
    }
    let create = create_locks(DbBackend::Postgres);
    let created = match transaction.execute(&create).await {
        Ok(_) => transaction.commit().await,
        Err(error) => Err(error),
    };
    created.or_else(|error| match sql_state(&error) {
        Some(state) if ALREADY_CREATED.contains(&state.as_str()) => Ok(()),
        _ => Err(error.into()),
    })
}

/// Excludes other instances that migrate until the transaction ends.
pub(super) async fn exclude_others(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        use_schema(transaction, schema(transaction).await?, true).await?;
        let lock = locks::take(Lock::Migrations);
        transaction.execute_unprepared(&lock).await?;
        // Another instance may have created the tables in another schema of the path meanwhile.
        use_schema(transaction, schema(transaction).await?, true).await?;
    }
    Ok(())
}
