//! The sources of settings: the built-in files, a folder that overlays them, `.env` and the environment.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use config::builder::DefaultState;
use config::{
    Config, ConfigBuilder, ConfigError, Environment, File, FileFormat, Map, Source, Value,
    ValueKind,
};

use super::database::DIRECT_URL;
use super::{Misconfigured, Profile, dotenv, text};

const DEFAULT: &str = include_str!("../../../../config/default.toml");
const DEVELOPMENT: &str = include_str!("../../../../config/development.toml");
const PRODUCTION: &str = include_str!("../../../../config/production.toml");
const TEST: &str = include_str!("../../../../config/test.toml");

/// The folder that is read without being named, if it exists.
const USUAL_FOLDER: &str = "config";

/// The file of variables in the working folder.
pub const DOTENV: &str = ".env";

/// The prefix of a variable that sets a key of a section.
const PREFIX: &str = "TASKHOLD__";

/// The variables with names of their own, and what they set.
const WELL_KNOWN: [(&str, &str); 6] = [
    (DIRECT_URL, "database.direct_url"),
    ("NEON_DATABASE_URL", "database.url"),
    ("DATABASE_URL", "database.url"),
    ("JWT_SECRET", "auth.jwt_secret"),
    ("JWT_SECRET_PREVIOUS", "auth.jwt_secret_previous"),
    ("PORT", "server.port"),
];

/// The sections and keys of settings that were renamed, with the new keys. The old ones are accepted for
/// one version.
const RENAMED: [(&str, &str, &str); 2] = [
    ("database", "patience_seconds", "connect_timeout_seconds"),
    ("auth", "longest_token_days", "max_token_lifetime_days"),
];

/// Where settings come from. Renamed ones are under their new names.
pub struct Sources {
    /// The variables of the process, over those that a file `.env` adds.
    pub environment: HashMap<String, String>,
    /// The settings that options of the command line give, by their keys.
    options: Vec<Overridden>,
    /// The files that set a key, by the key.
    files: HashMap<String, String>,
    /// What to tell the operator once there is a log.
    pub warnings: Vec<String>,
}

impl Sources {
    /// Reads the environment and the file `.env` of the working folder, and takes the options over them.
    pub fn read(options: Vec<Overridden>) -> Result<Self, Misconfigured> {
        let (environment, has_dotenv) = environment()?;
        let mut sources = Self {
            environment,
            options,
            files: HashMap::new(),
            warnings: Vec::new(),
        };
        if has_dotenv && Profile::of(&sources.environment)? == Profile::Production {
            let folder = std::env::current_dir().unwrap_or_default();
            let read = folder.join(DOTENV);
            sources.warnings.push(format!(
                "settings were read from {}; in production give them in the environment",
                read.display()
            ));
        }
        for (section, old, new) in RENAMED {
            let [old, new] =
                [old, new].map(|key| format!("{PREFIX}{section}__{key}").to_uppercase());
            let value = sources.environment.remove(&old);
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                let replaced = sources.environment.insert(new.clone(), value);
                let is_set_twice = replaced.is_some_and(|value| !value.is_empty());
                sources.note_renamed(&old, &new, is_set_twice)?;
            }
        }
        Ok(sources)
    }

    /// Overlays all sources, each over those before it.
    pub fn overlay(
        &mut self,
        profile: Profile,
        folder: Option<&Path>,
    ) -> Result<Config, Misconfigured> {
        let files = self.files(profile, folder)?;
        let in_files = files.build_cloned()?;
        refuse_secrets(&in_files)?;
        refuse_unknown_variables(&self.environment, &in_files)?;
        let mut builder = with_environment(files, &self.environment)?;
        for (_, key, value) in &self.options {
            builder = builder.set_override(*key, value.as_str())?;
        }
        Ok(builder.build()?)
    }

    /// Says what is wrong with a value, and where it was set.
    pub fn misconfigured(&self, error: &ConfigError) -> Misconfigured {
        let (key, reason) = match error {
            ConfigError::At {
                error,
                key: Some(key),
                ..
            } => (key, error.to_string()),
            ConfigError::Type {
                key: Some(key),
                unexpected,
                expected,
                ..
            } => (key, format!("{unexpected} is not {expected}")),
            _ => return Misconfigured(format!("settings: {error}")),
        };
        match self.place(key) {
            Some(place) => Misconfigured(format!("{key} ({place}): {reason}")),
            None => Misconfigured(format!("{key}: {reason}")),
        }
    }

    /// Returns the last source that sets a key, unless it is a built-in file.
    fn place(&self, key: &str) -> Option<String> {
        let is_set = |name: &&str| {
            let value = self.environment.get(*name);
            value.is_some_and(|value| !value.is_empty())
        };
        let mut options = self.options.iter();
        let option = options.find(|(_, of, _)| *of == key);
        let ours = format!("{PREFIX}{}", key.replace('.', "__").to_uppercase());
        let named = WELL_KNOWN.iter().rev().filter(|(_, of)| *of == key);
        let mut variables = named.map(|(name, _)| *name).chain([ours.as_str()]);
        option
            .map(|(option, ..)| (*option).to_owned())
            .or_else(|| variables.find(is_set).map(str::to_owned))
            .or_else(|| self.files.get(key).map(|file| format!("in {file}")))
    }

    fn files(
        &mut self,
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
        let is_named = folder.is_some();
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
            let found = if is_named {
                text::read(&path)
            } else {
                text::read_own(&path)
            };
            if let Some(found) = found? {
                builder = builder.add_source(self.file(&path, &found, is_named)?);
            }
        }
        Ok(builder)
    }

    /// Reads the text of a file.
    fn file(&mut self, path: &Path, text: &str, is_named: bool) -> Result<Layer, Misconfigured> {
        let shown = path.display().to_string();
        let file = File::from_str(text, FileFormat::Toml);
        let sections = file.collect();
        let mut sections = sections.map_err(|error| malformed_file(&shown, &error))?;
        for (section, old, new) in RENAMED {
            if let Some(ValueKind::Table(keys)) = sections.get_mut(section).map(|it| &mut it.kind)
                && let Some(value) = keys.remove(old)
            {
                let is_set_twice = keys.insert(new.to_owned(), value).is_some();
                let old = format!("{}: {section}.{old}", path.display());
                self.note_renamed(&old, &format!("{section}.{new}"), is_set_twice)?;
            }
        }
        let keys = keys(&sections);
        if let Err(unknown) = refuse_unknown_keys(&keys) {
            let advice = if is_named {
                ""
            } else {
                "; if that folder is another program's, name one of Taskhold's own with --config"
            };
            return Err(Misconfigured(format!("{shown}: {unknown}{advice}")));
        }
        let keys = keys.into_iter().map(|key| (key, shown.clone()));
        self.files.extend(keys);
        Ok(Layer(sections))
    }

    fn note_renamed(
        &mut self,
        old: &str,
        new: &str,
        is_set_twice: bool,
    ) -> Result<(), Misconfigured> {
        if is_set_twice {
            return Err(Misconfigured(format!(
                "{old} is the old name of {new}, and both are set: remove the old one"
            )));
        }
        self.warnings.push(format!(
            "{old} is the old name of {new}, and the next version will refuse it: rename it"
        ));
        Ok(())
    }
}

/// An option of the command line, the key of the setting that it gives, and its value.
pub type Overridden = (&'static str, &'static str, String);

/// Says why a file is not TOML. The parser's text shows the line, which may hold a secret.
fn malformed_file(shown: &str, error: &ConfigError) -> Misconfigured {
    let error = match error {
        ConfigError::FileParse { cause, .. } => cause.to_string(),
        error => error.to_string(),
    };
    let mut lines = error.lines().filter(|line| !line.trim().is_empty());
    let (first, last) = (lines.next().unwrap_or_default(), lines.next_back());
    let last = last.map(|last| format!(": {last}")).unwrap_or_default();
    Misconfigured(format!("{shown}: {first}{last}"))
}

/// Returns every key with its section, and what stands outside of a section by its name.
fn keys(sections: &Map<String, Value>) -> Vec<String> {
    let mut keys: Vec<_> = sections
        .iter()
        .flat_map(|(section, value)| match &value.kind {
            ValueKind::Table(keys) => keys.keys().map(|key| format!("{section}.{key}")).collect(),
            _ => vec![section.clone()],
        })
        .collect();
    keys.sort();
    keys
}

/// Refuses keys that no setting has.
fn refuse_unknown_keys(keys: &[String]) -> Result<(), String> {
    let defaults = File::from_str(DEFAULT, FileFormat::Toml).collect();
    let known = self::keys(&defaults.unwrap_or_default());
    let is_known =
        |key: &String| known.contains(key) || SECRETS.iter().any(|(secret, _)| secret == key);
    match keys.iter().find(|key| !is_known(key)) {
        None => Ok(()),
        Some(key) => Err(format!("there is no setting {key}")),
    }
}

/// A file that was read.
#[derive(Debug, Clone)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Returns the variables, and whether there is a file `.env` in the working folder. One in a folder above may
/// be that of another program or another user.
fn environment() -> Result<(HashMap<String, String>, bool), Misconfigured> {
    let dotenv = text::read_own(Path::new(DOTENV))?;
    let has_dotenv = dotenv.is_some();
    let mut environment = dotenv::parse(&dotenv.unwrap_or_default(), is_ours)
        .map_err(|error| Misconfigured(format!("{DOTENV}, {error}")))?;
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => {
                environment.insert(name, value);
            }
            (name, _) => refuse_if_ours(name)?,
        }
    }
    Ok((environment, has_dotenv))
}

/// Refuses a variable of ours that is not UTF-8: if it were ignored, another value would stay in force.
fn refuse_if_ours(name: Result<String, OsString>) -> Result<(), Misconfigured> {
    let name = name.unwrap_or_else(|name| name.to_string_lossy().into_owned());
    if is_ours(&name) {
        return Err(Misconfigured(format!("the variable {name} is not UTF-8")));
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    name.to_ascii_uppercase().starts_with("TASKHOLD_")
        || WELL_KNOWN.iter().any(|(known, _)| *known == name)
}

/// The settings that must not be in a file, and the variables for them.
const SECRETS: [(&str, &str); 2] = [
    ("auth.jwt_secret", "JWT_SECRET"),
    ("auth.jwt_secret_previous", "JWT_SECRET_PREVIOUS"),
];

/// Refuses secrets in files, which are copied, committed and backed up.
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
        ("database.read_url", "TASKHOLD__DATABASE__READ_URL"),
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

/// Refuses variables that set nothing: a mistyped one would have no effect.
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
