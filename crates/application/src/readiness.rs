//! Whether the service can serve requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use taskhold_repository::error::StoreError;
use taskhold_repository::health::StoreHealth;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long the store may take to answer before it counts as unavailable.
pub const STORE_DEADLINE: Duration = Duration::from_secs(2);

/// How long an answer of the store is cached: one query serves many health checks.
const CACHED_FOR: Duration = Duration::from_secs(1);

/// Checks the health of the store, and knows whether the service is shutting down.
pub struct Readiness {
    store: Arc<dyn StoreHealth>,
    last: Mutex<Option<(Instant, bool)>>,
    draining: AtomicBool,
}

/// Why the service is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The store does not answer.
    #[error("the store does not answer")]
    StoreAway,
    /// The store did not answer within [`STORE_DEADLINE`].
    #[error("the store did not answer within {} s", STORE_DEADLINE.as_secs())]
    TimedOut,
    /// The store answered with an error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store answers and takes no writes.
    #[error("the store takes no writes")]
    ReadOnly(#[source] StoreError),
    /// Migrations are missing.
    #[error("the schema of the store is not the one of this program")]
    SchemaOutdated,
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Draining,
}

impl Readiness {
    /// Creates the check, which queries nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn StoreHealth>) -> Self {
        Self {
            store,
            last: Mutex::new(None),
            draining: AtomicBool::new(false),
        }
    }

    /// Makes the service not ready, for good: it is shutting down.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Returns whether the service is shutting down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Checks that the store answers, or did so within the last second.
    ///
    /// # Errors
    /// [`NotReady::StoreAway`].
    pub async fn store_answers(&self) -> Result<(), NotReady> {
        // Concurrent callers wait for the one that queries the store, and share its answer.
        let mut last = self.last.lock().await;
        let answers = match *last {
            Some((at, answers)) if at.elapsed() < CACHED_FOR => answers,
            _ => {
                let answers = self.ping().await;
                *last = Some((Instant::now(), answers));
                answers
            }
        };
        if answers {
            Ok(())
        } else {
            Err(NotReady::StoreAway)
        }
    }

    async fn ping(&self) -> bool {
        match in_time(self.store.ping()).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "the store does not answer");
            }
            Err(late) => tracing::warn!(error = %late, "the store does not answer"),
        }
        false
    }

    /// Checks that requests can be served: the store answers and takes writes, its schema is current, and the
    /// service is not shutting down.
    ///
    /// # Errors
    /// [`NotReady`].
    pub async fn check(&self) -> Result<(), NotReady> {
        if self.is_draining() {
            return Err(NotReady::Draining);
        }
        let check = async {
            if !self.store.schema_is_current().await? {
                return Err(NotReady::SchemaOutdated);
            }
            let writable = self.store.check_writable().await;
            writable.map_err(NotReady::ReadOnly)
        };
        in_time(check).await?
    }
}

async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, NotReady> {
    tokio::time::timeout(STORE_DEADLINE, answer)
        .await
        .map_err(|_| NotReady::TimedOut)
}
