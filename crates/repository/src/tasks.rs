//! The port for tasks.

use async_trait::async_trait;
use taskhold_domain::task::{Revision, Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;
use crate::idempotency::{IdempotentOutcome, KeyedRequest};

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

/// A query of the tasks of an owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Only tasks that are done (`true`) or not (`false`).
    pub completed: Option<bool>,
    /// Only tasks with this text in their title or description, compared by
    /// [`fold`](taskhold_domain::search::fold).
    pub text: Option<String>,
    /// The order.
    pub sort: Sort,
    /// Where the result begins.
    pub start: Start,
    /// The greatest number of tasks; `None` for all.
    pub limit: Option<u32>,
}

/// An order of tasks. Equal keys are ordered by id, in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The key that is compared.
    pub key: SortKey,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl Default for Sort {
    /// Newest first.
    fn default() -> Self {
        Self {
            key: SortKey::CreatedAt,
            descending: true,
        }
    }
}

/// The key of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// The time of creation.
    CreatedAt,
    /// The time of the last change.
    UpdatedAt,
    /// The title, compared by code points.
    Title,
}

/// Where the result of a query begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Start {
    /// At the first task.
    #[default]
    First,
    /// After this number of tasks.
    Offset(u32),
    /// After this position, whether or not the task that marked it still exists. Concurrent insertions,
    /// changes and deletions do not shift it.
    After(Position),
}

/// A position in an order: the key and the id of the task there. The variant of the key must match the
/// [`SortKey`] of the query; otherwise adapters report a defect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The key.
    pub key: Key,
    /// The id.
    pub id: TaskId,
}

/// The key of a task in an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// For [`SortKey::CreatedAt`] and [`SortKey::UpdatedAt`].
    Instant(Timestamp),
    /// For [`SortKey::Title`].
    Title(String),
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
    },
    /// As [`remove`](TaskRepository::remove).
    Remove {
        /// The id of the task.
        id: TaskId,
        /// The revisions that may be removed.
        precondition: Precondition,
    },
}

/// The tasks of an owner. A task of another owner is treated like one that does not exist; only
/// [`belongs_to_another`](Self::belongs_to_another) distinguishes the two.
#[async_trait]
pub trait TaskRepository: Send + Sync {
    /// Stores a new task. Creates the owner if the store does not know them, once even if several first
    /// tasks arrive concurrently.
    ///
    /// # Errors
    /// `Duplicate` if there is a task of this id, of any owner; `UnknownOwner` if the owner was just
    /// removed; `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn add(&self, task: &Task) -> Result<(), StoreError>;

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

    /// Applies `change` at `now`, as [`Task::apply`] does, if the owner has this task and its revision
    /// is allowed. Returns the task after the change, or `None` if nothing was changed.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Option<Task>, StoreError>;

    /// Removes the owner's task of this id if its revision is allowed, and returns whether it did.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<bool, StoreError>;

    /// Makes `write` for `owner` at `now`, unless it was made with the key of `request` within
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
        now: Timestamp,
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
