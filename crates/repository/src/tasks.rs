//! The port for tasks.

use std::cmp::Ordering;

use async_trait::async_trait;
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeSeq, ChangeStamp};
use taskhold_domain::task::{
    Destination, DueKey, FollowUp, Priority, Revision, Task, TaskChange, TaskId, TaskIds,
};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_domain::zone::{Date, Zone};

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

/// A query of the tasks of an owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Only tasks that are done (`true`) or not (`false`).
    pub completed: Option<bool>,
    /// Only tasks with this text in their title or description, compared by
    /// [`fold`](taskhold_domain::search::fold).
    pub text: Option<String>,
    /// Only tasks of one of these priorities; empty for all.
    pub priorities: Vec<Priority>,
    /// Only tasks with all of these tags, given by their [keys](taskhold_domain::task::Tag::key).
    pub tag_keys: Vec<String>,
    /// Only tasks with a due date in all of these sets.
    pub due: Vec<DueFilter>,
    /// The time zone of the days of due dates.
    pub zone: Zone,
    /// The order.
    pub sort: Sort,
    /// Where the result begins.
    pub start: Start,
    /// The greatest number of tasks; `None` for all.
    pub limit: Option<u32>,
}

impl TaskQuery {
    /// Returns whether the query leaves tasks of the owner out, so that a store may read many of them for a short page.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        // Every member is named, so that a new filter is not ignored.
        let Self {
            completed,
            text,
            priorities,
            tag_keys,
            due,
            // Only due dates have days.
            zone: _,
            sort: _,
            start: _,
            limit: _,
        } = self;
        completed.is_some()
            || text.is_some()
            || !priorities.is_empty()
            || !tag_keys.is_empty()
            || !due.is_empty()
    }
}

/// A set of due dates. Their days are those of the query's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueFilter {
    /// No due date.
    None,
    /// Any due date.
    Any,
    /// The due date of an open task that is [overdue](taskhold_domain::task::Due::is_overdue) at this time.
    Overdue(Timestamp),
    /// A due date on the day of this time.
    Today(Timestamp),
    /// A due date on one of the days from the first to the last; without one of them, on any before or after.
    Days(Option<Date>, Option<Date>),
}

impl DueFilter {
    /// Returns the time that decides what is overdue, or what today is.
    #[must_use]
    pub fn now(self) -> Option<Timestamp> {
        match self {
            Self::Overdue(now) | Self::Today(now) => Some(now),
            Self::None | Self::Any | Self::Days(..) => None,
        }
    }

    /// Returns the same filter at another time.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Overdue(_) => Self::Overdue(now),
            Self::Today(_) => Self::Today(now),
            Self::None | Self::Any | Self::Days(..) => self,
        }
    }

    /// Returns whether a task matches.
    #[must_use]
    pub fn matches(self, task: &Task, zone: &Zone) -> bool {
        let Some(due) = &task.details.due else {
            return self == Self::None;
        };
        match self {
            Self::None => false,
            Self::Any => true,
            Self::Overdue(now) => !task.completed && due.is_overdue(now, zone),
            Self::Today(now) => due.day_in(zone) == zone.day_of(now),
            Self::Days(first, last) => {
                let day = due.day_in(zone);
                first.is_none_or(|first| first <= day) && last.is_none_or(|last| day <= last)
            }
        }
    }
}

/// An order of tasks. Equal keys are ordered by id, in the same direction. Tasks without a key come last in both
/// directions.
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

impl Sort {
    /// Compares two positions in this order.
    #[must_use]
    pub fn compare(self, one: &Position, other: &Position) -> Ordering {
        let is_missing =
            |position: &Position| matches!(position.key, Key::CompletedAt(None) | Key::Due(None));
        is_missing(one).cmp(&is_missing(other)).then_with(|| {
            let ascending = (&one.key, one.id).cmp(&(&other.key, other.id));
            if self.descending {
                ascending.reverse()
            } else {
                ascending
            }
        })
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
    /// The priority.
    Priority,
    /// The time of completion.
    CompletedAt,
    /// The [due date](DueKey) in the query's zone.
    Due,
    /// The [place](taskhold_domain::task::Position) among the tasks of the owner.
    Position,
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
    /// For [`SortKey::Priority`].
    Priority(Priority),
    /// For [`SortKey::CompletedAt`]; `None` without such a time.
    CompletedAt(Option<Timestamp>),
    /// For [`SortKey::Due`]; `None` without a due date.
    Due(Option<DueKey>),
    /// For [`SortKey::Position`].
    Position(String),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_counts_as_one() {
        let page = TaskQuery {
            sort: Sort {
                key: SortKey::Title,
                descending: true,
            },
            start: Start::Offset(1),
            limit: Some(1),
            ..TaskQuery::default()
        };
        assert!(!page.is_filtered());
        let filters = [
            TaskQuery {
                completed: Some(false),
                ..page.clone()
            },
            TaskQuery {
                text: Some(String::new()),
                ..page.clone()
            },
            TaskQuery {
                priorities: vec![Priority::None],
                ..page.clone()
            },
            TaskQuery {
                tag_keys: vec!["home".to_owned()],
                ..page
            },
        ];
        for filtered in filters {
            assert!(filtered.is_filtered(), "{filtered:?}");
        }
    }
}
