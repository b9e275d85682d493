//! Restoring a backup for good: all or nothing, and without bringing back who was shut out since.

mod postgres;
mod since;
mod sqlite;

use std::time::Duration;

use sea_orm::sqlx::{self, AssertSqlSafe};
use taskhold_domain::timestamp::Timestamp;
use taskhold_infrastructure::session::Session;
use taskhold_infrastructure::start::Opening;
use taskhold_infrastructure::url::DatabaseUrl;

pub use self::since::{Live, Since};
use crate::error::BackupError;
use crate::folder::Backup;
use crate::manifest::StoreKind;
use crate::table::{TABLES, Table};
use crate::verify;

/// A restore, as it was asked for.
pub struct Restore<'a> {
    /// What is restored.
    pub backup: &'a Backup,
    /// Where to. Nothing may be served from it meanwhile.
    pub target: &'a Opening,
    /// Whether what the target holds is given up.
    pub replace: bool,
    /// The store that was served until now, where that is another one than the target and answers.
    pub live: Option<&'a Opening>,
    /// How long a token may live at most: for so long it is remembered that those from before the
    /// restore are refused.
    pub longest_token: Duration,
    /// The time.
    pub now: Timestamp,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// How many migrations the schema of the backup lacked.
    pub migrated: usize,
    /// What became of the tokens and accounts that were revoked after the backup was taken.
    pub since: Since,
}

impl Restore<'_> {
    /// Restores it. The target is as it was where this fails, and also where it is killed: a half of it
    /// is never served.
    ///
    /// # Errors
    /// `Damaged`; `Refused` where the target is not empty and not to be replaced, where it is served, or
    /// where the backup is of a newer program or another kind of store; others where it cannot be
    /// done.
    pub async fn run(&self) -> Result<Restored, BackupError> {
        match (self.backup.manifest.store, &self.target.url) {
            (StoreKind::Sqlite, DatabaseUrl::Sqlite(path)) => {
                verify::check(self.backup).await?;
                sqlite::restore(self, path).await
            }
            (StoreKind::Postgresql, DatabaseUrl::Postgres(options)) => {
                postgres::restore(self, options).await
            }
            (kind, _) => Err(BackupError::Refused(format!(
                "{} is of a {kind} store, and the target is the {}: restore it into one of its own kind, and \
                 `taskhold copy` that",
                self.backup.name(),
                self.target.url
            ))),
        }
    }

    /// What was revoked until now, as the store says that was served. `from_target`: where the target
    /// is that store.
    async fn live(&self, from_target: Option<&mut Session>) -> Result<Live, String> {
        let read = async |session: &mut Session| {
            Live::read(session).await.map_err(|error| {
                format!(
                    "the store that was served cannot be read: {}",
                    chain(&error)
                )
            })
        };
        match (self.live, from_target) {
            (Some(opening), _) => {
                let session = opening.session().await;
                let mut session = session.map_err(|error| {
                    format!("the {} does not answer: {}", opening.url, chain(&error))
                })?;
                let live = read(&mut session).await;
                session.close().await;
                live
            }
            (None, Some(session)) => read(session).await,
            (None, None) => Err("the store that was served was not named".into()),
        }
    }

    fn refuse_unless_meant(&self, rows: Option<String>) -> Result<(), BackupError> {
        match rows {
            Some(rows) if !self.replace => Err(BackupError::Refused(format!(
                "the {} is not empty ({rows}): restore into an empty one, or say --force to give that up",
                self.target.url
            ))),
            _ => Ok(()),
        }
    }
}

/// The first table with rows, and how many, as a sentence says it; `None` where the store is empty.
pub(crate) async fn occupied(session: &mut Session) -> Result<Option<String>, BackupError> {
    for table in Table::of(session, TABLES).await? {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let count: Result<i64, _> = match session {
            Session::Postgres(connection) => {
                sqlx::query_scalar(AssertSqlSafe(sql))
                    .fetch_one(&mut **connection)
                    .await
            }
            Session::Sqlite(connection) => {
                sqlx::query_scalar(AssertSqlSafe(sql))
                    .fetch_one(&mut **connection)
                    .await
            }
        };
        let count = count.map_err(BackupError::sql("look whether the store is empty"))?;
        if count > 0 {
            return Ok(Some(format!("{} has {count} rows", table.name)));
        }
    }
    Ok(None)
}

/// An error and what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

async fn execute(session: &mut Session, sql: &str) -> Result<(), BackupError> {
    let done = session.execute(sql).await;
    done.map_err(BackupError::sql("change what was restored"))
}
