//! The port for tasks.

mod query;

use async_trait::async_trait;
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeSeq, ChangeStamp};
use taskhold_domain::task::{Destination, FollowUp, Revision, Task, TaskChange, TaskId, TaskIds};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;

pub use self::query::{DueFilter, Key, Position, Sort, SortKey, Start, TaskQuery};
use crate::error::StoreError;
use crate::idempotency::{IdempotentOutcome, KeyedRequest};
use crate::written::{BulkOutcome, Undo, Written};

/// The revisions of a task that a change may be based on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Any revision: the last writer wins.
    None,
    /// One of these revisions. An empty list never matches.
    RevisionIn(Vec<Revision>),
}

impl Precondition {
    /// Returns whether a task of `revision` may be changed.
    #[must_use]
    pub fn allows(&self, revision: Revision) -> bool {
        match self {
            Self::None => true,
            Self::RevisionIn(revisions) => revisions.contains(&revision),
        }
    }
}

/// The result of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPage {
    /// The tasks, in order.
    pub tasks: Vec<Task>,
    /// The position after which the next page begins, if there is one.
    pub next: Option<Position>,
    /// The number of stored rows that were left out because they break a rule of the domain.
    pub corrupt_rows: usize,
}

/// The number of tasks of an owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// All tasks.
    pub total: u64,
    /// The tasks that are done.
    pub completed: u64,
}

/// The numbers of tasks of an owner at a time and in a time zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskStats {
    /// All tasks, and those that are done.
    pub counts: TaskCounts,
    /// The open tasks that are [overdue](DueFilter::Overdue).
    pub overdue: u64,
    /// The open tasks that are due [today](DueFilter::Today).
    pub due_today: u64,
}

/// A write of a task as a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskWrite {
    /// As [`add`](TaskRepository::add).
    Add(Task),
    /// As [`change`](TaskRepository::change).
    Change {
        /// The id of the task.
        id: TaskId,
        /// The change.
        change: TaskChange,
        /// The revisions that may be changed.
        precondition: Precondition,
        /// What a follow-up is made with.
        follow_up: Option<FollowUp>,
    },
    /// As [`move_to`](TaskRepository::move_to).
    Move {
        /// The id of the task.
        id: TaskId,
        /// Where it is moved.
        to: Destination,
        /// The revisions that may be moved.
        precondition: Precondition,
    },
    /// As [`remove`](TaskRepository::remove).
    Remove {
        /// The id of the task.
        id: TaskId,
        /// The revisions that may be removed.
        precondition: Precondition,
    },
    /// As [`restore`](crate::trash::TrashRepository::restore).
    Restore {
        /// The id of the task.
        id: TaskId,
    },
    /// As [`undo`](crate::change_log::ChangeLogRepository::undo).
    Undo(Undo),
    /// As [`write_bulk`](TaskRepository::write_bulk).
    Bulk(BulkWrite),
}

/// A bulk write: a write of several tasks, which is made to all of them or to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkWrite {
    /// Completes tasks, each of them once, as [`change`](TaskRepository::change) does with a follow-up.
    Complete(Vec<(TaskId, FollowUp)>),
    /// Moves tasks to the trash, as [`remove`](TaskRepository::remove) does.
    Remove(TaskIds),
}

impl BulkWrite {
    /// Returns the ids of the tasks, in the order of the write.
    #[must_use]
    pub fn ids(&self) -> Vec<TaskId> {
        match self {
            Self::Complete(tasks) => tasks.iter().map(|(id, _)| *id).collect(),
            Self::Remove(ids) => ids.as_slice().to_vec(),
        }
    }
}

/// The tasks of an owner. Each write appends a change to the owner's log, in the same transaction. A task of another owner is treated like one that does not exist; only
/// [`belongs_to_another`](Self::belongs_to_another) distinguishes the two.
#[async_trait]
pub trait TaskRepository: Send + Sync {
    /// Stores a new task. Creates the owner if the store does not know them, once even if several first
    /// tasks arrive concurrently.
    ///
    /// # Errors
    /// `Duplicate` if there is a task of this id, of any owner; `UnknownOwner` if the owner was just
    /// removed; `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn add(&self, task: &Task, by: &ChangeAuthor) -> Result<ChangeSeq, StoreError>;

    /// Returns the owner's task of this id.
    ///
    /// # Errors
    /// `Unavailable`; `Defect` also if the stored row breaks a rule of the domain.
    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// Returns the owner's tasks that match `query`. A stored row that breaks a rule of the domain is left
    /// out and logged: one corrupt row must not hide the others.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn list(&self, owner: &UserId, query: &TaskQuery) -> Result<TaskPage, StoreError>;

    /// Returns the number of the owner's tasks.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn count(&self, owner: &UserId) -> Result<TaskCounts, StoreError>;

    /// Returns the numbers of the owner's tasks at the time `now` in `zone`.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn stats(
        &self,
        owner: &UserId,
        now: Timestamp,
        zone: &Zone,
    ) -> Result<TaskStats, StoreError>;

    /// Applies `change`, as [`Task::apply`] does, if the owner has this task, its revision is allowed and the task
    /// [allows](Task::allows) the change. With `follow_up`, a change that completes a task which repeats is made as
    /// [`Task::repeated`] says: the rule is taken off the task and the follow-up added in the same transaction, so that
    /// one of concurrent completions adds a follow-up. Returns the task after the change, or `None` if nothing was
    /// changed.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        follow_up: Option<&FollowUp>,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError>;

    /// Moves the owner's task of this id to another place among the owner's tasks, if its revision is allowed and the
    /// owner has the task that `to` names. A task that is moved next to itself stays where it is. Returns the task
    /// after the move, or `None` if nothing was changed.
    ///
    /// Writes no other task, unless there is no room at the place
    /// ([`NoRoom`](taskhold_domain::task::NoRoom)): then all tasks of the owner get new positions in their order, each
    /// as a change with a number before that of the move.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn move_to(
        &self,
        owner: &UserId,
        id: TaskId,
        to: Destination,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError>;

    /// Moves the owner's task of this id to the trash if its revision is allowed. Returns the number of the
    /// change, or `None` if there is no such task.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError>;

    /// Makes a bulk write if the owner has all its tasks, and nothing otherwise. The changes have consecutive numbers in
    /// the log and are one write there: undoing any of them takes all back. They are in the order of the tasks, and a
    /// follow-up comes right after the task that it follows.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn write_bulk(
        &self,
        owner: &UserId,
        write: &BulkWrite,
        stamp: &ChangeStamp,
    ) -> Result<BulkOutcome, StoreError>;

    /// Makes `write` for `owner`, unless it was made with the key of `request` within
    /// [`RETENTION`](crate::idempotency::RETENTION). The write and the key with its outcome are stored
    /// atomically. Of concurrent writes with one key, exactly one is done; the others wait for it or return
    /// [`IdempotentOutcome::KeyInFlight`].
    ///
    /// # Errors
    /// `Duplicate` and `UnknownOwner` as [`add`](Self::add); `Unavailable`, `RetryWithKey`, `Defect`.
    async fn write_idempotent(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        write: &TaskWrite,
        stamp: &ChangeStamp,
    ) -> Result<IdempotentOutcome, StoreError>;

    /// Returns the outcome of an earlier request with this key ([`IdempotentOutcome::Replayed`] or
    /// [`IdempotentOutcome::KeyReused`]), or `None` if the key is free.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn recall(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<IdempotentOutcome>, StoreError>;

    /// Returns the number of the owner's idempotency keys that have not expired at `now`.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn count_keys(&self, owner: &UserId, now: Timestamp) -> Result<u64, StoreError>;

    /// Returns whether a task of this id belongs to a user other than `caller`. Queried only after a change
    /// found nothing, to tell a forbidden change from a missing task.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn belongs_to_another(&self, caller: &UserId, id: TaskId) -> Result<bool, StoreError>;
}
