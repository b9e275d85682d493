//! The port for counting what must not be done too often, by all instances together.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use taskhold_domain::timestamp::Timestamp;

use crate::error::StoreError;

/// What is counted: a digest, so that neither addresses nor e-mail addresses are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RateLimitKey([u8; 32]);

impl RateLimitKey {
    /// The bucket of this kind and these parts.
    #[must_use]
    pub fn of(kind: &str, parts: &[&str]) -> Self {
        let mut digest = Sha256::new().chain_update(kind);
        for part in parts {
            // With its length, so that no two lists of parts are the same bytes.
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// The digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RateLimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RateLimitKey(…)")
    }
}

/// How often it was done in a window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// How often, this time included.
    pub count: u32,
    /// When the window began.
    pub since: Timestamp,
}

/// The counters of all instances.
#[async_trait]
pub trait RateLimitRepository: Send + Sync {
    /// Counts once more at `now`. A window begins with the first count after the one before has
    /// lasted for `window`.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn count(
        &self,
        bucket: RateLimitKey,
        window: Duration,
        now: Timestamp,
    ) -> Result<Count, StoreError>;

    /// Counts once less in each of these, in one step: it was not done after all.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn refund(&self, buckets: &[RateLimitKey]) -> Result<(), StoreError>;

    /// Forgets these counters, in one step.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn clear(&self, buckets: &[RateLimitKey]) -> Result<(), StoreError>;

    /// Forgets at most `most` counters whose window began before `time`. How many it were.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}
