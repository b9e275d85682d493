//! The port for rate limits, which all instances count together.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::timestamp::Timestamp;

use crate::error::StoreError;
use crate::keyed_digest::keyed_digest;

/// The key of a counter: a digest, so that no network or e-mail address is stored. The digest is computed with a
/// secret: without it, nobody can find a network by trying all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RateLimitKey([u8; 32]);

impl RateLimitKey {
    /// Computes the key of a kind of limit and the parts that it counts by.
    #[must_use]
    pub fn of(secret: &[u8; 32], kind: &str, parts: &[&str]) -> Self {
        let mut text = kind.as_bytes().to_vec();
        for part in parts {
            // With the length, so that different lists of parts have different bytes.
            text.extend_from_slice(&part.len().to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        Self(keyed_digest(secret, &text))
    }

    /// Returns the digest.
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

/// A counter in its current window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The count, including the current call.
    pub count: u32,
    /// When the window began.
    pub since: Timestamp,
}

/// The counters of all instances.
#[async_trait]
pub trait RateLimitRepository: Send + Sync {
    /// Increments a counter at `now`. A window lasts for `window`; the first count after its end begins the
    /// next one.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn count(
        &self,
        key: RateLimitKey,
        window: Duration,
        now: Timestamp,
    ) -> Result<Count, StoreError>;

    /// Sets a mark that lasts until this time.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn mark(&self, key: RateLimitKey, until: Timestamp) -> Result<(), StoreError>;

    /// Returns whether a mark of this key lasts at `now`.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn is_marked(&self, key: RateLimitKey, now: Timestamp) -> Result<bool, StoreError>;

    /// Decrements these counters, atomically.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn refund(&self, keys: &[RateLimitKey]) -> Result<(), StoreError>;

    /// Deletes these counters, atomically.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn clear(&self, keys: &[RateLimitKey]) -> Result<(), StoreError>;

    /// Deletes at most `most` counters whose window began, and marks that ended, before `time`, and returns
    /// their number.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}
