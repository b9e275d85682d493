//! The port for tasks.

use async_trait::async_trait;
use taskhold_domain::task::{Task, TaskChange, TaskId, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;
use crate::idempotency::{IdempotentOutcome, KeyedRequest};

/// Which readings of a task a change may be based on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Whatever is there: the last writer wins.
    None,
    /// One of these versions. An empty list never matches.
    VersionIn(Vec<Version>),
}

impl Precondition {
    /// Whether a task of `version` may be changed.
    #[must_use]
    pub fn allows(&self, version: Version) -> bool {
        match self {
            Self::None => true,
            Self::VersionIn(versions) => versions.contains(&version),
        }
    }
}

/// Which of one person's tasks, in which order, and how many of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Only tasks that are done (`true`) or to be done (`false`).
    pub completed: Option<bool>,
    /// Only tasks that have this in their title or description, compared as
    /// [`fold`](taskhold_domain::search::fold) does.
    pub text: Option<String>,
    /// The order.
    pub sort: Sort,
    /// Where to begin.
    pub start: Start,
    /// How many at most; all where it is `None`.
    pub limit: Option<u32>,
}

/// An order of tasks. Where the keys are equal, the ids decide, in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// What is compared.
    pub key: SortKey,
    /// Whether the highest comes first.
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

/// What is compared when tasks are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// When they were created.
    CreatedAt,
    /// When they were last changed.
    UpdatedAt,
    /// Their titles, code point by code point.
    Title,
}

/// Where in the order to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Start {
    /// With the first.
    #[default]
    First,
    /// After so many.
    Offset(u32),
    /// After this place, whether or not the task that marked it is still there: what others
    /// insert, change and delete moves nothing past it.
    After(Position),
}

/// A place in an order: the key and the id of the task that stood there. The variant must fit
/// the [`SortKey`] of the query; adapters treat another one as a defect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The key.
    pub key: Key,
    /// The id.
    pub id: TaskId,
}

/// The key of one task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// For [`SortKey::CreatedAt`] and [`SortKey::UpdatedAt`].
    Instant(Timestamp),
    /// For [`SortKey::Title`].
    Title(String),
}

/// What a query found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPage {
    /// The tasks, in order.
    pub tasks: Vec<Task>,
    /// Where the next page begins, if there is more.
    pub next: Option<Position>,
    /// How many stored rows were left out, since they break a rule of the domain.
    pub corrupt_rows: usize,
}

/// How many tasks somebody has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// All of them.
    pub total: u64,
    /// Those that are done.
    pub completed: u64,
}

/// A write of one task, as a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskWrite {
    /// As [`add`](TaskRepository::add).
    Add(Task),
    /// As [`change`](TaskRepository::change).
    Change {
        /// The task.
        id: TaskId,
        /// What changes.
        change: TaskChange,
        /// What it must be based on.
        precondition: Precondition,
    },
    /// As [`remove`](TaskRepository::remove).
    Remove {
        /// The task.
        id: TaskId,
        /// What it must be based on.
        precondition: Precondition,
    },
}

/// One person's tasks. Another person's are as absent as those that never were; only
/// [`belongs_to_another`](Self::belongs_to_another) tells the two apart.
#[async_trait]
pub trait TaskRepository: Send + Sync {
    /// Keeps a new task. An owner whom the store does not know becomes known by it, once, also
    /// when several first tasks arrive at the same time.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when a task of this id is there, whosever it is;
    /// [`StoreError::UnknownOwner`] when the owner was removed a moment ago; otherwise as every method: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn add(&self, task: &Task) -> Result<(), StoreError>;

    /// The owner's task of this id.
    ///
    /// # Errors
    /// `Unavailable`; `Defect` also where the stored row breaks a rule of the domain.
    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// The owner's tasks that `query` asks for. A stored row that breaks a rule of the domain is
    /// left out and logged: one damaged row must not hide all others.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn list(&self, owner: &UserId, query: &TaskQuery) -> Result<TaskPage, StoreError>;

    /// How many tasks the owner has.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn count(&self, owner: &UserId) -> Result<TaskCounts, StoreError>;

    /// Makes `change` at `now`, just as [`Task::apply`] would, if the owner has this task and its
    /// version is allowed. The task as it is afterwards, or `None` when nothing was changed.
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

    /// Removes the owner's task of this id, if its version is allowed. Whether it did.
    ///
    /// # Errors
    /// `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<bool, StoreError>;

    /// Makes `write` for `owner` at `now`, unless it was made under the key of `request` within
    /// [`RETENTION`](crate::idempotency::RETENTION) before. The effect and the key with what came of it
    /// are one change of the store: both are there or neither is. Of several at once, whoever makes
    /// them, exactly one is done; the others wait for it, or are told that it is under way.
    ///
    /// # Errors
    /// `Duplicate` and `UnknownOwner` as [`add`](Self::add); `Unavailable`, `Repeatable`, `Defect`.
    async fn write_idempotent(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        write: &TaskWrite,
        now: Timestamp,
    ) -> Result<IdempotentOutcome, StoreError>;

    /// What `write_idempotent` would tell of a request that was made before ([`IdempotentOutcome::Replayed`] or
    /// [`IdempotentOutcome::KeyReused`]); `None` where its key is free.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn recall(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<IdempotentOutcome>, StoreError>;

    /// Whether there is a task of this id that belongs to somebody other than `caller`. Asked
    /// only after a change found nothing, to tell "not yours" from "not there".
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    async fn belongs_to_another(&self, caller: &UserId, id: TaskId) -> Result<bool, StoreError>;
}
