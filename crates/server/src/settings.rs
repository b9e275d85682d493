//! The settings. An unknown key or an invalid value stops the program with a message that names it.

mod auth;
mod backup;
mod database;
mod dotenv;
mod sources;
mod telemetry;
mod text;
mod values;

use std::collections::HashMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::ConfigError;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use taskhold_api::base_path::BasePath;
use taskhold_api::client_address::TrustedProxies;
use taskhold_api::cors::Origin;
use taskhold_api::request_log::LeftOut;
use taskhold_application::change_streams::StreamLimits;
use taskhold_application::rate_limits::RateLimits;
use taskhold_mcp::settings::PublicUrl;
use url::Url;

pub use self::auth::Auth;
use self::auth::AuthSection;
pub use self::backup::Backup;
use self::database::DatabaseSection;
pub use self::database::{DIRECT_URL, DatabaseSettings, READ_URL};
use self::sources::Sources;
pub use self::sources::{DOTENV, Overridden};
use self::telemetry::TelemetrySection;
use crate::own_file::Untrusted;
use crate::routes;

/// Settings that keep the program from running. The message names them and never holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

impl From<ConfigError> for Misconfigured {
    fn from(error: ConfigError) -> Self {
        Self(format!("settings: {error}"))
    }
}

impl From<Untrusted> for Misconfigured {
    fn from(error: Untrusted) -> Self {
        Self(error.to_string())
    }
}

/// What the program is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Development,
    Production,
    Test,
}

impl Profile {
    fn of(environment: &HashMap<String, String>) -> Result<Self, Misconfigured> {
        match environment.get("TASKHOLD_PROFILE").map(String::as_str) {
            None | Some("" | "development") => Ok(Self::Development),
            Some("production") => Ok(Self::Production),
            Some("test") => Ok(Self::Test),
            Some(other) => Err(Misconfigured(format!(
                "TASKHOLD_PROFILE is `{other}`; it must be development, production or test"
            ))),
        }
    }

    /// Returns the name that it is chosen by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Test => "test",
        }
    }
}

/// All settings.
pub struct Settings {
    pub profile: Profile,
    pub server: Server,
    pub database: DatabaseSettings,
    pub auto_migrate: bool,
    pub folder: PathBuf,
    pub auth: Auth,
    pub backup: Backup,
    pub cors: Cors,
    /// The URL under which agents reach the service.
    pub mcp_url: Option<PublicUrl>,
    pub page: Page,
    pub limits: RateLimits,
    pub requests_per_user: NonZeroUsize,
    pub keys_per_user: NonZeroU64,
    pub streams: StreamLimits,
    pub tasks: Tasks,
    pub metrics: Metrics,
    /// The requests that are left out of the log.
    pub left_out: LeftOut,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    #[serde(deserialize_with = "values::host")]
    pub host: IpAddr,
    #[serde(deserialize_with = "values::whole")]
    pub port: u16,
    #[serde(rename = "drain_delay_seconds", deserialize_with = "values::seconds")]
    pub drain_delay: Duration,
    #[serde(deserialize_with = "values::whole")]
    pub max_connections: NonZeroU16,
    /// `None` if an address may have all.
    #[serde(deserialize_with = "values::optional_number")]
    pub max_connections_per_address: Option<NonZeroU16>,
    #[serde(deserialize_with = "proxies")]
    pub trusted_proxies: TrustedProxies,
    #[serde(deserialize_with = "base_path")]
    pub base_path: BasePath,
    #[serde(deserialize_with = "values::flag")]
    pub accept_weak_etags: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    #[serde(deserialize_with = "origins")]
    pub origins: Vec<Origin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// `true` if the page is served, at `/`.
    #[serde(deserialize_with = "values::flag")]
    pub enabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    #[serde(deserialize_with = "values::whole")]
    pub max_per_user: NonZeroU64,
    #[serde(rename = "trash_days", deserialize_with = "values::days")]
    pub trash_retention: Duration,
    #[serde(rename = "history_days", deserialize_with = "values::days")]
    pub history_retention: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    #[serde(deserialize_with = "values::optional_address")]
    pub address: Option<SocketAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    #[serde(deserialize_with = "values::log_format")]
    pub format: LogFormat,
    pub filter: String,
    #[serde(deserialize_with = "left_out")]
    leave_out: LeftOut,
    /// The duration from which a call to the store is logged; `None` if none is.
    #[serde(
        rename = "slow_store_call_ms",
        deserialize_with = "values::optional_milliseconds"
    )]
    pub slow_store_call: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct McpSection {
    #[serde(deserialize_with = "public_url")]
    url: Option<PublicUrl>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsSection {
    #[serde(deserialize_with = "values::whole")]
    requests_per_user: NonZeroUsize,
    #[serde(deserialize_with = "values::whole")]
    keys_per_user: NonZeroU64,
    #[serde(deserialize_with = "values::whole")]
    streams_per_user: NonZeroUsize,
    #[serde(deserialize_with = "values::whole")]
    streams: NonZeroUsize,
    #[serde(deserialize_with = "values::whole")]
    login_requests_per_minute: NonZeroU32,
    #[serde(deserialize_with = "values::whole")]
    login_failures_per_address: NonZeroU32,
    #[serde(deserialize_with = "values::whole")]
    login_failures: NonZeroU32,
    #[serde(deserialize_with = "values::whole")]
    refreshes_per_minute: NonZeroU32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    server: Server,
    database: DatabaseSection,
    auth: AuthSection,
    backup: Backup,
    cors: Cors,
    limits: LimitsSection,
    mcp: McpSection,
    page: Page,
    tasks: Tasks,
    metrics: Metrics,
    log: Log,
    telemetry: TelemetrySection,
}

/// Settings of the right types that were not checked against each other yet.
pub struct Draft {
    profile: Profile,
    environment: HashMap<String, String>,
    sections: Sections,
    warnings: Vec<String>,
}

impl Draft {
    /// Reads the settings, and takes the options over them. If `folder` is named it must exist.
    pub fn read(folder: Option<&Path>, options: Vec<Overridden>) -> Result<Self, Misconfigured> {
        let mut sources = Sources::read(options)?;
        let profile = Profile::of(&sources.environment)?;
        let sections = sources.overlay(profile, folder)?.try_deserialize();
        let sections = sections.map_err(|error| sources.misconfigured(&error))?;
        Ok(Self {
            profile,
            environment: sources.environment,
            sections,
            warnings: sources.warnings,
        })
    }

    /// Returns how to log, which must be known before anything can be logged.
    pub fn log(&self) -> &Log {
        &self.sections.log
    }

    /// Returns the address that spans are sent to, which must be known together with the log.
    pub fn traces(&self) -> Result<Option<Url>, Misconfigured> {
        self.sections.telemetry.traces()
    }

    /// Checks the settings, and logs warnings about them.
    pub fn settings(self) -> Result<Settings, Misconfigured> {
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
        let slow_call = self.sections.log.slow_store_call;
        let left_out = self.sections.log.leave_out;
        let Sections {
            database, limits, ..
        } = self.sections;
        Ok(Settings {
            profile: self.profile,
            server: self.sections.server,
            database: DatabaseSettings::of(&database, &self.environment, slow_call)?,
            auto_migrate: database.auto_migrate,
            folder: database.folder,
            auth: Auth::of(self.sections.auth)?,
            backup: self.sections.backup,
            cors: self.sections.cors,
            mcp_url: self.sections.mcp.url,
            page: self.sections.page,
            limits: RateLimits {
                requests: limits.login_requests_per_minute.get(),
                failures_per_address: limits.login_failures_per_address.get(),
                failures: limits.login_failures.get(),
                refreshes: limits.refreshes_per_minute.get(),
            },
            requests_per_user: limits.requests_per_user,
            keys_per_user: limits.keys_per_user,
            streams: StreamLimits {
                per_user: limits.streams_per_user,
                all: limits.streams,
            },
            tasks: self.sections.tasks,
            metrics: self.sections.metrics,
            left_out,
        })
    }
}

/// Reads networks and single addresses.
fn proxies<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TrustedProxies, D::Error> {
    let networks = values::words(deserializer, |raw| {
        let network = raw.parse().or_else(|_| raw.parse().map(IpAddr::into));
        network.map_err(|_| "it is neither an address nor a network such as 10.0.0.0/8")
    });
    networks.map(TrustedProxies)
}

/// Reads a path under which the service has no paths of its own: a request could mean either.
fn base_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasePath, D::Error> {
    let raw = String::deserialize(deserializer)?;
    let error = |message: &dyn Display| D::Error::custom(format_args!("`{raw}`: {message}"));
    let base_path = BasePath::parse(&raw).map_err(|invalid| error(&invalid))?;
    let is_taken = routes::paths().iter().any(|path| base_path.contains(path));
    if is_taken && !base_path.as_str().is_empty() {
        return Err(error(&"the service has paths of its own there"));
    }
    Ok(base_path)
}

/// Reads the words `health` and `not_found`.
fn left_out<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LeftOut, D::Error> {
    let words = values::words(deserializer, |raw| match raw {
        "health" | "not_found" => Ok(raw.to_owned()),
        _ => Err("it must be health or not_found"),
    })?;
    let has = |word: &str| words.iter().any(|found| found == word);
    Ok(LeftOut {
        health: has("health"),
        not_found: has("not_found"),
    })
}

/// Reads the URL of the endpoint for agents.
fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PublicUrl>, D::Error> {
    let url = given(String::deserialize(deserializer)?).map(|raw| {
        let url = PublicUrl::parse(&raw);
        url.map_err(|invalid| D::Error::custom(format_args!("`{raw}`: {invalid}")))
    });
    url.transpose()
}

fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Origin>, D::Error> {
    values::words(deserializer, Origin::parse)
}

/// Returns `None` for an empty text, which means unset.
fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
