//! The manifest: a backup's description of itself.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use taskhold_domain::timestamp::Timestamp;
use taskhold_infrastructure::db::tables::quoted;

use crate::contents::Contents;
use crate::error::BackupError;
use crate::rights::Grant;

/// The version of the layout of backups that this program writes and reads.
pub const FORMAT: u32 = 1;

/// The schema of PostgreSQL that every database has.
pub(crate) const DEFAULT_SCHEMA: &str = "public";

/// The name of the manifest's file.
pub(crate) const MANIFEST: &str = "manifest.json";

/// The kind of store that a backup was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// What a backup holds. It is written last, so that a backup with a manifest is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// The program that wrote it, and its version.
    pub tool: String,
    /// The kind of store.
    pub store: StoreKind,
    /// When it was taken, in microseconds since 1970.
    pub taken_at: i64,
    /// The same for people, in UTC.
    pub taken_at_utc: String,
    /// The migrations that were applied to the store, oldest first: the version of its schema.
    pub migrations: Vec<String>,
    /// The name of the file with the rows, beside the manifest.
    pub file: String,
    /// The length of that file.
    pub bytes: u64,
    /// The SHA-256 of that file, in hexadecimal digits.
    pub sha256: String,
    /// The contents of the tables.
    pub tables: Contents,
    /// The tables whose rows were left out.
    pub left_out: Vec<String>,
    /// The schema of PostgreSQL in which the tables were, unless it is `public`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The store, among those of its kind (see [`Origin`](crate::origin::Origin)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The rights of other roles on the tables of PostgreSQL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
}

/// The manifest as it is written, with a digest of it that reveals a damaged time or number of rows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    manifest: Manifest,
    /// SHA-256 of the manifest as JSON without white space.
    seal: String,
}

impl Manifest {
    /// Returns when it was taken, or a sentence that says why that time is impossible.
    pub(crate) fn taken_at(&self) -> Result<Timestamp, String> {
        Timestamp::from_micros(self.taken_at)
            .map_err(|error| format!("has a manifest with an impossible time: {error}"))
    }

    /// Returns the schema that the tables are restored into, as SQL.
    pub(crate) fn quoted_schema(&self) -> String {
        quoted(self.schema.as_deref().unwrap_or(DEFAULT_SCHEMA))
    }

    /// Returns the number of rows of a table; 0 for one that it does not hold.
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

#[cfg(test)]
mod tests {
    use crate::contents::TableContents;

    use super::*;

    fn manifest() -> Manifest {
        let users = TableContents {
            rows: 3,
            digest: "00ff".to_owned(),
        };
        Manifest {
            format: FORMAT,
            tool: "taskhold 0.1.0".to_owned(),
            store: StoreKind::Sqlite,
            taken_at: 1_772_368_200_000_000,
            taken_at_utc: "2026-03-01T12:30:00.000000Z".to_owned(),
            migrations: vec!["m1".to_owned(), "m2".to_owned()],
            file: "store.sqlite".to_owned(),
            bytes: 17,
            sha256: "abcd".to_owned(),
            tables: [("users".to_owned(), users)].into(),
            left_out: vec!["attempts".to_owned()],
            schema: None,
            grants: vec![],
            origin: None,
        }
    }

    /// Reads this text as a manifest.
    fn read(text: &str) -> Result<Manifest, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(MANIFEST), text).unwrap();
        Manifest::read(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn written_manifest_reads_back() {
        let text = manifest().to_json().unwrap();
        assert_eq!(read(&text), Ok(manifest()));
        assert_eq!(manifest().rows("users"), 3);
        assert_eq!(manifest().rows("nothing"), 0);
    }

    #[test]
    fn any_changed_character_is_found() {
        let text = manifest().to_json().unwrap();
        for (index, character) in text.char_indices() {
            if character.is_ascii_whitespace() {
                continue;
            }
            let other = if character == '7' { '8' } else { '7' };
            let mut changed = text.clone();
            changed.replace_range(index..=index, &other.to_string());
            assert!(read(&changed).is_err(), "{changed}");
        }
    }

    #[test]
    fn truncated_manifest_is_refused() {
        let text = manifest().to_json().unwrap();
        for length in 0..text.len() {
            let error = read(&text[..length]).unwrap_err();
            assert!(
                error.contains("has a manifest that cannot be read"),
                "{error}"
            );
        }
    }

    #[test]
    fn other_format_is_refused() {
        let newer = Manifest {
            format: FORMAT + 1,
            ..manifest()
        };
        let error = read(&newer.to_json().unwrap()).unwrap_err();
        assert!(
            error.ends_with("has the format 2; this program reads 1"),
            "{error}"
        );
    }

    #[test]
    fn impossible_time_is_refused() {
        let never = Manifest {
            taken_at: i64::MAX,
            ..manifest()
        };
        let error = never.taken_at().unwrap_err();
        assert!(
            error.starts_with("has a manifest with an impossible time"),
            "{error}"
        );
    }
}
