//! Where backups lie. A backup is a folder with a file of rows and a manifest; it appears under its
//! name only once both are whole and on the disk.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use taskhold_domain::timestamp::Timestamp;
use taskhold_infrastructure::sqlite::{make_private_folder, private_file, sync_folder};

use crate::error::BackupError;
use crate::manifest::{MANIFEST, Manifest};

/// What the name of a backup begins with.
const PREFIX: &str = "taskhold-";
/// What the name of one ends with that is being made, or was when its maker was killed.
const PARTIAL: &str = ".partial";
/// Locked while a backup is made or removed.
const LOCK: &str = ".lock";
/// In a backup that was verified: when it was.
const VERIFIED: &str = "verified";

/// A folder of backups.
#[derive(Debug, Clone)]
pub struct BackupFolder(PathBuf);

/// A backup that was finished.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Its folder.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// When it was last verified, in UTC.
    pub verified: Option<String>,
}

/// The right to make and remove backups of a folder; nobody else has it meanwhile.
pub(crate) struct Held<'a> {
    folder: &'a BackupFolder,
    _lock: File,
}

/// A backup that is being made. Removed with this value, unless it was published.
pub(crate) struct Partial<'a> {
    folder: &'a BackupFolder,
    name: String,
    path: PathBuf,
}

impl BackupFolder {
    /// This folder, which is made when a backup is.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The backups in it, oldest first, and what is wrong with those that cannot be read. What does
    /// not have the name of a backup is not looked at.
    ///
    /// # Errors
    /// `File`. A folder that is not there is empty.
    pub fn list(&self) -> Result<(Vec<Backup>, Vec<BackupError>), BackupError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((vec![], vec![])),
            Err(error) => return Err(BackupError::file(&self.0)(error)),
        };
        let (mut backups, mut errors) = (Vec::new(), Vec::new());
        for entry in entries {
            let path = entry.map_err(BackupError::file(&self.0))?.path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            if name.is_none_or(|name| !name.starts_with(PREFIX) || name.ends_with(PARTIAL)) {
                continue;
            }
            match Backup::open(&path) {
                Ok(backup) => backups.push(backup),
                Err(error) => errors.push(error),
            }
        }
        backups.sort_unstable_by_key(|backup| backup.taken_at);
        Ok((backups, errors))
    }

    /// The newest backup that can be read. The log has those that cannot: one of them may be newer.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn newest(&self) -> Result<Option<Backup>, BackupError> {
        let (mut backups, errors) = self.list()?;
        for error in errors {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a backup is passed over"
            );
        }
        Ok(backups.pop())
    }

    /// Makes the folder, and keeps everybody else from making backups in it.
    ///
    /// # Errors
    /// `Refused` where somebody else does, `File`.
    pub(crate) fn hold(&self) -> Result<Held<'_>, BackupError> {
        make_private_folder(&self.0).map_err(BackupError::file(&self.0))?;
        let path = self.0.join(LOCK);
        let lock = private_file(&path).map_err(BackupError::file(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Held {
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
}

impl<'a> Held<'a> {
    /// Begins a backup. Those that were begun before and never finished are removed.
    ///
    /// # Errors
    /// `File`.
    pub(crate) fn begin(&self, taken_at: Timestamp) -> Result<Partial<'a>, BackupError> {
        let folder = &self.folder.0;
        for entry in fs::read_dir(folder).map_err(BackupError::file(folder))? {
            let path = entry.map_err(BackupError::file(folder))?.path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(PARTIAL)) {
                tracing::warn!(backup = %path.display(), "removing a backup that was never finished");
                fs::remove_dir_all(&path).map_err(BackupError::file(&path))?;
            }
        }
        let name: String = taken_at
            .to_string()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let name = format!("{PREFIX}{name}");
        let path = folder.join(format!("{name}{PARTIAL}"));
        make_private_folder(&path).map_err(BackupError::file(&path))?;
        Ok(Partial {
            folder: self.folder,
            name,
            path,
        })
    }
}

impl Partial<'_> {
    /// Where this file of it is to be.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Gives it its name, once all of it is on the disk.
    ///
    /// # Errors
    /// `File`; `Refused` where a backup of that name is there.
    pub(crate) fn publish(self, manifest: &Manifest) -> Result<Backup, BackupError> {
        let file = self.file(&manifest.file);
        File::open(&file)
            .and_then(|file| file.sync_all())
            .map_err(BackupError::file(&file))?;
        let path = self.file(MANIFEST);
        let written = manifest
            .to_json()
            .map_err(io::Error::from)
            .and_then(|json| {
                let mut file = private_file(&path)?;
                file.write_all(json.as_bytes())?;
                file.sync_all()
            });
        written
            .and_then(|()| sync_folder(&self.path))
            .map_err(BackupError::file(&path))?;
        let whole = self.folder.0.join(&self.name);
        if whole.exists() {
            return Err(BackupError::Refused(format!(
                "{} is there already",
                whole.display()
            )));
        }
        fs::rename(&self.path, &whole)
            .and_then(|()| sync_folder(&self.folder.0))
            .map_err(BackupError::file(&whole))?;
        Backup::open(&whole)
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(backup = %self.path.display(), %error, "cannot remove a backup that was not finished");
            }
            _ => {}
        }
    }
}

impl Backup {
    /// Reads its manifest; its rows are not looked at.
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
            Ok(text) => Some(text.trim().to_owned()),
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

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The file with its rows.
    pub(crate) fn rows(&self) -> PathBuf {
        self.path.join(&self.manifest.file)
    }

    /// Whether the file with the rows is the one that was written, byte by byte.
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

    /// Remembers that it was restored and found whole.
    ///
    /// # Errors
    /// `File`.
    pub(crate) fn mark_verified(&self, now: Timestamp) -> Result<(), BackupError> {
        let path = self.path.join(VERIFIED);
        private_file(&path)
            .and_then(|mut file| {
                file.set_len(0)?;
                writeln!(file, "{now}")?;
                file.sync_all()
            })
            .map_err(BackupError::file(&path))
    }

    /// Removes it, while its folder is held: first its name, then what it holds, so that no half of it
    /// is taken for one.
    ///
    /// # Errors
    /// `File`.
    pub(crate) fn remove(&self, _held: &Held<'_>) -> Result<(), BackupError> {
        let mut gone = self.path.clone().into_os_string();
        gone.push(PARTIAL);
        let gone = PathBuf::from(gone);
        fs::rename(&self.path, &gone)
            .and_then(|()| fs::remove_dir_all(&gone))
            .map_err(BackupError::file(&self.path))
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> BackupError {
        BackupError::Damaged {
            backup: self.path.clone(),
            what: what.into(),
        }
    }
}

/// How long a file is, and its SHA-256 in hexadecimal digits.
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
