//! The disks of the SQLite file and of backups.

use std::path::Path;

use rustix::fs::statvfs;

/// The space of a disk, in bytes.
pub struct Space {
    pub free: u64,
    pub size: u64,
}

impl Space {
    /// Returns the space of the disk on which a path is, or will be created.
    pub fn of(path: &Path) -> rustix::io::Result<Self> {
        let disk = statvfs(existing(path))?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Ok(Self {
            free: bytes(disk.f_bavail),
            size: bytes(disk.f_blocks),
        })
    }
}

/// Returns the path or its nearest ancestor that exists: what is missing will be created in it.
pub fn existing(path: &Path) -> &Path {
    let mut ancestors = path.ancestors();
    ancestors
        .find(|path| path.exists())
        .unwrap_or(Path::new("."))
}
