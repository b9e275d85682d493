//! The log of changes: their numbers, kinds and inverses.

mod field_values;
mod planned;
#[cfg(test)]
mod tests;
mod undo;

use std::fmt;

pub use self::field_values::FieldValues;
pub use self::planned::PlannedChange;
pub use self::undo::{MAX_CHANGES, UndoRefusal, UndoState, write_of};
use super::{DetailsChange, Task, TaskChange, TaskId};
use crate::timestamp::Timestamp;

/// The number of a change among all changes of an owner's tasks: 1, 2, 3 and so on, without gaps. The changes
/// of an owner become visible in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeSeq(i64);

/// The error of a number that is not a [`ChangeSeq`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the number of a change is at least 0, not {0}")]
pub struct ChangeSeqError(i64);

impl ChangeSeq {
    /// The number before the first change.
    pub const ZERO: Self = Self(0);

    /// Parses a stored number.
    ///
    /// # Errors
    /// [`ChangeSeqError`] below 0.
    pub fn parse(raw: i64) -> Result<Self, ChangeSeqError> {
        if raw < 0 {
            return Err(ChangeSeqError(raw));
        }
        Ok(Self(raw))
    }

    /// Returns the number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// Returns the number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for ChangeSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// The task was created.
    Created,
    /// Title, description or details were replaced, and perhaps the `completed` flag set.
    Updated,
    /// Only the `completed` flag was set; the task is done. If it repeated, the rule was taken off it.
    Completed,
    /// Only the `completed` flag was set; the task is open.
    Reopened,
    /// Only the place among the tasks of the owner was set.
    Moved,
    /// The task was moved to the trash.
    Deleted,
    /// The task was taken out of the trash.
    Restored,
    /// The task was deleted for good.
    Purged,
}

/// The error of a text that is no [`ChangeKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of change")]
pub struct ChangeKindError(String);

impl ChangeKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::Updated,
        Self::Completed,
        Self::Reopened,
        Self::Moved,
        Self::Deleted,
        Self::Restored,
        Self::Purged,
    ];

    /// Returns the name, as it is stored and sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Completed => "completed",
            Self::Reopened => "reopened",
            Self::Moved => "moved",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::Purged => "purged",
        }
    }

    /// Parses a name.
    ///
    /// # Errors
    /// [`ChangeKindError`] for anything else.
    pub fn parse(raw: &str) -> Result<Self, ChangeKindError> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == raw);
        kind.ok_or_else(|| ChangeKindError(raw.to_owned()))
    }
}

/// Who made a change: the name of the token, or [`SESSION`](Self::SESSION).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChangeAuthor(String);

impl ChangeAuthor {
    /// The name of a user who is logged in.
    pub const SESSION: &'static str = "session";
    /// The name of an import.
    pub const IMPORT: &'static str = "import";
    /// The name of the service itself, which empties the trash.
    pub const HOUSEKEEPING: &'static str = "housekeeping";
    /// The names that no token may have.
    pub const RESERVED: [&'static str; 3] = [Self::SESSION, Self::IMPORT, Self::HOUSEKEEPING];

    /// Wraps a name.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns a user who is logged in.
    #[must_use]
    pub fn session() -> Self {
        Self::named(Self::SESSION)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// When a change is made, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeStamp {
    /// The time.
    pub at: Timestamp,
    /// The author.
    pub by: ChangeAuthor,
}

/// A change in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChange {
    /// The number.
    pub seq: ChangeSeq,
    /// The id of the task.
    pub task: TaskId,
    /// The kind of the change.
    pub kind: ChangeKind,
    /// The old values of the fields that changed, and only these.
    pub before: FieldValues,
    /// The task of the change with the next number, if both are [of one write](write_of).
    pub next: Option<TaskId>,
    /// The time and the author of the change.
    pub stamp: ChangeStamp,
}

/// The change that takes another one back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inverse {
    /// The fields get these values.
    Set(Box<TaskChange>),
    /// The task is moved to the trash.
    Delete,
    /// The task is taken out of the trash.
    Restore,
}

impl LoggedChange {
    /// Returns the change that takes this one back; `None` for a deletion for good.
    #[must_use]
    pub fn inverse(&self) -> Option<Inverse> {
        Some(match self.kind {
            ChangeKind::Created | ChangeKind::Restored => Inverse::Delete,
            ChangeKind::Deleted => Inverse::Restore,
            ChangeKind::Updated
            | ChangeKind::Completed
            | ChangeKind::Reopened
            | ChangeKind::Moved => Inverse::Set(Box::new(self.before.clone().into_change())),
            ChangeKind::Purged => return None,
        })
    }
}

impl TaskChange {
    /// Returns the old values of the fields that this change would change in `task`.
    #[must_use]
    pub fn overwrites(&self, task: &Task) -> FieldValues {
        let mut after = task.clone();
        after.apply(self, task.updated_at);
        FieldValues {
            title: (after.title != task.title).then(|| task.title.clone()),
            description: (after.description != task.description).then(|| task.description.clone()),
            completed: (after.completed != task.completed).then_some(task.completed),
            completed_at: task.completed_at.filter(|_| !after.completed),
            position: (after.position != task.position).then(|| task.position.clone()),
            details: self.details.overwrites(&task.details),
        }
    }

    /// Returns the change that takes this one back, if it is made to `task`.
    #[must_use]
    pub fn inverse(&self, task: &Task) -> Self {
        self.overwrites(task).into_change()
    }

    /// Returns whether this change sets nothing but the `completed` flag, and perhaps takes a rule off its task.
    #[must_use]
    pub fn is_completion(&self) -> bool {
        let completion = Self {
            completion: self.completion,
            details: DetailsChange {
                repeat: self.details.repeat.clone().filter(Option::is_none),
                ..DetailsChange::default()
            },
            ..Self::default()
        };
        self.completion.is_some() && *self == completion
    }

    /// Returns whether this change sets nothing but the place among the tasks of the owner.
    #[must_use]
    pub fn is_move(&self) -> bool {
        let is_move = Self {
            position: self.position.clone(),
            ..Self::default()
        };
        self.position.is_some() && *self == is_move
    }

    /// Returns the kind of this change; `completed` is the flag after it.
    #[must_use]
    pub fn kind(&self, completed: bool) -> ChangeKind {
        if self.is_move() {
            ChangeKind::Moved
        } else if !self.is_completion() {
            ChangeKind::Updated
        } else if completed {
            ChangeKind::Completed
        } else {
            ChangeKind::Reopened
        }
    }
}
