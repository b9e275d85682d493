//! The port for users.

use async_trait::async_trait;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;

/// What the store knows of a person who owns tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The `sub` of the person's tokens.
    pub id: UserId,
    /// When the store first heard of the person.
    pub created_at: Timestamp,
}

/// The people who own tasks.
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// The user of this id.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// Removes the user with all that is theirs, in one step. Whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn remove(&self, id: &UserId) -> Result<bool, StoreError>;
}
