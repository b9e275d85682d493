//! Which store, as the settings say it, and what is said when it cannot be opened.

use std::collections::HashMap;
use std::num::{NonZeroU8, NonZeroU16};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use sea_orm::DatabaseConnection;
use serde::Deserialize;
use taskhold_infrastructure::lock::StoreLock;
use taskhold_infrastructure::session::Session;
use taskhold_infrastructure::start::{OpenError, Opening};
use taskhold_infrastructure::store::Store;
use taskhold_infrastructure::url::DatabaseUrl;

use super::{Misconfigured, given};

/// The variable that names the server behind a pooler.
pub const DIRECT_URL: &str = "DIRECT_URL";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSection {
    pub url: String,
    pub direct_url: String,
    pub folder: PathBuf,
    pub auto_migrate: bool,
    pub max_connections: NonZeroU16,
    pub writes_per_commit: NonZeroU16,
    pub connect_timeout_seconds: u16,
    #[expect(dead_code, reason = "the batching of calls will read it")]
    #[serde(deserialize_with = "super::values::batch_size")]
    pub batch_size: NonZeroU8,
}

/// Where the store is, and how it is opened.
pub struct Database {
    /// For serving.
    pub opening: Opening,
    /// The setting that says so.
    pub setting: &'static str,
    /// The same store without the pooler in front of it, where there is one.
    direct: Option<Opening>,
}

impl Database {
    /// What the section and the environment say.
    ///
    /// # Errors
    /// [`Misconfigured`], with the name of the setting.
    pub fn of(
        section: &DatabaseSection,
        environment: &HashMap<String, String>,
    ) -> Result<Self, Misconfigured> {
        let set = |name: &&str| {
            environment
                .get(*name)
                .is_some_and(|value| !value.is_empty())
        };
        let setting = ["DATABASE_URL", "NEON_DATABASE_URL"]
            .into_iter()
            .find(set)
            .unwrap_or("database.url");
        let parsed = |setting: &str, url: &str| {
            DatabaseUrl::parse(url).map_err(|error| Misconfigured(format!("{setting}: {error}")))
        };
        let url = if section.url.is_empty() {
            DatabaseUrl::Sqlite(section.folder.join("taskhold.db"))
        } else {
            parsed(setting, &section.url)?
        };
        let direct = given(section.direct_url.clone())
            .map(|url| parsed(DIRECT_URL, &url))
            .transpose()?;
        if let Some(direct) = &direct {
            refuse_another_store(&url, setting, direct)?;
        }
        let opening = |url, pooled| Opening {
            url,
            pooled,
            restoring: false,
            connections: section.max_connections.get().into(),
            writes_per_commit: section.writes_per_commit.into(),
            patience: Duration::from_secs(section.connect_timeout_seconds.into()),
        };
        Ok(Self {
            opening: opening(url, direct.is_some()),
            setting,
            direct: direct.map(|url| opening(url, false)),
        })
    }

    /// The right to serve the store, or to replace what is in it.
    ///
    /// # Errors
    /// Who has it.
    pub fn lock(&self) -> anyhow::Result<Option<StoreLock>> {
        self.opening.lock().context(self.setting)
    }

    /// How the store itself is opened, for what works on all of it.
    pub fn direct_opening(&self) -> &Opening {
        self.direct.as_ref().unwrap_or(&self.opening)
    }

    /// How another store is opened that an operator names.
    pub fn opening_of(&self, url: DatabaseUrl) -> Opening {
        Opening {
            url,
            pooled: false,
            ..self.opening.clone()
        }
    }

    /// One connection without time limits, for migrations and the like.
    ///
    /// # Errors
    /// Why there is none, with the name of the setting.
    pub async fn maintenance(&self) -> anyhow::Result<DatabaseConnection> {
        self.direct_opening()
            .maintenance()
            .await
            .map_err(|error| Self::not_opened(self.direct_setting(), error))
    }

    /// A connection without time limits, for an import.
    ///
    /// # Errors
    /// As [`maintenance`](Self::maintenance).
    pub async fn session(&self) -> anyhow::Result<Session> {
        let session = self.direct_opening().session().await;
        session.map_err(|error| Self::not_opened(self.direct_setting(), error))
    }

    /// The store, for serving.
    ///
    /// # Errors
    /// Why it cannot be opened, with the name of the setting.
    pub async fn store(&self) -> anyhow::Result<Store> {
        self.opening
            .store()
            .await
            .map_err(|error| Self::not_opened(self.setting, error))
    }

    /// The setting that names the server for migrations.
    pub fn direct_setting(&self) -> &'static str {
        if self.direct.is_some() {
            DIRECT_URL
        } else {
            self.setting
        }
    }

    fn not_opened(setting: &str, error: OpenError) -> anyhow::Error {
        let permanent = error.is_permanent();
        let error = anyhow::Error::from(error);
        if permanent {
            Misconfigured(format!("{setting}: {error:#}")).into()
        } else {
            error.context(setting.to_owned())
        }
    }
}

/// A pooler stands in front of PostgreSQL only. What deletes data would otherwise delete it elsewhere
/// than in the database that is served.
fn refuse_another_store(
    url: &DatabaseUrl,
    setting: &str,
    direct: &DatabaseUrl,
) -> Result<(), Misconfigured> {
    match (url, direct) {
        (DatabaseUrl::Postgres(_), DatabaseUrl::Postgres(_)) => Ok(()),
        (DatabaseUrl::Sqlite(_), _) | (_, DatabaseUrl::Sqlite(_)) => Err(Misconfigured(format!(
            "{DIRECT_URL} is for the PostgreSQL server behind the pooler that {setting} names; they are \
             {direct} and {url}"
        ))),
    }
}
