//! The settings of tokens.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use taskhold_security::claims::{RequiredClaims, TokenTypes};
use taskhold_security::issuer::KeySource;
use taskhold_security::jwks_url::JwksUrl;
use taskhold_security::secret::Secret;

use super::{Misconfigured, given, values};

/// Who may sign tokens, and what they must claim.
pub struct Auth {
    pub secret: Option<Secret>,
    pub previous_secret: Option<Secret>,
    pub required_claims: RequiredClaims,
    /// The lifetime of the service's own access tokens.
    pub lifetime: Duration,
    pub refresh_token_lifetime: Duration,
    /// The longest time from a login to the end of its session.
    pub session_lifetime: Duration,
    /// The longest lifetime of a token that is accepted.
    pub max_token_lifetime: Duration,
    /// The time until every token from before a revocation has expired, for which the revocation is kept.
    pub revocation_retention: Duration,
    /// Allows people to register accounts.
    pub registration: bool,
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
    #[serde(deserialize_with = "values::minutes")]
    access_token_minutes: Duration,
    #[serde(deserialize_with = "values::days")]
    refresh_token_days: Duration,
    #[serde(deserialize_with = "values::days")]
    session_days: Duration,
    #[serde(deserialize_with = "values::days")]
    max_token_lifetime_days: Duration,
    #[serde(deserialize_with = "token_types")]
    token_types: TokenTypes,
    #[serde(deserialize_with = "values::flag")]
    accept_missing_iat: bool,
    #[serde(deserialize_with = "values::flag")]
    registration: bool,
    jwks_url: String,
    jwks_file: String,
}

impl Auth {
    pub(super) fn of(section: AuthSection) -> Result<Self, Misconfigured> {
        let wrong = |message: &str| Err(Misconfigured(message.to_owned()));
        let secret = given(section.jwt_secret);
        let previous_secret = given(section.jwt_secret_previous);
        if secret.is_none() && previous_secret.is_some() {
            return wrong(
                "JWT_SECRET_PREVIOUS is set and JWT_SECRET is not: there is nothing to sign with",
            );
        }
        if section.access_token_minutes > section.max_token_lifetime_days {
            return wrong(
                "auth.access_token_minutes is longer than auth.max_token_lifetime_days: no token that is \
                 issued would be accepted",
            );
        }
        let issuer_keys = match (given(section.jwks_url), given(section.jwks_file)) {
            (Some(_), Some(_)) => {
                return wrong("auth.jwks_url and auth.jwks_file are both set: only one can be");
            }
            (Some(url), None) => {
                let url = JwksUrl::parse(&url);
                let url = url.map_err(|error| Misconfigured(format!("auth.jwks_url: {error}")))?;
                Some(KeySource::Url(url))
            }
            (None, Some(file)) => Some(KeySource::File(PathBuf::from(file))),
            (None, None) => None,
        };
        Ok(Self {
            secret: secret.map(Secret::new),
            previous_secret: previous_secret.map(Secret::new),
            required_claims: RequiredClaims {
                issuer: given(section.issuer),
                audience: given(section.audience),
                types: section.token_types,
                accepts_missing_iat: section.accept_missing_iat,
            },
            lifetime: section.access_token_minutes,
            refresh_token_lifetime: section.refresh_token_days,
            session_lifetime: section.session_days,
            max_token_lifetime: section.max_token_lifetime_days,
            // A token without `iat` can be of any age.
            revocation_retention: if section.accept_missing_iat {
                Duration::MAX
            } else {
                section.max_token_lifetime_days
            },
            registration: section.registration,
            issuer_keys,
        })
    }
}

fn token_types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TokenTypes, D::Error> {
    let words = values::words(deserializer, |word| Ok::<_, Infallible>(word.to_owned()))?;
    if words.is_empty() {
        return Err(D::Error::custom(
            "it must name at least one type, such as JWT",
        ));
    }
    Ok(TokenTypes::new(words))
}
