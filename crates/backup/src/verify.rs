//! Verifies a backup: restores it into a scratch store and compares that with its manifest.

use std::path::Path;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_domain::timestamp::Timestamp;
use taskhold_infrastructure::db::connect::ConnectOptions;
use taskhold_infrastructure::db::migrations;
use taskhold_infrastructure::db::session::MaintenanceSession;
use taskhold_infrastructure::url::DatabaseKind;

use crate::contents::{contents, difference};
use crate::error::BackupError;
use crate::folder::Backup;
use crate::make::{check_integrity, kept, open_alone, server_version};
use crate::manifest::StoreKind;
use crate::tools::Tools;

/// The prefix of the names of scratch databases.
const SCRATCH: &str = "taskhold_verify_";

/// Restores the backup into a scratch store, compares that with the manifest, removes it, and notes in the
/// backup that it was verified. A SQLite file is restored beside the backup. A PostgreSQL database is
/// created for it on the server of `store`, for which the role needs `CREATEDB`.
///
/// # Errors
/// `Damaged` if the backup cannot be restored; others if that could not be tried.
pub async fn verify(
    backup: &Backup,
    store: &ConnectOptions,
    now: Timestamp,
) -> Result<(), BackupError> {
    check(backup).await?;
    match (backup.manifest.store, store.url.kind()) {
        (StoreKind::Sqlite, _) => in_file(backup).await?,
        (StoreKind::Postgresql, DatabaseKind::Postgres(target)) => {
            in_database(backup, store, target, now).await?;
        }
        (StoreKind::Postgresql, DatabaseKind::Sqlite(_)) => {
            return Err(BackupError::Refused(format!(
                "{} is of a PostgreSQL database, and can only be restored on such a server; the store is the {}",
                backup.name(),
                store.url
            )));
        }
    }
    backup.mark_verified(now)
}

/// Checks that the file of a backup is unchanged, and that this program knows its schema.
pub(crate) async fn check(backup: &Backup) -> Result<(), BackupError> {
    let checked = backup.clone();
    tokio::task::spawn_blocking(move || checked.check())
        .await
        .unwrap_or_else(|panicked| Err(BackupError::Mismatch(panicked.to_string())))?;
    let known = migrations::known();
    let newer = |migration: &&String| !known.contains(migration);
    match backup.manifest.migrations.iter().find(newer) {
        Some(migration) => Err(BackupError::Refused(format!(
            "{} is of a newer program ({}): this one does not know the migration {migration}",
            backup.name(),
            backup.manifest.tool
        ))),
        None => Ok(()),
    }
}

/// Compares a restored store with the manifest.
pub(crate) async fn compare(
    backup: &Backup,
    session: &mut MaintenanceSession,
) -> Result<(), BackupError> {
    check_integrity(session)
        .await
        .map_err(|error| match error {
            BackupError::Mismatch(what) => backup.damaged(format!("cannot be restored: {what}")),
            other => other,
        })?;
    let found = contents(session, kept()).await?;
    match difference(&backup.manifest.tables, &found) {
        None => Ok(()),
        Some(difference) => Err(backup.damaged(format!("is not what it says: {difference}"))),
    }
}

async fn in_file(backup: &Backup) -> Result<(), BackupError> {
    let folder = backup.path.parent().unwrap_or(Path::new("."));
    let scratch = tempfile::Builder::new()
        .prefix(".verify-")
        .tempdir_in(folder)
        .map_err(BackupError::file(folder))?;
    let file = scratch.path().join("store.sqlite");
    std::fs::copy(backup.rows(), &file).map_err(BackupError::file(&file))?;
    let mut session = open_alone(&file).await?;
    let compared = compare(backup, &mut session).await;
    session.close().await;
    compared
}

async fn in_database(
    backup: &Backup,
    store: &ConnectOptions,
    target: &PgConnectOptions,
    now: Timestamp,
) -> Result<(), BackupError> {
    let options = ConnectOptions {
        restoring: true,
        ..store.clone()
    };
    let MaintenanceSession::Postgres(mut server) = options.session().await? else {
        return Err(BackupError::Refused(
            "the store is no PostgreSQL database".into(),
        ));
    };
    let tools = Tools::at_least(server_version(&mut server).await?).await?;
    let name = format!("{SCRATCH}{}_{}", now.as_micros(), std::process::id());
    server
        .execute(AssertSqlSafe(format!(
            "CREATE DATABASE {name} TEMPLATE template0"
        )))
        .await
        .map_err(BackupError::sql(
            "make a scratch database to restore into (the role needs CREATEDB)",
        ))?;
    let restored = restore_into(backup, &tools, &target.clone().database(&name)).await;
    let dropped = server
        .execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .await;
    if let Err(error) = dropped {
        tracing::warn!(%error, database = name, "cannot drop the scratch database of a verification");
    }
    MaintenanceSession::Postgres(server).close().await;
    restored
}

async fn restore_into(
    backup: &Backup,
    tools: &Tools,
    scratch: &PgConnectOptions,
) -> Result<(), BackupError> {
    let connection = PgConnection::connect_with(scratch).await;
    let mut session = MaintenanceSession::Postgres(Box::new(
        connection.map_err(BackupError::sql("open the scratch database"))?,
    ));
    let schema = backup.manifest.quoted_schema();
    let place = format!("CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path = {schema}");
    let placed = session.execute(&place).await;
    placed.map_err(BackupError::sql("make the schema to restore into"))?;
    pg_restore(backup, tools, scratch).await?;
    let compared = compare(backup, &mut session).await;
    session.close().await;
    compared
}

/// Runs `pg_restore` in one transaction.
pub(crate) async fn pg_restore(
    backup: &Backup,
    tools: &Tools,
    database: &PgConnectOptions,
) -> Result<(), BackupError> {
    let arguments = [
        "--single-transaction".to_owned(),
        "--exit-on-error".to_owned(),
        "--no-owner".to_owned(),
        "--no-privileges".to_owned(),
        format!("--dbname={}", database.get_database().unwrap_or_default()),
        backup.rows().display().to_string(),
    ];
    tools.run("pg_restore", database, &arguments).await
}
