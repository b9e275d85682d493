//! JSON Web Tokens signed with a shared secret.

use std::collections::HashSet;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use taskhold_application::tokens::{InvalidToken, TokenVerifier};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::secret::Secret;

/// How far the issuer's clock may differ from ours, in seconds, for `exp` and `nbf` alike.
const LEEWAY_SECONDS: u64 = 5;

/// What a token must say about its origin, beside a sound signature. What is `None` is not asked.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The `iss` that every token must have.
    pub issuer: Option<String>,
    /// What every token must have in its `aud`.
    pub audience: Option<String>,
}

/// Signs and verifies tokens with HS256 and one secret.
///
/// A token is taken when its signature is HS256's with this secret, its `exp` is there, a number,
/// not past and not after the year 9999, its `nbf` where present is not in the future, its `sub`
/// is a string that is a [`UserId`], its [`Origin`] is right, and it asks for no extension that
/// must be understood (`crit`). The key is never chosen by what the token's header says.
pub struct JwtTokens {
    origin: Origin,
    verifying: DecodingKey,
    signing: EncodingKey,
    validation: Validation,
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign a token")]
pub struct SigningError(#[from] jsonwebtoken::errors::Error);

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
}

#[derive(Serialize)]
struct NewClaims<'a> {
    sub: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl JwtTokens {
    /// Tokens of this secret and origin.
    #[must_use]
    pub fn new(secret: &Secret, origin: Origin) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.required_spec_claims = HashSet::from(["exp".to_owned(), "sub".to_owned()]);
        // An audience that nobody configured is none of our business.
        validation.validate_aud = origin.audience.is_some();
        if let Some(issuer) = &origin.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        if let Some(audience) = &origin.audience {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        Self {
            origin,
            verifying: DecodingKey::from_secret(secret.as_bytes()),
            signing: EncodingKey::from_secret(secret.as_bytes()),
            validation,
        }
    }

    /// A token of `user`, issued `now`, that expires after `lifetime`.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn sign(
        &self,
        user: &UserId,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<String, SigningError> {
        let issued = now.as_micros().div_euclid(1_000_000);
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = NewClaims {
            sub: user.as_str(),
            iat: issued,
            exp: issued.saturating_add(lifetime),
            iss: self.origin.issuer.as_deref(),
            aud: self.origin.audience.as_deref(),
        };
        Ok(jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            &claims,
            &self.signing,
        )?)
    }
}

impl TokenVerifier for JwtTokens {
    fn verify(&self, token: &str) -> Result<UserId, InvalidToken> {
        let last_second = Timestamp::LAST.as_micros().div_euclid(1_000_000);
        let token = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation)
            .map_err(|_| InvalidToken)?;
        #[expect(clippy::cast_precision_loss, reason = "the second is below 2^53")]
        let expires_too_late = token.claims.exp > last_second as f64;
        if expires_too_late || token.header.crit.is_some() {
            return Err(InvalidToken);
        }
        UserId::parse(token.claims.sub).map_err(|_| InvalidToken)
    }
}
