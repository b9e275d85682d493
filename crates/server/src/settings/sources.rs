//! Where settings come from: the built-in files, a folder that overlays them, `.env` and the
//! environment.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, ConfigError, Environment, File, FileFormat};

use super::database::DIRECT_URL;
use super::{Misconfigured, Profile};

const DEFAULT: &str = include_str!("../../../../config/default.toml");
const DEVELOPMENT: &str = include_str!("../../../../config/development.toml");
const PRODUCTION: &str = include_str!("../../../../config/production.toml");
const TEST: &str = include_str!("../../../../config/test.toml");

/// The folder that is read without being named, where there is one.
const USUAL_FOLDER: &str = "config";

/// The process's environment, over what a file `.env` adds to it.
///
/// # Errors
/// [`Misconfigured`], with the name of the variable.
pub fn environment() -> Result<HashMap<String, String>, Misconfigured> {
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

/// All of them, each over those before it.
///
/// # Errors
/// [`Misconfigured`], with the name of the setting.
pub fn overlaid(
    profile: Profile,
    folder: Option<&Path>,
    environment: &HashMap<String, String>,
) -> Result<Config, Misconfigured> {
    let files = files(profile, folder)?;
    let in_files = files.build_cloned()?;
    refuse_secrets(&in_files)?;
    refuse_unknown_variables(environment, &in_files)?;
    Ok(with_environment(files, environment)?.build()?)
}

fn files(
    profile: Profile,
    folder: Option<&Path>,
) -> Result<ConfigBuilder<DefaultState>, Misconfigured> {
    let built_in = match profile {
        Profile::Development => DEVELOPMENT,
        Profile::Production => PRODUCTION,
        Profile::Test => TEST,
    };
    let mut builder = Config::builder()
        .add_source(File::from_str(DEFAULT, FileFormat::Toml))
        .add_source(File::from_str(built_in, FileFormat::Toml));
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
) -> Result<ConfigBuilder<DefaultState>, ConfigError> {
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
