//! The port that hashes passwords.

use std::error::Error;
use std::net::IpAddr;

use async_trait::async_trait;
use taskhold_domain::account::{Password, PasswordHash};

/// The purpose for which a password is hashed, and the client. If many wait, each client gets an equal share of the
/// hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashRequest {
    /// The network of the client; `None` for an operator, who has a hasher alone.
    pub network: Option<IpAddr>,
    /// `true` for a login: some places in the queue are reserved for logins.
    pub is_login: bool,
}

impl HashRequest {
    /// The request of an operator.
    pub const OPERATOR: Self = Self {
        network: None,
        is_login: false,
    };
}

/// Hashes and verifies passwords without blocking the async threads.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Returns a salted hash of `password`.
    ///
    /// # Errors
    /// [`HashingError`].
    async fn hash(
        &self,
        password: &Password,
        request: HashRequest,
    ) -> Result<PasswordHash, HashingError>;

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
        request: HashRequest,
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

/// The reason that a password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    /// Too many passwords wait to be hashed, of this client or of all; nothing was done.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// A defect, such as a stored hash that is malformed.
    #[error("cannot hash a password")]
    Defect(#[source] Box<dyn Error + Send + Sync>),
}
