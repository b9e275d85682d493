//! JSON Web Tokens (RFC 7519), by the best practice of RFC 8725.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use taskhold_application::clock::Clock;
use taskhold_application::tokens::{
    Identity, InvalidToken, SignedToken, SigningError, TokenSigner, TokenVerifier,
};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

pub use crate::claims::Origin;
use crate::claims::{self, Claims, SignedWith};
use crate::issuer::IssuerKeys;
use crate::secret::Secret;

/// Signs tokens with a secret, and verifies those of it and of another issuer.
///
/// A token is taken when its signature is right, its `exp` is there, not past and no longer than
/// [`Lifetimes::longest`] after its `iat` (or, without one, from now), its `nbf` and `iat` where present
/// are not in the future, its `sub` is a [`UserId`], its [`Origin`] is right,
/// and it asks for no extension that must be understood (`crit`). Clocks may differ by 5 seconds.
///
/// The algorithm that its header names decides which keys can have signed it: `HS256` the secrets,
/// and no other key ever; `RS256`, `ES256` and `EdDSA` a key of [`IssuerKeys`] that is good for
/// just this algorithm. Keys that a header brings along or points to are never looked at.
pub struct JwtTokens {
    secrets: Vec<DecodingKey>,
    signing: EncodingKey,
    key_id: String,
    issuer_keys: Option<Arc<IssuerKeys>>,
    origin: Origin,
    lifetimes: Lifetimes,
    clock: Arc<dyn Clock>,
}

/// How long tokens live.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Those that are signed here.
    pub own: Duration,
    /// The longest of any that is taken.
    pub longest: Duration,
}

#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

#[derive(Serialize)]
struct NewClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iat: f64,
    exp: i64,
}

impl JwtTokens {
    /// Tokens signed with `secret`, that live so long. They name `taskhold` as their issuer, and the
    /// audience that every token must name.
    #[must_use]
    pub fn new(
        secret: &Secret,
        origin: Origin,
        lifetimes: Lifetimes,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            secrets: vec![DecodingKey::from_secret(secret.as_bytes())],
            signing: EncodingKey::from_secret(secret.as_bytes()),
            key_id: key_id(secret),
            issuer_keys: None,
            origin,
            lifetimes,
            clock,
        }
    }

    /// Takes also what another secret has signed: the one before, or the one to come.
    #[must_use]
    pub fn also_taking(mut self, secret: &Secret) -> Self {
        self.secrets
            .push(DecodingKey::from_secret(secret.as_bytes()));
        self
    }

    /// Takes also what another issuer has signed with a key that it publishes.
    #[must_use]
    pub fn with_issuer_keys(mut self, keys: Arc<IssuerKeys>) -> Self {
        self.issuer_keys = Some(keys);
        self
    }
}

/// A JSON object in base64url. A list would pass for one with its members in order.
fn object<T: DeserializeOwned>(part: &str) -> Result<T, InvalidToken> {
    let json = BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| InvalidToken)?;
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(InvalidToken);
    }
    serde_json::from_slice(&json).map_err(|_| InvalidToken)
}

/// Tells secrets apart and nothing about them.
fn key_id(secret: &Secret) -> String {
    const BYTES: usize = 12;
    let digest = Sha256::new()
        .chain_update(b"the id of a secret of taskhold\0")
        .chain_update(secret.as_bytes())
        .finalize();
    let (id, _) = digest.split_at(BYTES);
    BASE64_URL_SAFE_NO_PAD.encode(id)
}

impl TokenSigner for JwtTokens {
    fn sign(&self, user: &UserId, now: Timestamp) -> Result<SignedToken, SigningError> {
        let lifetime = i64::try_from(self.lifetimes.own.as_secs()).map_err(SigningError::new)?;
        let claims = NewClaims {
            iss: claims::OURS,
            sub: user.as_str(),
            aud: self.origin.audience.as_deref(),
            iat: claims::seconds(now),
            exp: now
                .as_micros()
                .div_euclid(1_000_000)
                .saturating_add(lifetime),
        };
        let header = jsonwebtoken::Header {
            kid: Some(self.key_id.clone()),
            ..jsonwebtoken::Header::new(Algorithm::HS256)
        };
        Ok(SignedToken {
            token: jsonwebtoken::encode(&header, &claims, &self.signing)
                .map_err(SigningError::new)?,
            expires_in: self.lifetimes.own,
        })
    }
}

#[async_trait]
impl TokenVerifier for JwtTokens {
    async fn verify(&self, token: &str) -> Result<Identity, InvalidToken> {
        let (message, signature) = token.rsplit_once('.').ok_or(InvalidToken)?;
        let (header, payload) = message.split_once('.').ok_or(InvalidToken)?;
        let header: Header = object(header)?;
        if header.crit.is_some() {
            return Err(InvalidToken);
        }
        let is_signed_by = |key: &DecodingKey| {
            let verified =
                jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, header.alg);
            matches!(verified, Ok(true))
        };
        let (is_signed, signed_with) = match (header.alg, &self.issuer_keys) {
            (Algorithm::HS256, _) => (
                self.secrets.iter().any(is_signed_by),
                SignedWith::SharedSecret,
            ),
            (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, Some(keys)) => {
                let key = keys.find(header.alg, header.kid.as_deref()).await;
                (
                    key.as_deref().is_some_and(is_signed_by),
                    SignedWith::IssuerKey,
                )
            }
            _ => return Err(InvalidToken),
        };
        if !is_signed {
            return Err(InvalidToken);
        }
        object::<Claims>(payload)?.identity(
            signed_with,
            &self.origin,
            self.lifetimes.longest,
            self.clock.now(),
        )
    }
}
