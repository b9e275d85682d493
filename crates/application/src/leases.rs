//! Leases: of all instances, one does a job, without a setting that says which.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
pub use taskhold_repository::leases::LeaseOutcome;
use taskhold_repository::leases::LeaseRepository;
use uuid::Uuid;

use crate::clock::Clock;

/// The time for which a lease is acquired, and by which it outlasts the next run of its job.
const GRACE: Duration = Duration::from_mins(5);

/// The lease of a job, as an instance sees it. The holder of the lease does the job at every interval. If the holder ends
/// without releasing it, another instance acquires it once it has expired.
pub struct Lease {
    leases: Arc<dyn LeaseRepository>,
    clock: Arc<dyn Clock>,
    /// The name of the job.
    name: &'static str,
    /// This instance.
    holder: Uuid,
    /// The time from the end of the job to the end of the lease.
    kept_for: Duration,
    known: Mutex<Known>,
}

/// The last known state of the lease.
#[derive(Clone, Copy)]
enum Known {
    Nothing,
    /// It was acquired, and may have expired.
    Acquired,
    /// Another instance has it until this time.
    HeldUntil(Timestamp),
}

impl Lease {
    /// Returns the lease of a job that its holder does at this interval. No two instances have the same `holder`.
    #[must_use]
    pub fn new(
        leases: Arc<dyn LeaseRepository>,
        clock: Arc<dyn Clock>,
        name: &'static str,
        holder: Uuid,
        interval: Duration,
    ) -> Self {
        Self {
            leases,
            clock,
            name,
            holder,
            kept_for: interval.saturating_add(GRACE),
            known: Mutex::new(Known::Nothing),
        }
    }

    /// Acquires or renews the lease for five minutes, in which the job begins. The store is not asked while another
    /// instance is known to have it, so that a store that nobody uses may sleep.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be asked.
    pub async fn acquire(&self) -> Result<LeaseOutcome, StoreError> {
        self.acquire_for(GRACE).await
    }

    /// Keeps the lease until the next run of the job, which is done for now.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be asked; the lease then ends sooner.
    pub async fn keep(&self) -> Result<LeaseOutcome, StoreError> {
        self.acquire_for(self.kept_for).await
    }

    async fn acquire_for(&self, duration: Duration) -> Result<LeaseOutcome, StoreError> {
        let now = self.clock.now();
        if let Known::HeldUntil(until) = self.known()
            && until > now
        {
            return Ok(LeaseOutcome::HeldUntil(until));
        }
        let until = now.saturating_add(duration);
        // No holder whose clock is right keeps it for longer.
        let latest = now.saturating_add(self.kept_for.saturating_mul(2));
        let acquired = self
            .leases
            .acquire(self.name, self.holder, now, until, latest)
            .await?;
        self.learn(match acquired {
            LeaseOutcome::Acquired => Known::Acquired,
            LeaseOutcome::HeldUntil(until) => Known::HeldUntil(until),
        });
        Ok(acquired)
    }

    /// Does the job of the lease, and renews the lease while the job takes long. The job goes on if the lease cannot be
    /// renewed.
    pub async fn renewing<T>(&self, job: impl Future<Output = T>) -> T {
        let renewals = async {
            loop {
                tokio::time::sleep(GRACE / 3).await;
                if let Err(error) = self.acquire().await {
                    tracing::debug!(%error, name = self.name, "a lease could not be renewed");
                }
            }
        };
        tokio::select! {
            done = job => done,
            never = renewals => never,
        }
    }

    /// Releases the lease if this instance has acquired it. An instance that asks later can do the job at once.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be asked; the lease then ends when it expires.
    pub async fn release(&self) -> Result<(), StoreError> {
        if matches!(self.known(), Known::Acquired) {
            self.leases.release(self.name, self.holder).await?;
            self.learn(Known::Nothing);
        }
        Ok(())
    }

    fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}
