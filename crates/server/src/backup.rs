//! `taskhold backup`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_application::reasons::reasons;
use taskhold_backup::error::BackupError;
use taskhold_backup::folder::{Backup, BackupFolder};
use taskhold_backup::make::make;
use taskhold_backup::origin::Origin;
use taskhold_backup::retention::Retention;
use taskhold_backup::verify::verify;

use crate::cli;
use crate::cli::Backups;
use crate::output::{count, note, say};
use crate::settings::Settings;

/// Makes, lists, verifies or prunes backups. No backup has changed if this fails.
pub async fn backup(settings: &Settings, options: cli::Backup) -> anyhow::Result<()> {
    let folder = |path: Option<PathBuf>| {
        BackupFolder::new(path.unwrap_or_else(|| settings.backup.folder.clone()))
    };
    match options.command {
        None => {
            settings.database.existing_migrations().await?;
            let started = Instant::now();
            let folder = folder(options.output);
            let backup = make(
                settings.database.direct_options(),
                &folder,
                SystemClock.now(),
            )
            .await
            .context("no backup was made")?;
            say(backup.path.display())?;
            say(format_args!(
                "{} in {:.1} s",
                describe(&backup),
                started.elapsed().as_secs_f64()
            ))?;
        }
        Some(Backups::List { folder: path }) => list(&existing(folder(path))?)?,
        Some(Backups::Verify { backup }) => {
            let started = Instant::now();
            let store = settings.database.direct_options();
            // Without the store, backups of its kind can be verified, on SQLite at least.
            let origin = Origin::of_or_kind(store).await;
            let backup = open(
                backup.as_deref().unwrap_or(&settings.backup.folder),
                &origin,
            )?;
            verify(&backup, store, SystemClock.now()).await?;
            say(format_args!(
                "{} was restored and is what it says: {} in {:.1} s",
                backup.name(),
                describe(&backup),
                started.elapsed().as_secs_f64()
            ))?;
        }
        Some(Backups::Prune { folder: path }) => {
            let removed = Retention::default().prune(&existing(folder(path))?)?;
            for backup in &removed {
                say(format_args!("removed {}", backup.name()))?;
            }
            say(format_args!("{} removed", count(removed.len(), "backup")))?;
        }
    }
    Ok(())
}

/// Refuses a folder that does not exist: it is hardly the one that is meant.
fn existing(folder: BackupFolder) -> anyhow::Result<BackupFolder> {
    let path = folder.path();
    if !path.is_dir() {
        bail!(
            "there is no folder {}: name that of the backups, or set backup.folder; `taskhold backup` makes it",
            path.display()
        );
    }
    Ok(folder)
}

/// Opens a backup, or the newest of a folder that is of this store.
pub fn open(path: &Path, origin: &Origin) -> anyhow::Result<Backup> {
    let (backups, unreadable) = BackupFolder::new(path.to_owned()).list()?;
    for error in unreadable {
        note(format_args!("passed over: {}", reasons(&error)));
    }
    let others = backups.len();
    if let Some(newest) = backups
        .into_iter()
        .rfind(|backup| origin.has(&backup.manifest))
    {
        return Ok(newest);
    }
    if others > 0 {
        bail!(
            "none of the {others} backups in {} is of the store that the settings name: name the one that you mean",
            path.display()
        );
    }
    Backup::open(path).with_context(|| format!("no backup can be taken from {}", path.display()))
}

fn list(folder: &BackupFolder) -> anyhow::Result<()> {
    let (backups, errors) = folder.list()?;
    for backup in &backups {
        let verified = backup.verified.as_ref();
        let verified = verified.map_or_else(|| "never".to_owned(), ToString::to_string);
        say(format_args!(
            "{}  {}  verified: {verified}",
            backup.name(),
            describe(backup)
        ))?;
    }
    for error in &errors {
        let state = match error {
            BackupError::Damaged { .. } => "damaged",
            _ => "unreadable",
        };
        say(format_args!("{state}: {}", reasons(error)))?;
    }
    if errors.is_empty() {
        Ok(())
    } else {
        bail!("{} cannot be read", count(errors.len(), "backup"))
    }
}

/// Describes what a backup holds.
pub fn describe(backup: &Backup) -> String {
    let manifest = &backup.manifest;
    format!(
        "{} as of {}: {}, {}, {:.1} MB",
        manifest.store,
        backup.taken_at,
        count(manifest.rows("users"), "user"),
        count(manifest.rows("tasks"), "task"),
        megabytes(manifest.bytes)
    )
}

#[expect(clippy::cast_precision_loss, reason = "only shown, with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
