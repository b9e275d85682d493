//! The valid tokens that were revoked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use taskhold_domain::revocation::{MAX_PROPAGATION, Revocation};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::revocations::{RevocationRepository, SubjectHash};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::tokens::Identity;

/// A cache of the revocations of all users and sessions, so that no request queries the store for them.
pub struct Revocations {
    store: Arc<dyn RevocationRepository>,
    clock: Arc<dyn Clock>,
    /// `None` until the store was read.
    cached: RwLock<Option<Cached>>,
    /// `true` if a token was checked since the store was last read. While no tokens are checked, the store is not
    /// read, so that a hosted database may sleep.
    is_needed: AtomicBool,
}

/// The revocations in the store when it was last read, and those that were added since.
struct Cached {
    /// The earliest issue time that counts.
    revoked: HashMap<SubjectHash, Timestamp>,
    read_at: Instant,
}

impl Revocations {
    /// The interval of [`refresh`](Self::refresh): several times within [`MAX_PROPAGATION`], so that
    /// one may fail.
    pub const REFRESH_INTERVAL: Duration = Duration::from_secs(15);

    /// The longest that a request waits for the store if the cache is older than [`MAX_PROPAGATION`].
    pub const MAX_WAIT: Duration = Duration::from_secs(10);

    /// Creates an empty cache, which is filled when it is first used.
    #[must_use]
    pub fn new(store: Arc<dyn RevocationRepository>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            cached: RwLock::default(),
            is_needed: AtomicBool::new(true),
        }
    }

    /// Returns `true` if the token of this identity was not revoked. Reads the store first if it was last read more
    /// than [`MAX_PROPAGATION`] ago, because no token was checked since or because it could not be read.
    ///
    /// # Errors
    /// [`StoreError`], if the store must be read and cannot be.
    pub async fn admits(&self, identity: &Identity) -> Result<bool, StoreError> {
        self.by_cache(|revoked| admits(revoked, identity)).await
    }

    /// Returns `true` if the user is being moved to another store, or was. Reads the store as
    /// [`admits`](Self::admits) does.
    ///
    /// # Errors
    /// [`StoreError`], if the store must be read and cannot be.
    pub async fn may_have_moved(&self, user: &UserId) -> Result<bool, StoreError> {
        self.by_cache(|revoked| {
            !revoked.is_empty() && revoked.contains_key(&SubjectHash::elsewhere(user))
        })
        .await
    }

    /// Returns what the cache says, once it is of the last [`MAX_PROPAGATION`].
    async fn by_cache(
        &self,
        ask: impl Fn(&HashMap<SubjectHash, Timestamp>) -> bool,
    ) -> Result<bool, StoreError> {
        self.is_needed.store(true, Ordering::Relaxed);
        loop {
            if let Some(revoked) = &*self.cached.read().unwrap_or_else(PoisonError::into_inner)
                && revoked.read_at.elapsed() <= MAX_PROPAGATION
            {
                return Ok(ask(&revoked.revoked));
            }
            let refreshed = tokio::time::timeout(Self::MAX_WAIT, self.refresh()).await;
            refreshed.map_err(|elapsed| StoreError::Unavailable(elapsed.into()))??;
        }
    }

    /// Adds a revocation that was just stored, so that it takes effect here at once.
    pub fn add(&self, revocation: &Revocation) {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = cached.as_mut() {
            for subject in SubjectHash::all_of(revocation) {
                insert_stricter(&mut cached.revoked, subject, revocation.not_before);
            }
        }
    }

    /// Reads all revocations from the store, if a token was checked since it was last read.
    ///
    /// # Errors
    /// [`StoreError`]; the cache stays as it is.
    pub async fn refresh_if_needed(&self) -> Result<(), StoreError> {
        if !self.is_needed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let refreshed = self.refresh().await;
        self.is_needed
            .fetch_or(refreshed.is_err(), Ordering::Relaxed);
        refreshed
    }

    /// Reads all revocations from the store.
    ///
    /// # Errors
    /// [`StoreError`]; the cache stays as it is.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let (now, read_at) = (self.clock.now(), Instant::now());
        let current = self.store.current().await?;
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        let cached = cached.get_or_insert_with(|| Cached {
            revoked: HashMap::new(),
            read_at,
        });
        cached.read_at = read_at.max(cached.read_at);
        let revoked = &mut cached.revoked;
        // A revocation that was added while the store was read may be missing from its answer; its
        // time is from before it was stored.
        let since = now.saturating_sub(MAX_PROPAGATION);
        revoked.retain(|_, not_before| *not_before != Timestamp::LAST && *not_before >= since);
        for (subject, not_before) in current {
            insert_stricter(revoked, subject, not_before);
        }
        Ok(())
    }
}

/// Returns whether none of the revocations is of this identity's token.
fn admits(revoked: &HashMap<SubjectHash, Timestamp>, identity: &Identity) -> bool {
    if revoked.is_empty() {
        return true;
    }
    let user = &identity.user;
    let of_session = match identity.session {
        Some(session) => SubjectHash::of_session(session),
        None => SubjectHash::without_session(user),
    };
    let subjects = [SubjectHash::of(user), of_session];
    let mut of_caller = subjects.iter().filter_map(|subject| revoked.get(subject));
    match identity.issued {
        Some(issued) => of_caller
            .chain(revoked.get(&SubjectHash::EVERYBODY))
            .all(|not_before| issued >= *not_before),
        // Where such tokens are accepted no revocation is purged.
        None => of_caller.next().is_none(),
    }
}

/// Inserts a revocation unless there is a stricter one of the same tokens.
fn insert_stricter(
    cached: &mut HashMap<SubjectHash, Timestamp>,
    subject: SubjectHash,
    not_before: Timestamp,
) {
    let strictest = cached.entry(subject).or_insert(not_before);
    *strictest = not_before.max(*strictest);
}
