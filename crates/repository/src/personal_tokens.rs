//! The port for personal access tokens.

use async_trait::async_trait;
use taskhold_domain::personal_token::PersonalToken;
use taskhold_domain::session::TokenHash;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

use crate::error::StoreError;

/// The personal access tokens of all users.
#[async_trait]
pub trait PersonalTokenRepository: Send + Sync {
    /// Stores a new token, and its user if the store does not know the user, and returns whether it did. Stores nothing
    /// if the user is deactivated or has [`MAX_PER_USER`](taskhold_domain::personal_token::MAX_PER_USER) tokens that
    /// have not expired when the new one is created.
    ///
    /// # Errors
    /// [`StoreError`]: `Busy`, `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn add(&self, token: &PersonalToken) -> Result<bool, StoreError>;

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

    /// Deletes a token of a user, and returns its digest; `None` if the user has no such token.
    ///
    /// # Errors
    /// [`StoreError`]: `Busy`, `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn remove(&self, user: &UserId, id: Uuid) -> Result<Option<TokenHash>, StoreError>;

    /// Deletes at most `most` tokens that expired before `time`, and returns their number.
    ///
    /// # Errors
    /// [`StoreError`]: `Busy`, `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}
