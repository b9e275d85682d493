//! The settings of tokens.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use taskhold_security::issuer::KeySource;
use taskhold_security::jwks_url::JwksUrl;
use taskhold_security::jwt::Origin;
use taskhold_security::secret::Secret;

use super::{Misconfigured, given};

/// Who may sign tokens, and what they must say.
pub struct Auth {
    pub secret: Option<Secret>,
    pub previous_secret: Option<Secret>,
    pub origin: Origin,
    /// Of the tokens that the service issues itself.
    pub lifetime: Duration,
    pub refresh_token_lifetime: Duration,
    /// The longest that any token lives which is taken.
    pub longest_token_lifetime: Duration,
    pub issuer_keys: Option<KeySource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthSection {
    #[serde(default)]
    jwt_secret: String,
    #[serde(default)]
    jwt_secret_previous: String,
    issuer: String,
    audience: String,
    access_token_minutes: NonZeroU16,
    refresh_token_days: NonZeroU16,
    longest_token_days: NonZeroU16,
    jwks_url: String,
    jwks_file: String,
}

impl Auth {
    pub(super) fn of(section: AuthSection) -> Result<Self, Misconfigured> {
        let secret = given(section.jwt_secret);
        let previous_secret = given(section.jwt_secret_previous);
        if secret.is_none() && previous_secret.is_some() {
            return Err(Misconfigured(
                "JWT_SECRET_PREVIOUS is set and JWT_SECRET is not: there is nothing to sign with"
                    .into(),
            ));
        }
        let lifetime = Duration::from_mins(section.access_token_minutes.get().into());
        let longest_token_lifetime = days(section.longest_token_days);
        if lifetime > longest_token_lifetime {
            return Err(Misconfigured(
                "auth.access_token_minutes is longer than auth.longest_token_days: no token that is \
                 issued would be taken"
                    .into(),
            ));
        }
        let issuer_keys = match (given(section.jwks_url), given(section.jwks_file)) {
            (Some(_), Some(_)) => {
                return Err(Misconfigured(
                    "auth.jwks_url and auth.jwks_file are both set: only one can be".into(),
                ));
            }
            (Some(url), None) => {
                Some(KeySource::Url(JwksUrl::parse(&url).map_err(|error| {
                    Misconfigured(format!("auth.jwks_url: {error}"))
                })?))
            }
            (None, Some(file)) => Some(KeySource::File(PathBuf::from(file))),
            (None, None) => None,
        };
        Ok(Self {
            secret: secret.map(Secret::new),
            previous_secret: previous_secret.map(Secret::new),
            origin: Origin {
                issuer: given(section.issuer),
                audience: given(section.audience),
            },
            lifetime,
            refresh_token_lifetime: days(section.refresh_token_days),
            longest_token_lifetime,
            issuer_keys,
        })
    }
}

fn days(days: NonZeroU16) -> Duration {
    Duration::from_hours(24 * u64::from(days.get()))
}
