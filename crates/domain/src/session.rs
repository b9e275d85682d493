//! Sessions: refresh tokens, each good for one use.

use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use crate::revocation::Revocation;
use crate::timestamp::Timestamp;
use crate::user::{User, UserId};

/// The SHA-256 digest of a refresh token or a personal access token. Only the digest is stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// The most sessions of a user. A further login ends the one that was not refreshed for the longest time.
pub const MAX_PER_USER: u64 = 50;

/// A refresh token as it was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresentedToken {
    /// The digest of the token.
    pub hash: TokenHash,
    /// The family that the token descends from, if the token itself proves it. Such a token is recognized
    /// after its row was deleted.
    pub family: Option<Uuid>,
}

/// An issued refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The digest of the token.
    pub token: TokenHash,
    /// The login that the token descends from: a successor keeps the family of its predecessor.
    pub family: Uuid,
    /// The user whom the token was issued to.
    pub user: UserId,
    /// When the user logged in.
    pub started_at: Timestamp,
    /// When the token was issued.
    pub created_at: Timestamp,
    /// When the token expires.
    pub expires_at: Timestamp,
}

/// The sessions that end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All of the user's.
    All,
    /// The one of this family.
    OfFamily(Uuid),
}

/// A refresh token that is to replace another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// The digest of the new token.
    pub token: TokenHash,
    /// When the new token is issued.
    pub created_at: Timestamp,
    /// When the new token expires, unless its session ends before.
    pub expires_at: Timestamp,
    /// The time from the login to the end of its session.
    pub max_session_age: Duration,
}

impl Successor {
    /// Returns when the token expires if the user logged in at `started_at`; `None` if the session has ended.
    #[must_use]
    pub fn expiry(&self, started_at: Timestamp) -> Option<Timestamp> {
        let end = started_at.saturating_add(self.max_session_age);
        (end > self.created_at).then(|| end.min(self.expires_at))
    }
}

/// The outcome of presenting a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The token was good and is used up.
    Rotated {
        /// The user whom its successor belongs to.
        user: User,
        /// When the user logged in.
        started_at: Timestamp,
    },
    /// The token was used before, so it has been stolen: its whole family was ended, and the access tokens
    /// of its user were revoked.
    Reused(Revocation),
    /// The token is unknown or expired, or its user is deactivated.
    Refused,
}
