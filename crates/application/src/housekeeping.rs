//! What has to be done now and then, asked for by nobody.

use std::sync::Arc;
use std::time::Duration;

use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{IdempotencyKeys, forgotten_by};

use crate::clock::Clock;

/// How often it is done: what is too old counts as gone before it is.
const INTERVAL: Duration = Duration::from_hours(1);

/// How many rows are removed in one step, so that it holds up nobody.
const STEP: u32 = 1_000;

/// Removes what the store need not keep any longer.
pub struct Housekeeping {
    keys: Arc<dyn IdempotencyKeys>,
    clock: Arc<dyn Clock>,
}

impl Housekeeping {
    /// Of this store.
    #[must_use]
    pub fn new(keys: Arc<dyn IdempotencyKeys>, clock: Arc<dyn Clock>) -> Self {
        Self { keys, clock }
    }

    /// Does it at once, and again every hour; never ends.
    pub async fn run(&self) {
        loop {
            match self.once().await {
                Ok(0) => {}
                Ok(keys) => tracing::info!(keys, "forgot old idempotency keys"),
                Err(error) => tracing::warn!(%error, "could not forget old idempotency keys"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Does it now. How many idempotency keys were forgotten.
    ///
    /// # Errors
    /// [`StoreError`]; what was done until then stays done.
    pub async fn once(&self) -> Result<u64, StoreError> {
        let time = forgotten_by(self.clock.now());
        let mut forgotten = 0;
        loop {
            let step = self.keys.forget(time, STEP).await?;
            forgotten += step;
            if step < u64::from(STEP) {
                return Ok(forgotten);
            }
        }
    }
}
