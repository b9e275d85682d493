//! Counters of rate limits.

use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::rate_limits::{Count, RateLimitKey, RateLimitRepository};

use super::{MemoryStore, purge};

#[async_trait]
impl RateLimitRepository for MemoryStore {
    async fn count(
        &self,
        key: RateLimitKey,
        window: Duration,
        now: Timestamp,
    ) -> Result<Count, StoreError> {
        let mut rows = self.rows();
        let zero = Count {
            count: 0,
            since: now,
        };
        let counted = rows.rate_limits.entry(key).or_insert(zero);
        if counted.since <= now.saturating_sub(window) {
            *counted = zero;
        }
        counted.count = counted.count.saturating_add(1);
        Ok(*counted)
    }

    async fn mark(&self, key: RateLimitKey, until: Timestamp) -> Result<(), StoreError> {
        let mark = Count {
            count: 1,
            since: until,
        };
        self.rows().rate_limits.insert(key, mark);
        Ok(())
    }

    async fn is_marked(&self, key: RateLimitKey, now: Timestamp) -> Result<bool, StoreError> {
        let rows = self.rows();
        let mark = rows.rate_limits.get(&key);
        Ok(mark.is_some_and(|mark| mark.since > now))
    }

    async fn refund(&self, keys: &[RateLimitKey]) -> Result<(), StoreError> {
        let mut rows = self.rows();
        for key in keys {
            match rows.rate_limits.get_mut(key) {
                Some(counted) if counted.count > 1 => counted.count -= 1,
                _ => drop(rows.rate_limits.remove(key)),
            }
        }
        Ok(())
    }

    async fn clear(&self, keys: &[RateLimitKey]) -> Result<(), StoreError> {
        let mut rows = self.rows();
        rows.rate_limits.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        Ok(purge(&mut self.rows().rate_limits, most, |count| {
            count.since < time
        }))
    }
}
