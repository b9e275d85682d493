//! Which tokens count although they are sound.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use taskhold_domain::revocation::{MAX_PROPAGATION, Revocation};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::revocations::{RevocationRepository, SubjectHash};

use crate::clock::Clock;
use crate::tokens::Identity;

/// How often the store is asked for what other instances have revoked: several times within
/// [`MAX_PROPAGATION`], so that a fault may pass.
const INTERVAL: Duration = Duration::from_secs(15);

/// The revocations of all users, remembered, so that no request has to ask for them.
pub struct Revocations {
    store: Arc<dyn RevocationRepository>,
    clock: Arc<dyn Clock>,
    /// `None` until the store has told.
    known: RwLock<Option<HashMap<SubjectHash, Timestamp>>>,
}

impl Revocations {
    /// None is known yet.
    #[must_use]
    pub fn new(store: Arc<dyn RevocationRepository>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            known: RwLock::default(),
        }
    }

    /// Whether the token of this identity counts: its user's are not revoked, or it was issued since.
    ///
    /// # Errors
    /// [`StoreError`], as long as the store has never told.
    pub async fn admits(&self, identity: &Identity) -> Result<bool, StoreError> {
        loop {
            if let Some(admits) = self.answer(identity) {
                return Ok(admits);
            }
            self.refresh().await?;
        }
    }

    fn answer(&self, identity: &Identity) -> Option<bool> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref()?;
        if known.is_empty() {
            return Some(true);
        }
        Some(match known.get(&SubjectHash::of(&identity.user)) {
            Some(not_before) => identity.issued.is_some_and(|issued| issued >= *not_before),
            None => true,
        })
    }

    /// Remembers one that was just kept, so that this instance need not wait to hear of it.
    pub fn note(&self, revocation: &Revocation) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_mut() {
            remember(
                known,
                SubjectHash::of(&revocation.user),
                revocation.not_before,
            );
        }
    }

    /// Asks the store for all of them.
    ///
    /// # Errors
    /// [`StoreError`]; those that were known stay so.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let current = self.store.current(now).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        // One that was noted while the store was asked may be missing from its answer; its time is
        // from before it was kept.
        let since = now.saturating_sub(MAX_PROPAGATION);
        known.retain(|_, not_before| *not_before != Timestamp::LAST && *not_before >= since);
        for (subject, not_before) in current {
            remember(known, subject, not_before);
        }
        Ok(())
    }

    /// Asks again and again; never ends.
    pub async fn keep_up(&self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if let Err(error) = self.refresh().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot learn which tokens were revoked elsewhere"
                );
            }
        }
    }
}

/// Of two revocations of one user the stricter one counts.
fn remember(
    known: &mut HashMap<SubjectHash, Timestamp>,
    subject: SubjectHash,
    not_before: Timestamp,
) {
    let strictest = known.entry(subject).or_insert(not_before);
    *strictest = not_before.max(*strictest);
}
