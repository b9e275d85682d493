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
    Identity, InvalidToken, Refusal, SignedToken, SigningError, TokenSigner, TokenVerifier,
};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

use crate::claims::{self, Claims, RequiredClaims, SignedWith};
use crate::issuer::IssuerKeys;
use crate::jwks::present;
use crate::secret::Secret;

/// Signs tokens with a secret, and verifies tokens of this secret and of another issuer.
///
/// A token is valid if its signature is valid, it has an `exp` that is not past and at most
/// [`TokenLifetimes::max_accepted`] after its `iat` (or, without one, after now), its `nbf` and `iat`, if
/// any, are not in the future, its `sub` is a [`UserId`], it has the [`RequiredClaims`], and its header has
/// no `crit`, not even null. Clocks may differ by 5 seconds.
///
/// The algorithm in the header decides which keys are tried: only the secrets for `HS256`, and for `RS256`,
/// `ES256` and `EdDSA` only a key of [`IssuerKeys`] for just this algorithm. Keys that a header contains or
/// points to are ignored.
pub struct JwtTokens {
    secrets: Vec<DecodingKey>,
    signing: EncodingKey,
    key_id: String,
    issuer_keys: Option<Arc<IssuerKeys>>,
    required_claims: RequiredClaims,
    lifetimes: TokenLifetimes,
    clock: Arc<dyn Clock>,
}

/// The lifetimes of access tokens.
#[derive(Debug, Clone, Copy)]
pub struct TokenLifetimes {
    /// The lifetime of tokens that this service signs.
    pub own: Duration,
    /// The longest lifetime of a token that is accepted.
    pub max_accepted: Duration,
}

/// The members of a header that count. Null is a value like others: only a missing member is `None`.
#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

#[derive(Serialize)]
struct NewClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iat: f64,
    exp: i64,
}

impl JwtTokens {
    /// Returns a signer and verifier with this secret. Tokens that it signs name `taskhold` as their
    /// issuer, and the required audience.
    #[must_use]
    pub fn new(
        secret: &Secret,
        required_claims: RequiredClaims,
        lifetimes: TokenLifetimes,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            secrets: vec![DecodingKey::from_secret(secret.as_bytes())],
            signing: EncodingKey::from_secret(secret.as_bytes()),
            key_id: key_id(secret),
            issuer_keys: None,
            required_claims,
            lifetimes,
            clock,
        }
    }

    /// Also accepts tokens of another secret: the previous or the next one.
    #[must_use]
    pub fn with_other_secret(mut self, secret: &Secret) -> Self {
        self.secrets
            .push(DecodingKey::from_secret(secret.as_bytes()));
        self
    }

    /// Also accepts tokens of another issuer.
    #[must_use]
    pub fn with_issuer_keys(mut self, keys: Arc<IssuerKeys>) -> Self {
        self.issuer_keys = Some(keys);
        self
    }
}

/// Decodes a JSON object in base64url. Serde would also accept an array of the members in their order.
fn decode_object<T: DeserializeOwned>(part: &str) -> Result<T, InvalidToken> {
    let json = BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Refusal::Malformed)?;
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::Malformed.into());
    }
    Ok(serde_json::from_slice(&json).map_err(|_| Refusal::Malformed)?)
}

/// Derives an id that distinguishes secrets and reveals nothing about them.
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
    fn sign(
        &self,
        user: &UserId,
        session: Option<Uuid>,
        now: Timestamp,
    ) -> Result<SignedToken, SigningError> {
        let lifetime = i64::try_from(self.lifetimes.own.as_secs()).map_err(SigningError::new)?;
        let claims = NewClaims {
            iss: claims::OWN_ISSUER,
            sub: user.as_str(),
            sid: session,
            aud: self.required_claims.audience.as_deref(),
            iat: claims::to_seconds(now),
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
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Refusal::Malformed)?;
        let header: Header = decode_object(header)?;
        if header.crit.is_some() {
            return Err(Refusal::Extension.into());
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
            _ => return Err(Refusal::Algorithm.into()),
        };
        if !is_signed {
            return Err(Refusal::Signature.into());
        }
        decode_object::<Claims>(payload)?.validate(
            header.typ.as_deref(),
            signed_with,
            &self.required_claims,
            self.lifetimes.max_accepted,
            self.clock.now(),
        )
    }
}
