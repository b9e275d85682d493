//! Whether the service can do its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use taskhold_repository::error::StoreError;
use taskhold_repository::probe::StoreProbe;

/// How long the store may take to answer before it counts as away.
pub const STORE_DEADLINE: Duration = Duration::from_secs(2);

/// Asks after the store, and knows whether the service is on its way out.
pub struct Readiness {
    store: Arc<dyn StoreProbe>,
    draining: AtomicBool,
}

/// Why the service is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The store did not answer within [`STORE_DEADLINE`].
    #[error("the store did not answer within {} s", STORE_DEADLINE.as_secs())]
    TimedOut,
    /// The store answered with an error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Migrations are missing.
    #[error("the schema of the store is not the one of this program; run `taskhold migrate up`")]
    SchemaOutdated,
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Draining,
}

impl Readiness {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(store: Arc<dyn StoreProbe>) -> Self {
        Self {
            store,
            draining: AtomicBool::new(false),
        }
    }

    /// From now on the service is not ready: it is on its way out.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`NotReady`]: `TimedOut`, `Store`.
    pub async fn store_answers(&self) -> Result<(), NotReady> {
        Ok(in_time(self.store.ping()).await??)
    }

    /// Whether requests can be served: the store answers, its schema is current, and the service
    /// is not shutting down.
    ///
    /// # Errors
    /// [`NotReady`].
    pub async fn check(&self) -> Result<(), NotReady> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(NotReady::Draining);
        }
        if in_time(self.store.schema_is_current()).await?? {
            Ok(())
        } else {
            Err(NotReady::SchemaOutdated)
        }
    }
}

async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, NotReady> {
    tokio::time::timeout(STORE_DEADLINE, answer)
        .await
        .map_err(|_| NotReady::TimedOut)
}
