//! The keys of another issuer, kept up to date.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::jwks::{KeySet, MAX_BYTES, MalformedKeySet};
use crate::jwks_url::{self, FetchError, JwksUrl};

/// Where an issuer publishes its keys.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A file, which somebody else keeps up to date.
    File(PathBuf),
    /// The issuer itself.
    Url(JwksUrl),
}

/// How often the keys are read again.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// While all is well.
    pub refresh: Duration,
    /// While the last attempt failed, or found no key that can verify tokens.
    pub retry: Duration,
    /// The least time between two readings for the sake of keys that are not known.
    pub unknown_key: Duration,
}

impl Default for Pace {
    /// 10 minutes, 10 seconds and 60 seconds.
    fn default() -> Self {
        Self {
            refresh: Duration::from_mins(10),
            retry: Duration::from_secs(10),
            unknown_key: Duration::from_mins(1),
        }
    }
}

/// Why the keys could not be read.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[from] std::io::Error),
    /// There are more than 256 KiB of them.
    #[error("it is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// They are no key set.
    #[error(transparent)]
    Malformed(#[from] MalformedKeySet),
    /// The issuer did not answer with them.
    #[error(transparent)]
    Unavailable(#[from] FetchError),
}

/// The public keys of another issuer, read again and again. Where that fails, the ones that were
/// read last stay.
pub struct IssuerKeys {
    source: KeySource,
    pace: Pace,
    keys: RwLock<KeySet>,
    /// When they were last read because one was missing. Held while they are: whoever misses a key
    /// meanwhile waits for the same reading.
    missed: Mutex<Option<Instant>>,
}

impl IssuerKeys {
    /// No keys yet: [`read`](Self::read) reads them.
    #[must_use]
    pub fn new(source: KeySource, pace: Pace) -> Self {
        Self {
            source,
            pace,
            keys: RwLock::default(),
            missed: Mutex::new(None),
        }
    }

    /// Reads the keys, and tells how many of them can verify tokens.
    ///
    /// # Errors
    /// [`KeySourceError`]; the keys are then what they were.
    pub async fn read(&self) -> Result<usize, KeySourceError> {
        let keys = match &self.source {
            KeySource::File(path) => KeySet::parse(&file(path).await?)?,
            KeySource::Url(url) => KeySet::parse(&jwks_url::fetch(url).await?)?,
        };
        let usable = keys.len();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(usable)
    }

    /// Reads the keys again and again for as long as it is polled.
    pub async fn keep_up_to_date(&self) {
        let mut has_keys = !self.keys().is_empty();
        loop {
            let pause = if has_keys {
                self.pace.refresh
            } else {
                self.pace.retry
            };
            tokio::time::sleep(pause).await;
            has_keys = self.read_or_warn().await;
        }
    }

    /// The key that a token's header names, if need be after reading the keys again: the issuer may
    /// have a new one since. Tokens that name keys at random cause no more than one reading in a
    /// while.
    pub(crate) async fn find(
        self: &Arc<Self>,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Option<Arc<DecodingKey>> {
        if let Some(key) = self.known(algorithm, id) {
            return Some(key);
        }
        let keys = Arc::clone(self);
        // Whoever asked may hang up; the reading, which is everybody's, goes on.
        let reading = tokio::spawn(async move { keys.read_for_missing().await });
        if let Err(error) = reading.await {
            tracing::error!(%error, "reading the issuer's keys failed");
        }
        self.known(algorithm, id)
    }

    async fn read_for_missing(&self) {
        let mut missed = self.missed.lock().await;
        if missed.is_none_or(|last| last.elapsed() >= self.pace.unknown_key) {
            *missed = Some(Instant::now());
            self.read_or_warn().await;
        }
    }

    fn known(&self, algorithm: Algorithm, id: Option<&str>) -> Option<Arc<DecodingKey>> {
        self.keys().find(algorithm, id).map(Arc::clone)
    }

    fn keys(&self) -> RwLockReadGuard<'_, KeySet> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are keys that can verify tokens.
    async fn read_or_warn(&self) -> bool {
        match self.read().await {
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

async fn file(path: &Path) -> Result<Vec<u8>, KeySourceError> {
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
