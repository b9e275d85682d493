//! The check that the service can serve requests.

use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use taskhold_repository::error::StoreError;
use taskhold_repository::health::StoreHealth;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::reasons::reasons;

/// The time after which a store that has not answered counts as unavailable.
pub const STORE_DEADLINE: Duration = Duration::from_secs(2);

/// The time for which an answer of the store is cached: one query serves many health checks.
const CACHED_FOR: Duration = Duration::from_secs(1);

/// The time after which a failure that lasts is logged again: load balancers check every second.
const LOGGED_EVERY: Duration = Duration::from_mins(1);

/// Checks the health of the store, and knows whether the service is shutting down.
pub struct Readiness {
    store: Arc<dyn StoreHealth>,
    last: Mutex<Option<(Instant, bool)>>,
    away: Logged,
    not_ready: Logged,
    draining: AtomicBool,
}

/// The reason that the service is not ready.
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
    #[error("the store takes no writes; `taskhold doctor` says more")]
    ReadOnly(#[source] StoreError),
    /// Migrations are missing.
    #[error("the schema of the store is older than this program: run `taskhold migrate up`")]
    SchemaOutdated,
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Draining,
}

impl NotReady {
    /// Returns the name of the reason for clients, which tells nothing of the store.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::StoreAway | Self::TimedOut | Self::Store(_) => "store_unavailable",
            Self::ReadOnly(_) => "store_takes_no_writes",
            Self::SchemaOutdated => "schema_outdated",
            Self::Draining => "stopping",
        }
    }
}

/// The failure that was logged last, and the time of it.
#[derive(Default)]
struct Logged(std::sync::Mutex<Option<(Instant, &'static str)>>);

impl Logged {
    /// Returns `true` if a failure must be logged: it is new, or was logged [`LOGGED_EVERY`] ago or earlier.
    fn is_due(&self, failure: &'static str) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            last.is_none_or(|(at, logged)| logged != failure || at.elapsed() >= LOGGED_EVERY);
        if is_due {
            *last = Some((Instant::now(), failure));
        }
        is_due
    }

    /// Forgets the failure, which has ended. Returns `true` if one was logged.
    fn end(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.take().is_some()
    }
}

impl Readiness {
    /// Creates the check, which queries nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn StoreHealth>) -> Self {
        Self {
            store,
            last: Mutex::new(None),
            away: Logged::default(),
            not_ready: Logged::default(),
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
        let failed = match in_time(self.store.ping()).await {
            Ok(Ok(())) => {
                self.away.end();
                return true;
            }
            Ok(Err(error)) => error.into(),
            Err(late) => late,
        };
        if self.away.is_due(failed.code()) {
            tracing::warn!(error = %failed, cause = causes(&failed), "the store does not answer");
        }
        false
    }

    /// Checks that requests can be served: the store answers and takes writes, its schema is current, and the
    /// service is not shutting down. Logs a failure, and while it lasts once a minute.
    ///
    /// # Errors
    /// [`NotReady`].
    pub async fn check(&self) -> Result<(), NotReady> {
        let checked = self.check_unlogged().await;
        match &checked {
            Ok(()) if self.not_ready.end() => tracing::info!("ready again"),
            Err(reason) if self.not_ready.is_due(reason.code()) => {
                tracing::warn!(%reason, cause = causes(reason), "not ready");
            }
            Ok(()) | Err(_) => {}
        }
        checked
    }

    async fn check_unlogged(&self) -> Result<(), NotReady> {
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

/// Returns the sources of an error.
fn causes(error: &NotReady) -> Option<String> {
    error.source().map(reasons)
}

async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, NotReady> {
    tokio::time::timeout(STORE_DEADLINE, answer)
        .await
        .map_err(|_| NotReady::TimedOut)
}
