//! The change log and the trash: what a user can learn of earlier states of tasks, and delete for good.

use std::sync::Arc;

use taskhold_domain::task::change_log::{ChangeKind, ChangeSeq, ChangeStamp, FieldValues};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::Feed;
use taskhold_repository::freshness;
pub use taskhold_repository::tasks::{Key, Position};
use taskhold_repository::tasks::{Sort, SortKey, Start, TaskQuery};
pub use taskhold_repository::trash::{TrashPage, TrashedTask};

use crate::actor::Actor;
use crate::change_streams::{ChangeStream, ChangeStreams, StreamError};
use crate::clock::Clock;
pub use crate::feed::{CursorError, FeedCursor};
use crate::tasks::{TaskError, TaskPorts};

/// The tasks that changed after a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The tasks that changed, each once and as it is now.
    pub changed: Vec<Task>,
    /// The ids of tasks that are gone.
    pub removed: Vec<TaskId>,
    /// The place up to which these changes lead.
    pub cursor: FeedCursor,
    /// `true` if further changes follow.
    pub has_more: bool,
}

/// A change in the history of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The number.
    pub seq: ChangeSeq,
    /// The kind of the change.
    pub kind: ChangeKind,
    /// The time and the author of the change.
    pub stamp: ChangeStamp,
    /// The old values of the fields that changed.
    pub from: FieldValues,
    /// Their new values.
    pub to: FieldValues,
}

/// A part of the history of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The changes, newest first.
    pub entries: Vec<HistoryEntry>,
    /// The number before which the next page begins, if there is one.
    pub next: Option<ChangeSeq>,
}

/// Why changes cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The log cannot be read from the cursor on.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// The use cases of the change log: reading and streaming changes, and the history of a task. Every method acts for
/// `caller` on the caller's own log.
#[derive(Clone)]
pub struct ChangeLog {
    ports: TaskPorts,
}

impl ChangeLog {
    /// Creates the use cases on their ports.
    #[must_use]
    pub fn new(ports: TaskPorts) -> Self {
        Self { ports }
    }

    /// Returns at most `limit` of the tasks that changed after `cursor`; without a cursor all tasks, oldest
    /// first, and then what has changed meanwhile. A change is returned at least once, and never before an
    /// earlier change of the same task.
    ///
    /// # Errors
    /// [`FeedError`].
    pub async fn changes(
        &self,
        caller: &UserId,
        cursor: Option<&FeedCursor>,
        limit: u32,
    ) -> Result<Changes, FeedError> {
        match cursor {
            None => {
                // The state of the log is read before the tasks: later changes follow after them.
                let feed = self.feed(caller).await?;
                self.snapshot(caller, FeedCursor::at_end(feed), limit).await
            }
            Some(cursor) if cursor.snapshot.is_some() => {
                let feed = freshness::at_least(cursor.seq, self.feed(caller));
                cursor.check(feed.await?)?;
                self.snapshot(caller, cursor.clone(), limit).await
            }
            Some(cursor) => {
                let page = self.ports.log.changes(caller, cursor.seq, limit);
                let page = freshness::at_least(cursor.seq, page);
                let page = page.await.map_err(TaskError::from)?;
                cursor.check(page.feed)?;
                let (mut changed, mut removed) = (Vec::new(), Vec::new());
                let mut seq = cursor.seq;
                for change in page.changes {
                    seq = change.seq;
                    match change.task {
                        Some(task) => changed.push(task),
                        None => removed.push(change.id),
                    }
                }
                let end = FeedCursor::at_end(page.feed);
                Ok(Changes {
                    changed,
                    removed,
                    cursor: if page.has_more {
                        FeedCursor { seq, ..end }
                    } else {
                        end
                    },
                    has_more: page.has_more,
                })
            }
        }
    }

    /// Returns the open streams.
    #[must_use]
    pub fn streams(&self) -> Arc<ChangeStreams> {
        Arc::clone(&self.ports.streams)
    }

    /// Opens a stream that tells when the caller's log grows. If there is a cursor, the log must have every change
    /// after it.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn stream(
        &self,
        caller: &UserId,
        cursor: Option<&FeedCursor>,
    ) -> Result<ChangeStream, StreamError> {
        self.ports.streams.open(caller, cursor).await
    }

    /// Returns the state of the caller's log; `None` before the first change.
    async fn feed(&self, caller: &UserId) -> Result<Option<Feed>, TaskError> {
        let page = self.ports.log.changes(caller, ChangeSeq::ZERO, 0).await?;
        Ok(page.feed)
    }

    /// Returns a part of all tasks, after the position of `cursor`.
    async fn snapshot(
        &self,
        caller: &UserId,
        cursor: FeedCursor,
        limit: u32,
    ) -> Result<Changes, FeedError> {
        let query = TaskQuery {
            sort: Sort {
                key: SortKey::CreatedAt,
                descending: false,
            },
            start: cursor.snapshot.clone().map_or(Start::First, Start::After),
            limit: Some(limit),
            ..TaskQuery::default()
        };
        // The list includes every change up to the cursor.
        let page = freshness::at_least(cursor.seq, self.ports.tasks.list(caller, &query));
        let page = page.await.map_err(TaskError::from)?;
        if page.corrupt_rows > 0 {
            return Err(
                TaskError::Defect("a stored task is damaged; the log names it".into()).into(),
            );
        }
        Ok(Changes {
            changed: page.tasks,
            removed: Vec::new(),
            has_more: page.next.is_some(),
            cursor: FeedCursor {
                snapshot: page.next,
                ..cursor
            },
        })
    }

    /// Returns at most `limit` of the changes of a task, newest first, before the change `before`.
    ///
    /// # Errors
    /// [`TaskError`]: `NotFound`, `Unavailable`, `Defect`.
    pub async fn history(
        &self,
        caller: &UserId,
        id: TaskId,
        before: Option<ChangeSeq>,
        limit: u32,
    ) -> Result<History, TaskError> {
        let found = self.ports.log.history(caller, id).await?;
        let (task, changes) = found.ok_or(TaskError::NotFound)?;
        // From the current values back to those after each change.
        let mut values = FieldValues::of(&task);
        let mut entries = Vec::new();
        let mut next = None;
        for change in changes {
            let to = values.replace(&change.before);
            if before.is_some_and(|before| change.seq >= before) {
                continue;
            }
            if entries.len() == limit as usize {
                next = entries.last().map(|last: &HistoryEntry| last.seq);
                break;
            }
            entries.push(HistoryEntry {
                seq: change.seq,
                kind: change.kind,
                stamp: change.stamp,
                from: change.before,
                to,
            });
        }
        Ok(History { entries, next })
    }
}

/// The use cases of the trash: listing deleted tasks and deleting them for good. Every method acts for its
/// `caller` or `actor` on the trash of that user.
#[derive(Clone)]
pub struct Trash {
    ports: TaskPorts,
    clock: Arc<dyn Clock>,
}

impl Trash {
    /// Creates the use cases on their ports.
    #[must_use]
    pub fn new(ports: TaskPorts, clock: Arc<dyn Clock>) -> Self {
        Self { ports, clock }
    }

    /// Returns at most `limit` deleted tasks, newest deletion first, after a position.
    ///
    /// # Errors
    /// [`TaskError`]: `Busy`, `Unavailable`, `Defect`.
    pub async fn list(
        &self,
        caller: &UserId,
        after: Option<(Timestamp, TaskId)>,
        limit: u32,
    ) -> Result<TrashPage, TaskError> {
        Ok(self.ports.trash.list(caller, after, limit).await?)
    }

    /// Deletes a task in the trash for good, and returns the number of the change.
    ///
    /// # Errors
    /// [`TaskError`]: `NotFound`, `Busy`, `Unavailable`, `OutcomeUnknown`, `Defect`.
    pub async fn purge(&self, actor: &Actor, id: TaskId) -> Result<ChangeSeq, TaskError> {
        let stamp = self.stamp(actor);
        let purged = self
            .ports
            .trash
            .purge(&actor.user, Some(id), &stamp)
            .await?;
        let seq = purged.ok_or(TaskError::NotFound)?;
        self.ports.streams.wrote(&actor.user, seq);
        Ok(seq)
    }

    /// Deletes all tasks in the trash for good, and returns the number of the last change, if there is one.
    ///
    /// # Errors
    /// [`TaskError`]: `Busy`, `Unavailable`, `OutcomeUnknown`, `Defect`.
    pub async fn empty(&self, actor: &Actor) -> Result<Option<ChangeSeq>, TaskError> {
        let stamp = self.stamp(actor);
        let purged = self.ports.trash.purge(&actor.user, None, &stamp).await?;
        if let Some(seq) = purged {
            self.ports.streams.wrote(&actor.user, seq);
        }
        Ok(purged)
    }

    fn stamp(&self, actor: &Actor) -> ChangeStamp {
        ChangeStamp {
            at: self.clock.now(),
            by: actor.by.clone(),
        }
    }
}
