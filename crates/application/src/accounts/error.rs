//! Why a use case of accounts failed.

use taskhold_repository::error::{Source, StoreError};

use crate::passwords::HashingError;
use crate::rate_limits::{Allowance, Refused};
use crate::tokens::SigningError;

/// Why a use case of accounts failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Another account has this e-mail address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// No account that is active has this e-mail address and this password. Which of them is wrong is
    /// told to nobody.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// The password of the account is another one.
    #[error("the password is wrong")]
    WrongPassword,
    /// The account has no password that could be changed: another service lets its user in.
    #[error("the account has no password")]
    NoPassword,
    /// The refresh token is not good, or not any more.
    #[error("the refresh token is not valid")]
    InvalidRefreshToken,
    /// The account has no password to ask for, so the token must be younger than
    /// [`FRESH_FOR`](super::FRESH_FOR).
    #[error("a fresh token is needed")]
    StaleToken,
    /// It was tried too often.
    #[error("too many attempts")]
    TooOften(Allowance),
    /// There is no such account any more, or it is deactivated.
    #[error("there is no such account")]
    NotFound,
    /// Too many requests wait for the store or for their passwords; nothing was done.
    #[error("too many requests wait")]
    Busy,
    /// The store is away; nothing was done.
    #[error("the store is not available")]
    Unavailable(#[source] Source),
    /// The store was lost during a write, which may or may not have been done.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown(#[source] Source),
    /// A fault of ours.
    #[error("there is a defect in this service")]
    Defect(#[source] Source),
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
            // Where they are expected they are told apart before.
            error @ (StoreError::Duplicate | StoreError::UnknownOwner) => {
                Self::Defect(error.into())
            }
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

impl From<Refused> for AccountError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooOften(allowance) => Self::TooOften(allowance),
            Refused::Store(error) => error.into(),
        }
    }
}
