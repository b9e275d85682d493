//! The secrets that tokens are signed with.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use taskhold_application::clock::SystemClock;
use taskhold_infrastructure::url::DatabaseUrl;
use taskhold_security::jwt::{JwtTokens, Lifetimes};
use taskhold_security::secret::Secret;

use crate::settings::{Misconfigured, Profile, Settings};

/// The file in the data folder that keeps a generated secret.
const FILE: &str = "jwt-secret";

/// Tokens of the configured secrets, that live so long.
///
/// # Errors
/// [`Misconfigured`] where a secret must be configured and is not, or is too short.
pub fn tokens(settings: &Settings, lifetime: Duration) -> anyhow::Result<JwtTokens> {
    let secret = signing_secret(settings)?;
    let origin = settings.auth.origin.clone();
    let lifetimes = Lifetimes {
        own: lifetime,
        longest: settings.auth.longest_token_lifetime,
    };
    let tokens = JwtTokens::new(&secret, origin, lifetimes, Arc::new(SystemClock));
    match &settings.auth.previous_secret {
        Some(previous) => {
            refuse_short(previous, "JWT_SECRET_PREVIOUS", settings)?;
            Ok(tokens.also_taking(previous))
        }
        None => Ok(tokens),
    }
}

/// The configured secret, or on a service that only this machine can reach a generated one that
/// stays the same over restarts.
fn signing_secret(settings: &Settings) -> anyhow::Result<Secret> {
    if let Some(secret) = &settings.auth.secret {
        refuse_short(secret, "JWT_SECRET", settings)?;
        return Ok(secret.clone());
    }
    if let Some(reason) = why_required(settings) {
        return Err(Misconfigured(format!(
            "JWT_SECRET is not set, which is required {reason}: at least {} random bytes, such as \
             from `openssl rand -hex 32`",
            Secret::MIN_BYTES
        ))
        .into());
    }
    let path = file(settings);
    generated(&path)
        .with_context(|| format!("cannot keep a generated secret in {}", path.display()))
}

/// Why a secret must be configured; `None` where one is generated.
pub fn why_required(settings: &Settings) -> Option<&'static str> {
    if settings.profile == Profile::Production {
        Some("in production")
    } else if !settings.host.is_loopback() {
        Some("to listen on an address that others can reach")
    } else if !matches!(settings.database.opening.url, DatabaseUrl::Sqlite(_)) {
        Some("with PostgreSQL, which other instances may share")
    } else {
        None
    }
}

/// Where a generated secret is kept.
pub fn file(settings: &Settings) -> PathBuf {
    settings.folder.join(FILE)
}

fn refuse_short(secret: &Secret, name: &str, settings: &Settings) -> Result<(), Misconfigured> {
    if secret.is_short() {
        let short = format!("{name} has fewer than {} bytes", Secret::MIN_BYTES);
        if settings.profile != Profile::Development || !settings.host.is_loopback() {
            return Err(Misconfigured(short));
        }
        tracing::warn!("{short}: good enough for development only");
    }
    Ok(())
}

/// Reads the generated secret, after making one where there is none. Of several processes that
/// make one at the same time, all end up with the same.
fn generated(path: &Path) -> anyhow::Result<Secret> {
    if !path.exists() {
        let folder = path.parent().unwrap_or(Path::new("."));
        taskhold_infrastructure::sqlite::make_private_folder(folder)?;
        let mut random = [0_u8; Secret::MIN_BYTES];
        getrandom::fill(&mut random)?;
        let mut text = String::new();
        for byte in random {
            write!(text, "{byte:02x}")?;
        }
        // Readable by this user only from its first moment on, and never there in part.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Ok(_) => {
                // A file's name is only safe from a power cut once its folder is.
                std::fs::File::open(folder)?.sync_all()?;
                tracing::info!(path = %path.display(), "made a secret to sign tokens with");
            }
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.error.into()),
        }
    }
    let text = std::fs::read_to_string(path)?;
    let secret = Secret::new(text.trim_end());
    if secret.is_short() {
        anyhow::bail!(
            "the file is damaged; delete it to have a new one made, which ends every session"
        );
    }
    Ok(secret)
}
