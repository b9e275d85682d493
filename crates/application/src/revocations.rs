//! Which valid tokens were revoked.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use taskhold_domain::revocation::{MAX_PROPAGATION, Revocation};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::revocations::{RevocationRepository, SubjectHash};

use crate::clock::Clock;
use crate::tokens::Identity;

/// A cache of the revocations of all users, so that no request queries the store for them.
pub struct Revocations {
    store: Arc<dyn RevocationRepository>,
    clock: Arc<dyn Clock>,
    /// `None` until the store was read.
    cached: RwLock<Option<HashMap<SubjectHash, Timestamp>>>,
}

impl Revocations {
    /// The interval of [`refresh`](Self::refresh): several times within [`MAX_PROPAGATION`], so that
    /// one may fail.
    pub const REFRESH_INTERVAL: Duration = Duration::from_secs(15);

    /// Creates an empty cache, which is filled when it is first used.
    #[must_use]
    pub fn new(store: Arc<dyn RevocationRepository>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            cached: RwLock::default(),
        }
    }

    /// Returns whether the token of this identity was not revoked.
    ///
    /// # Errors
    /// [`StoreError`], as long as the store could never be read.
    pub async fn admits(&self, identity: &Identity) -> Result<bool, StoreError> {
        loop {
            if let Some(admits) = self.admits_by_cache(identity) {
                return Ok(admits);
            }
            self.refresh().await?;
        }
    }

    fn admits_by_cache(&self, identity: &Identity) -> Option<bool> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        let cached = cached.as_ref()?;
        if cached.is_empty() {
            return Some(true);
        }
        let of_user = cached.get(&SubjectHash::of(&identity.user));
        Some(match identity.issued {
            Some(issued) => {
                let of_all = cached.get(&SubjectHash::EVERYBODY);
                of_user
                    .into_iter()
                    .chain(of_all)
                    .all(|not_before| issued >= *not_before)
            }
            // Where such tokens are accepted no revocation is purged.
            None => of_user.is_none(),
        })
    }

    /// Adds a revocation that was just stored, so that it takes effect here at once.
    pub fn add(&self, revocation: &Revocation) {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = cached.as_mut() {
            let subject = SubjectHash::of(&revocation.user);
            insert_stricter(cached, subject, revocation.not_before);
        }
    }

    /// Reads all revocations from the store.
    ///
    /// # Errors
    /// [`StoreError`]; the cache stays as it is.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let current = self.store.current().await?;
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        let cached = cached.get_or_insert_default();
        // A revocation that was added while the store was read may be missing from its answer; its
        // time is from before it was stored.
        let since = now.saturating_sub(MAX_PROPAGATION);
        cached.retain(|_, not_before| *not_before != Timestamp::LAST && *not_before >= since);
        for (subject, not_before) in current {
            insert_stricter(cached, subject, not_before);
        }
        Ok(())
    }
}

/// Inserts a revocation unless there is a stricter one of the same user.
fn insert_stricter(
    cached: &mut HashMap<SubjectHash, Timestamp>,
    subject: SubjectHash,
    not_before: Timestamp,
) {
    let strictest = cached.entry(subject).or_insert(not_before);
    *strictest = not_before.max(*strictest);
}
