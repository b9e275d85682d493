//! Files that only this user can read, and names that survive a power cut.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

/// The suffixes of a SQLite file and of the files that SQLite and Taskhold keep beside it.
const PARTS: [&str; 4] = ["", "-wal", "-shm", ".lock"];

/// Opens a file for writing without truncating it, and creates it with mode 0600 if it is missing.
///
/// # Errors
/// The error of the system.
pub fn open_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Creates a folder and its missing ancestors with mode 0700, and syncs the folders that they are in.
///
/// # Errors
/// The error of the system.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    missing
        .into_iter()
        .try_for_each(|created| sync_folder(folder_of(created)))
}

/// Syncs a folder: the name of a file in it survives a power cut only after that.
///
/// # Errors
/// The error of the system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Returns the folder that a file is in: `.` for a bare name.
#[must_use]
pub fn folder_of(file: &Path) -> &Path {
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Returns the path of a file with this suffix appended to its name, such as `-wal`.
#[must_use]
pub fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Returns the first of a SQLite file and the files beside it that is on another mount than their folder, as if a
/// container were given the file and not its folder.
///
/// # Errors
/// The error of the system.
pub fn mounted_alone(file: &Path) -> io::Result<Option<PathBuf>> {
    let file = file.canonicalize()?;
    let folder = mount(folder_of(&file))?;
    for part in PARTS.map(|suffix| with_suffix(&file, suffix)) {
        if part.exists() && mount(&part)? != folder {
            return Ok(Some(part));
        }
    }
    Ok(None)
}

/// Returns the number of the mount that a path is on; 0 if the system does not tell it. Device numbers will not do:
/// a file that is mounted alone may be on the device of its folder, and a file system of layers shows several.
fn mount(path: &Path) -> io::Result<u64> {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID)?;
    let is_known = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID);
    Ok(if is_known { found.stx_mnt_id } else { 0 })
}
