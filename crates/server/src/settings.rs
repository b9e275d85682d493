//! What can be set. A key that is unknown or a value that does not fit stops the program with a
//! sentence that names it; nothing is guessed.

mod auth;
mod backup;
mod database;
mod sources;
mod telemetry;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::ConfigError;
use serde::Deserialize;
use taskhold_api::client_address::TrustedProxies;
use taskhold_api::cors::Origin;
use taskhold_application::rate_limits::RateLimits;
use url::Url;

pub use self::auth::Auth;
use self::auth::AuthSection;
pub use self::backup::Backup;
use self::backup::BackupSection;
use self::database::DatabaseSection;
pub use self::database::{DIRECT_URL, Database};
use self::telemetry::TelemetrySection;

/// The settings keep the program from running. The text says which, and never holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

impl From<ConfigError> for Misconfigured {
    fn from(error: ConfigError) -> Self {
        Self(format!("settings: {error}"))
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

    /// As it is chosen by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Test => "test",
        }
    }
}

/// Everything that can be set.
pub struct Settings {
    pub profile: Profile,
    pub host: IpAddr,
    pub port: u16,
    pub drain_delay: Duration,
    pub max_connections: NonZeroU16,
    pub database: Database,
    pub auto_migrate: bool,
    pub folder: PathBuf,
    pub auth: Auth,
    pub backup: Backup,
    pub origins: Vec<Origin>,
    pub max_tasks_per_user: NonZeroU64,
    pub metrics_address: Option<SocketAddr>,
    /// `None`: no call to the store is too slow to be passed over.
    pub slow_store_call: Option<Duration>,
    pub limits: RateLimits,
    pub trusted_proxies: TrustedProxies,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    server: ServerSection,
    database: DatabaseSection,
    auth: AuthSection,
    backup: BackupSection,
    cors: CorsSection,
    limits: LimitsSection,
    tasks: TasksSection,
    metrics: MetricsSection,
    log: LogSection,
    telemetry: TelemetrySection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerSection {
    host: IpAddr,
    port: u16,
    drain_delay_seconds: u16,
    max_connections: NonZeroU16,
    trusted_proxies: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_field_names,
    reason = "the section is for other limits as well"
)]
struct LimitsSection {
    login_requests_per_minute: NonZeroU32,
    login_failures_per_address: NonZeroU32,
    login_failures: NonZeroU32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CorsSection {
    origins: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TasksSection {
    max_per_user: NonZeroU64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsSection {
    address: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSection {
    pub format: LogFormat,
    pub filter: String,
    slow_store_call_ms: u32,
}

/// Settings that are read and of the right types, before anything is made of them.
pub struct Draft {
    profile: Profile,
    environment: HashMap<String, String>,
    sections: Sections,
}

impl Draft {
    /// Reads the settings. `folder` must exist where it is named.
    ///
    /// # Errors
    /// [`Misconfigured`], with the name of the setting.
    pub fn read(folder: Option<&Path>) -> Result<Self, Misconfigured> {
        let environment = sources::environment()?;
        let profile = Profile::of(&environment)?;
        let sections = sources::overlaid(profile, folder, &environment)?.try_deserialize()?;
        Ok(Self {
            profile,
            environment,
            sections,
        })
    }

    /// How to log: wanted before the rest, which may have something to say.
    pub fn log(&self) -> &LogSection {
        &self.sections.log
    }

    /// Where spans are sent to: wanted together with the log.
    ///
    /// # Errors
    /// [`Misconfigured`], with the name of the setting.
    pub fn traces(&self) -> Result<Option<Url>, Misconfigured> {
        self.sections.telemetry.traces()
    }

    /// The settings.
    ///
    /// # Errors
    /// [`Misconfigured`], with the name of the setting.
    pub fn settings(self) -> Result<Settings, Misconfigured> {
        let Sections {
            server,
            database,
            auth,
            backup,
            cors,
            limits,
            tasks,
            metrics,
            log,
            telemetry: _,
        } = self.sections;
        let slow_store_call = Duration::from_millis(log.slow_store_call_ms.into());
        Ok(Settings {
            profile: self.profile,
            host: server.host,
            port: server.port,
            drain_delay: Duration::from_secs(server.drain_delay_seconds.into()),
            max_connections: server.max_connections,
            database: Database::of(&database, &self.environment)?,
            auto_migrate: database.auto_migrate,
            folder: database.folder,
            auth: Auth::of(auth)?,
            backup: Backup::of(backup),
            origins: origins(&cors)?,
            limits: RateLimits {
                requests: limits.login_requests_per_minute.get(),
                failures_per_address: limits.login_failures_per_address.get(),
                failures: limits.login_failures.get(),
            },
            trusted_proxies: proxies(&server.trusted_proxies)?,
            max_tasks_per_user: tasks.max_per_user,
            metrics_address: given(metrics.address)
                .map(|address| address.parse())
                .transpose()
                .map_err(|error| Misconfigured(format!("metrics.address: {error}")))?,
            slow_store_call: (!slow_store_call.is_zero()).then_some(slow_store_call),
        })
    }
}

/// Networks, or addresses by themselves.
fn proxies(list: &str) -> Result<TrustedProxies, Misconfigured> {
    let networks = list.split_whitespace().map(|raw| {
        let network = raw.parse().or_else(|_| raw.parse().map(IpAddr::into));
        network.map_err(|_| {
            Misconfigured(format!(
                "server.trusted_proxies: `{raw}` is neither an address nor a network such as 10.0.0.0/8"
            ))
        })
    });
    networks.collect::<Result<_, _>>().map(TrustedProxies)
}

/// Empty means unset.
fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn origins(section: &CorsSection) -> Result<Vec<Origin>, Misconfigured> {
    let origins = section.origins.split_whitespace().map(|raw| {
        Origin::parse(raw).map_err(|error| Misconfigured(format!("cors.origins: `{raw}`: {error}")))
    });
    origins.collect()
}
