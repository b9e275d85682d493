//! The SQLite file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};
use sea_orm::sqlx;
use taskhold_infrastructure::inspection::has_write_ahead_log;

use super::finding::Finding;
use super::store::Look;
use super::{OrNotChecked as _, Seen};

/// How long is looked whether the file is sound: some gigabytes.
const CHECK_TIME: Duration = Duration::from_secs(10);

/// Who may read the file, whether it can be written, and how.
pub fn file(path: &Path) -> Vec<Finding> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut findings = vec![writable(folder.unwrap_or(Path::new(".")))];
    if path.exists() {
        findings.push(private(path));
        findings.push(write_ahead_log(path));
    }
    findings
}

/// SQLite makes files beside the one that it writes.
fn writable(folder: &Path) -> Finding {
    const CHECK: &str = "folder";
    // What is not there is made, in the one that is.
    let there = folder.ancestors().find(|folder| folder.exists());
    let there = there.unwrap_or(Path::new("."));
    if !there.is_dir() {
        return Finding::problem(
            CHECK,
            format!("{} is no folder", there.display()),
            "set database.folder or DATABASE_URL to another",
        );
    }
    match access(there, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::ok(CHECK, format!("{} can be written", there.display())),
        Err(error) => Finding::problem(
            CHECK,
            format!("{} cannot be written: {error}", there.display()),
            "give the folder to the user of the service, or set database.folder or DATABASE_URL to another",
        ),
    }
}

fn private(path: &Path) -> Finding {
    const CHECK: &str = "file";
    let modes = ["", "-wal", "-shm"].into_iter().filter_map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let mode = std::fs::metadata(&name).ok()?.permissions().mode() & 0o777;
        Some((name.to_string_lossy().into_owned(), mode))
    });
    if let Some((name, mode)) = modes.into_iter().find(|(_, mode)| mode & 0o077 != 0) {
        return Finding::problem(
            CHECK,
            format!("others can read or write {name} (mode {mode:o})"),
            format!("chmod 600 {name}"),
        );
    }
    match access(path, Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => Finding::ok(CHECK, format!("{} is for its owner only", path.display())),
        Err(error) => Finding::problem(
            CHECK,
            format!("{} cannot be written: {error}", path.display()),
            "give the file to the user of the service",
        ),
    }
}

fn write_ahead_log(path: &Path) -> Finding {
    const CHECK: &str = "journal";
    match has_write_ahead_log(path) {
        Ok(true) => Finding::ok(CHECK, "a write-ahead log"),
        Ok(false) => Finding::warning(
            CHECK,
            "no write-ahead log: reads and writes keep each other waiting",
            "the next start of the service switches it on; use a disk of this machine",
        ),
        Err(error) => {
            Finding::not_checked(CHECK, format!("the file's header cannot be read: {error}"))
        }
    }
}

/// Whether its pages are sound.
pub async fn integrity(look: &mut Look) -> Finding {
    sound(look).await.or_not_checked("integrity")
}

async fn sound(look: &mut Look) -> Seen {
    const CHECK: &str = "integrity";
    let damaged = |what: String| {
        Finding::problem(
            CHECK,
            format!("the file is damaged: {what}"),
            "stop the service, keep a copy of the file, and restore the newest verified backup (docs/operations/backup.md)",
        )
    };
    Ok(match look.session()?.check(CHECK_TIME).await {
        Ok(Some(wrong)) if wrong.is_empty() => Finding::ok(CHECK, "the file is sound"),
        Ok(Some(wrong)) => damaged(wrong.join("; ")),
        Ok(None) => Finding::ok(
            CHECK,
            format!(
                "no damage found in {} s, which were too short for all of the file",
                CHECK_TIME.as_secs()
            ),
        ),
        Err(sqlx::Error::Database(error)) if tells_of_damage(error.as_ref()) => {
            damaged(error.to_string())
        }
        Err(error) => return Err(error.into()),
    })
}

/// Whether the page that it was reading is none.
fn tells_of_damage(error: &dyn sqlx::error::DatabaseError) -> bool {
    const CORRUPT: u32 = 11;
    const NOT_A_DATABASE: u32 = 26;
    let code: Option<u32> = error.code().and_then(|code| code.parse().ok());
    // Above the lowest byte is what kind of it.
    code.is_some_and(|code| [CORRUPT, NOT_A_DATABASE].contains(&(code & 0xff)))
}
