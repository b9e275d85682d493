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

/// The secret that tokens are signed with, and the one before it, which is still accepted.
pub struct Secrets {
    current: Secret,
    previous: Option<Secret>,
}

impl Secrets {
    /// Returns the configured secrets; `None` on a service that only this machine can reach, which may generate one.
    ///
    /// # Errors
    /// A secret is missing where one is required, or is too weak.
    pub fn configured(settings: &Settings) -> Result<Option<Self>, Misconfigured> {
        let checked = |secret: &Option<Secret>, name| {
            if let Some(secret) = secret {
                refuse_weak(secret, name, settings)?;
            }
            Ok::<_, Misconfigured>(secret.clone())
        };
        let current = checked(&settings.auth.secret, "JWT_SECRET")?;
        let previous = checked(&settings.auth.previous_secret, "JWT_SECRET_PREVIOUS")?;
        match (current, why_required(settings)) {
            (Some(current), _) => Ok(Some(Self { current, previous })),
            (None, None) => Ok(None),
            (None, Some(reason)) => Err(Misconfigured(format!(
                "JWT_SECRET is not set, and it must be {reason}: set it to at least {} random bytes, such as from \
                 `openssl rand -hex 32`",
                Secret::MIN_BYTES
            ))),
        }
    }

    /// Returns the configured secrets or the generated one, which stays the same over restarts.
    ///
    /// # Errors
    /// As [`configured`](Self::configured). The generated one is missing, or was damaged.
    pub fn read(settings: &Settings) -> anyhow::Result<Self> {
        Self::configured(settings)?.map_or_else(|| Self::read_generated(settings), Ok)
    }

    /// Returns the generated secret, which is generated first if it is missing.
    ///
    /// # Errors
    /// It was damaged, or cannot be kept.
    pub fn read_or_generate(settings: &Settings) -> anyhow::Result<Self> {
        let path = file(settings);
        let is_missing = !path.try_exists().map_err(|error| unusable(&path, &error))?;
        if is_missing {
            generate(&path)?;
        }
        Self::read_generated(settings)
    }

    fn read_generated(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            current: read_generated(&file(settings))?,
            previous: None,
        })
    }

    /// Returns a signer and verifier of tokens; new tokens live for `lifetime`.
    pub fn tokens(&self, settings: &Settings, lifetime: Duration) -> JwtTokens {
        let origin = settings.auth.required_claims.clone();
        let lifetimes = TokenLifetimes {
            own: lifetime,
            max_accepted: settings.auth.max_token_lifetime,
        };
        let tokens = JwtTokens::new(&self.current, origin, lifetimes, Arc::new(SystemClock));
        match &self.previous {
            Some(previous) => tokens.with_other_secret(previous),
            None => tokens,
        }
    }

    /// Returns the issuer of device tokens.
    pub fn device_tokens(&self) -> DeviceTokens {
        const PURPOSE: &str = "device tokens";
        let previous = self.previous.as_ref();
        DeviceTokens::new(
            self.key(PURPOSE),
            previous.map(|secret| secret.derive_key(PURPOSE)),
        )
    }

    /// Derives a key for another purpose.
    pub fn key(&self, purpose: &str) -> [u8; 32] {
        self.current.derive_key(purpose)
    }
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

/// A reason not to trust a configured secret.
pub struct Weakness {
    /// The reason, after the name of the variable.
    pub found: String,
    /// Whether the service refuses to run with the secret.
    pub is_refused: bool,
}

/// Returns the weakness of a configured secret, if it has one.
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
        Some(Weakness { found, is_refused }) if is_refused => Err(Misconfigured(format!(
            "{found}: set it to random bytes, such as from `openssl rand -hex 32`"
        ))),
        Some(Weakness { found, .. }) => {
            tracing::warn!("{found}: good enough for development only");
            Ok(())
        }
    }
}

fn read_generated(path: &Path) -> anyhow::Result<Secret> {
    let shown = path.display();
    let Some(mut file) = own_file::open(path).map_err(Misconfigured::from)? else {
        bail!(
            "there is no secret in {shown}: start the service, which makes it, or set JWT_SECRET to that of the \
             service"
        );
    };
    let mut text = String::new();
    file.read_to_string(&mut text)
        .with_context(|| format!("cannot read {shown}"))?;
    let secret = Secret::new(text.trim_end());
    if secret.is_short() {
        bail!(
            "the file {shown} is damaged; delete it to have a new secret made, which ends every session"
        );
    }
    Ok(secret)
}

/// Says that the data folder cannot be used.
fn unusable(path: &Path, error: &io::Error) -> Misconfigured {
    Misconfigured(format!(
        "database.folder: the folder {} cannot be used to keep a secret: {}; give it to user {}, whom the service \
         runs as, or set it to another folder",
        folder_of(path).display(),
        // Its text may name a temporary file, and no cause.
        error.kind(),
        rustix::process::geteuid().as_raw()
    ))
}

/// Generates a secret. Processes that do so at the same time all end up with the same one.
fn generate(path: &Path) -> anyhow::Result<()> {
    let folder = folder_of(path);
    let unusable = |error| unusable(path, &error);
    create_private_folder(folder).map_err(unusable)?;
    let mut random = [0_u8; Secret::MIN_BYTES];
    getrandom::fill(&mut random)?;
    // No other user can read a temporary file, and its name changes only when it is complete.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unusable)?;
    file.write_all(hex::encode(random).as_bytes())
        .map_err(unusable)?;
    file.as_file().sync_all().map_err(unusable)?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            sync_folder(folder)?;
            tracing::info!(path = %path.display(), "made a secret to sign tokens with");
            Ok(())
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unusable(error.error).into()),
    }
}
