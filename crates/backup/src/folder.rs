//! Folders of backups. A backup is a folder with a file of rows and a manifest; it gets its name once both
//! are complete and synced.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use taskhold_domain::timestamp::Timestamp;
use taskhold_infrastructure::files::{
    create_private_folder, open_private_file, sync_folder, with_suffix,
};
use tempfile::TempDir;

use crate::error::BackupError;
use crate::manifest::{MANIFEST, Manifest};
use crate::origin::Origin;

/// The prefix of a backup's name.
const PREFIX: &str = "taskhold-";
/// The suffix of the name of a backup that is not complete, or is being removed.
const PARTIAL: &str = ".partial";
/// The file that is locked while a backup is made or removed.
const LOCK: &str = ".lock";
/// The file of a verified backup that holds when it was verified.
const VERIFIED: &str = "verified";

/// A folder of backups.
#[derive(Debug, Clone)]
pub struct BackupFolder(PathBuf);

/// A complete backup.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Its folder.
    pub path: PathBuf,
    /// Its description of itself.
    pub manifest: Manifest,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// When it was last verified.
    pub verified: Option<Timestamp>,
}

/// The exclusive right to make and remove backups of a folder.
pub(crate) struct FolderLock<'a> {
    folder: &'a BackupFolder,
    _lock: File,
}

/// A backup that is being made. Removed when dropped, unless it was published.
pub(crate) struct PartialBackup<'a> {
    folder: &'a BackupFolder,
    name: String,
    files: TempDir,
}

impl BackupFolder {
    /// Names a folder, which need not exist: the first backup creates it.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the backups, oldest first, and an error for each that cannot be read. A folder that does
    /// not exist is empty.
    ///
    /// # Errors
    /// `File`.
    pub fn list(&self) -> Result<(Vec<Backup>, Vec<BackupError>), BackupError> {
        let (mut backups, mut errors) = (Vec::new(), Vec::new());
        for path in self.entries()?.iter().filter(|path| !is_partial(path)) {
            match Backup::open(path) {
                Ok(backup) => backups.push(backup),
                Err(error) => errors.push(error),
            }
        }
        backups.sort_unstable_by_key(|backup| backup.taken_at);
        Ok((backups, errors))
    }

    /// Returns the backups of a store that can be read, oldest first. Those that cannot are logged: one of them may
    /// be newer.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn of(&self, origin: &Origin) -> Result<Vec<Backup>, BackupError> {
        let (mut backups, errors) = self.list()?;
        for error in errors {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a backup is passed over"
            );
        }
        backups.retain(|backup| origin.has(&backup.manifest));
        Ok(backups)
    }

    /// Creates the folder and takes its lock.
    ///
    /// # Errors
    /// `Refused` if another process has the lock, `File`.
    pub(crate) fn lock(&self) -> Result<FolderLock<'_>, BackupError> {
        create_private_folder(&self.0).map_err(BackupError::file(&self.0))?;
        let path = self.0.join(LOCK);
        let lock = open_private_file(&path).map_err(BackupError::file(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(FolderLock {
                folder: self,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(BackupError::Refused(format!(
                "another backup is being made in {}",
                self.0.display()
            ))),
            Err(TryLockError::Error(error)) => Err(BackupError::file(&path)(error)),
        }
    }

    /// Returns what has the name of a backup, complete or not.
    fn entries(&self) -> Result<Vec<PathBuf>, BackupError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(BackupError::file(&self.0)(error)),
        };
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut paths: Vec<_> = paths
            .collect::<Result<_, _>>()
            .map_err(BackupError::file(&self.0))?;
        paths.retain(|path| name_of(path).starts_with(PREFIX));
        Ok(paths)
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn is_partial(path: &Path) -> bool {
    name_of(path).ends_with(PARTIAL)
}

impl<'a> FolderLock<'a> {
    /// Begins a backup, and removes those that were begun before and never completed.
    ///
    /// # Errors
    /// `File`.
    pub(crate) fn begin(&self, taken_at: Timestamp) -> Result<PartialBackup<'a>, BackupError> {
        let entries = self.folder.entries()?;
        for path in entries.iter().filter(|path| is_partial(path)) {
            tracing::warn!(backup = %path.display(), "removing a backup that was never finished");
            fs::remove_dir_all(path).map_err(BackupError::file(path))?;
        }
        let time = taken_at.to_string();
        let time: String = time.chars().filter(char::is_ascii_alphanumeric).collect();
        let files = tempfile::Builder::new()
            .prefix(PREFIX)
            .suffix(PARTIAL)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(self.folder.path());
        Ok(PartialBackup {
            folder: self.folder,
            name: format!("{PREFIX}{time}"),
            files: files.map_err(BackupError::file(self.folder.path()))?,
        })
    }
}

impl PartialBackup<'_> {
    /// Returns the path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Syncs all of it and gives it its name.
    ///
    /// # Errors
    /// `File`; `Refused` if there is a backup of that name.
    pub(crate) fn publish(self, manifest: &Manifest) -> Result<Backup, BackupError> {
        let rows = self.file(&manifest.file);
        File::open(&rows)
            .and_then(|rows| rows.sync_all())
            .map_err(BackupError::file(&rows))?;
        let path = self.file(MANIFEST);
        let written = manifest
            .to_json()
            .map_err(io::Error::from)
            .and_then(|json| {
                let mut file = open_private_file(&path)?;
                file.write_all(json.as_bytes())?;
                file.sync_all()
            });
        written
            .and_then(|()| sync_folder(self.files.path()))
            .map_err(BackupError::file(&path))?;
        let complete = self.folder.0.join(&self.name);
        if complete.exists() {
            return Err(BackupError::Refused(format!(
                "{} is there already",
                complete.display()
            )));
        }
        fs::rename(self.files.path(), &complete).map_err(BackupError::file(&complete))?;
        // It has moved: nothing is left to remove.
        drop(self.files.keep());
        sync_folder(&self.folder.0).map_err(BackupError::file(&complete))?;
        Backup::open(&complete)
    }
}

impl Backup {
    /// Reads the manifest of a backup, but not its rows.
    ///
    /// # Errors
    /// `Damaged`, `File`.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let manifest = Manifest::read(path)?;
        let taken_at = manifest.taken_at().map_err(|what| BackupError::Damaged {
            backup: path.to_owned(),
            what,
        })?;
        let verified = path.join(VERIFIED);
        let verified = match fs::read_to_string(&verified) {
            Ok(text) => Timestamp::parse(text.trim()).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(BackupError::file(&verified)(error)),
        };
        Ok(Self {
            path: path.to_owned(),
            manifest,
            taken_at,
            verified,
        })
    }

    /// Returns the name of its folder.
    #[must_use]
    pub fn name(&self) -> String {
        name_of(&self.path)
    }

    /// Returns the path of the file with its rows.
    pub(crate) fn rows(&self) -> PathBuf {
        self.path.join(&self.manifest.file)
    }

    /// Compares the file with the rows to the length and the digest in the manifest.
    ///
    /// # Errors
    /// `Damaged`, `File`.
    pub fn check(&self) -> Result<(), BackupError> {
        let path = self.rows();
        let (bytes, sha256) = match digest(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.damaged(format!("lacks the file {}", self.manifest.file)));
            }
            other => other.map_err(BackupError::file(&path))?,
        };
        if bytes != self.manifest.bytes {
            return Err(self.damaged(format!(
                "has {bytes} bytes in {} instead of {}",
                self.manifest.file, self.manifest.bytes
            )));
        }
        if sha256 != self.manifest.sha256 {
            return Err(self.damaged(format!(
                "has other bytes in {} than it was made with",
                self.manifest.file
            )));
        }
        Ok(())
    }

    /// Notes in the backup that it was restored and compared.
    ///
    /// # Errors
    /// `File`.
    pub(crate) fn mark_verified(&self, now: Timestamp) -> Result<(), BackupError> {
        let path = self.path.join(VERIFIED);
        open_private_file(&path)
            .and_then(|mut file| {
                file.set_len(0)?;
                writeln!(file, "{now}")?;
                file.sync_all()
            })
            .map_err(BackupError::file(&path))
    }

    /// Removes it: first its name, so that what remains if this is cut off is not taken for a backup.
    ///
    /// # Errors
    /// `File`.
    pub(crate) fn remove(&self, _lock: &FolderLock<'_>) -> Result<(), BackupError> {
        let partial = with_suffix(&self.path, PARTIAL);
        fs::rename(&self.path, &partial)
            .and_then(|()| fs::remove_dir_all(&partial))
            .map_err(BackupError::file(&self.path))
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> BackupError {
        BackupError::Damaged {
            backup: self.path.clone(),
            what: what.into(),
        }
    }
}

/// Returns the length of a file and its SHA-256 in hexadecimal digits.
pub(crate) fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hex::encode(hash.finalize())));
        }
        bytes += read as u64;
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
