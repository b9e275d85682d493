//! Values of some fields of a task.

use crate::task::{Completion, Description, DetailsChange, Position, Task, TaskChange, Title};
use crate::timestamp::Timestamp;

/// Values of some fields of a task; `None` for the other fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldValues {
    /// The title.
    pub title: Option<Title>,
    /// The description.
    pub description: Option<Description>,
    /// `true` if the task is done.
    pub completed: Option<bool>,
    /// The time of the completion, if the task is done and the time is known.
    pub completed_at: Option<Timestamp>,
    /// The place among the tasks of the owner.
    pub position: Option<Position>,
    /// Due date, priority and tags.
    pub details: DetailsChange,
}

impl FieldValues {
    /// Returns the values of a task.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        Self {
            title: Some(task.title.clone()),
            description: Some(task.description.clone()),
            completed: Some(task.completed),
            completed_at: task.completed_at,
            position: Some(task.position.clone()),
            details: DetailsChange::of(&task.details),
        }
    }

    /// Returns whether both have a value of the same field.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        (self.title.is_some() && other.title.is_some())
            || (self.description.is_some() && other.description.is_some())
            || (self.completed.is_some() && other.completed.is_some())
            || (self.position.is_some() && other.position.is_some())
            || self.details.overlaps(&other.details)
    }

    /// Replaces the values of those fields that `other` has, and returns the values that these fields had.
    #[must_use]
    pub fn replace(&mut self, other: &Self) -> Self {
        Self {
            title: replaced(&mut self.title, other.title.as_ref()),
            description: replaced(&mut self.description, other.description.as_ref()),
            completed: replaced(&mut self.completed, other.completed.as_ref()),
            completed_at: match other.completed {
                Some(_) => std::mem::replace(&mut self.completed_at, other.completed_at),
                None => None,
            },
            position: replaced(&mut self.position, other.position.as_ref()),
            details: self.details.replace(&other.details),
        }
    }

    /// Returns the change that sets these values.
    #[must_use]
    pub fn into_change(self) -> TaskChange {
        TaskChange {
            title: self.title,
            description: self.description,
            completion: match (self.completed, self.completed_at) {
                (Some(true), Some(time)) => Some(Completion::At(time)),
                (completed, _) => completed.map(Completion::Set),
            },
            position: self.position,
            details: self.details,
        }
    }
}

fn replaced<T: Clone>(value: &mut Option<T>, new: Option<&T>) -> Option<T> {
    new.and_then(|new| value.replace(new.clone()))
}
