//! A limit on the number of rows of a user: tasks, or idempotency keys.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;

/// The number of owners that are remembered. An owner who is forgotten costs one more count.
const REMEMBERED_OWNERS: usize = 10_000;

/// The time for which a full quota is cached, so that repeated attempts do not count each time.
const FULL_FOR: Duration = Duration::from_secs(1);

/// A limit that is enforced without counting on each write: an owner's rows are counted once per
/// thousandth of the limit. An instance may exceed the limit by a thousandth, and by the creations in
/// progress.
pub(crate) struct Quota {
    limit: NonZeroU64,
    owners: Mutex<HashMap<UserId, Standing>>,
}

/// The cached knowledge about an owner.
#[derive(Debug, Clone, Copy)]
enum Standing {
    /// This many more rows are admitted without counting.
    Admitted(u64),
    /// No row is admitted before this time.
    FullUntil(Timestamp),
}

impl Quota {
    pub(crate) fn new(limit: NonZeroU64) -> Self {
        Self {
            limit,
            owners: Mutex::default(),
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.get()
    }

    /// Returns whether the owner may create one more row. `count` counts the owner's rows.
    pub(crate) async fn admits(
        &self,
        owner: &UserId,
        now: Timestamp,
        count: impl AsyncFnOnce() -> Result<u64, StoreError>,
    ) -> Result<bool, StoreError> {
        if let Some(known) = self.admits_by_cache(owner, now) {
            return Ok(known);
        }
        let left = self.limit().saturating_sub(count().await?);
        let standing = if left == 0 {
            Standing::FullUntil(now.saturating_add(FULL_FOR))
        } else {
            // The creation in progress is one of them.
            Standing::Admitted(left.min((self.limit() / 1000).max(1)) - 1)
        };
        let mut owners = self.owners();
        if owners.len() >= REMEMBERED_OWNERS {
            owners.clear();
        }
        owners.insert(owner.clone(), standing);
        Ok(left > 0)
    }

    /// Notes that the owner has deleted a row.
    pub(crate) fn freed(&self, owner: &UserId) {
        let mut owners = self.owners();
        if let Some(Standing::FullUntil(_)) = owners.get(owner) {
            owners.remove(owner);
        }
    }

    fn admits_by_cache(&self, owner: &UserId, now: Timestamp) -> Option<bool> {
        match self.owners().get_mut(owner)? {
            Standing::Admitted(0) => None,
            Standing::Admitted(left) => {
                *left -= 1;
                Some(true)
            }
            Standing::FullUntil(until) => (now < *until).then_some(false),
        }
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<UserId, Standing>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
