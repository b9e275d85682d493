//! What has to be done now and then, asked for by nobody.

use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::attempts::AttemptRepository;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{IdempotencyKeys, forgotten_by};
use taskhold_repository::revocations::RevocationRepository;
use taskhold_repository::sessions::SessionRepository;

use crate::clock::Clock;
use crate::limits::FAILURES_WINDOW;

/// How often it is done: what is too old counts as gone before it is.
const INTERVAL: Duration = Duration::from_hours(1);

/// How many rows are removed in one step, so that it holds up nobody.
const STEP: u32 = 1_000;

/// Removes what the store need not keep any longer.
pub struct Housekeeping {
    /// The idempotency keys.
    pub keys: Arc<dyn IdempotencyKeys>,
    /// The refresh tokens.
    pub sessions: Arc<dyn SessionRepository>,
    /// The revocations.
    pub revocations: Arc<dyn RevocationRepository>,
    /// The counters of limits.
    pub attempts: Arc<dyn AttemptRepository>,
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
        let mut forgotten = 0;
        for rows in [
            Rows::Keys,
            Rows::Sessions,
            Rows::Revocations,
            Rows::Attempts,
        ] {
            loop {
                let step = self.step(rows, now).await?;
                forgotten += step;
                if step < u64::from(STEP) {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    async fn step(&self, rows: Rows, now: Timestamp) -> Result<u64, StoreError> {
        match rows {
            Rows::Keys => self.keys.forget(forgotten_by(now), STEP).await,
            Rows::Sessions => self.sessions.forget(now, STEP).await,
            Rows::Revocations => self.revocations.forget(now, STEP).await,
            Rows::Attempts => {
                let over = now.saturating_sub(FAILURES_WINDOW);
                self.attempts.forget(over, STEP).await
            }
        }
    }
}

/// What can be out of date.
#[derive(Clone, Copy)]
enum Rows {
    Keys,
    Sessions,
    Revocations,
    Attempts,
}
