//! The secrets that tokens are signed with.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use taskhold_application::accounts::DeviceTokens;
use taskhold_application::clock::SystemClock;
use taskhold_infrastructure::files::{create_private_folder, folder_of, sync_folder};
use taskhold_security::jwt::{JwtTokens, TokenLifetimes};
use taskhold_security::secret::Secret;

use crate::own_file;
use crate::settings::{Misconfigured, Profile, Settings};

/// The file in the data folder that holds the generated secret.
const FILE: &str = "jwt-secret";

/// What is done if a secret may be generated, and was not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Generate,
    Refuse,
}

/// Returns a signer and verifier of tokens with the configured secrets; new tokens live for `lifetime`.
/// Fails with [`Misconfigured`] if a secret is missing where one is required, or is too weak.
pub fn tokens(
    settings: &Settings,
    lifetime: Duration,
    missing: Missing,
) -> anyhow::Result<JwtTokens> {
    let secret = signing_secret(settings, missing)?;
    let origin = settings.auth.required_claims.clone();
    let lifetimes = TokenLifetimes {
        own: lifetime,
        max_accepted: settings.auth.max_token_lifetime,
    };
    let tokens = JwtTokens::new(&secret, origin, lifetimes, Arc::new(SystemClock));
    match &settings.auth.previous_secret {
        Some(previous) => {
            refuse_weak(previous, "JWT_SECRET_PREVIOUS", settings)?;
            Ok(tokens.with_other_secret(previous))
        }
        None => Ok(tokens),
    }
}

/// Derives a key for another purpose from the secret that tokens are signed with.
pub fn derived_key(settings: &Settings, purpose: &str) -> anyhow::Result<[u8; 32]> {
    Ok(signing_secret(settings, Missing::Generate)?.derive_key(purpose))
}

/// Returns the issuer of device tokens, with keys derived from the configured secrets.
pub fn device_tokens(settings: &Settings) -> anyhow::Result<DeviceTokens> {
    let key = |secret: &Secret| secret.derive_key("device tokens");
    let previous = settings.auth.previous_secret.as_ref().map(key);
    Ok(DeviceTokens::new(
        key(&signing_secret(settings, Missing::Generate)?),
        previous,
    ))
}

/// Returns the configured secret, or, on a service that only this machine can reach, a generated one that
/// stays the same over restarts.
fn signing_secret(settings: &Settings, missing: Missing) -> anyhow::Result<Secret> {
    if let Some(secret) = &settings.auth.secret {
        refuse_weak(secret, "JWT_SECRET", settings)?;
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
    if missing == Missing::Refuse && !path.exists() {
        bail!(
            "there is no secret in {}: start the service, which makes it, or set JWT_SECRET to that of the service",
            path.display()
        );
    }
    generated(&path)
        .with_context(|| format!("cannot keep a generated secret in {}", path.display()))
}

/// Returns why a secret must be configured; `None` if one may be generated.
pub fn why_required(settings: &Settings) -> Option<&'static str> {
    if settings.profile == Profile::Production {
        Some("in production")
    } else if !settings.server.host.is_loopback() {
        Some("to listen on an address that others can reach")
    } else if settings.database.options.url.sqlite_path().is_none() {
        Some("with PostgreSQL, which other instances may share")
    } else {
        None
    }
}

/// Returns the path of the generated secret.
pub fn file(settings: &Settings) -> PathBuf {
    settings.folder.join(FILE)
}

/// How to make a secret, as the end of a message.
pub const HOW_TO_MAKE: &str = "set it to random bytes, such as from `openssl rand -hex 32`";

/// What is wrong with a configured secret.
pub struct Weakness {
    /// What and why, beginning with the name of the variable.
    pub found: String,
    /// Whether the service refuses to run with it.
    pub is_refused: bool,
}

/// Returns what is wrong with a configured secret, if anything.
pub fn weakness(secret: &Secret, name: &str, settings: &Settings) -> Option<Weakness> {
    let is_public = !settings.server.host.is_loopback();
    if secret.is_short() {
        return Some(Weakness {
            found: format!("{name} has fewer than {} bytes", Secret::MIN_BYTES),
            is_refused: is_public || settings.profile != Profile::Development,
        });
    }
    secret.why_guessable().map(|why| Weakness {
        found: format!("{name} {why}"),
        is_refused: is_public || settings.profile == Profile::Production,
    })
}

fn refuse_weak(secret: &Secret, name: &str, settings: &Settings) -> Result<(), Misconfigured> {
    match weakness(secret, name, settings) {
        None => Ok(()),
        Some(Weakness { found, is_refused }) if is_refused => {
            Err(Misconfigured(format!("{found}: {HOW_TO_MAKE}")))
        }
        Some(Weakness { found, .. }) => {
            tracing::warn!("{found}: good enough for development only");
            Ok(())
        }
    }
}

/// Reads the generated secret; generates it if there is none. Processes that do so at the same time all
/// end up with the same one.
fn generated(path: &Path) -> anyhow::Result<Secret> {
    if !path.exists() {
        generate(path)?;
    }
    let mut text = String::new();
    if let Some(mut file) = own_file::open(path).map_err(Misconfigured::from)? {
        file.read_to_string(&mut text)?;
    }
    let secret = Secret::new(text.trim_end());
    if secret.is_short() {
        bail!("the file is damaged; delete it to have a new one made, which ends every session");
    }
    Ok(secret)
}

fn generate(path: &Path) -> anyhow::Result<()> {
    let folder = folder_of(path);
    create_private_folder(folder)?;
    let mut random = [0_u8; Secret::MIN_BYTES];
    getrandom::fill(&mut random)?;
    // No other user can read a temporary file, and its name changes only when it is complete.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(hex::encode(random).as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            sync_folder(folder)?;
            tracing::info!(path = %path.display(), "made a secret to sign tokens with");
            Ok(())
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error.into()),
    }
}
