//! A decorator that sends reads to a replica of the database, which may lag behind (decision 34).
//!
//! Only reads of tasks, the trash and the change log go there, and only those whose `Freshness` allows it. The
//! replica answers a read if it has the changes that the read must see: those that the request names, and those that
//! the owner wrote at this instance. The statement of the read checks that itself. Otherwise, and if the replica does
//! not answer, the primary executes the read.

mod health;
mod known;
mod monitor;
mod reads;

use std::sync::Arc;

use async_trait::async_trait;
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeSeq, ChangeStamp, LoggedChange};
use taskhold_domain::task::{Destination, FollowUp, Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_repository::change_log::{ChangeLogRepository, ChangePage, Feed, UndoOutcome};
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{IdempotentOutcome, KeyedRequest};
use taskhold_repository::tasks::{
    BulkWrite, Precondition, TaskCounts, TaskPage, TaskQuery, TaskRepository, TaskStats, TaskWrite,
};
use taskhold_repository::trash::{TrashPage, TrashRepository};
use taskhold_repository::written::{BulkOutcome, Undo, Written};

pub use self::reads::Replica;
use crate::db::Database;

/// The storage ports of tasks, whose reads a replica executes where it can.
pub struct Replicated {
    /// The tasks of the primary.
    tasks: Arc<dyn TaskRepository>,
    primary: Database,
    replica: Arc<Replica>,
}

impl Replicated {
    /// Returns the ports, given those of the primary and its replica.
    #[must_use]
    pub fn new(tasks: Arc<dyn TaskRepository>, primary: Database, replica: Arc<Replica>) -> Self {
        Self {
            tasks,
            primary,
            replica,
        }
    }

    fn learn(&self, owner: &UserId, seq: Option<ChangeSeq>) {
        if let Some(seq) = seq {
            self.replica.learn(owner, seq);
        }
    }

    fn learn_written<T>(&self, owner: &UserId, written: Option<&Written<T>>) {
        self.learn(owner, written.map(|written| written.seq));
    }
}

#[async_trait]
impl TaskRepository for Replicated {
    async fn add(&self, task: &Task, by: &ChangeAuthor) -> Result<ChangeSeq, StoreError> {
        let seq = self.tasks.add(task, by).await?;
        self.learn(&task.owner, Some(seq));
        Ok(seq)
    }

    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        let read = async |replica: Database| replica.find(owner, id).await;
        match self.replica.read(owner, read).await {
            Some(task) => Ok(task),
            None => self.tasks.find(owner, id).await,
        }
    }

    async fn list(&self, owner: &UserId, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        let read = async |replica: Database| TaskRepository::list(&replica, owner, query).await;
        match self.replica.read(owner, read).await {
            Some(page) => Ok(page),
            None => self.tasks.list(owner, query).await,
        }
    }

    async fn count(&self, owner: &UserId) -> Result<TaskCounts, StoreError> {
        self.tasks.count(owner).await
    }

    async fn stats(
        &self,
        owner: &UserId,
        now: Timestamp,
        zone: &Zone,
    ) -> Result<TaskStats, StoreError> {
        let read = async |replica: Database| replica.stats(owner, now, zone).await;
        match self.replica.read(owner, read).await {
            Some(stats) => Ok(stats),
            None => self.tasks.stats(owner, now, zone).await,
        }
    }

    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        follow_up: Option<&FollowUp>,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        let changed = self
            .tasks
            .change(owner, id, change, precondition, follow_up, stamp)
            .await?;
        self.learn_written(owner, changed.as_ref());
        Ok(changed)
    }

    async fn move_to(
        &self,
        owner: &UserId,
        id: TaskId,
        to: Destination,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        let moved = self
            .tasks
            .move_to(owner, id, to, precondition, stamp)
            .await?;
        self.learn_written(owner, moved.as_ref());
        Ok(moved)
    }

    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError> {
        let removed = self.tasks.remove(owner, id, precondition, stamp).await?;
        self.learn(owner, removed);
        Ok(removed)
    }

    async fn write_bulk(
        &self,
        owner: &UserId,
        write: &BulkWrite,
        stamp: &ChangeStamp,
    ) -> Result<BulkOutcome, StoreError> {
        let outcome = self.tasks.write_bulk(owner, write, stamp).await?;
        if let BulkOutcome::Done(written) = &outcome {
            self.learn_written(owner, Some(written));
        }
        Ok(outcome)
    }

    async fn write_idempotent(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        write: &TaskWrite,
        stamp: &ChangeStamp,
    ) -> Result<IdempotentOutcome, StoreError> {
        let outcome = self
            .tasks
            .write_idempotent(owner, request, write, stamp)
            .await?;
        self.learn(owner, seq(&outcome));
        Ok(outcome)
    }

    async fn recall(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<IdempotentOutcome>, StoreError> {
        let outcome = self.tasks.recall(owner, request, now).await?;
        self.learn(owner, outcome.as_ref().and_then(seq));
        Ok(outcome)
    }

    async fn count_keys(&self, owner: &UserId, now: Timestamp) -> Result<u64, StoreError> {
        self.tasks.count_keys(owner, now).await
    }

    async fn belongs_to_another(&self, caller: &UserId, id: TaskId) -> Result<bool, StoreError> {
        self.tasks.belongs_to_another(caller, id).await
    }
}

/// Returns the number of a keyed write.
fn seq(outcome: &IdempotentOutcome) -> Option<ChangeSeq> {
    match outcome {
        IdempotentOutcome::Done(written) => Some(written.seq),
        IdempotentOutcome::Replayed { seq, .. } => *seq,
        _ => None,
    }
}

#[async_trait]
impl TrashRepository for Replicated {
    async fn list(
        &self,
        owner: &UserId,
        after: Option<(Timestamp, TaskId)>,
        limit: u32,
    ) -> Result<TrashPage, StoreError> {
        let read =
            async |replica: Database| TrashRepository::list(&replica, owner, after, limit).await;
        match self.replica.read(owner, read).await {
            Some(page) => Ok(page),
            None => TrashRepository::list(&self.primary, owner, after, limit).await,
        }
    }

    async fn restore(
        &self,
        owner: &UserId,
        id: TaskId,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        let restored = self.primary.restore(owner, id, stamp).await?;
        self.learn_written(owner, restored.as_ref());
        Ok(restored)
    }

    async fn purge(
        &self,
        owner: &UserId,
        id: Option<TaskId>,
        stamp: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError> {
        let purged = self.primary.purge(owner, id, stamp).await?;
        self.learn(owner, purged);
        Ok(purged)
    }

    async fn purge_expired(
        &self,
        time: Timestamp,
        most: u32,
        stamp: &ChangeStamp,
    ) -> Result<u64, StoreError> {
        TrashRepository::purge_expired(&self.primary, time, most, stamp).await
    }
}

#[async_trait]
impl ChangeLogRepository for Replicated {
    async fn changes(
        &self,
        owner: &UserId,
        after: ChangeSeq,
        limit: u32,
    ) -> Result<ChangePage, StoreError> {
        let read = async |replica: Database| replica.changes(owner, after, limit).await;
        match self.replica.read(owner, read).await {
            Some(page) => Ok(page),
            None => self.primary.changes(owner, after, limit).await,
        }
    }

    async fn feeds(&self, owners: &[UserId]) -> Result<Vec<(UserId, Feed)>, StoreError> {
        let feeds = self.primary.feeds(owners).await?;
        // A client that is told of a change reads it next.
        for (owner, feed) in &feeds {
            self.replica.learn(owner, feed.last);
        }
        Ok(feeds)
    }

    async fn history(
        &self,
        owner: &UserId,
        id: TaskId,
    ) -> Result<Option<(Task, Vec<LoggedChange>)>, StoreError> {
        let read = async |replica: Database| replica.history(owner, id).await;
        match self.replica.read(owner, read).await {
            Some(history) => Ok(history),
            None => self.primary.history(owner, id).await,
        }
    }

    async fn undo(
        &self,
        owner: &UserId,
        undo: Undo,
        stamp: &ChangeStamp,
    ) -> Result<UndoOutcome, StoreError> {
        let outcome = self.primary.undo(owner, undo, stamp).await?;
        if let UndoOutcome::Done(written) = &outcome {
            self.learn_written(owner, Some(written));
        }
        Ok(outcome)
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        ChangeLogRepository::purge_expired(&self.primary, time, most).await
    }
}
