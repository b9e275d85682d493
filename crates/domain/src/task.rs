//! Tasks and their changes. The operations and their effects are those of the original command-line app
//! (the *console*).

pub mod change_log;
mod description;
mod details;
mod due;
mod follow_up;
mod ids;
mod position;
mod priority;
mod repeat;
mod tags;
mod title;

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

pub use self::description::{Description, DescriptionError};
pub use self::details::{Details, DetailsChange};
pub use self::due::{Due, DueError, DueKey, DueTime};
pub use self::follow_up::FollowUp;
pub use self::ids::{TaskIds, TaskIdsError};
pub use self::position::{Destination, NoRoom, Position, PositionError};
pub use self::priority::{Priority, PriorityError};
pub use self::repeat::{Repeat, RepeatError, RepeatFrom, RepeatFromError};
pub use self::tags::{Tag, TagError, Tags, TagsError};
pub use self::title::{Title, TitleError};
use crate::timestamp::Timestamp;
use crate::user::UserId;

/// A task. The types of its parts enforce their rules, so every task is valid. To reload a task, build it from the
/// stored parts, version and times included.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Task {
    /// The id.
    pub id: TaskId,
    /// The owner; never changes.
    #[cfg_attr(feature = "serde", serde(rename = "user_id"))]
    pub owner: UserId,
    /// The title.
    pub title: Title,
    /// The description; often empty.
    pub description: Description,
    /// `true` if the task is done.
    pub completed: bool,
    /// The version, which counts the changes.
    #[cfg_attr(feature = "serde", serde(default))]
    pub version: Version,
    /// When the task was created; never changes.
    pub created_at: Timestamp,
    /// When the task was last changed; initially `created_at`.
    pub updated_at: Timestamp,
    /// When the task was completed; `None` if it is open, or if nobody recorded the time.
    #[cfg_attr(feature = "serde", serde(default))]
    pub completed_at: Option<Timestamp>,
    /// The place among the tasks of the owner; that [of its creation](Position::of_creation) until it is moved.
    #[cfg_attr(feature = "serde", serde(default))]
    pub position: Position,
    /// Due date, priority and tags, which the console does not have.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub details: Details,
}

/// The parts of a new task that its owner decides.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TaskDraft {
    /// The title.
    pub title: Title,
    /// The description.
    #[cfg_attr(feature = "serde", serde(default))]
    pub description: Description,
    /// `true` if the task is done already.
    #[cfg_attr(feature = "serde", serde(default))]
    pub completed: bool,
    /// Due date, priority and tags.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub details: Details,
}

/// A change of a task as a value: [`Task::apply`] applies it in memory, and a store can
/// turn it into one statement. Parts that are `None` stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TaskChange {
    /// The new title.
    pub title: Option<Title>,
    /// The new description.
    pub description: Option<Description>,
    /// The change of the `completed` flag.
    pub completion: Option<Completion>,
    /// The new place among the tasks of the owner.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub position: Option<Position>,
    /// The new details.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub details: DetailsChange,
}

/// A change of the `completed` flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Completion {
    /// Sets the flag.
    Set(bool),
    /// Inverts the flag.
    Toggle,
    /// Sets the flag, and when it was set: an undo of a reopening brings the time of the completion back.
    At(Timestamp),
}

impl Task {
    /// Creates a task at `now` (the console's `add`).
    #[must_use]
    pub fn create(id: TaskId, owner: UserId, draft: TaskDraft, now: Timestamp) -> Self {
        Self {
            id,
            owner,
            title: draft.title,
            description: draft.description,
            completed: draft.completed,
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
            completed_at: draft.completed.then_some(now),
            position: Position::of_creation(now),
            details: draft.details,
        }
    }

    /// Returns the revision of the task. Two reads with the same revision return the same task.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision {
            version: self.version,
            updated_at: self.updated_at,
        }
    }

    /// Applies `change` at `now`. `updated_at` advances and the version goes up by one even if no part
    /// changes, as on the console.
    pub fn apply(&mut self, change: &TaskChange, now: Timestamp) {
        let TaskChange {
            title,
            description,
            completion,
            position,
            details,
        } = change;
        if let Some(title) = title {
            self.title.clone_from(title);
        }
        if let Some(description) = description {
            self.description.clone_from(description);
        }
        let was_completed = self.completed;
        match completion {
            Some(Completion::Set(completed)) => self.completed = *completed,
            Some(Completion::Toggle) => self.completed = !self.completed,
            Some(Completion::At(_)) => self.completed = true,
            None => {}
        }
        if let Some(Completion::At(time)) = completion {
            self.completed_at = Some(*time);
        } else if self.completed != was_completed {
            self.completed_at = self.completed.then_some(now);
        }
        if let Some(position) = position {
            self.position.clone_from(position);
        }
        details.apply(&mut self.details);
        self.updated_at = now.strictly_after(self.updated_at);
        self.version = self.version.next();
    }
}

impl TaskChange {
    /// Replaces title **and** description (the console's `update`).
    #[must_use]
    pub fn update(title: Title, description: Description) -> Self {
        Self {
            title: Some(title),
            description: Some(description),
            ..Self::default()
        }
    }

    /// Sets the flag (the console's `complete` and `incomplete`).
    #[must_use]
    pub fn complete(completed: bool) -> Self {
        Self {
            completion: Some(Completion::Set(completed)),
            ..Self::default()
        }
    }

    /// Sets the place among the tasks of the owner.
    #[must_use]
    pub fn move_to(position: Position) -> Self {
        Self {
            position: Some(position),
            ..Self::default()
        }
    }

    /// Inverts the flag (the console's `toggle`).
    #[must_use]
    pub fn toggle() -> Self {
        Self {
            completion: Some(Completion::Toggle),
            ..Self::default()
        }
    }
}

/// The id of a task: a UUID. It is displayed in the hyphenated lower-case form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Uuid);

/// The error of a string that is not a [`TaskId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a task id is a UUID of 32 hexadecimal digits in five groups")]
pub struct TaskIdError;

impl TaskId {
    const TEXT_LENGTH: usize = 36;

    /// Parses the hyphenated form, in upper or lower case, without braces and URN prefix.
    ///
    /// # Errors
    /// [`TaskIdError`] for anything else.
    pub fn parse(raw: &str) -> Result<Self, TaskIdError> {
        if raw.len() != Self::TEXT_LENGTH {
            return Err(TaskIdError);
        }
        Uuid::try_parse(raw).map(Self).map_err(|_| TaskIdError)
    }

    /// Wraps a UUID; every UUID is an id.
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns the UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl FromStr for TaskId {
    type Err = TaskIdError;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        Self::parse(raw)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The name of a state of a task. The version alone would not be unique: a task that was restored from a backup or
/// from a file counts on from an older version, while the clock goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Revision {
    /// The version of the task.
    pub version: Version,
    /// When the task was last changed.
    pub updated_at: Timestamp,
}

/// The number of changes of a task plus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(i64);

/// The error of a number that is not a [`Version`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version is at least 1, not {0}")]
pub struct VersionError(i64);

impl Default for Version {
    fn default() -> Self {
        Self::FIRST
    }
}

impl Version {
    /// The version of a new task.
    pub const FIRST: Self = Self(1);

    /// Parses a stored version.
    ///
    /// # Errors
    /// [`VersionError`] below 1.
    pub fn parse(raw: i64) -> Result<Self, VersionError> {
        if raw < Self::FIRST.0 {
            return Err(VersionError(raw));
        }
        Ok(Self(raw))
    }

    /// Returns the number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// Returns the version after one more change.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hyphenated_uuids_are_ids() {
        let text = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";
        let id = TaskId::parse(text).expect("a UUID");
        assert_eq!(id.to_string(), text);
        assert_eq!(TaskId::parse(&text.to_uppercase()), Ok(id));
        for malformed in [
            "",
            "1",
            "01928f6e5c3a7d208b1f0a1b2c3d4e5f",
            "{01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f}",
            "urn:uuid:01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f",
            "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5g",
            "01928f6e-5c3a-7d20-8b1f0-a1b2c3d4e5f",
        ] {
            assert_eq!(TaskId::parse(malformed), Err(TaskIdError), "{malformed}");
            assert_eq!(malformed.parse::<TaskId>(), Err(TaskIdError));
        }
    }

    #[test]
    fn versions_start_at_one() {
        assert_eq!(Version::parse(1), Ok(Version::FIRST));
        assert_eq!(Version::parse(0), Err(VersionError(0)));
        assert_eq!(Version::FIRST.next().get(), 2);
    }
}
