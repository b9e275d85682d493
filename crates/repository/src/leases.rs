//! The port for leases, by which instances agree on the one that does a job.

use async_trait::async_trait;
use taskhold_domain::timestamp::Timestamp;
use uuid::Uuid;

use crate::error::StoreError;

/// The result of asking for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// The holder who asked has the lease now.
    Acquired,
    /// Another holder has the lease until this time.
    HeldUntil(Timestamp),
}

/// The leases of all instances. Each has at most one holder at a time.
#[async_trait]
pub trait LeaseRepository: Send + Sync {
    /// Gives a lease to `holder` until `until`, if it is free at `now`, or `holder` has it already. One that ends after
    /// `latest` is free too: a clock that was ahead has set its end.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn acquire(
        &self,
        name: &'static str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
        latest: Timestamp,
    ) -> Result<LeaseOutcome, StoreError>;

    /// Frees a lease, if `holder` has it.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn release(&self, name: &'static str, holder: Uuid) -> Result<(), StoreError>;
}
