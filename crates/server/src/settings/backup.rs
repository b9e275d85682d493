//! Where backups lie, and whether the service makes them itself.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSection {
    folder: PathBuf,
    every_minutes: u32,
}

/// Backups.
pub struct Backup {
    /// The folder that they lie in.
    pub folder: PathBuf,
    /// How long after the last one the service makes another; `None` where it makes none.
    pub every: Option<Duration>,
}

impl Backup {
    /// What the section says.
    pub fn of(section: BackupSection) -> Self {
        let every = Duration::from_mins(section.every_minutes.into());
        Self {
            folder: section.folder,
            every: (!every.is_zero()).then_some(every),
        }
    }
}
