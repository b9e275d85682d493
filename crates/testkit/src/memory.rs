//! The storage ports without a database: the shortest thing that keeps their contract.

mod accounts;
mod import;
mod rate_limits;
mod sessions;
mod tasks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::TokenHash;
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::user::{User, UserId};
use taskhold_repository::error::StoreError;
use taskhold_repository::health::StoreHealth;
use taskhold_repository::idempotency::IdempotencyKey;
use taskhold_repository::rate_limits::{Count, RateLimitKey};
use taskhold_repository::revocations::SubjectHash;

use self::import::Imported;
use self::sessions::Started;
use self::tasks::Kept;

/// Users, with all that is theirs, in memory. A clone is the same store.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    rows: Arc<Mutex<Rows>>,
    /// Held by the import whose turn it is.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Rows {
    users: BTreeMap<UserId, User>,
    tasks: BTreeMap<TaskId, Task>,
    keys: BTreeMap<(UserId, IdempotencyKey), Kept>,
    sessions: BTreeMap<TokenHash, Started>,
    revocations: BTreeMap<SubjectHash, Revocation>,
    attempts: BTreeMap<RateLimitKey, Count>,
    imports: BTreeMap<Imported, TaskId>,
}

impl MemoryStore {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes at most `most` rows that are out of date. How many it were.
fn forget<K: Clone + Ord, V>(
    rows: &mut BTreeMap<K, V>,
    most: u32,
    is_old: impl Fn(&V) -> bool,
) -> u64 {
    let old = rows.iter().filter(|(_, row)| is_old(row));
    let old: Vec<_> = old
        .map(|(key, _)| key.clone())
        .take(most as usize)
        .collect();
    for key in &old {
        rows.remove(key);
    }
    old.len() as u64
}

#[async_trait]
impl StoreHealth for MemoryStore {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn schema_is_current(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
}
