//! Tasks: what one is, what can be done to it, and how input from outside becomes either.

mod change;
mod description;
mod title;

use std::fmt;

use uuid::Uuid;

pub use self::change::{Completion, TaskChange};
pub use self::description::{Description, DescriptionError};
pub use self::title::{Title, TitleError};
use crate::timestamp::Timestamp;
use crate::user::UserId;

/// A task. Each part's type carries its own rules, so every value of this type keeps them all;
/// [`create`](Self::create) and [`apply`](Self::apply) are the console's operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What it is known by.
    pub id: TaskId,
    /// Whom it belongs to; never changes.
    pub owner: UserId,
    /// What is to be done.
    pub title: Title,
    /// More about it; often empty.
    pub description: Description,
    /// Whether it is done.
    pub completed: bool,
    /// Counts its changes.
    pub version: Version,
    /// When it was created; never changes.
    pub created_at: Timestamp,
    /// When it was last changed; at first the same as `created_at`.
    pub updated_at: Timestamp,
}

/// A task that is yet to be created: all that its owner decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDraft {
    /// What is to be done.
    pub title: Title,
    /// More about it.
    pub description: Description,
    /// Whether it is done already; the console always starts with `false`.
    pub completed: bool,
}

impl Task {
    /// The console's `add`: a task of `owner`, created and last changed `now`.
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
        }
    }

    /// Makes `change` at `now`. Whatever the change, `updated_at` advances and the version goes up
    /// by one, also where the parts end up as they were: so does the console.
    pub fn apply(&mut self, change: &TaskChange, now: Timestamp) {
        if let Some(title) = &change.title {
            self.title.clone_from(title);
        }
        if let Some(description) = &change.description {
            self.description.clone_from(description);
        }
        match change.completion {
            Some(Completion::Set(completed)) => self.completed = completed,
            Some(Completion::Toggle) => self.completed = !self.completed,
            None => {}
        }
        self.updated_at = now.strictly_after(self.updated_at);
        self.version = self.version.next();
    }
}

/// What a task is known by: a UUID. Its text is the hyphenated lower-case form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Uuid);

/// A string that is no [`TaskId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a task id is a UUID of 32 hexadecimal digits in five groups")]
pub struct TaskIdError;

impl TaskId {
    const TEXT_LENGTH: usize = 36;

    /// Reads the hyphenated form, in upper or lower case; no braces, no URN.
    ///
    /// # Errors
    /// [`TaskIdError`] for anything else.
    pub fn parse(raw: &str) -> Result<Self, TaskIdError> {
        if raw.len() != Self::TEXT_LENGTH {
            return Err(TaskIdError);
        }
        Uuid::try_parse(raw).map(Self).map_err(|_| TaskIdError)
    }

    /// Any UUID is an id.
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Counts the changes of a task, from 1: two readings with the same version are the same task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(i64);

/// A number that is no [`Version`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version is at least 1, not {0}")]
pub struct VersionError(i64);

impl Version {
    /// A task that was just created.
    pub const FIRST: Self = Self(1);

    /// Reads a stored version.
    ///
    /// # Errors
    /// [`VersionError`] below 1.
    pub fn parse(raw: i64) -> Result<Self, VersionError> {
        if raw < Self::FIRST.0 {
            return Err(VersionError(raw));
        }
        Ok(Self(raw))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// The version after one more change.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hyphenated_uuids_and_nothing_else() {
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
        }
    }

    #[test]
    fn versions_start_at_one() {
        assert_eq!(Version::parse(1), Ok(Version::FIRST));
        assert_eq!(Version::parse(0), Err(VersionError(0)));
        assert_eq!(Version::FIRST.next().get(), 2);
    }
}
