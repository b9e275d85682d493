//! A cache of another issuer's public keys.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::jwks::{KeySet, MAX_BYTES, MalformedKeySet};
use crate::jwks_url::{self, FetchError, JwksUrl};

/// The place where an issuer publishes its keys.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A file that another program keeps up to date.
    File(PathBuf),
    /// A URL of the issuer.
    Url(JwksUrl),
}

/// The times between two refreshes of the keys.
#[derive(Debug, Clone, Copy)]
pub struct RefreshIntervals {
    /// After a successful refresh.
    pub refresh: Duration,
    /// After a refresh that failed or found no key that can verify tokens.
    pub retry: Duration,
    /// The minimum between two refreshes caused by tokens with unknown keys.
    pub unknown_key: Duration,
}

impl Default for RefreshIntervals {
    /// Returns 10 minutes, 10 seconds and 60 seconds.
    fn default() -> Self {
        Self {
            refresh: Duration::from_mins(10),
            retry: Duration::from_secs(10),
            unknown_key: Duration::from_mins(1),
        }
    }
}

/// The keys could not be read.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[from] std::io::Error),
    /// The file is larger than 256 KiB.
    #[error("it is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// The content is not a key set.
    #[error(transparent)]
    Malformed(#[from] MalformedKeySet),
    /// The download failed.
    #[error(transparent)]
    Unavailable(#[from] FetchError),
}

/// The public keys of another issuer, refreshed regularly. If a refresh fails, the cached keys stay.
pub struct IssuerKeys {
    source: KeySource,
    intervals: RefreshIntervals,
    keys: RwLock<KeySet>,
    /// The time of the last refresh for an unknown key. Locked during that refresh, so that concurrent
    /// requests with unknown keys wait for the same one.
    unknown_key_refresh: Mutex<Option<Instant>>,
}

impl IssuerKeys {
    /// Returns an empty cache, which [`refresh`](Self::refresh) fills.
    #[must_use]
    pub fn new(source: KeySource, intervals: RefreshIntervals) -> Self {
        Self {
            source,
            intervals,
            keys: RwLock::default(),
            unknown_key_refresh: Mutex::new(None),
        }
    }

    /// Reads the keys from their source, and returns the number of those that can verify tokens.
    ///
    /// # Errors
    /// [`KeySourceError`]; the cached keys are then unchanged.
    pub async fn refresh(&self) -> Result<usize, KeySourceError> {
        let json = match &self.source {
            KeySource::File(path) => read_file(path).await?,
            KeySource::Url(url) => jwks_url::fetch(url).await?,
        };
        let keys = KeySet::parse(&json)?;
        let usable = keys.len();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(usable)
    }

    /// Refreshes the keys regularly, for as long as it is polled.
    pub async fn run_refresh_loop(&self) {
        let mut has_keys = !self.cached().is_empty();
        loop {
            let interval = if has_keys {
                self.intervals.refresh
            } else {
                self.intervals.retry
            };
            tokio::time::sleep(interval).await;
            has_keys = self.refresh_or_warn().await;
        }
    }

    /// Returns the key that a token's header names. An unknown key causes a refresh, since the issuer may
    /// have a new one, but not more than one per interval, whatever keys tokens name.
    pub(crate) async fn find(
        self: &Arc<Self>,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Option<Arc<DecodingKey>> {
        if let Some(key) = self.cached().find(algorithm, id) {
            return Some(Arc::clone(key));
        }
        let keys = Arc::clone(self);
        // Other requests wait for this refresh, so that it does not end with the request that caused it.
        let refresh = tokio::spawn(async move { keys.refresh_for_unknown_key().await });
        if let Err(error) = refresh.await {
            tracing::error!(%error, "reading the issuer's keys failed");
        }
        self.cached().find(algorithm, id).map(Arc::clone)
    }

    async fn refresh_for_unknown_key(&self) {
        let mut last = self.unknown_key_refresh.lock().await;
        if last.is_none_or(|last| last.elapsed() >= self.intervals.unknown_key) {
            *last = Some(Instant::now());
            self.refresh_or_warn().await;
        }
    }

    fn cached(&self) -> RwLockReadGuard<'_, KeySet> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the refresh found keys that can verify tokens.
    async fn refresh_or_warn(&self) -> bool {
        match self.refresh().await {
            Ok(0) => {
                tracing::warn!("the issuer publishes no key that can verify tokens");
                false
            }
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(
                    cause = &error as &dyn std::error::Error,
                    "cannot read the issuer's keys again: those that were read last stay"
                );
                false
            }
        }
    }
}

async fn read_file(path: &Path) -> Result<Vec<u8>, KeySourceError> {
    use tokio::io::AsyncReadExt as _;
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut json = Vec::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(limit + 1).read_to_end(&mut json).await?;
    if json.len() > MAX_BYTES {
        return Err(KeySourceError::TooLarge);
    }
    Ok(json)
}
