//! Who is asking.

use taskhold_domain::user::UserId;

/// Tells whose token it is.
pub trait TokenVerifier: Send + Sync {
    /// The user whom a sound token names.
    ///
    /// # Errors
    /// [`InvalidToken`] for every other token. It does not say why: who forges tokens should not
    /// learn how close they came.
    fn verify(&self, token: &str) -> Result<UserId, InvalidToken>;
}

/// The token is not one that this service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct InvalidToken;
