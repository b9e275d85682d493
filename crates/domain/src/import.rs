//! Tasks that come out of a file: what a row must be.
//!
//! A row is sound or bad by itself. [`ConsoleRow`] is a row of the console's file, current or old;
//! [`NativeRow`] is a row that Taskhold wrote, with all that it knows of a task.

mod parsed_time;

use crate::input::{Member, TaskInput};
use crate::task::{Task, TaskDraft, TaskId, Version};
use crate::timestamp::Timestamp;
use crate::user::{UserId, UserIdError};
use crate::violation::Violations;

pub use self::parsed_time::{LocalDateTime, ParsedTime, ParsedTimeError};

/// What a task is known by on the console: a whole number from 1 on, unique for each owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsoleId(i64);

/// A number that is no [`ConsoleId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("id must be a whole number from 1 to 9223372036854775807")]
pub struct ConsoleIdError;

impl ConsoleId {
    /// Takes a number.
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

    /// The number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

/// Why a row is bad: the first rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// It is something else.
    #[error("a row must be an object")]
    NotObject,
    /// A text of it is none: half of a surrogate pair, which no store can keep.
    #[error("{0}")]
    Unreadable(String),
    /// It has no id of the console.
    #[error(transparent)]
    ConsoleId(#[from] ConsoleIdError),
    /// It has no id of Taskhold.
    #[error("id must be a UUID")]
    TaskId,
    /// Its version is no whole number from 1 on.
    #[error("version must be a whole number from 1 to 9223372036854775807")]
    Version,
    /// A rule of tasks.
    #[error(transparent)]
    Task(#[from] Violations),
    /// A rule of owners.
    #[error(transparent)]
    Owner(#[from] UserIdError),
    /// A time that cannot be read.
    #[error("{member} {error}")]
    Time {
        /// Which one.
        member: &'static str,
        /// Why.
        error: ParsedTimeError,
    },
}

/// The members of a row that both kinds have, before any rule was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowInput {
    /// What the task says.
    pub task: TaskInput,
    /// Where a row of the old kind has its title.
    pub content: Member<String>,
    /// Whose it is.
    pub owner: Member<String>,
    /// When it was created.
    pub created_at: Member<String>,
    /// When it was last changed.
    pub updated_at: Member<String>,
}

/// What a sound row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowTask {
    /// What the task says.
    pub draft: TaskDraft,
    /// Whose it is, where the row tells.
    pub owner: Option<UserId>,
    /// When it was created, where the row tells.
    pub created_at: Option<ParsedTime>,
    /// When it was last changed, where the row tells.
    pub updated_at: Option<ParsedTime>,
}

impl RowInput {
    /// Asks the rules.
    fn into_task(self) -> Result<RowTask, RowError> {
        let Self {
            mut task,
            content,
            owner,
            created_at,
            updated_at,
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
            draft: task.into_draft()?,
            owner,
            created_at: time("created_at", created_at)?,
            updated_at: time("updated_at", updated_at)?,
        })
    }
}

fn time(member: &'static str, written: Member<String>) -> Result<Option<ParsedTime>, RowError> {
    let time = match written {
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
    /// Its number.
    pub id: Member<i64>,
    /// All else.
    pub rest: RowInput,
}

impl ConsoleRow {
    /// Asks the rules, the id first.
    ///
    /// # Errors
    /// [`RowError`], the first rule that is broken.
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
    /// Its id.
    pub id: Member<String>,
    /// How often it was changed, counted from 1; 1 where it is absent.
    pub version: Member<i64>,
    /// All else.
    pub rest: RowInput,
}

impl NativeRow {
    /// Asks the rules, the id first.
    ///
    /// # Errors
    /// [`RowError`], the first rule that is broken.
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
    /// The task that the row becomes. A time that the row does not tell is `now`; a last change
    /// before the creation is moved to it, since no task can be changed before it is there.
    #[must_use]
    pub fn task(
        self,
        id: TaskId,
        version: Version,
        owner: UserId,
        now: Timestamp,
        zone: impl Fn(LocalDateTime) -> Timestamp,
    ) -> Task {
        let instant = |written: Option<ParsedTime>| match written {
            None => now,
            Some(ParsedTime::Instant(instant)) => instant,
            Some(ParsedTime::Local(wall)) => zone(wall),
        };
        let created_at = instant(self.created_at);
        Task {
            id,
            owner,
            title: self.draft.title,
            description: self.draft.description,
            completed: self.draft.completed,
            version,
            created_at,
            updated_at: instant(self.updated_at).max(created_at),
        }
    }
}

#[cfg(test)]
mod tests;
