//! Whether the service can do its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use taskhold_repository::error::StoreError;
use taskhold_repository::health::StoreHealth;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long the store may take to answer before it counts as away.
pub const STORE_DEADLINE: Duration = Duration::from_secs(2);

/// How long an answer of the store is good for: many may ask, and one query tells them all.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);

/// Asks after the store, and knows whether the service is on its way out.
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
    pub fn new(store: Arc<dyn StoreHealth>) -> Self {
        Self {
            store,
            last: Mutex::new(None),
            draining: AtomicBool::new(false),
        }
    }

    /// From now on the service is not ready: it is on its way out.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the service is on its way out.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether the store answers, or did within the last second.
    ///
    /// # Errors
    /// [`NotReady::StoreAway`].
    pub async fn store_answers(&self) -> Result<(), NotReady> {
        // Whoever comes meanwhile waits for the one who asks, and takes the same answer.
        let mut last = self.last.lock().await;
        let answers = match *last {
            Some((asked, answers)) if asked.elapsed() < REMEMBERED_FOR => answers,
            _ => {
                let answers = match in_time(self.store.ping()).await {
                    Ok(Ok(())) => true,
                    Ok(Err(error)) => {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::warn!(%error, cause, "the store does not answer");
                        false
                    }
                    Err(late) => {
                        tracing::warn!(error = %late, "the store does not answer");
                        false
                    }
                };
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

    /// Whether requests can be served: the store answers, its schema is current, and the service
    /// is not shutting down.
    ///
    /// # Errors
    /// [`NotReady`].
    pub async fn check(&self) -> Result<(), NotReady> {
        if self.is_draining() {
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
