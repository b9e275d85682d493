//! The open streams of this instance: they learn at once what this instance writes, and from the store what other
//! instances write.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::{ChangeLogRepository, Feed};
use taskhold_repository::error::StoreError;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::feed::{CursorError, FeedCursor};
use crate::reasons::reasons;

/// The time between two queries for the logs of busy owners.
const BUSY_INTERVAL: Duration = Duration::from_secs(1);
/// The time between two queries for the logs of all owners with open streams. A query may begin a second late, so a
/// stream learns of a change within 15 s, the time of the statement included.
const IDLE_INTERVAL: Duration = Duration::from_secs(13);
/// The time for which an owner counts as busy after a write or a new stream.
const BUSY_FOR: Duration = Duration::from_mins(1);

/// The most streams that may be open at once.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// Of one user.
    pub per_user: NonZeroUsize,
    /// Of all users of this instance.
    pub all: NonZeroUsize,
}

impl StreamLimits {
    /// Returns limits that no test and no tool reaches.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            per_user: NonZeroUsize::MAX,
            all: NonZeroUsize::MAX,
        }
    }
}

/// Why a stream cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The user has as many streams as a user may have.
    #[error("the user has {0} open streams")]
    TooManyOfUser(NonZeroUsize),
    /// The instance has as many streams as it may have.
    #[error("all {0} streams are open")]
    TooMany(NonZeroUsize),
    /// The log cannot be read from the cursor on.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The open streams. While there are none, the store is not asked for anything.
pub struct ChangeStreams {
    log: Arc<dyn ChangeLogRepository>,
    limits: StreamLimits,
    open: Mutex<Open>,
    /// Wakes [`run`](Self::run): the first stream was opened, or an owner's log must be read at once.
    wake: Notify,
    is_draining: watch::Sender<bool>,
}

#[derive(Default)]
struct Open {
    streams: usize,
    owners: HashMap<UserId, Watched>,
}

/// An owner with open streams.
struct Watched {
    streams: usize,
    /// The state of the log, as far as it is known; `None` before the first change.
    feed: watch::Sender<Option<Feed>>,
    busy_until: Instant,
    /// `true` if the log has changed and its new state has not been read yet.
    is_stale: bool,
}

impl Watched {
    fn learn(&mut self, feed: Option<Feed>, now: Instant) {
        self.is_stale = false;
        let has_changed = self.feed.send_if_modified(|known| {
            let is_older =
                |known: Feed, read: Feed| known.epoch == read.epoch && known.last >= read.last;
            let is_news = match (*known, feed) {
                // The answer of the store may be older than what was written here meanwhile.
                (Some(known), Some(read)) => !is_older(known, read),
                (known, read) => known.is_some() != read.is_some(),
            };
            if is_news {
                *known = feed;
            }
            is_news
        });
        if has_changed {
            self.busy_until = now + BUSY_FOR;
        }
    }
}

/// An open stream, until it is dropped.
pub struct ChangeStream {
    all: Arc<ChangeStreams>,
    owner: UserId,
    feed: watch::Receiver<Option<Feed>>,
    is_draining: watch::Receiver<bool>,
}

impl ChangeStreams {
    /// Returns no streams on the log.
    #[must_use]
    pub fn new(log: Arc<dyn ChangeLogRepository>, limits: StreamLimits) -> Arc<Self> {
        Arc::new(Self {
            log,
            limits,
            open: Mutex::default(),
            wake: Notify::new(),
            is_draining: watch::Sender::new(false),
        })
    }

    /// Opens a stream of an owner. If there is a cursor, the log must have every change after it.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn open(
        self: &Arc<Self>,
        owner: &UserId,
        cursor: Option<&FeedCursor>,
    ) -> Result<ChangeStream, StreamError> {
        // Before the log is read, so that no write in between is missed.
        let mut stream = self.add(owner)?;
        let feeds = self.log.feeds(slice::from_ref(owner)).await?;
        let feed = feeds.first().map(|(_, feed)| *feed);
        if let Some(cursor) = cursor {
            cursor.check(feed)?;
        }
        if let Some(watched) = self.lock().owners.get_mut(owner) {
            watched.learn(feed, Instant::now());
        }
        stream.feed.mark_changed();
        Ok(stream)
    }

    /// Tells the owner's streams of a change that this instance has just written.
    pub fn wrote(&self, owner: &UserId, seq: ChangeSeq) {
        let mut open = self.lock();
        let Some(watched) = open.owners.get_mut(owner) else {
            return;
        };
        watched.busy_until = Instant::now() + BUSY_FOR;
        let known = *watched.feed.borrow();
        match known {
            Some(feed) if seq > feed.last => {
                _ = watched.feed.send_replace(Some(Feed { last: seq, ..feed }));
            }
            Some(_) => {}
            // The epoch is not known.
            None => {
                watched.is_stale = true;
                self.wake.notify_one();
            }
        }
    }

    /// Ends all streams for good, also those that are yet to be opened: the service is shutting down.
    pub fn drain(&self) {
        self.is_draining.send_replace(true);
    }

    /// Asks the store for what other instances write, while streams are open; never returns.
    pub async fn run(&self) {
        let mut asked_for_all = Instant::now();
        loop {
            if self.lock().streams == 0 {
                self.wake.notified().await;
            }
            tokio::select! {
                () = sleep(BUSY_INTERVAL) => {}
                () = self.wake.notified() => {}
            }
            let now = Instant::now();
            let asks_for_all = now.duration_since(asked_for_all) >= IDLE_INTERVAL;
            let owners: Vec<_> = {
                let open = self.lock();
                let due = open.owners.iter().filter(|(_, watched)| {
                    asks_for_all || watched.is_stale || watched.busy_until > now
                });
                due.map(|(owner, _)| owner.clone()).collect()
            };
            if asks_for_all {
                asked_for_all = now;
            }
            if owners.is_empty() {
                continue;
            }
            match self.log.feeds(&owners).await {
                Ok(feeds) => self.learn(&owners, &feeds.into_iter().collect()),
                Err(error) => tracing::warn!(
                    error = reasons(&error),
                    "open streams cannot learn what other instances write"
                ),
            }
        }
    }

    fn learn(&self, owners: &[UserId], feeds: &HashMap<UserId, Feed>) {
        let now = Instant::now();
        let mut open = self.lock();
        for owner in owners {
            if let Some(watched) = open.owners.get_mut(owner) {
                watched.learn(feeds.get(owner).copied(), now);
            }
        }
    }

    fn add(self: &Arc<Self>, owner: &UserId) -> Result<ChangeStream, StreamError> {
        let StreamLimits { per_user, all } = self.limits;
        let mut open = self.lock();
        if open.streams >= all.get() {
            return Err(StreamError::TooMany(all));
        }
        let of_user = open.owners.get(owner).map_or(0, |watched| watched.streams);
        if of_user >= per_user.get() {
            return Err(StreamError::TooManyOfUser(per_user));
        }
        if open.streams == 0 {
            self.wake.notify_one();
        }
        open.streams += 1;
        let watched = open.owners.entry(owner.clone());
        let watched = watched.or_insert_with(|| Watched {
            streams: 0,
            feed: watch::Sender::new(None),
            busy_until: Instant::now(),
            is_stale: false,
        });
        watched.streams += 1;
        watched.busy_until = Instant::now() + BUSY_FOR;
        Ok(ChangeStream {
            all: Arc::clone(self),
            owner: owner.clone(),
            feed: watched.feed.subscribe(),
            is_draining: self.is_draining.subscribe(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChangeStream {
    /// Waits until the log has grown, and returns where it ends. The first call returns at once. Returns `None` when
    /// the service is shutting down. Nothing is lost if the call is dropped before it returns.
    pub async fn next(&mut self) -> Option<FeedCursor> {
        tokio::select! {
            biased;
            _ = self.is_draining.wait_for(|is_draining| *is_draining) => None,
            changed = self.feed.changed() => {
                changed.ok()?;
                Some(FeedCursor::at_end(*self.feed.borrow_and_update()))
            }
        }
    }
}

impl Drop for ChangeStream {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        open.streams -= 1;
        if let Some(watched) = open.owners.get_mut(&self.owner) {
            watched.streams -= 1;
            if watched.streams == 0 {
                open.owners.remove(&self.owner);
            }
        }
    }
}
