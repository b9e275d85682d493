//! Sessions: refresh tokens, each good for one use.

use std::fmt;

use uuid::Uuid;

use crate::timestamp::Timestamp;
use crate::user::{User, UserId};

/// The SHA-256 digest of a refresh token. Only the digest is stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
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
    /// When the token was issued.
    pub created_at: Timestamp,
    /// When the token expires.
    pub expires_at: Timestamp,
}

/// A refresh token that is to replace another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// The digest of the new token.
    pub token: TokenHash,
    /// When the new token is issued.
    pub created_at: Timestamp,
    /// When the new token expires.
    pub expires_at: Timestamp,
}

/// The outcome of presenting a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The token was good and is used up; its successor belongs to this user.
    Rotated(User),
    /// The token was used before, so it has been stolen: its whole family was ended.
    Reused,
    /// The token is unknown or expired, or its user is deactivated.
    Refused,
}
