//! Access tokens: the ports that verify and sign them.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::personal_token::{PersonalToken, Scope};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use uuid::Uuid;

use crate::actor::Actor;

/// The claims of a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user whom the token names.
    pub user: UserId,
    /// When the token was issued, if its issuer says so.
    pub issued: Option<Timestamp>,
    /// The session that this service issued the token to; `None` for tokens of another issuer, of an operator, and
    /// of earlier versions.
    pub session: Option<Uuid>,
    /// When the token ceases to be valid; `None` if it never does.
    pub expires: Option<Timestamp>,
    /// The personal access token; `None` for an access token, which allows everything.
    pub personal_token: Option<Arc<PersonalToken>>,
}

impl Identity {
    /// Returns whether the token allows requests that need this scope.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        match &self.personal_token {
            Some(token) => token.scopes.allow(scope),
            None => true,
        }
    }

    /// Returns the user for whom writes with the token act, and the author of their changes.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let user = self.user.clone();
        match &self.personal_token {
            Some(token) => Actor {
                user,
                by: token.author(),
            },
            None => Actor::session(user),
        }
    }
}

/// Verifies tokens.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// Returns what a valid token says. May wait for the keys of another issuer.
    ///
    /// # Errors
    /// [`InvalidToken`], whose reason is for the log alone: a forger must not learn how close a forgery came.
    async fn verify(&self, token: &str) -> Result<Identity, InvalidToken>;
}

/// The token is not accepted by this service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct InvalidToken {
    /// Why, for the log alone.
    pub reason: Refusal,
    /// The user whom the token names, if its signature is valid.
    pub user: Option<UserId>,
}

/// The reason that the token of a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The token is not valid.
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
    /// The token of this user was valid, and was revoked.
    #[error("the token was revoked")]
    Revoked(UserId),
    /// The token is valid, and its user lives in another store.
    #[error("the user was moved to another store")]
    Moved(UserId),
    /// The store must be asked and failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for InvalidToken {
    fn from(reason: Refusal) -> Self {
        Self { reason, user: None }
    }
}

/// The reason that a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The token is no JWT, or a claim is missing or has another type.
    Malformed,
    /// The token requires an extension (`crit`).
    Extension,
    /// No key for the token's algorithm is configured.
    Algorithm,
    /// No configured key has made the signature.
    Signature,
    /// The `typ` is not accepted.
    Type,
    /// The `sub` is no user id.
    Subject,
    /// The `exp` is past.
    Expired,
    /// The `exp` is further from the `iat` than is accepted.
    Lifetime,
    /// The `nbf` or the `iat` is in the future.
    NotYetValid,
    /// The `iat` is required and missing.
    IssueTime,
    /// The `iss` is another one.
    Issuer,
    /// The `aud` does not contain the required one.
    Audience,
    /// There is no such personal access token.
    Unknown,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Self; 13] = [
        Self::Malformed,
        Self::Extension,
        Self::Algorithm,
        Self::Signature,
        Self::Type,
        Self::Subject,
        Self::Expired,
        Self::Lifetime,
        Self::NotYetValid,
        Self::IssueTime,
        Self::Issuer,
        Self::Audience,
        Self::Unknown,
    ];

    /// Returns the reason code in the log.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Extension => "extension",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Type => "type",
            Self::Subject => "subject",
            Self::Expired => "expired",
            Self::Lifetime => "lifetime",
            Self::NotYetValid => "not_yet_valid",
            Self::IssueTime => "issue_time",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Unknown => "unknown",
        }
    }
}

/// Signs the service's own tokens.
pub trait TokenSigner: Send + Sync {
    /// Issues a token for `user` and one of their sessions. The signer decides on its lifetime.
    ///
    /// # Errors
    /// [`SigningError`].
    fn sign(
        &self,
        user: &UserId,
        session: Option<Uuid>,
        now: Timestamp,
    ) -> Result<SignedToken, SigningError>;
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
