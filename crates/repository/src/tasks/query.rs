//! Queries of the tasks of an owner: filters, order, and where a page begins.

use std::cmp::Ordering;

use taskhold_domain::task::{DueKey, Priority, Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::zone::{Date, Zone};

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
    /// The begin of the result.
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
    /// `true` if the greatest comes first.
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

/// The begin of the result of a query.
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
