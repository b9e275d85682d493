//! The port for sessions: refresh tokens, of which each is good for one use.

use async_trait::async_trait;
use taskhold_domain::account::PasswordHash;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Rotation, Session, Successor, TokenHash};
use taskhold_domain::timestamp::Timestamp;

use crate::error::StoreError;

/// The sessions of all users.
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Keeps a new session of a user whose password is still the one that was `verified` and who is not
    /// kept out. Whether it was so.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn start(&self, session: &Session, verified: &PasswordHash) -> Result<bool, StoreError>;

    /// Uses a refresh token up and keeps its successor, in one step. Of several uses at once exactly one
    /// is the first; each of the others ends the family.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn rotate(&self, token: TokenHash, successor: &Successor)
    -> Result<Rotation, StoreError>;

    /// Ends the family of this token of the user of the revocation, or all families without one, and
    /// keeps the revocation, in one step.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn end(
        &self,
        token: Option<TokenHash>,
        revocation: &Revocation,
    ) -> Result<(), StoreError>;

    /// Forgets at most `most` tokens that were good until `time`. How many it were.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}
