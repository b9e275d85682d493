//! Leases.

use async_trait::async_trait;
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::leases::{LeaseOutcome, LeaseRepository};
use uuid::Uuid;

use super::MemoryStore;

#[async_trait]
impl LeaseRepository for MemoryStore {
    async fn acquire(
        &self,
        name: &'static str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
        latest: Timestamp,
    ) -> Result<LeaseOutcome, StoreError> {
        let mut rows = self.rows();
        match rows.leases.get(name) {
            Some(&(other, expires_at))
                if other != holder && expires_at > now && expires_at <= latest =>
            {
                Ok(LeaseOutcome::HeldUntil(expires_at))
            }
            _ => {
                rows.leases.insert(name, (holder, until));
                Ok(LeaseOutcome::Acquired)
            }
        }
    }

    async fn release(&self, name: &'static str, holder: Uuid) -> Result<(), StoreError> {
        let mut rows = self.rows();
        if rows.leases.get(name).is_some_and(|held| held.0 == holder) {
            rows.leases.remove(name);
        }
        Ok(())
    }
}
