//! The history of a schema: the migrations that a database has applied.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::MigratorTrait;
use taskhold_migration::Migrator;

use super::error::MigrationError;
use super::session::{rows, schema};
use crate::db::tables::quoted;

/// The table in which the migrator keeps the history.
const TABLE: &str = "seaql_migrations";
const EXISTS_IN_SQLITE: &str = "SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations'";

/// The status of a migration in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The name of the migration.
    pub name: String,
    /// `true` if the database has it.
    pub applied: bool,
    /// `true` if this program knows it; a newer program may have applied others.
    pub known: bool,
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

/// Returns the names of the migrations that a database has applied.
pub(super) async fn applied(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    match table(connection).await? {
        Some(table) => names(connection, &table).await,
        None => Ok(Vec::new()),
    }
}

/// Refuses a history with migrations that this program does not know. It is the table that the migrator would use,
/// beside which there may be no tables of Taskhold.
pub(super) async fn refuse_unknown(
    connection: &impl ConnectionTrait,
) -> Result<(), MigrationError> {
    let exists = match connection.get_database_backend() {
        DbBackend::Postgres => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
        _ => EXISTS_IN_SQLITE,
    };
    if rows(connection, exists).await?.is_empty() {
        return Ok(());
    }
    let migrations = compare_with_known(names(connection, TABLE).await?);
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
async fn table(connection: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    if connection.get_database_backend() == DbBackend::Postgres {
        let schema = schema(connection).await?;
        return Ok(schema.map(|schema| format!("{}.{TABLE}", quoted(&schema))));
    }
    let found = rows(connection, EXISTS_IN_SQLITE).await?;
    Ok((!found.is_empty()).then(|| TABLE.to_owned()))
}

async fn names(connection: &impl ConnectionTrait, table: &str) -> Result<Vec<String>, DbErr> {
    let sql = format!("SELECT version FROM {table} ORDER BY version");
    let rows = rows(connection, sql).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
