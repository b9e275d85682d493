//! Rows of files of tasks, and their rules.
//!
//! Each row is valid or invalid by itself. [`ConsoleRow`] is a row of a file of the original command-line
//! app (the *console*), of its current or its old format; [`NativeRow`] is a row that Taskhold wrote, with
//! all that Taskhold knows of a task.

mod parsed_time;

use crate::input::{Member, TaskInput};
use crate::task::{Position, Task, TaskDraft, TaskId, Version};
use crate::timestamp::Timestamp;
use crate::user::{UserId, UserIdError};
use crate::violation::Violations;

pub use self::parsed_time::{LocalDateTime, ParsedTime, ParsedTimeError};

/// The id of a task on the console: a whole number from 1, unique for each owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsoleId(i64);

/// The error of a value that is not a [`ConsoleId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("id must be a whole number from 1 to 9223372036854775807")]
pub struct ConsoleIdError;

impl ConsoleId {
    /// Checks the range.
    ///
    /// # Errors
    /// [`ConsoleIdError`] below 1.
    pub fn parse(raw: i64) -> Result<Self, ConsoleIdError> {
        if raw >= 1 {
            Ok(Self(raw))
        } else {
            Err(ConsoleIdError)
        }
    }

    /// Returns the number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

/// The first rule that an invalid row breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row is not an object.
    #[error("a row must be an object")]
    NotObject,
    /// A member cannot be read, such as a text with half a surrogate pair.
    #[error("{0}")]
    Unreadable(String),
    /// The id is not one of the console.
    #[error(transparent)]
    ConsoleId(#[from] ConsoleIdError),
    /// The id is not one of Taskhold.
    #[error("id must be a UUID")]
    TaskId,
    /// The version is not a whole number from 1.
    #[error("version must be a whole number from 1 to 9223372036854775807")]
    Version,
    /// The task breaks a rule.
    #[error(transparent)]
    Task(#[from] Violations),
    /// The owner breaks a rule.
    #[error(transparent)]
    Owner(#[from] UserIdError),
    /// The position is none.
    #[error(
        "position must be up to {} ASCII letters and digits, as Taskhold writes them",
        Position::MAX_LENGTH
    )]
    Position,
    /// A time cannot be parsed.
    #[error("{member} {error}")]
    Time {
        /// The member with the time.
        member: &'static str,
        /// The error of its text.
        error: ParsedTimeError,
    },
}

/// The members that both kinds of rows have, before their rules are checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowInput {
    /// Title, description and flag.
    pub task: TaskInput,
    /// The title in the console's old format.
    pub content: Member<String>,
    /// The owner.
    pub owner: Member<String>,
    /// When the task was created.
    pub created_at: Member<String>,
    /// When the task was last changed.
    pub updated_at: Member<String>,
    /// When the task was completed.
    pub completed_at: Member<String>,
    /// The place among the tasks of the owner.
    pub position: Member<String>,
}

/// The content of a valid row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowTask {
    /// Title, description and flag.
    pub draft: TaskDraft,
    /// The owner, if the row names one.
    pub owner: Option<UserId>,
    /// When the task was created, if the row says so.
    pub created_at: Option<ParsedTime>,
    /// When the task was last changed, if the row says so.
    pub updated_at: Option<ParsedTime>,
    /// When the task was completed, if the row says so.
    pub completed_at: Option<ParsedTime>,
    /// The place among the tasks of the owner, if the row names one.
    pub position: Option<Position>,
}

impl RowInput {
    /// Checks the rules.
    fn into_task(self) -> Result<RowTask, RowError> {
        let Self {
            mut task,
            content,
            owner,
            created_at,
            updated_at,
            completed_at,
            position,
        } = self;
        if task.title == Member::Absent {
            task.title = content;
        }
        let owner = match owner {
            Member::Absent | Member::Null => None,
            Member::Given(owner) if owner.is_empty() => None,
            Member::Given(owner) => Some(UserId::parse(owner)?),
            Member::WrongType => return Err(UserIdError::Empty.into()),
        };
        Ok(RowTask {
            draft: task.into_stored_draft()?,
            owner,
            created_at: time("created_at", created_at)?,
            updated_at: time("updated_at", updated_at)?,
            completed_at: time("completed_at", completed_at)?,
            position: match position {
                Member::Absent | Member::Null => None,
                Member::Given(position) => {
                    Some(Position::parse(position).map_err(|_| RowError::Position)?)
                }
                Member::WrongType => return Err(RowError::Position),
            },
        })
    }
}

fn time(member: &'static str, given: Member<String>) -> Result<Option<ParsedTime>, RowError> {
    let time = match given {
        Member::Absent | Member::Null => return Ok(None),
        Member::Given(text) => ParsedTime::parse(&text),
        Member::WrongType => Err(ParsedTimeError),
    };
    time.map(Some)
        .map_err(|error| RowError::Time { member, error })
}

/// A row of the console's file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleRow {
    /// The id.
    pub id: Member<i64>,
    /// The other members.
    pub rest: RowInput,
}

impl ConsoleRow {
    /// Checks the rules, the id first.
    ///
    /// # Errors
    /// [`RowError`]: the first broken rule.
    pub fn into_task(self) -> Result<(ConsoleId, RowTask), RowError> {
        let Member::Given(id) = self.id else {
            return Err(ConsoleIdError.into());
        };
        Ok((ConsoleId::parse(id)?, self.rest.into_task()?))
    }
}

/// A row that Taskhold wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NativeRow {
    /// The id.
    pub id: Member<String>,
    /// The version; 1 if absent.
    pub version: Member<i64>,
    /// The other members.
    pub rest: RowInput,
}

impl NativeRow {
    /// Checks the rules, the id first.
    ///
    /// # Errors
    /// [`RowError`]: the first broken rule.
    pub fn into_task(self) -> Result<(TaskId, Version, RowTask), RowError> {
        let Member::Given(id) = self.id else {
            return Err(RowError::TaskId);
        };
        let id = TaskId::parse(&id).map_err(|_| RowError::TaskId)?;
        let version = match self.version {
            Member::Absent => Version::FIRST,
            Member::Given(version) => Version::parse(version).map_err(|_| RowError::Version)?,
            Member::Null | Member::WrongType => return Err(RowError::Version),
        };
        Ok((id, version, self.rest.into_task()?))
    }
}

impl RowTask {
    /// Converts the row to a task. A missing time becomes `now`, a missing position that of the creation, and `zone`
    /// converts local times. The last
    /// change is not before the creation.
    #[must_use]
    pub fn task(
        self,
        id: TaskId,
        version: Version,
        owner: UserId,
        now: Timestamp,
        zone: impl Fn(LocalDateTime) -> Timestamp,
    ) -> Task {
        let instant = |time| match time {
            ParsedTime::Instant(instant) => instant,
            ParsedTime::Local(local) => zone(local),
        };
        let created_at = self.created_at.map_or(now, instant);
        let is_completed = self.draft.completed;
        let position = self.position;
        let position = position.unwrap_or_else(|| Position::of_creation(created_at));
        Task {
            position,
            version,
            updated_at: self.updated_at.map_or(now, instant).max(created_at),
            completed_at: self.completed_at.filter(|_| is_completed).map(instant),
            ..Task::create(id, owner, self.draft, created_at)
        }
    }
}

#[cfg(test)]
mod tests;
