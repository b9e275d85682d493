//! The port for personal access tokens.

use async_trait::async_trait;
use taskhold_domain::personal_token::PersonalToken;
use taskhold_domain::session::TokenHash;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

use crate::error::StoreError;

/// The outcome of an addition of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAddition {
    /// The token is stored.
    Added,
    /// The user has [`MAX_PER_USER`](taskhold_domain::personal_token::MAX_PER_USER) tokens that have not expired.
    TooMany,
    /// The user is deactivated.
    Inactive,
}

/// The personal access tokens of all users.
#[async_trait]
pub trait PersonalTokenRepository: Send + Sync {
    /// Stores a new token, and its user if the store does not know the user. Concurrent additions for one user count each
    /// other.
    ///
    /// # Errors
    /// [`StoreError`]: `UnknownOwner` if the user was deleted a moment ago; `Busy`, `Unavailable`, `OutcomeUnknown`,
    /// `Defect`.
    async fn add(&self, token: &PersonalToken) -> Result<TokenAddition, StoreError>;

    /// Returns the token of this digest, whether it has expired or not; `None` if there is none, or its user is
    /// deactivated.
    ///
    /// # Errors
    /// [`StoreError`]: `Busy`, `Unavailable`, `Defect`.
    async fn find(&self, hash: TokenHash) -> Result<Option<PersonalToken>, StoreError>;

    /// Returns the tokens of a user that have not expired at `now`, the latest first.
    ///
    /// # Errors
    /// [`StoreError`]: `Busy`, `Unavailable`, `Defect`.
    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<PersonalToken>, StoreError>;

    /// Records the day of a use, unless a later one is recorded.
    ///
    /// # Errors
    /// [`StoreError`]: `Busy`, `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn record_use(&self, id: Uuid, day: Timestamp) -> Result<(), StoreError>;

    /// Deletes a token of a user, and returns whether the user had it.
    ///
    /// # Errors
    /// [`StoreError`]: `Busy`, `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn remove(&self, user: &UserId, id: Uuid) -> Result<bool, StoreError>;

    /// Deletes at most `most` tokens that expired before `time`, and returns their number.
    ///
    /// # Errors
    /// [`StoreError`]: `Busy`, `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}
