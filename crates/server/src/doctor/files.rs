//! The SQLite file, and free space.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Access, access};
use taskhold_infrastructure::files::{folder_of, mounted_alone, with_suffix};

use super::report::{Finding, Report};
use crate::disk::{Space, existing};
use crate::settings::Settings;

const GIB: u64 = 1 << 30;
/// With less free space, writes will soon be refused.
const TOO_LITTLE: u64 = GIB / 4;
/// With less free space, there is still time to make room.
const LITTLE: u64 = 2 * GIB;

/// Checks that a SQLite file can be written, and by its owner only.
pub fn check(path: &Path, report: &mut Report) {
    // SQLite creates files beside the one that it writes.
    let setting = "database.folder or DATABASE_URL";
    report.add("folder", folder(folder_of(path), "", setting));
    if path.exists() {
        report.add("file", file(path));
    }
}

/// Checks that files can be created in a folder, which a setting names. The consequence ends the text of a problem.
fn folder(folder: &Path, consequence: &str, setting: &str) -> Finding {
    let folder = existing(folder);
    let shown = folder.display();
    if !folder.is_dir() {
        return Finding::problem(
            format!("{shown} is no folder{consequence}"),
            format!("set {setting} to another"),
        );
    }
    match access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::ok(format!("{shown} can be written")),
        Err(error) => Finding::problem(
            format!("{shown} cannot be written: {error}{consequence}"),
            format!("give the folder to the user of the service, or set {setting} to another"),
        ),
    }
}

/// Returns the permissions of a file; none if it cannot be looked at.
pub fn mode(path: &Path) -> u32 {
    let file = path.metadata();
    file.map_or(0, |file| file.permissions().mode() & 0o777)
}

fn file(path: &Path) -> Finding {
    // The service locks the file beside it.
    for file in ["", "-wal", "-shm", ".lock"].map(|suffix| with_suffix(path, suffix)) {
        if let Err(error) = access(&file, Access::READ_OK | Access::WRITE_OK)
            && file.exists()
        {
            return Finding::problem(
                format!("{} cannot be written: {error}", file.display()),
                "give the file to the user of the service, with mode 600",
            );
        }
    }
    if let Ok(Some(part)) = mounted_alone(path) {
        return Finding::problem(
            format!(
                "{} is mounted alone, and what SQLite writes beside it would be lost: the service does not start",
                part.display()
            ),
            "mount its folder instead",
        );
    }
    for file in ["", "-wal", "-shm"].map(|suffix| with_suffix(path, suffix)) {
        let mode = mode(&file);
        if mode & 0o077 != 0 {
            let shown = file.display();
            return Finding::problem(
                format!("others can read or write {shown} (mode {mode:o})"),
                format!("chmod 600 {shown}"),
            );
        }
    }
    let names = path.metadata().map_or(1, |file| file.nlink());
    if names > 1 {
        return Finding::warning(
            format!("{} has {names} names (hard links)", path.display()),
            "remove the others: what was written under one name is not seen under another until the service has stopped",
        );
    }
    Finding::ok(format!("{} is for its owner only", path.display()))
}

/// Checks the free space for a SQLite file and for backups.
pub fn check_space(settings: &Settings, report: &mut Report) {
    if let Some(path) = settings.database.options.url.sqlite_path() {
        report.add("disk", space("the store", path));
    }
    report.add("backup-disk", space("backups", &settings.backup.folder));
    let consequence = "; there can be no backups";
    let backups = folder(&settings.backup.folder, consequence, "backup.folder");
    report.add("backup-write", backups);
}

/// Checks that backups are on another disk than the store, whose folder this is.
pub fn check_place(store: &Path, backups: &Path, report: &mut Report) {
    let disk = |path: &Path| existing(path).metadata().map(|file| file.dev());
    let (Ok(of_store), Ok(of_backups)) = (disk(store), disk(backups)) else {
        return;
    };
    let found = if of_store == of_backups {
        Finding::warning(
            format!(
                "{} is on the disk of the store: both are lost with it",
                backups.display()
            ),
            "copy the backups to another machine (docs/operations/backup.md), or set backup.folder to another disk",
        )
    } else {
        Finding::ok(format!(
            "{} is on another disk than the store",
            backups.display()
        ))
    };
    report.add("backup-place", found);
}

fn space(purpose: &str, path: &Path) -> Finding {
    let free = match Space::of(path) {
        Ok(disk) => disk.free,
        Err(error) => return Finding::not_checked(format!("{}: {error}", path.display())),
    };
    let found = format!("{} MiB free for {purpose} ({})", free >> 20, path.display());
    if free < LITTLE {
        let advice = "make room, or move it to a larger disk: a full one refuses writes";
        return Finding::warning(found, advice).problem_if(free < TOO_LITTLE);
    }
    Finding::ok(found)
}
