//! Counters whose stored keys reveal nothing without a secret.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::rate_limits::{Count, RateLimitKey, RateLimitRepository};

/// A decorator that replaces each key by its HMAC before it is stored. Whoever reads the table of counters could
/// otherwise try all IPv4 addresses, or an e-mail address, until a digest is equal. All instances need the
/// same secret; after it has changed, counters begin anew.
pub struct KeyedRateLimits {
    counters: Arc<dyn RateLimitRepository>,
    secret: [u8; 32],
}

impl KeyedRateLimits {
    /// Wraps the counters of a store.
    #[must_use]
    pub fn new(counters: Arc<dyn RateLimitRepository>, secret: [u8; 32]) -> Self {
        Self { counters, secret }
    }

    fn all(&self, keys: &[RateLimitKey]) -> Vec<RateLimitKey> {
        keys.iter().map(|key| key.keyed(&self.secret)).collect()
    }
}

#[async_trait]
impl RateLimitRepository for KeyedRateLimits {
    async fn count(
        &self,
        key: RateLimitKey,
        window: Duration,
        now: Timestamp,
    ) -> Result<Count, StoreError> {
        self.counters
            .count(key.keyed(&self.secret), window, now)
            .await
    }

    async fn mark(&self, key: RateLimitKey, until: Timestamp) -> Result<(), StoreError> {
        self.counters.mark(key.keyed(&self.secret), until).await
    }

    async fn is_marked(&self, key: RateLimitKey, now: Timestamp) -> Result<bool, StoreError> {
        self.counters.is_marked(key.keyed(&self.secret), now).await
    }

    async fn refund(&self, keys: &[RateLimitKey]) -> Result<(), StoreError> {
        self.counters.refund(&self.all(keys)).await
    }

    async fn clear(&self, keys: &[RateLimitKey]) -> Result<(), StoreError> {
        self.counters.clear(&self.all(keys)).await
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        self.counters.purge_expired(time, most).await
    }
}
