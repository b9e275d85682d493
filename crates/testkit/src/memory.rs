//! The storage ports in memory: the shortest implementation that fulfils their contract.

mod accounts;
mod bulk;
mod change_log;
mod import;
mod leases;
mod personal_tokens;
mod positions;
mod rate_limits;
mod sessions;
mod tasks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use taskhold_domain::personal_token::PersonalToken;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::TokenHash;
use taskhold_domain::task::change_log::{ChangeSeq, LoggedChange};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::{User, UserId};
use taskhold_repository::change_log::Feed;
use taskhold_repository::error::StoreError;
use taskhold_repository::health::StoreHealth;
use taskhold_repository::idempotency::IdempotencyKey;
use taskhold_repository::rate_limits::{Count, RateLimitKey};
use taskhold_repository::revocations::SubjectHash;
use taskhold_repository::trash::TrashedTask;
use uuid::Uuid;

use self::import::ImportKey;
use self::sessions::StoredSession;
use self::tasks::StoredOutcome;

/// A store in memory. Clones share their content.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    rows: Arc<Mutex<Rows>>,
    /// Held by the import that is being made, since concurrent imports do this one at a time.
    import_lock: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Rows {
    users: BTreeMap<UserId, User>,
    tasks: BTreeMap<TaskId, Task>,
    trash: BTreeMap<TaskId, TrashedTask>,
    feeds: BTreeMap<UserId, Feed>,
    changes: BTreeMap<(UserId, ChangeSeq), LoggedChange>,
    keys: BTreeMap<(UserId, IdempotencyKey), StoredOutcome>,
    sessions: BTreeMap<TokenHash, StoredSession>,
    personal_tokens: BTreeMap<Uuid, PersonalToken>,
    revocations: BTreeMap<SubjectHash, Revocation>,
    /// The time of the revocation of everybody.
    everybody: Option<Timestamp>,
    rate_limits: BTreeMap<RateLimitKey, Count>,
    imports: BTreeMap<ImportKey, TaskId>,
    leases: BTreeMap<&'static str, (Uuid, Timestamp)>,
}

impl MemoryStore {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deletes at most `most` rows that are out of date, and returns their number.
fn purge<K: Clone + Ord, V>(
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

    async fn check_writable(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
