//! Unsigned tokens.

use std::time::Duration;

use async_trait::async_trait;
use taskhold_application::tokens::{
    Identity, InvalidToken, Refusal, SignedToken, SigningError, TokenSigner, TokenVerifier,
};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

/// A signer and verifier of plain-text tokens. It accepts `user:NAME`, which never expires, and
/// `user:NAME@MICROS`, which was issued at that time, and signs tokens of the second form, which name no session.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainTokens;

#[async_trait]
impl TokenVerifier for PlainTokens {
    async fn verify(&self, token: &str) -> Result<Identity, InvalidToken> {
        let name = token.strip_prefix("user:").ok_or(Refusal::Malformed)?;
        let issued_at = |(name, micros): (&str, &str)| {
            let issued = Timestamp::from_micros(micros.parse().ok()?).ok()?;
            Some((name.to_owned(), issued))
        };
        let (name, issued) = match name.rsplit_once('@').and_then(issued_at) {
            Some((name, issued)) => (name, Some(issued)),
            None => (name.to_owned(), None),
        };
        Ok(Identity {
            user: UserId::parse(name).map_err(|_| Refusal::Subject)?,
            issued,
            session: None,
            expires: None,
            personal_token: None,
        })
    }
}

impl TokenSigner for PlainTokens {
    fn sign(
        &self,
        user: &UserId,
        _: Option<Uuid>,
        now: Timestamp,
    ) -> Result<SignedToken, SigningError> {
        Ok(SignedToken {
            token: format!("user:{user}@{}", now.as_micros()),
            expires_in: Duration::from_hours(1),
        })
    }
}
