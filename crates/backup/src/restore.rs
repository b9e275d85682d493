//! Restores a backup: all or nothing, and without undoing revocations that are newer than it.

mod postgres;
mod revocations;
mod sqlite;

use std::time::Duration;

use sea_orm::sqlx::{self, AssertSqlSafe};
use taskhold_domain::timestamp::Timestamp;
use taskhold_infrastructure::db::connect::ConnectOptions;
use taskhold_infrastructure::db::migrations::SchemaMigrator;
use taskhold_infrastructure::db::session::MaintenanceSession;
use taskhold_infrastructure::url::DatabaseKind;

pub use self::revocations::Revocations;
use self::revocations::Served;
use crate::error::BackupError;
use crate::folder::Backup;
use crate::manifest::StoreKind;
use crate::query::on_either;
use crate::rights::RestoredRights;
use crate::table::{Table, tables_of_contents};
use crate::verify;

/// What is to be restored, and where.
pub struct Restore<'a> {
    /// The backup.
    pub backup: &'a Backup,
    /// The store to restore into. It must not be served meanwhile.
    pub target: &'a ConnectOptions,
    /// Whether to replace what the target holds.
    pub replace: bool,
    /// The store that was served until now, if it is not the target and still answers.
    pub live: Option<&'a ConnectOptions>,
    /// The longest that a token lives: for so long those from before the restore must be refused.
    pub max_token_lifetime: Duration,
    /// The current time.
    pub now: Timestamp,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// How many migrations were applied that the backup lacked.
    pub migrated: usize,
    /// What was done about revocations that are newer than the backup.
    pub revocations: Revocations,
    /// What became of the rights of other roles; nothing on SQLite, which has no roles.
    pub rights: RestoredRights,
}

impl Restore<'_> {
    /// Restores the backup. The target is as it was if this fails; if it is killed, no service serves a
    /// part of it.
    ///
    /// # Errors
    /// `Damaged`; `Refused` if the target is served, or not empty and not to be replaced, or if the backup is
    /// of a newer program or another kind of store; others if it cannot be done.
    pub async fn run(&self) -> Result<Restored, BackupError> {
        match (self.backup.manifest.store, self.target.url.kind()) {
            (StoreKind::Sqlite, DatabaseKind::Sqlite(path)) => {
                verify::check(self.backup).await?;
                sqlite::restore(self, path).await
            }
            (StoreKind::Postgresql, DatabaseKind::Postgres(server)) => {
                postgres::restore(self, server).await
            }
            (kind, _) => Err(BackupError::Refused(format!(
                "{} is of a {kind} store, and the target is the {}: restore it into one of its own kind, and \
                 `taskhold copy` that",
                self.backup.name(),
                self.target.url
            ))),
        }
    }

    /// Reads what was revoked until now from the store that was served: `target` if that is the one.
    /// Otherwise there is a sentence that says why it cannot be read.
    async fn served(&self, target: Option<&mut MaintenanceSession>) -> Result<Served, String> {
        let read = async |session: &mut MaintenanceSession| {
            Served::read(session).await.map_err(|error| {
                format!(
                    "the store that was served cannot be read: {}",
                    chain(&error)
                )
            })
        };
        match (self.live, target) {
            (Some(options), _) => {
                let session = options.session().await;
                let mut session = session.map_err(|error| {
                    format!("the {} does not answer: {}", options.url, chain(&error))
                })?;
                let served = read(&mut session).await;
                session.close().await;
                served
            }
            (None, Some(session)) => read(session).await,
            (None, None) => Err("the store that was served was not named".into()),
        }
    }

    fn refuse_to_replace(&self, rows: Option<String>) -> Result<(), BackupError> {
        match rows {
            Some(rows) if !self.replace => Err(BackupError::Refused(format!(
                "the {} is not empty ({rows}): restore into an empty one, or say --force to give that up",
                self.target.url
            ))),
            _ => Ok(()),
        }
    }
}

/// Describes the first table with rows; `None` if the store is empty.
pub(crate) async fn occupied(
    session: &mut MaintenanceSession,
) -> Result<Option<String>, BackupError> {
    for table in Table::of(session, tables_of_contents()).await? {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let count: Result<i64, _> = on_either!(session, connection =>
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut **connection).await);
        let count = count.map_err(BackupError::sql("look whether the store is empty"))?;
        if count > 0 {
            let rows = if count == 1 { "row" } else { "rows" };
            return Ok(Some(format!("{} has {count} {rows}", table.name)));
        }
    }
    Ok(None)
}

/// Returns the messages of an error and its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Applies all pending migrations and returns how many there were.
pub(crate) async fn migrate(store: &ConnectOptions) -> Result<usize, BackupError> {
    let migrator = SchemaMigrator::connect(store).await?;
    let migrated = migrator.up().await?;
    migrator.close().await?;
    Ok(migrated)
}

/// Gives every change log a new epoch, so that no client takes a cursor from before for one of the same changes. That of
/// a user who was moved stays negative.
pub(crate) async fn renew_epochs(session: &mut MaintenanceSession) -> Result<(), BackupError> {
    let sql = match session {
        MaintenanceSession::Postgres(_) => {
            "UPDATE feeds SET epoch = CASE WHEN epoch < 0 THEN -1 ELSE 1 END * (1 + CAST(random() * 9007199254740991 AS bigint))"
        }
        MaintenanceSession::Sqlite(_) => {
            "UPDATE feeds SET epoch = CASE WHEN epoch < 0 THEN -1 ELSE 1 END * (1 + (random() & 9007199254740991))"
        }
    };
    execute(session, sql, "renew the epochs of the change logs").await
}

pub(crate) async fn execute(
    session: &mut MaintenanceSession,
    sql: &str,
    purpose: &'static str,
) -> Result<(), BackupError> {
    let done = session.execute(sql).await;
    done.map_err(BackupError::sql(purpose))
}
