//! Access tokens: the ports that verify and sign them.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user whom the token names.
    pub user: UserId,
    /// When the token was issued, if its issuer says so.
    pub issued: Option<Timestamp>,
}

/// Verifies tokens.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// Returns what a valid token says. May wait for the keys of another issuer.
    ///
    /// # Errors
    /// [`InvalidToken`], without a reason: a forger must not learn how close a forgery came.
    async fn verify(&self, token: &str) -> Result<Identity, InvalidToken>;
}

/// The token is not accepted by this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct InvalidToken;

/// Signs the service's own tokens.
pub trait TokenSigner: Send + Sync {
    /// Issues a token for `user`. The signer decides on its lifetime.
    ///
    /// # Errors
    /// [`SigningError`].
    fn sign(&self, user: &UserId, now: Timestamp) -> Result<SignedToken, SigningError>;
}

/// A token that this service issued.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedToken {
    /// The token, which is a secret of its user.
    pub token: String,
    /// The lifetime of the token.
    pub expires_in: Duration,
}

impl std::fmt::Debug for SignedToken {
    /// Omits the token: a log must not let its readers act as the user.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedToken")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// A token could not be signed: a defect.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign a token")]
pub struct SigningError(#[source] Box<dyn Error + Send + Sync>);

impl SigningError {
    /// Wraps the underlying error.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
