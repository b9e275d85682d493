//! How passwords are kept: as hashes that cost time to guess at.

use std::error::Error;

use async_trait::async_trait;
use taskhold_domain::account::Password;
pub use taskhold_domain::account::PasswordHash;

/// Hashes passwords and compares them with their hashes, without holding up anything else.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// A hash of `password`, different each time.
    ///
    /// # Errors
    /// [`HashingError`].
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HashingError>;

    /// Whether `password`, as somebody claims it to be, is the one of `hash`. Without a hash it is
    /// wrong, after the same work: how long an answer takes must not tell whether there is an
    /// account. So it is where `password` is too long to be one.
    ///
    /// # Errors
    /// [`HashingError`].
    async fn verify(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<Verified, HashingError>;
}

/// What came of comparing a password with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// It is another password.
    Wrong,
    /// It is the password.
    Right,
    /// It is the password, but its hash is weaker than those that are made now: time to make a new
    /// one, while the password is at hand.
    RightButOutdated,
}

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    /// Too many passwords wait to be hashed. Nothing was done; it may work in a second.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// A defect, such as a stored hash that is none.
    #[error("cannot hash a password")]
    Defect(#[source] Box<dyn Error + Send + Sync>),
}
