//! What a backup says of itself.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use taskhold_domain::timestamp::Timestamp;

use crate::contents::Contents;
use crate::error::BackupError;

/// The layout of a backup that this program writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// The file of a backup that holds its manifest.
pub(crate) const MANIFEST: &str = "manifest.json";

/// Which kind of store a backup is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// A SQLite file.
    Sqlite,
    /// A PostgreSQL database.
    Postgresql,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgresql => "PostgreSQL",
        })
    }
}

/// What a backup holds. Written last, so a backup with a manifest was finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// That program and its version.
    pub tool: String,
    /// Of which kind of store it is.
    pub store: StoreKind,
    /// The moment that it holds, in microseconds since 1970.
    pub taken_at: i64,
    /// The same for people, in UTC.
    pub taken_at_utc: String,
    /// The migrations that the store had, oldest first: the version of its schema.
    pub migrations: Vec<String>,
    /// The name of the file with the rows, beside the manifest.
    pub file: String,
    /// How long that file is.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// What is in the tables.
    pub tables: Contents,
    /// The tables whose rows were left out: secrets that must not outlive a restore.
    pub left_out: Vec<String>,
}

/// The manifest as it is written, with a digest of it: what it says of the time or of the rows would
/// otherwise not be missed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    manifest: Manifest,
    /// SHA-256 of the manifest as JSON without white space.
    seal: String,
}

impl Manifest {
    /// When it was taken.
    ///
    /// # Errors
    /// The time cannot be.
    pub(crate) fn taken_at(&self) -> Result<Timestamp, String> {
        Timestamp::from_micros(self.taken_at)
            .map_err(|error| format!("has a manifest with an impossible time: {error}"))
    }

    /// How many rows of this table it holds.
    #[must_use]
    pub fn rows(&self, table: &str) -> u64 {
        self.tables.get(table).map_or(0, |contents| contents.rows)
    }

    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        let sealed = Sealed {
            manifest: self.clone(),
            seal: self.seal()?,
        };
        serde_json::to_string_pretty(&sealed)
    }

    fn seal(&self) -> serde_json::Result<String> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(self)?)))
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// `Damaged`, `File`.
    pub(crate) fn read(backup: &Path) -> Result<Self, BackupError> {
        let damaged = |what: String| BackupError::Damaged {
            backup: backup.to_owned(),
            what,
        };
        let path = backup.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(damaged(format!(
                    "has no {MANIFEST}: it is none, or was not finished"
                )));
            }
            Err(error) => return Err(BackupError::file(&path)(error)),
        };
        let Sealed { manifest, seal } = serde_json::from_slice(&text)
            .map_err(|error| damaged(format!("has a manifest that cannot be read: {error}")))?;
        let expected = manifest
            .seal()
            .map_err(|error| damaged(error.to_string()))?;
        if seal != expected {
            return Err(damaged("has a manifest that was changed".into()));
        }
        if manifest.format != FORMAT {
            return Err(damaged(format!(
                "has the format {}; this program reads {FORMAT}",
                manifest.format
            )));
        }
        Ok(manifest)
    }
}
