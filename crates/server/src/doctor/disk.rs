//! Room on the disks.

use std::path::Path;

use rustix::fs::statvfs;
use taskhold_infrastructure::url::DatabaseUrl;

use super::finding::Finding;
use crate::settings::Settings;

const GIB: u64 = 1 << 30;
/// Less, and writes will soon be refused.
const LEAST: u64 = GIB / 4;
/// Less, and somebody should see to it while there is time.
const LITTLE: u64 = 2 * GIB;

/// Of the store, where it is a file, and of the backups.
pub fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let DatabaseUrl::Sqlite(path) = &settings.database.opening.url {
        findings.push(room("disk", "the store", path));
    }
    findings.push(room("backup-disk", "backups", &settings.backup.folder));
    findings
}

fn room(check: &'static str, whose: &str, path: &Path) -> Finding {
    // What is not there yet will be on the disk of the folder that is.
    let there = path.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(Path::new("."));
    let found = match statvfs(there) {
        Ok(found) => found,
        Err(error) => return Finding::not_checked(check, format!("{}: {error}", there.display())),
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let told = format!("{} MiB free for {whose} ({})", free >> 20, path.display());
    let advice = "make room, or move it to a larger disk: a full one refuses writes";
    if free < LEAST {
        Finding::problem(check, told, advice)
    } else if free < LITTLE {
        Finding::warning(check, told, advice)
    } else {
        Finding::ok(check, told)
    }
}
