//! Errors of the use cases of accounts.

use taskhold_domain::account::PasswordError;
use taskhold_repository::error::{Source, StoreError};

use crate::passwords::HashingError;
use crate::personal_tokens::IssueError;
use crate::rate_limits::{Allowance, RateLimitError};
use crate::tokens::SigningError;

/// The reason that a use case of accounts failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Another account has this e-mail address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// No active account has this e-mail address and this password. Which of the two is wrong is not
    /// revealed.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// The password is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// No password was given, and the account has one.
    #[error("the password is missing")]
    PasswordRequired,
    /// The new password breaks a rule that depends on the account.
    #[error(transparent)]
    UnsuitablePassword(#[from] PasswordError),
    /// Registration is switched off.
    #[error("registration is switched off")]
    RegistrationDisabled,
    /// The account has no password: another service authenticates its user.
    #[error("the account has no password")]
    NoPassword,
    /// The refresh token is unknown, used or expired.
    #[error("the refresh token is not valid")]
    InvalidRefreshToken,
    /// The account has no password to confirm with, so the token must be younger than
    /// [`MAX_FRESH_AGE`](super::MAX_FRESH_AGE).
    #[error("a fresh token is needed")]
    FreshTokenRequired,
    /// The user has as many personal access tokens as allowed.
    #[error("the user has too many personal access tokens")]
    TooManyTokens,
    /// A rate limit is exceeded.
    #[error("too many attempts")]
    RateLimited(Allowance),
    /// The account was deleted or deactivated.
    #[error("there is no such account")]
    NotFound,
    /// The user of the account lives in another store.
    #[error("the user was moved to another store")]
    Moved,
    /// Too many requests wait for the store or for password hashing; nothing was done.
    #[error("too many requests wait")]
    Busy,
    /// The store is unavailable; nothing was done.
    #[error("the store is not available")]
    Unavailable(#[source] Source),
    /// The store was lost during a write, which may or may not have been done.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown(#[source] Source),
    /// A defect of the service or of the stored data.
    #[error("there is a defect in this service")]
    Defect(#[source] Source),
}

impl AccountError {
    /// Returns the reason of a refusal in security events; `None` if the service failed, and for what
    /// is logged where it is found.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::EmailTaken => Some("email_taken"),
            Self::WrongCredentials => Some("wrong_credentials"),
            Self::WrongPassword => Some("wrong_password"),
            Self::PasswordRequired => Some("missing_password"),
            Self::UnsuitablePassword(_) => Some("unsuitable_password"),
            Self::NoPassword => Some("no_password"),
            Self::InvalidRefreshToken => Some("invalid_refresh_token"),
            Self::FreshTokenRequired => Some("fresh_token_required"),
            Self::NotFound => Some("deactivated"),
            Self::Moved => Some("moved"),
            Self::RegistrationDisabled
            | Self::TooManyTokens
            | Self::RateLimited(_)
            | Self::Busy
            | Self::Unavailable(_)
            | Self::OutcomeUnknown(_)
            | Self::Defect(_) => None,
        }
    }
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            StoreError::Unavailable(source) => Self::Unavailable(source),
            StoreError::OutcomeUnknown(source) | StoreError::RetryWithKey(source) => {
                Self::OutcomeUnknown(source)
            }
            StoreError::Defect(source) => Self::Defect(source),
            StoreError::UserMoved => Self::Moved,
            // Handled by the use cases that expect them.
            error @ (StoreError::Duplicate | StoreError::UnknownOwner) => {
                Self::Defect(error.into())
            }
        }
    }
}

impl From<IssueError> for AccountError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::TooMany => Self::TooManyTokens,
            IssueError::NoRandomness(error) => Self::Defect(error.into()),
            IssueError::Inactive | IssueError::Store(StoreError::UnknownOwner) => Self::NotFound,
            IssueError::Store(error) => error.into(),
        }
    }
}

impl From<HashingError> for AccountError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Busy => Self::Busy,
            HashingError::Defect(source) => Self::Defect(source),
        }
    }
}

impl From<SigningError> for AccountError {
    fn from(error: SigningError) -> Self {
        Self::Defect(error.into())
    }
}

impl From<RateLimitError> for AccountError {
    fn from(error: RateLimitError) -> Self {
        match error {
            RateLimitError::Exceeded(allowance) => Self::RateLimited(allowance),
            RateLimitError::Store(error) => error.into(),
        }
    }
}
