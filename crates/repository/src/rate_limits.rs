//! The port for rate limits, which all instances count together.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use taskhold_domain::timestamp::Timestamp;

use crate::error::StoreError;
use crate::keyed_digest::keyed_digest;

/// What a counter counts: a digest, so that no network or e-mail address is stored. A plain digest of a
/// network can be reversed by trying; only a [keyed](Self::keyed) one goes into a store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RateLimitKey([u8; 32]);

impl RateLimitKey {
    /// Computes the key of a kind of limit and the parts that it counts by.
    #[must_use]
    pub fn of(kind: &str, parts: &[&str]) -> Self {
        let mut digest = Sha256::new().chain_update(kind);
        for part in parts {
            // With the length, so that different lists of parts have different bytes.
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// Returns the HMAC of this key with a secret.
    #[must_use]
    pub fn keyed(&self, secret: &[u8; 32]) -> Self {
        Self(keyed_digest(secret, &self.0))
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
