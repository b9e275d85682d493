//! Stores that must exist before a command reads or changes them.

use super::{InspectionError, Inspector, Session, open_file};
use crate::db::connect::{ConnectError, ConnectOptions, ENCODING, session_options};
use crate::db::migrations::MigrationStatus;
use crate::db::sqlite::{FileError, refuse_mounted_alone};
use crate::url::DatabaseKind;

/// The reason why a command that needs a store cannot start. The command has made and changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum MissingStore {
    /// There is no SQLite file.
    #[error(
        "there is no {store}: run this in the folder of the service, or name its store in DATABASE_URL; \
         `taskhold serve` or `taskhold migrate up` makes a new one"
    )]
    NoFile {
        /// The store.
        store: String,
    },
    /// It has no tables.
    #[error(
        "the {store} has no tables of Taskhold: name the store of the service in DATABASE_URL; `taskhold serve` or \
         `taskhold migrate up` makes the tables if this is the right one"
    )]
    NoTables {
        /// The store.
        store: String,
    },
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] ConnectError),
    /// It does not answer.
    #[error("the {store} cannot be read")]
    Unreadable {
        /// The store.
        store: String,
        /// Its answer.
        source: InspectionError,
    },
}

impl ConnectOptions {
    /// Returns the migrations of a store that has some, and changes nothing.
    ///
    /// # Errors
    /// [`MissingStore`].
    pub async fn existing_migrations(&self) -> Result<Vec<MigrationStatus>, MissingStore> {
        let store = self.url.to_string();
        let (session, engine) = match self.url.kind() {
            DatabaseKind::Sqlite(path) => {
                // A file in a folder that may not be read is not known to be missing.
                let exists = path.try_exists();
                if !exists.map_err(|error| ConnectError::from(FileError::open(path, error)))? {
                    return Err(MissingStore::NoFile { store });
                }
                refuse_mounted_alone(path).map_err(ConnectError::from)?;
                (open_file(path).await.map_err(ConnectError::from)?, None)
            }
            DatabaseKind::Postgres(server) => {
                let (session, engine) = self.connect_session(&session_options(server)).await?;
                let engine = Some((engine, ENCODING.to_owned()));
                (Session::Postgres(Box::new(session)), engine)
            }
        };
        let mut inspector = Inspector {
            options: self.clone(),
            session,
            engine,
        };
        let migrations = inspector.migrations().await;
        inspector.close().await;
        match migrations {
            Ok(found) if found.iter().any(|migration| migration.applied) => Ok(found),
            Ok(_) => Err(MissingStore::NoTables { store }),
            Err(source) => Err(MissingStore::Unreadable { store, source }),
        }
    }
}
