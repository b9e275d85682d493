//! What can be set, and where from: the built-in files, a folder that overlays them, `.env` and
//! the environment, in this order. A key that is unknown or a value that does not fit stops the
//! program with a sentence that names it; nothing is guessed.

mod auth;
mod backup;
mod database;

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, Environment, File, FileFormat};
use serde::Deserialize;
use taskhold_api::client_address::TrustedProxies;
use taskhold_api::cors::Origin;
use taskhold_application::limits::Allowed;

pub use self::auth::Auth;
use self::auth::AuthSection;
pub use self::backup::Backup;
use self::backup::BackupSection;
pub use self::database::Database;
use self::database::{DIRECT_URL, DatabaseSection};

const DEFAULT: &str = include_str!("../../../config/default.toml");
const DEVELOPMENT: &str = include_str!("../../../config/development.toml");
const PRODUCTION: &str = include_str!("../../../config/production.toml");
const TEST: &str = include_str!("../../../config/test.toml");

/// The folder that is read without being named, where there is one.
const USUAL_FOLDER: &str = "config";

/// The settings keep the program from running. The text says which, and never holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

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

    fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Test => "test",
        }
    }

    fn built_in(self) -> &'static str {
        match self {
            Self::Development => DEVELOPMENT,
            Self::Production => PRODUCTION,
            Self::Test => TEST,
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
    pub limits: Allowed,
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
        let environment = environment()?;
        let profile = Profile::of(&environment)?;
        let files = files(profile, folder)?;
        let in_files = files
            .build_cloned()
            .map_err(|error| misconfigured(&error))?;
        refuse_secrets(&in_files)?;
        refuse_unknown_variables(&environment, &in_files)?;
        let sections = with_environment(files, &environment)
            .map_err(|error| misconfigured(&error))?
            .build()
            .and_then(Config::try_deserialize)
            .map_err(|error| misconfigured(&error))?;
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
            log: _,
        } = self.sections;
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
            limits: Allowed {
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

/// The process's environment, over what a file `.env` adds to it.
fn environment() -> Result<HashMap<String, String>, Misconfigured> {
    let mut environment = HashMap::new();
    match dotenvy::dotenv_iter() {
        Ok(lines) => {
            for line in lines {
                // The error would repeat the line, which may hold a secret.
                let (name, value) =
                    line.map_err(|_| Misconfigured("a line of the file .env is malformed".into()))?;
                environment.insert(name, value);
            }
        }
        Err(error) if error.not_found() => {}
        Err(_) => return Err(Misconfigured("the file .env cannot be read".into())),
    }
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => {
                environment.insert(name, value);
            }
            (name, _) => refuse_if_heeded(name)?,
        }
    }
    Ok(environment)
}

/// The name of a variable that is not UTF-8, or whose value is not. Left out where it was meant for us,
/// it would leave something else in force.
fn refuse_if_heeded(name: Result<String, OsString>) -> Result<(), Misconfigured> {
    let name = name.unwrap_or_else(|name| name.to_string_lossy().into_owned());
    if name.starts_with("TASKHOLD_") || WELL_KNOWN.iter().any(|(known, _)| *known == name) {
        return Err(Misconfigured(format!("the variable {name} is not UTF-8")));
    }
    Ok(())
}

fn files(
    profile: Profile,
    folder: Option<&Path>,
) -> Result<ConfigBuilder<DefaultState>, Misconfigured> {
    let mut builder = Config::builder()
        .add_source(File::from_str(DEFAULT, FileFormat::Toml))
        .add_source(File::from_str(profile.built_in(), FileFormat::Toml));
    let folder = match folder {
        Some(folder) if !folder.is_dir() => {
            return Err(Misconfigured(format!(
                "--config: there is no folder {}",
                folder.display()
            )));
        }
        Some(folder) => folder,
        None => Path::new(USUAL_FOLDER),
    };
    for name in ["default", profile.name()] {
        let path = folder.join(name).with_extension("toml");
        builder = builder.add_source(File::from(path).format(FileFormat::Toml).required(false));
    }
    Ok(builder)
}

/// The settings that have no place in a file, and the variables for them.
const SECRETS: [(&str, &str); 2] = [
    ("auth.jwt_secret", "JWT_SECRET"),
    ("auth.jwt_secret_previous", "JWT_SECRET_PREVIOUS"),
];

/// What lies in files is copied, committed and backed up.
fn refuse_secrets(files: &Config) -> Result<(), Misconfigured> {
    for (key, variable) in SECRETS {
        if files.get_string(key).is_ok() {
            return Err(Misconfigured(format!(
                "{key} is in a configuration file; give it as {variable} in the environment"
            )));
        }
    }
    for (key, variable) in [
        ("database.url", "DATABASE_URL"),
        ("database.direct_url", DIRECT_URL),
    ] {
        let url = files.get_string(key).unwrap_or_default();
        let has_password = url::Url::parse(&url).is_ok_and(|url| {
            url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")
        });
        if has_password {
            return Err(Misconfigured(format!(
                "{key} in a configuration file has a password; give it as {variable} in the environment"
            )));
        }
    }
    Ok(())
}

/// The beginning of a variable that sets a section's key.
const PREFIX: &str = "TASKHOLD__";

/// A mistyped variable would otherwise have no effect and say nothing.
fn refuse_unknown_variables(
    environment: &HashMap<String, String>,
    files: &Config,
) -> Result<(), Misconfigured> {
    for name in environment
        .keys()
        .filter(|name| name.starts_with("TASKHOLD_"))
    {
        let known = match name.strip_prefix(PREFIX) {
            Some(key) => {
                let key = key.to_lowercase().replace("__", ".");
                SECRETS.iter().any(|(secret, _)| *secret == key)
                    || files.get::<config::Value>(&key).is_ok()
            }
            None => name == "TASKHOLD_PROFILE" || name.starts_with("TASKHOLD_TEST_"),
        };
        if !known {
            return Err(Misconfigured(format!(
                "the variable {name} sets nothing: there is no such setting"
            )));
        }
    }
    Ok(())
}

/// The variables that others know by their own names, and what they set.
const WELL_KNOWN: [(&str, &str); 6] = [
    (DIRECT_URL, "database.direct_url"),
    ("NEON_DATABASE_URL", "database.url"),
    ("DATABASE_URL", "database.url"),
    ("JWT_SECRET", "auth.jwt_secret"),
    ("JWT_SECRET_PREVIOUS", "auth.jwt_secret_previous"),
    ("PORT", "server.port"),
];

fn with_environment(
    mut builder: ConfigBuilder<DefaultState>,
    environment: &HashMap<String, String>,
) -> Result<ConfigBuilder<DefaultState>, config::ConfigError> {
    // Values stay strings until a setting asks for another type: a secret of digits is no number.
    let ours = Environment::with_prefix("TASKHOLD")
        .prefix_separator("__")
        .separator("__")
        .ignore_empty(true)
        .source(Some(environment.clone()));
    builder = builder.add_source(ours);
    for (name, key) in WELL_KNOWN {
        if let Some(value) = environment.get(name).filter(|value| !value.is_empty()) {
            builder = builder.set_override(key, value.as_str())?;
        }
    }
    Ok(builder)
}

fn origins(section: &CorsSection) -> Result<Vec<Origin>, Misconfigured> {
    let origins = section.origins.split_whitespace().map(|raw| {
        Origin::parse(raw).map_err(|error| Misconfigured(format!("cors.origins: `{raw}`: {error}")))
    });
    origins.collect()
}

fn misconfigured(error: &config::ConfigError) -> Misconfigured {
    Misconfigured(format!("settings: {error}"))
}
