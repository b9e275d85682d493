//! Counters.

use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::rate_limits::{Count, RateLimitKey, RateLimitRepository};

use super::{MemoryStore, forget};

#[async_trait]
impl RateLimitRepository for MemoryStore {
    async fn count(
        &self,
        bucket: RateLimitKey,
        window: Duration,
        now: Timestamp,
    ) -> Result<Count, StoreError> {
        let mut rows = self.rows();
        let none = Count {
            count: 0,
            since: now,
        };
        let counted = rows.attempts.entry(bucket).or_insert(none);
        if counted.since <= now.saturating_sub(window) {
            *counted = none;
        }
        counted.count = counted.count.saturating_add(1);
        Ok(*counted)
    }

    async fn refund(&self, buckets: &[RateLimitKey]) -> Result<(), StoreError> {
        let mut rows = self.rows();
        for bucket in buckets {
            match rows.attempts.get_mut(bucket) {
                Some(counted) if counted.count > 1 => counted.count -= 1,
                _ => drop(rows.attempts.remove(bucket)),
            }
        }
        Ok(())
    }

    async fn clear(&self, buckets: &[RateLimitKey]) -> Result<(), StoreError> {
        let mut rows = self.rows();
        rows.attempts.retain(|bucket, _| !buckets.contains(bucket));
        Ok(())
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        Ok(forget(&mut self.rows().attempts, most, |count| {
            count.since < time
        }))
    }
}
