//! Who is asking, and how long the service vouches for it.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

/// What a sound token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whom it names.
    pub user: UserId,
    /// When it was issued, to the microsecond where its issuer told it; `None` where it did not.
    pub issued: Option<Timestamp>,
}

/// Tells whose token it is.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// What a sound token says. It may have to wait for the keys of another issuer.
    ///
    /// # Errors
    /// [`InvalidToken`] for every other token. It does not say why: who forges tokens should not
    /// learn how close they came.
    async fn verify(&self, token: &str) -> Result<Identity, InvalidToken>;
}

/// The token is not one that this service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct InvalidToken;

/// Makes tokens of the service's own.
pub trait TokenSigner: Send + Sync {
    /// A token of `user`, issued `now`. How long it lives is the signer's own matter.
    ///
    /// # Errors
    /// [`SigningError`].
    fn sign(&self, user: &UserId, now: Timestamp) -> Result<SignedToken, SigningError>;
}

/// A token of the service's own.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedToken {
    /// The token, for whom it names and nobody else.
    pub token: String,
    /// How long it lives.
    pub expires_in: Duration,
}

impl std::fmt::Debug for SignedToken {
    /// Who has a token is its user, so no log has one.
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
    /// With what went wrong underneath.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
