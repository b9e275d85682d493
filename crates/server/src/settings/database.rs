//! The settings of the database, and what is said if it cannot be opened.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::num::{NonZeroU8, NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use taskhold_application::reasons::reasons;
use taskhold_backup::table::TABLES;
use taskhold_infrastructure::Database;
use taskhold_infrastructure::db::connect::{ConnectError, ConnectOptions};
use taskhold_infrastructure::db::lock::{DatabaseLock, LockError};
use taskhold_infrastructure::db::migrations::{MigrationStatus, SchemaMigrator};
use taskhold_infrastructure::db::session::is_one_database;
use taskhold_infrastructure::inspection::MissingStore;
use taskhold_infrastructure::url::DatabaseUrl;

use super::{Misconfigured, given};

/// The variable that names the server behind a pooler.
pub const DIRECT_URL: &str = "DIRECT_URL";

/// The setting that names a replica for reads.
pub const READ_URL: &str = "database.read_url";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSection {
    pub url: String,
    pub direct_url: String,
    pub read_url: String,
    pub folder: PathBuf,
    #[serde(deserialize_with = "super::values::flag")]
    pub auto_migrate: bool,
    #[serde(deserialize_with = "super::values::whole")]
    pub max_connections: NonZeroU16,
    #[serde(deserialize_with = "super::values::whole")]
    pub writes_per_commit: NonZeroU16,
    #[serde(deserialize_with = "super::values::whole")]
    pub connect_timeout_seconds: u16,
    #[serde(deserialize_with = "super::values::batch_size")]
    pub batch_size: NonZeroU8,
}

/// Where the database is, and how it is opened.
pub struct DatabaseSettings {
    /// How it is opened for serving.
    pub options: ConnectOptions,
    /// The setting that names it.
    pub setting: &'static str,
    /// The most concurrent calls on tasks in one statement.
    pub batch_size: NonZeroUsize,
    /// How it is opened without the pooler in front of it, if there is one.
    direct: Option<ConnectOptions>,
    /// How its replica for reads is opened, if there is one.
    pub replica: Option<ConnectOptions>,
}

impl DatabaseSettings {
    /// Reads the section and the environment.
    ///
    /// # Errors
    /// [`Misconfigured`], with the name of the setting.
    pub fn of(
        section: &DatabaseSection,
        environment: &HashMap<String, String>,
        slow_call: Option<Duration>,
    ) -> Result<Self, Misconfigured> {
        let set = |name: &&str| {
            environment
                .get(*name)
                .is_some_and(|value| !value.is_empty())
        };
        let setting = ["DATABASE_URL", "NEON_DATABASE_URL"]
            .into_iter()
            .find(set)
            .unwrap_or(if section.url.is_empty() {
                "database.folder"
            } else {
                "database.url"
            });
        let parsed = |setting: &str, url: &str| {
            DatabaseUrl::parse(url).map_err(|error| Misconfigured(format!("{setting}: {error}")))
        };
        let url = if section.url.is_empty() {
            DatabaseUrl::sqlite(section.folder.join("taskhold.db"))
        } else {
            parsed(setting, &section.url)?
        };
        let direct = given(section.direct_url.clone())
            .map(|url| parsed(DIRECT_URL, &url))
            .transpose()?;
        if let Some(direct) = &direct {
            refuse_another_kind(
                &url,
                setting,
                direct,
                DIRECT_URL,
                "the PostgreSQL server behind the pooler",
            )?;
        }
        let replica = given(section.read_url.clone())
            .map(|url| parsed(READ_URL, &url))
            .transpose()?;
        if let Some(replica) = &replica {
            refuse_another_kind(
                &url,
                setting,
                replica,
                READ_URL,
                "a replica of the PostgreSQL database",
            )?;
        }
        let connect_timeout = Duration::from_secs(section.connect_timeout_seconds.into());
        let options = |url: DatabaseUrl, is_behind_pooler: bool| ConnectOptions {
            pooled: is_behind_pooler || url.is_pooled(),
            restoring: false,
            max_connections: section.max_connections.get().into(),
            writes_per_commit: section.writes_per_commit.into(),
            connect_timeout: url.connect_timeout().unwrap_or(connect_timeout),
            slow_call: slow_call.unwrap_or(Duration::MAX),
            url,
        };
        Ok(Self {
            options: options(url, direct.is_some()),
            setting,
            batch_size: section.batch_size.into(),
            direct: direct.map(|url| options(url, false)),
            replica: replica.map(|url| ConnectOptions {
                // The service does not wait for it.
                connect_timeout: Duration::ZERO,
                ..options(url, false)
            }),
        })
    }

    /// Takes the exclusive right to serve the database, or to replace its contents, and checks that it can be
    /// written.
    ///
    /// # Errors
    /// Another process holds it, or the file, its folder or its lock cannot be written.
    pub fn lock(&self) -> anyhow::Result<Option<DatabaseLock>> {
        let unwritable = |error: anyhow::Error| {
            let setting = self.setting;
            anyhow::Error::from(Misconfigured(format!("{setting}: {}", explained(&error))))
        };
        let lock = self.options.lock().map_err(|error| match error {
            LockError::Held { .. } | LockError::OtherName { .. } => {
                anyhow::Error::from(error).context(self.setting)
            }
            LockError::File(_) | LockError::Lock { .. } => unwritable(error.into()),
        })?;
        let writable = self.options.check_writable();
        writable.map_err(|error| unwritable(error.into()))?;
        Ok(lock)
    }

    /// Returns the migrations of an existing store. Changes nothing.
    ///
    /// # Errors
    /// There is no store, or it cannot be opened, with the name of the setting.
    pub async fn existing_migrations(&self) -> anyhow::Result<Vec<MigrationStatus>> {
        self.refuse_other_name()?;
        let found = self.direct_options().existing_migrations().await;
        found.map_err(|error| match error {
            MissingStore::Open(error) => not_opened(self.direct_setting(), error),
            error => anyhow::Error::from(error).context(self.direct_setting()),
        })
    }

    /// Refuses a SQLite file that is served under another name.
    ///
    /// # Errors
    /// Another process serves the file, with the name of the setting.
    pub fn refuse_other_name(&self) -> anyhow::Result<()> {
        self.options.refuse_other_name().context(self.setting)
    }

    /// Opens the store for a command that only reads. It must exist, with every migration.
    ///
    /// # Errors
    /// The store does not exist, lacks migrations or cannot be opened, with the name of the setting.
    pub async fn connect_to_read(&self) -> anyhow::Result<Database> {
        self.expect_current().await?;
        self.connect().await
    }

    /// Checks that the store exists, with every migration. Changes nothing.
    ///
    /// # Errors
    /// As [`connect_to_read`](Self::connect_to_read).
    pub async fn expect_current(&self) -> anyhow::Result<()> {
        let migrations = self.existing_migrations().await?;
        if migrations.iter().any(|migration| !migration.applied) {
            bail!(
                "the {} lacks migrations of this program: run `taskhold migrate up`, or start the service",
                self.direct_options().url
            );
        }
        Ok(())
    }

    /// Returns how the database itself is opened, for work on all of it.
    pub fn direct_options(&self) -> &ConnectOptions {
        self.direct.as_ref().unwrap_or(&self.options)
    }

    /// Returns how another database is opened that an operator names.
    pub fn options_of(&self, url: DatabaseUrl) -> ConnectOptions {
        ConnectOptions {
            pooled: url.is_pooled(),
            url,
            ..self.options.clone()
        }
    }

    /// Refuses a database on whose tables the service's role lacks rights: each request would fail.
    ///
    /// # Errors
    /// What is missing, or why it cannot be opened, with the name of the setting.
    pub async fn refuse_missing_rights(&self) -> anyhow::Result<()> {
        let checked = self.options.refuse_missing_rights(&TABLES).await;
        checked.map_err(|error| not_opened(self.setting, error))
    }

    /// Refuses a `DIRECT_URL` that leads to another database, which would be migrated and backed up in place of the
    /// one that is served.
    ///
    /// # Errors
    /// It does, or one of both cannot be opened, with the name of the setting.
    pub async fn refuse_another_direct_database(&self) -> anyhow::Result<()> {
        let Some(direct) = &self.direct else {
            return Ok(());
        };
        let mut session = direct
            .session_to_compare()
            .await
            .map_err(|error| not_opened(DIRECT_URL, error))?;
        let mut served = self
            .options
            .session_to_compare()
            .await
            .map_err(|error| not_opened(self.setting, error))?;
        let is_same = is_one_database(&mut served, &mut session).await;
        served.close().await;
        session.close().await;
        if is_same.with_context(|| format!("cannot compare {DIRECT_URL} with {}", self.setting))? {
            return Ok(());
        }
        Err(Misconfigured(format!(
            "{DIRECT_URL} leads to another database ({}) than {} ({}), which would be migrated and backed up in its \
             place: name the server behind the pooler, and the same database",
            direct.url, self.setting, self.options.url
        ))
        .into())
    }

    /// Opens a connection that migrates the database.
    ///
    /// # Errors
    /// Why it cannot be opened, with the name of the setting.
    pub async fn migrator(&self) -> anyhow::Result<SchemaMigrator> {
        SchemaMigrator::connect(self.direct_options())
            .await
            .map_err(|error| not_opened(self.direct_setting(), error))
    }

    /// Opens the database for serving.
    ///
    /// # Errors
    /// Why it cannot be opened, with the name of the setting.
    pub async fn connect(&self) -> anyhow::Result<Database> {
        Database::connect(&self.options)
            .await
            .map_err(|error| not_opened(self.setting, error))
    }

    /// Opens the database without the pooler in front of it.
    ///
    /// # Errors
    /// Why it cannot be opened, with the name of the setting.
    pub async fn connect_directly(&self) -> anyhow::Result<Database> {
        Database::connect(self.direct_options())
            .await
            .map_err(|error| not_opened(self.direct_setting(), error))
    }

    /// Returns the setting that names the server for migrations.
    pub fn direct_setting(&self) -> &'static str {
        if self.direct.is_some() {
            DIRECT_URL
        } else {
            self.setting
        }
    }
}

fn not_opened(setting: &str, error: ConnectError) -> anyhow::Error {
    let permanent = error.is_permanent();
    let error = anyhow::Error::from(error);
    if permanent {
        Misconfigured(format!("{setting}: {}", explained(&error))).into()
    } else {
        error.context(setting.to_owned())
    }
}

/// Returns an error with its causes, and what to do about a file that belongs to another user.
fn explained(error: &anyhow::Error) -> String {
    let is_denied = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == ErrorKind::PermissionDenied);
    let text = reasons(error.as_ref());
    if !is_denied {
        return text;
    }
    let user = rustix::process::geteuid().as_raw();
    format!("{text}; give the folder and what is in it to user {user}, whom this program runs as")
}

/// Refuses a second URL unless it and the database are PostgreSQL: a file has neither poolers nor replicas. A command
/// that deletes data would delete it elsewhere than in the database that is served.
fn refuse_another_kind(
    url: &DatabaseUrl,
    setting: &str,
    second: &DatabaseUrl,
    second_setting: &str,
    purpose: &str,
) -> Result<(), Misconfigured> {
    if url.sqlite_path().is_none() && second.sqlite_path().is_none() {
        return Ok(());
    }
    Err(Misconfigured(format!(
        "{second_setting} is for {purpose} that {setting} names; they are {second} and {url}"
    )))
}
