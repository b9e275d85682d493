//! The port for revocations: since when the tokens of a user count.

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;

/// What is kept of a user id that must not be there any more: a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectHash(pub [u8; 32]);

impl SubjectHash {
    /// Of this user.
    #[must_use]
    pub fn of(user: &UserId) -> Self {
        Self(Sha256::digest(user.as_str()).into())
    }
}

/// The revocations of all users. They are kept with what causes them, by the other ports. Of two of one
/// user the one with the later time counts, in whichever order they come, until an operator lets the
/// user in again or the user is removed: so nobody who is kept out comes in by ending sessions.
#[async_trait]
pub trait RevocationRepository: Send + Sync {
    /// All that matter at `now`.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn current(&self, now: Timestamp) -> Result<Vec<(SubjectHash, Timestamp)>, StoreError>;

    /// Forgets at most `most` of those that were to be kept until `time`. How many it were.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}
