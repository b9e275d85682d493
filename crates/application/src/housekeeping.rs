//! Deletion and renewal of stored data that is out of date.

use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::revocation::MAX_PROPAGATION;
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeStamp};
use taskhold_repository::change_log::ChangeLogRepository;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{IdempotencyKeyRepository, retention_start};
use taskhold_repository::personal_tokens::PersonalTokenRepository;
use taskhold_repository::rate_limits::RateLimitRepository;
use taskhold_repository::revocations::RevocationRepository;
use taskhold_repository::search::SearchRepository;
use taskhold_repository::sessions::SessionRepository;
use taskhold_repository::trash::TrashRepository;

use crate::clock::Clock;
use crate::rate_limits::FAILURES_WINDOW;

/// The number of rows that are deleted or renewed at once, so that no statement blocks others for long.
const BATCH: u32 = 1_000;

/// Deletes what the store need not keep any longer; such rows have no effect even before. Renews what an earlier
/// version of the program has written.
pub struct Housekeeping {
    /// The idempotency keys.
    pub keys: Arc<dyn IdempotencyKeyRepository>,
    /// The refresh tokens.
    pub sessions: Arc<dyn SessionRepository>,
    /// The personal access tokens.
    pub personal_tokens: Arc<dyn PersonalTokenRepository>,
    /// The revocations.
    pub revocations: Arc<dyn RevocationRepository>,
    /// The counters of rate limits.
    pub rate_limits: Arc<dyn RateLimitRepository>,
    /// The texts that a search compares.
    pub search: Arc<dyn SearchRepository>,
    /// The trash.
    pub trash: Arc<dyn TrashRepository>,
    /// The time for which a deleted task is kept.
    pub trash_retention: Duration,
    /// The change log.
    pub log: Arc<dyn ChangeLogRepository>,
    /// The time for which a change is kept.
    pub history_retention: Duration,
    /// The longest lifetime of an access token that the service accepts; revocations of tokens that may
    /// still live are kept.
    pub max_token_lifetime: Duration,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl Housekeeping {
    /// Deletes all rows that are out of date and returns their number.
    ///
    /// # Errors
    /// [`StoreError`]; rows that were deleted before stay deleted.
    pub async fn purge(&self) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let keys_before = retention_start(now);
        let counters_before = now.saturating_sub(FAILURES_WINDOW);
        let keys = in_batches(|| self.keys.purge_expired(keys_before, BATCH)).await?;
        let sessions = in_batches(|| self.sessions.purge_expired(now, BATCH)).await?;
        let tokens = in_batches(|| self.personal_tokens.purge_expired(now, BATCH)).await?;
        let expired_before = now
            .saturating_sub(self.max_token_lifetime)
            .saturating_sub(MAX_PROPAGATION);
        let revocations =
            in_batches(|| self.revocations.purge_expired(expired_before, BATCH)).await?;
        let counters =
            in_batches(|| self.rate_limits.purge_expired(counters_before, BATCH)).await?;
        let stamp = ChangeStamp {
            at: now,
            by: ChangeAuthor::named(ChangeAuthor::HOUSEKEEPING),
        };
        let deleted_before = now.saturating_sub(self.trash_retention);
        let trash = in_batches(|| self.trash.purge_expired(deleted_before, BATCH, &stamp)).await?;
        let changed_before = now.saturating_sub(self.history_retention);
        let changes = in_batches(|| self.log.purge_expired(changed_before, BATCH)).await?;
        Ok(keys + sessions + tokens + revocations + counters + trash + changes)
    }

    /// Rebuilds the texts for the search of the tasks that an earlier version has written, such as the instances
    /// that are still to be replaced, and returns the number of these tasks.
    ///
    /// # Errors
    /// [`StoreError`]; texts that were rebuilt before stay so.
    pub async fn rebuild_search(&self) -> Result<usize, StoreError> {
        let (mut rebuilt, mut last) = (0, None);
        loop {
            let batch = self.search.rebuild(last, BATCH).await?;
            rebuilt += batch.len();
            last = match batch.last() {
                Some(id) => Some(*id),
                None => return Ok(rebuilt),
            };
        }
    }
}

/// Repeats `purge` until it deletes less than a batch, and returns the number of deleted rows.
async fn in_batches<Purge>(purge: impl Fn() -> Purge) -> Result<u64, StoreError>
where
    Purge: Future<Output = Result<u64, StoreError>>,
{
    let mut deleted = 0;
    loop {
        let rows = purge().await?;
        deleted += rows;
        if rows < u64::from(BATCH) {
            return Ok(deleted);
        }
    }
}
