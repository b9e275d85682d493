//! The port for sessions: refresh tokens, each good for one use.

use async_trait::async_trait;
use taskhold_domain::account::PasswordHash;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Rotation, Session, Successor, TokenHash};
use taskhold_domain::timestamp::Timestamp;

use crate::error::StoreError;

/// The sessions of all users.
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Stores a new session if the user is active and the password is still the `verified` one, and returns
    /// whether it did.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn start(&self, session: &Session, verified: &PasswordHash) -> Result<bool, StoreError>;

    /// Uses up a refresh token and stores its successor, atomically. Exactly one of several concurrent uses
    /// succeeds; each of the others ends the family.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn rotate(&self, token: TokenHash, successor: &Successor)
    -> Result<Rotation, StoreError>;

    /// Ends the token's family if it belongs to the user of the revocation, or all families of the user
    /// without a token, and stores the revocation, atomically.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn end(
        &self,
        token: Option<TokenHash>,
        revocation: &Revocation,
    ) -> Result<(), StoreError>;

    /// Deletes at most `most` tokens that expired before `time`, and returns their number.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}
