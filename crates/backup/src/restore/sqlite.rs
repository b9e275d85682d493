//! Restoring into a SQLite file: beside it, and then in its place by one rename.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use taskhold_infrastructure::schema;
use taskhold_infrastructure::session::Session;
use taskhold_infrastructure::sqlite::{private_file, sync_folder};
use taskhold_infrastructure::start::Opening;
use taskhold_infrastructure::url::DatabaseUrl;

use super::since::{self, Since};
use super::{Live, Restore, Restored, chain, occupied};
use crate::error::BackupError;
use crate::make::open_alone;
use crate::verify;

/// What the name of the file ends with that is being restored.
const RESTORING: &str = ".restoring";
/// What SQLite keeps beside a file.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

pub(super) async fn restore(restore: &Restore<'_>, path: &Path) -> Result<Restored, BackupError> {
    let _lock = restore.target.lock()?;
    // The file itself, which the lock has made where it was missing: a link to it stays one.
    let path = &path.canonicalize().map_err(BackupError::file(path))?;
    let live = live(restore).await?;
    let beside = with_ending(path, RESTORING);
    remove(&beside)?;
    let restored = restore_beside(restore, live, &beside).await;
    if restored.is_err() {
        remove(&beside)?;
        return restored;
    }
    // What is beside the file that goes is of no use to the one that comes.
    for ending in COMPANIONS {
        remove_file(&with_ending(path, ending))?;
    }
    fs::rename(&beside, path).map_err(BackupError::file(path))?;
    sync_folder(folder_of(path)).map_err(BackupError::file(path))?;
    restored
}

/// What the target is asked before it goes.
async fn live(restore: &Restore<'_>) -> Result<Result<Live, String>, BackupError> {
    let opened = restore.target.session().await;
    let mut session = match opened {
        Ok(session) => session,
        // Nothing is lost with a file that cannot be opened, if it is meant.
        Err(error) if restore.replace => {
            let reason = format!("what was served cannot be read: {}", chain(&error));
            return Ok(restore.live(None).await.map_err(|_| reason));
        }
        Err(error) => return Err(error.into()),
    };
    let rows = match occupied(&mut session).await {
        Err(error) if restore.replace => Some(chain(&error)),
        other => other?,
    };
    restore.refuse_unless_meant(rows.clone())?;
    let live = restore.live(rows.is_some().then_some(&mut session)).await;
    session.close().await;
    Ok(live)
}

async fn restore_beside(
    restore: &Restore<'_>,
    live: Result<Live, String>,
    beside: &Path,
) -> Result<Restored, BackupError> {
    private_file(beside)
        .and_then(|_| fs::copy(restore.backup.rows(), beside))
        .map_err(BackupError::file(beside))?;
    let opened = open_alone(beside).await;
    let mut session = Session::Sqlite(Box::new(
        opened.map_err(BackupError::sql("open what was restored"))?,
    ));
    let compared = verify::compare(restore.backup, &mut session).await;
    session.close().await;
    compared?;

    let opening = Opening {
        url: DatabaseUrl::Sqlite(beside.to_owned()),
        ..restore.target.clone()
    };
    let connection = opening.maintenance().await?;
    let migrated = schema::up(&connection).await?;
    connection.close().await?;
    let mut session = opening.session().await?;
    let since = revoke(restore, &mut session, live).await;
    session.close().await;
    let since = since?;
    if with_ending(beside, "-wal").exists() {
        return Err(BackupError::Refused(format!(
            "another process has opened {}",
            beside.display()
        )));
    }
    File::open(beside)
        .and_then(|file| file.sync_all())
        .map_err(BackupError::file(beside))?;
    Ok(Restored { migrated, since })
}

async fn revoke(
    restore: &Restore<'_>,
    session: &mut Session,
    live: Result<Live, String>,
) -> Result<Since, BackupError> {
    super::execute(session, "BEGIN IMMEDIATE").await?;
    let since = match live {
        Ok(live) => since::replay(session, &live, restore.backup.taken_at).await?,
        Err(reason) => {
            since::revoke_all(session, restore.now, restore.longest_token, reason).await?
        }
    };
    super::execute(session, "COMMIT").await?;
    Ok(since)
}

fn remove(file: &Path) -> Result<(), BackupError> {
    for ending in COMPANIONS {
        remove_file(&with_ending(file, ending))?;
    }
    remove_file(file)
}

fn remove_file(file: &Path) -> Result<(), BackupError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BackupError::file(file)(error))
        }
        _ => Ok(()),
    }
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn folder_of(file: &Path) -> &Path {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}
