//! A limit on what each user has in progress, so that no user can take the service from the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskhold_domain::user::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The longest that a user waits for what the same user has in progress.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The user had too much in progress for 5 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the user has too much in progress")]
pub struct TooManyInProgress;

/// A limit on the operations that each user has in progress. Those beyond it wait, in their order.
#[derive(Debug)]
pub struct UserLimit {
    max: usize,
    /// The users who have operations in progress.
    users: Mutex<HashMap<UserId, Arc<Semaphore>>>,
}

/// An operation that counts against its user's limit until it is dropped.
#[derive(Debug)]
pub struct InProgress {
    // Dropped before the entry, which looks at what is left.
    _permit: OwnedSemaphorePermit,
    _entry: Entry,
}

impl UserLimit {
    /// Returns a limit of `max` operations, but at least one, for each user.
    #[must_use]
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max: max.clamp(1, Semaphore::MAX_PERMITS),
            users: Mutex::default(),
        })
    }

    /// Waits until the user may begin an operation.
    ///
    /// # Errors
    /// [`TooManyInProgress`] after 5 s.
    pub async fn begin(self: &Arc<Self>, user: &UserId) -> Result<InProgress, TooManyInProgress> {
        let entry = Entry {
            semaphore: {
                let mut users = self.users();
                let semaphore = users.entry(user.clone());
                Arc::clone(semaphore.or_insert_with(|| Arc::new(Semaphore::new(self.max))))
            },
            user: user.clone(),
            limit: Arc::clone(self),
        };
        let permit = Arc::clone(&entry.semaphore).acquire_owned();
        match tokio::time::timeout(MAX_WAIT, permit).await {
            Ok(Ok(permit)) => Ok(InProgress {
                _permit: permit,
                _entry: entry,
            }),
            Ok(Err(_)) | Err(_) => Err(TooManyInProgress),
        }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, Arc<Semaphore>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation that is in progress or waits. The last one of a user removes the user.
#[derive(Debug)]
struct Entry {
    limit: Arc<UserLimit>,
    user: UserId,
    semaphore: Arc<Semaphore>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut users = self.limit.users();
        // Counted under the lock: one reference is this entry's, and one the map's.
        if Arc::strong_count(&self.semaphore) == 2 {
            users.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).expect("a user")
    }

    fn limit() -> Arc<UserLimit> {
        UserLimit::new(2)
    }

    #[tokio::test(start_paused = true)]
    async fn operation_beyond_the_limit_waits_and_then_fails() {
        let limit = limit();
        let anna = user("anna");
        let first = limit.begin(&anna).await.expect("begun");
        let _second = limit.begin(&anna).await.expect("begun");
        assert_eq!(
            limit.begin(&anna).await.expect_err("full"),
            TooManyInProgress
        );
        let (third, ()) = tokio::join!(limit.begin(&anna), async { drop(first) });
        third.expect("begun after the first");
    }

    #[tokio::test(start_paused = true)]
    async fn other_users_do_not_wait() {
        let limit = limit();
        let anna = user("anna");
        let _held = (limit.begin(&anna).await, limit.begin(&anna).await);
        let started = tokio::time::Instant::now();
        limit.begin(&user("bob")).await.expect("begun");
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_users_take_no_memory() {
        let limit = limit();
        let anna = user("anna");
        let held = (limit.begin(&anna).await, limit.begin(&anna).await);
        let waiting = tokio::time::timeout(Duration::from_secs(1), limit.begin(&anna)).await;
        assert!(waiting.is_err(), "its client went away");
        limit.begin(&anna).await.expect_err("full");
        drop(held);
        drop(limit.begin(&user("bob")).await);
        assert!(limit.users().is_empty(), "{limit:?}");
    }
}
