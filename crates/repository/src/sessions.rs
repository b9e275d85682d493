//! The port for sessions: refresh tokens, of which each is good for one use.

use std::fmt;

use async_trait::async_trait;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

use crate::error::StoreError;
use crate::revocations::Revocation;
use crate::users::{PasswordHash, User};

/// What is kept of a refresh token: a digest from which it cannot be learned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A refresh token that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Of the token.
    pub token: TokenHash,
    /// What it shares with the token that it was given for, and with the one that will be given for
    /// it: all that came of one login.
    pub family: Uuid,
    /// Whose it is.
    pub user: UserId,
    /// When it was given out.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// A refresh token that is to take the place of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// Of the new token.
    pub token: TokenHash,
    /// When it is given out.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// What became of a refresh token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was good, and is used up now; the new one is this user's.
    Rotated(User),
    /// It was used before, so somebody has stolen it: its whole family has been ended.
    Reused,
    /// It is unknown, not good any more, or of a user who is kept out.
    Refused,
}

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
