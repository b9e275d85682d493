//! The port that hashes passwords.

use std::error::Error;

use async_trait::async_trait;
use taskhold_domain::account::{Password, PasswordHash};

/// Hashes and verifies passwords without blocking the async threads.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Returns a salted hash of `password`.
    ///
    /// # Errors
    /// [`HashingError`].
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HashingError>;

    /// Compares `password` with `hash`. Without a hash, or with a password that is too long to be one,
    /// the result is [`Verification::Mismatch`] after the same work: the time of an answer must not
    /// reveal whether an account exists.
    ///
    /// # Errors
    /// [`HashingError`].
    async fn verify(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<Verification, HashingError>;
}

/// The result of comparing a password with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// The password is wrong.
    Mismatch,
    /// The password is right.
    Match,
    /// The password is right, but its hash is weaker than new ones and should be replaced.
    MatchOutdatedHash,
}

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    /// Too many passwords wait to be hashed; nothing was done.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// A defect, such as a stored hash that is malformed.
    #[error("cannot hash a password")]
    Defect(#[source] Box<dyn Error + Send + Sync>),
}
