//! The log of changes: their numbers, kinds and inverses.

mod planned;
mod undo;

use std::fmt;

pub use self::planned::PlannedChange;
pub use self::undo::{MAX_CHANGES, UndoRefusal, UndoState, write_of};
use super::{Completion, Description, DetailsChange, Position, Task, TaskChange, TaskId, Title};
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::task::{Details, TaskDraft, Version};
    use crate::user::UserId;

    fn task(title: &str, description: &str, completed: bool) -> Task {
        let draft = TaskDraft {
            title: Title::parse(title).unwrap(),
            description: Description::parse(description).unwrap(),
            completed,
            details: Details::default(),
        };
        let owner = UserId::parse("anna").unwrap();
        let now = Timestamp::from_micros(1).unwrap();
        Task::create(TaskId::from_uuid(Uuid::nil()), owner, draft, now)
    }

    fn changes() -> impl Strategy<Value = TaskChange> {
        let completion = prop_oneof![
            Just(Completion::Toggle),
            any::<bool>().prop_map(Completion::Set)
        ];
        (
            proptest::option::of("[ab]{1,2}"),
            proptest::option::of("[ab]{0,2}"),
            proptest::option::of(completion),
            proptest::option::of("[VW]"),
        )
            .prop_map(|(title, description, completion, position)| TaskChange {
                title: title.map(|title| Title::parse(title).unwrap()),
                description: description.map(|text| Description::parse(text).unwrap()),
                completion,
                position: position.map(|text| Position::parse(text).unwrap()),
                ..TaskChange::default()
            })
    }

    proptest! {
        #[test]
        fn inverse_restores_every_field(change in changes(), completed: bool) {
            let before = task("a", "b", completed);
            let now = Timestamp::from_micros(2).unwrap();
            let mut after = before.clone();
            after.apply(&change, now);
            let overwritten = change.overwrites(&before);
            // Only what changed is kept.
            prop_assert_eq!(overwritten.title.is_some(), after.title != before.title);
            prop_assert_eq!(overwritten.completed.is_some(), after.completed != before.completed);

            let mut undone = after.clone();
            undone.apply(&change.inverse(&before), now);
            prop_assert_eq!(FieldValues::of(&undone), FieldValues::of(&before));
            prop_assert_eq!(undone.version, Version::parse(3).unwrap());

            // Undoing the undo is a redo.
            let mut redone = undone.clone();
            redone.apply(&change.inverse(&before).inverse(&after), now);
            prop_assert_eq!(FieldValues::of(&redone), FieldValues::of(&after));
        }

        #[test]
        fn replaced_values_can_be_put_back(first in changes(), second in changes()) {
            let original = FieldValues::of(&task("a", "", false));
            let mut values = original.clone();
            let set = first.overwrites(&task("b", "b", true));
            let old = values.replace(&set);
            prop_assert!(set == FieldValues::default() || old.overlaps(&set));
            _ = values.replace(&old);
            prop_assert_eq!(values, original);
            let other = second.overwrites(&task("b", "b", true));
            prop_assert_eq!(set.overlaps(&other), other.overlaps(&set));
        }
    }

    #[test]
    fn kinds_follow_from_what_is_set() {
        let title = Title::parse("a").unwrap();
        let update = TaskChange::update(title, Description::default());
        assert_eq!(update.kind(true), ChangeKind::Updated);
        assert_eq!(TaskChange::complete(true).kind(true), ChangeKind::Completed);
        assert_eq!(TaskChange::toggle().kind(false), ChangeKind::Reopened);
        let to_end = TaskChange::move_to(Position::default());
        assert_eq!(to_end.kind(true), ChangeKind::Moved);
        let move_and_completion = TaskChange {
            position: to_end.position,
            ..TaskChange::complete(true)
        };
        assert_eq!(move_and_completion.kind(true), ChangeKind::Updated);
        assert_eq!(TaskChange::default().kind(true), ChangeKind::Updated);
        for kind in ChangeKind::ALL {
            assert_eq!(ChangeKind::parse(kind.as_str()), Ok(kind));
        }
        assert!(ChangeKind::parse("Created").is_err());
    }

    #[test]
    fn every_change_but_a_purge_has_an_inverse() {
        let logged = |kind| LoggedChange {
            seq: ChangeSeq::ZERO.next(),
            task: TaskId::from_uuid(Uuid::nil()),
            kind,
            before: FieldValues::default(),
            next: None,
            stamp: ChangeStamp {
                at: Timestamp::FIRST,
                by: ChangeAuthor::session(),
            },
        };
        for kind in ChangeKind::ALL {
            let inverse = logged(kind).inverse();
            assert_eq!(inverse.is_none(), kind == ChangeKind::Purged, "{kind:?}");
        }
        assert_eq!(logged(ChangeKind::Created).inverse(), Some(Inverse::Delete));
        assert_eq!(
            logged(ChangeKind::Deleted).inverse(),
            Some(Inverse::Restore)
        );
        assert!(ChangeSeq::parse(-1).is_err());
    }
}
