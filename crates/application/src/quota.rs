//! How many tasks one person may have.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::TaskRepository;

/// How many owners are remembered. Forgetting them costs a count each, no more.
const REMEMBERED_OWNERS: usize = 10_000;

/// How long a full quota is believed: who is refused may try again and again.
const FULL_FOR: Duration = Duration::from_secs(1);

/// A limit that is kept without counting on each write: an owner's tasks are counted once, and
/// that admits the next thousandth of the limit. So an instance overruns it by a thousandth at
/// most, and by the creations that are under way.
pub(crate) struct Quota {
    limit: NonZeroU64,
    owners: Mutex<HashMap<UserId, Standing>>,
}

/// What is known of an owner.
#[derive(Debug, Clone, Copy)]
enum Standing {
    /// So many more are admitted without counting.
    Admitted(u64),
    /// None is admitted before this time.
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

    /// Whether the owner may have one more.
    pub(crate) async fn admits(
        &self,
        owner: &UserId,
        tasks: &dyn TaskRepository,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if let Some(known) = self.admits_by_memory(owner, now) {
            return Ok(known);
        }
        let left = self.limit().saturating_sub(tasks.count(owner).await?.total);
        let standing = if left == 0 {
            Standing::FullUntil(now.saturating_add(FULL_FOR))
        } else {
            // One of them is the creation that asks.
            Standing::Admitted(left.min((self.limit() / 1000).max(1)) - 1)
        };
        let mut owners = self.owners();
        if owners.len() >= REMEMBERED_OWNERS {
            owners.clear();
        }
        owners.insert(owner.clone(), standing);
        Ok(left > 0)
    }

    /// The owner has one task fewer.
    pub(crate) fn freed(&self, owner: &UserId) {
        let mut owners = self.owners();
        if let Some(Standing::FullUntil(_)) = owners.get(owner) {
            owners.remove(owner);
        }
    }

    fn admits_by_memory(&self, owner: &UserId, now: Timestamp) -> Option<bool> {
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
