//! Tokens that anyone can write.

use taskhold_application::tokens::{InvalidToken, TokenVerifier};
use taskhold_domain::user::UserId;

/// Takes `user:NAME` for a token of NAME, and refuses all else.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainTokens;

impl TokenVerifier for PlainTokens {
    fn verify(&self, token: &str) -> Result<UserId, InvalidToken> {
        let name = token.strip_prefix("user:").ok_or(InvalidToken)?;
        UserId::parse(name).map_err(|_| InvalidToken)
    }
}
