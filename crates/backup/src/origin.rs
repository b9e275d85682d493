//! Which store a backup is of: a folder may have backups of several, such as of a SQLite file and of the PostgreSQL
//! database that replaced it, and only those of the served one count.

use taskhold_infrastructure::db::connect::ConnectOptions;
use taskhold_infrastructure::url::{DatabaseKind, DatabaseUrl};

use crate::error::BackupError;
use crate::manifest::{Manifest, StoreKind};

/// A store whose backups are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    kind: StoreKind,
    /// The file or the database, and when its first migration was applied; `None` if that is not known.
    id: Option<String>,
}

impl Origin {
    /// Asks the store, and changes nothing in it. One that does not exist yet, or has no tables, is known by its kind
    /// only.
    ///
    /// # Errors
    /// The store cannot be opened or read.
    pub async fn of(store: &ConnectOptions) -> Result<Self, BackupError> {
        let mut origin = Self::of_kind(&store.url);
        if let Some(mut inspector) = store.inspector().await? {
            let created = inspector.created_at().await;
            inspector.close().await;
            origin.id = created?.map(|seconds| id(&store.url, seconds));
        }
        Ok(origin)
    }

    /// As [`of`](Self::of), but a store that cannot be asked is known by its kind only.
    pub async fn of_or_kind(store: &ConnectOptions) -> Self {
        let known = Self::of(store).await;
        known.unwrap_or_else(|_| Self::of_kind(&store.url))
    }

    /// Returns the store that a backup is of.
    pub(crate) fn of_backup(manifest: &Manifest) -> Self {
        Self {
            kind: manifest.store,
            id: manifest.origin.clone(),
        }
    }

    /// Returns any store of the same kind: for one that cannot be asked, or was lost.
    #[must_use]
    pub fn of_kind(url: &DatabaseUrl) -> Self {
        let kind = match url.kind() {
            DatabaseKind::Sqlite(_) => StoreKind::Sqlite,
            DatabaseKind::Postgres(_) => StoreKind::Postgresql,
        };
        Self { kind, id: None }
    }

    /// Returns whether more than the kind of the store is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.id.is_some()
    }

    /// Returns whether a backup with this manifest is of this store. One of an earlier version, which noted only the
    /// kind of the store, counts for every store of its kind.
    #[must_use]
    pub fn has(&self, Manifest { store, origin, .. }: &Manifest) -> bool {
        let is_other = |id: &String| origin.as_ref().is_some_and(|origin| origin != id);
        *store == self.kind && !self.id.as_ref().is_some_and(is_other)
    }
}

/// Returns what backups of a store have in common. A restore keeps it, and so does another way to the same server.
pub(crate) fn id(url: &DatabaseUrl, created_at: i64) -> String {
    let place = match url.sqlite_path() {
        Some(path) => {
            let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            path.display().to_string()
        }
        None => url.name(),
    };
    format!("{place} of {created_at}")
}
