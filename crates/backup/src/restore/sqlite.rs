//! Restores into a SQLite file: into a new file beside it, which then takes its place by one rename.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use taskhold_infrastructure::db::connect::ConnectOptions;
use taskhold_infrastructure::db::session::MaintenanceSession;
use taskhold_infrastructure::files::{folder_of, open_private_file, sync_folder, with_suffix};
use taskhold_infrastructure::url::DatabaseUrl;

use super::revocations::{self, Served};
use super::{Restore, Restored, chain, execute, migrate, occupied, renew_epochs};
use crate::error::BackupError;
use crate::make::open_alone;
use crate::rights::RestoredRights;
use crate::verify;

/// The suffix of the file that takes the target's place.
const RESTORING: &str = ".restoring";
/// The suffixes of the files that SQLite keeps beside a file.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

pub(super) async fn restore(restore: &Restore<'_>, path: &Path) -> Result<Restored, BackupError> {
    let _lock = restore.target.lock()?;
    // A link to the file stays a link. The lock has created the file if it was missing.
    let path = &path.canonicalize().map_err(BackupError::file(path))?;
    let served = served(restore, path).await?;
    let new = with_suffix(path, RESTORING);
    remove(&new)?;
    let restored = restore_into(restore, served, &new).await;
    let replaced = match restored {
        Ok(restored) => replace(path, &new).map(|()| restored),
        Err(error) => Err(error),
    };
    if replaced.is_err()
        && let Err(error) = remove(&new)
    {
        // The error that made the restore fail matters more.
        tracing::warn!(error = %chain(&error), "what was restored is left behind");
    }
    replaced
}

/// Puts the new file into the place of the served one. The log goes first: SQLite would apply it to the new file.
/// Nothing that counts is left in it (see [`empty_log`]).
fn replace(path: &Path, new: &Path) -> Result<(), BackupError> {
    remove_companions(path)?;
    fs::rename(new, path).map_err(BackupError::file(path))?;
    sync_folder(folder_of(path)).map_err(BackupError::file(path))
}

/// Writes what the log holds into the file, so that the file has everything that it acknowledged until the moment
/// at which the new one replaces it. A damaged file is not worth that.
async fn empty_log(session: &mut MaintenanceSession, path: &Path) -> Result<(), BackupError> {
    let emptied = session.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let log = with_suffix(path, "-wal");
    if emptied.is_ok() && log.metadata().is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::Refused(format!(
            "another process reads or writes {}: stop it first",
            path.display()
        )));
    }
    Ok(())
}

/// Reads what was revoked in the store that was served until now, or returns why that cannot be read.
///
/// # Errors
/// `Refused` if the target holds rows and is not to be replaced; others if it cannot be opened.
async fn served(restore: &Restore<'_>, path: &Path) -> Result<Result<Served, String>, BackupError> {
    let mut session = match restore.target.session().await {
        Ok(session) => session,
        // A file that cannot be opened may still be replaced.
        Err(error) if restore.replace => {
            let reason = format!("what was served cannot be read: {}", chain(&error));
            return Ok(restore.served(None).await.map_err(|_| reason));
        }
        Err(error) => return Err(error.into()),
    };
    let rows = match occupied(&mut session).await {
        Err(error) if restore.replace => Some(chain(&error)),
        other => other?,
    };
    restore.refuse_to_replace(rows.clone())?;
    let target = rows.is_some().then_some(&mut session);
    let served = restore.served(target).await;
    let emptied = empty_log(&mut session, path).await;
    session.close().await;
    emptied?;
    Ok(served)
}

/// Restores the backup into the file `new`, which nobody serves.
async fn restore_into(
    restore: &Restore<'_>,
    served: Result<Served, String>,
    new: &Path,
) -> Result<Restored, BackupError> {
    open_private_file(new)
        .and_then(|_| fs::copy(restore.backup.rows(), new))
        .map_err(BackupError::file(new))?;
    let mut session = open_alone(new).await?;
    let compared = verify::compare(restore.backup, &mut session).await;
    session.close().await;
    compared?;

    let options = ConnectOptions {
        url: DatabaseUrl::sqlite(new),
        ..restore.target.clone()
    };
    let migrated = migrate(&options).await?;
    let mut session = options.session().await?;
    let applied = async {
        execute(&mut session, "BEGIN IMMEDIATE", "begin the revocations").await?;
        let revocations = revocations::apply(restore, &mut session, served).await?;
        renew_epochs(&mut session).await?;
        execute(&mut session, "COMMIT", "commit the revocations").await?;
        Ok(revocations)
    };
    let applied: Result<_, BackupError> = applied.await;
    session.close().await;
    let revocations = applied?;
    // The last connection to close removes the log. One that remains belongs to another process.
    if with_suffix(new, "-wal").exists() {
        return Err(BackupError::Refused(format!(
            "another process has opened {}",
            new.display()
        )));
    }
    File::open(new)
        .and_then(|file| file.sync_all())
        .map_err(BackupError::file(new))?;
    Ok(Restored {
        migrated,
        revocations,
        rights: RestoredRights::default(),
    })
}

/// Removes a SQLite file and its companions, where they exist.
fn remove(file: &Path) -> Result<(), BackupError> {
    remove_companions(file)?;
    remove_file(file)
}

fn remove_companions(file: &Path) -> Result<(), BackupError> {
    let mut companions = COMPANIONS.iter().map(|suffix| with_suffix(file, suffix));
    companions.try_for_each(|companion| remove_file(&companion))
}

fn remove_file(file: &Path) -> Result<(), BackupError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BackupError::file(file)(error))
        }
        _ => Ok(()),
    }
}
