//! What has to be done now and then, asked for by nobody.

use std::sync::Arc;
use std::time::Duration;

use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{IdempotencyKeyRepository, retention_start};
use taskhold_repository::rate_limits::RateLimitRepository;
use taskhold_repository::revocations::RevocationRepository;
use taskhold_repository::sessions::SessionRepository;

use crate::clock::Clock;
use crate::rate_limits::FAILURES_WINDOW;

/// How often it is done: what is too old counts as gone before it is.
const INTERVAL: Duration = Duration::from_hours(1);

/// How many rows are removed in one step, so that it holds up nobody.
const STEP: u32 = 1_000;

/// Removes what the store need not keep any longer.
pub struct Housekeeping {
    /// The idempotency keys.
    pub keys: Arc<dyn IdempotencyKeyRepository>,
    /// The refresh tokens.
    pub sessions: Arc<dyn SessionRepository>,
    /// The revocations.
    pub revocations: Arc<dyn RevocationRepository>,
    /// The counters of limits.
    pub attempts: Arc<dyn RateLimitRepository>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Housekeeping {
    /// Does it at once, and again every hour; never ends.
    pub async fn run(&self) {
        loop {
            match self.once().await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "forgot what is out of date"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not forget what is out of date"
                ),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Does it now. How many rows were removed.
    ///
    /// # Errors
    /// [`StoreError`]; what was done until then stays done.
    pub async fn once(&self) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let keys = in_steps(|| self.keys.purge_expired(retention_start(now), STEP)).await?;
        let sessions = in_steps(|| self.sessions.purge_expired(now, STEP)).await?;
        let revocations = in_steps(|| self.revocations.purge_expired(now, STEP)).await?;
        let over = now.saturating_sub(FAILURES_WINDOW);
        let attempts = in_steps(|| self.attempts.purge_expired(over, STEP)).await?;
        Ok(keys + sessions + revocations + attempts)
    }
}

/// Until a step finds fewer than it may remove. How many it were in all.
async fn in_steps<Step>(step: impl Fn() -> Step) -> Result<u64, StoreError>
where
    Step: Future<Output = Result<u64, StoreError>>,
{
    let mut forgotten = 0;
    loop {
        let rows = step().await?;
        forgotten += rows;
        if rows < u64::from(STEP) {
            return Ok(forgotten);
        }
    }
}
