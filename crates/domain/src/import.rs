//! Tasks that come out of a file: what a row must be.
//!
//! A row is sound or bad by itself. [`ConsoleRow`] is a row of the console's file, current or old;
//! [`KeptRow`] is a row that Taskhold wrote, with all that it knows of a task.

mod written_time;

use crate::task::{Member, Task, TaskDraft, TaskId, TaskInput, Version};
use crate::timestamp::Timestamp;
use crate::user::{UserId, UserIdError};
use crate::violation::Violations;

pub use self::written_time::{WallTime, WrittenTime, WrittenTimeError};

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
        error: WrittenTimeError,
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
    pub created_at: Option<WrittenTime>,
    /// When it was last changed, where the row tells.
    pub updated_at: Option<WrittenTime>,
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

fn time(member: &'static str, written: Member<String>) -> Result<Option<WrittenTime>, RowError> {
    let time = match written {
        Member::Absent | Member::Null => return Ok(None),
        Member::Given(text) => WrittenTime::parse(&text),
        Member::WrongType => Err(WrittenTimeError),
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
pub struct KeptRow {
    /// Its id.
    pub id: Member<String>,
    /// How often it was changed, counted from 1; 1 where it is absent.
    pub version: Member<i64>,
    /// All else.
    pub rest: RowInput,
}

impl KeptRow {
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
        zone: impl Fn(WallTime) -> Timestamp,
    ) -> Task {
        let instant = |written: Option<WrittenTime>| match written {
            None => now,
            Some(WrittenTime::Instant(instant)) => instant,
            Some(WrittenTime::Wall(wall)) => zone(wall),
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
mod tests {
    use super::*;

    fn text(raw: &str) -> Member<String> {
        Member::Given(raw.to_owned())
    }

    /// Sound, with nothing that could be left out.
    fn least() -> ConsoleRow {
        let mut row = ConsoleRow {
            id: Member::Given(1),
            ..ConsoleRow::default()
        };
        row.rest.task.title = text("Buy milk");
        row
    }

    fn read(change: impl FnOnce(&mut ConsoleRow)) -> Result<RowTask, String> {
        let mut row = least();
        change(&mut row);
        row.into_task()
            .map(|(_, task)| task)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn ids_are_whole_numbers_from_one_on() {
        for (id, sound) in [
            (Member::Given(1), true),
            (Member::Given(i64::MAX), true),
            (Member::Given(0), false),
            (Member::Given(-1), false),
            (Member::Absent, false),
            (Member::Null, false),
            (Member::WrongType, false),
        ] {
            let row = ConsoleRow { id, ..least() };
            assert_eq!(row.into_task().is_ok(), sound, "{id:?}");
        }
    }

    #[test]
    fn what_may_be_left_out() {
        let task = read(|_| ()).expect("sound");
        assert_eq!(task.draft.description.as_str(), "");
        assert!(!task.draft.completed);
        assert_eq!(
            (task.owner, task.created_at, task.updated_at),
            (None, None, None)
        );
        let task = read(|row| {
            row.rest.task.description = Member::Null;
            row.rest.owner = Member::Null;
            row.rest.created_at = Member::Null;
            row.rest.updated_at = Member::Null;
        });
        assert!(task.is_ok());
        let task = read(|row| row.rest.owner = text("")).expect("sound");
        assert_eq!(task.owner, None);
    }

    #[test]
    fn the_old_kind_has_its_title_in_content() {
        let old = read(|row| {
            row.rest.task.title = Member::Absent;
            row.rest.content = text("Old one");
        });
        assert_eq!(old.expect("sound").draft.title.as_str(), "Old one");
        let both = read(|row| row.rest.content = text("Old one"));
        assert_eq!(both.expect("sound").draft.title.as_str(), "Buy milk");
    }

    #[test]
    fn what_is_bad_is_told_in_a_sentence() {
        type Change = fn(&mut ConsoleRow);
        let cases: [(Change, &str); 11] = [
            (
                |row| row.id = Member::WrongType,
                "id must be a whole number from 1 to 9223372036854775807",
            ),
            (
                |row| row.rest.task.title = Member::Absent,
                "Task title must be a non-empty string",
            ),
            (
                |row| row.rest.task.title = text("a\0"),
                "Task title must not contain NUL characters",
            ),
            (
                |row| row.rest.task.title = Member::Given("x".repeat(101)),
                "Task title must not exceed 100 characters",
            ),
            (
                |row| row.rest.task.description = Member::WrongType,
                "Task description must be a string",
            ),
            (
                |row| row.rest.task.completed = Member::Null,
                "Task completed status must be a boolean",
            ),
            (
                |row| row.rest.task.completed = Member::WrongType,
                "Task completed status must be a boolean",
            ),
            (
                |row| row.rest.owner = Member::WrongType,
                "Task user_id must be a non-empty string",
            ),
            (
                |row| row.rest.owner = Member::Given("u".repeat(256)),
                "Task user_id must not exceed 255 characters",
            ),
            (
                |row| row.rest.created_at = text("yesterday"),
                "created_at is no time in ISO 8601",
            ),
            (
                |row| row.rest.updated_at = Member::WrongType,
                "updated_at is no time in ISO 8601",
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(read(change).map(|_| ()), Err(expected.to_owned()));
        }
    }

    #[test]
    fn times_that_are_missing_are_now_and_none_is_before_the_creation() {
        let at = |micros| Timestamp::from_micros(micros).expect("in range");
        let times = |created: &str, updated: &str| {
            let given = |raw: &str| {
                if raw.is_empty() {
                    Member::Absent
                } else {
                    text(raw)
                }
            };
            let row = read(|row| {
                row.rest.created_at = given(created);
                row.rest.updated_at = given(updated);
            });
            let owner = UserId::parse("u").expect("an id");
            let id = TaskId::from_uuid(uuid::Uuid::nil());
            let zone = |wall: WallTime| at(wall.as_micros() - 1);
            let task = row
                .expect("sound")
                .task(id, Version::FIRST, owner, at(5_000_000), zone);
            (task.created_at.as_micros(), task.updated_at.as_micros())
        };
        let (two, nine) = ("1970-01-01T00:00:02Z", "1970-01-01T00:00:09Z");
        assert_eq!(times("", ""), (5_000_000, 5_000_000));
        assert_eq!(times(two, nine), (2_000_000, 9_000_000));
        assert_eq!(times(two, ""), (2_000_000, 5_000_000));
        assert_eq!(times("", two), (5_000_000, 5_000_000));
        assert_eq!(times(nine, two), (9_000_000, 9_000_000));
        assert_eq!(times("1970-01-01T00:00:02", nine).0, 1_999_999);
    }

    #[test]
    fn rows_of_our_own_keep_id_and_version() {
        let id = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";
        let row = |id: Member<String>, version| KeptRow {
            id,
            version,
            rest: least().rest,
        };
        let (kept, version, _) = row(text(id), Member::Given(7)).into_task().expect("sound");
        assert_eq!((kept.to_string().as_str(), version.get()), (id, 7));
        let (_, version, _) = row(text(id), Member::Absent).into_task().expect("sound");
        assert_eq!(version, Version::FIRST);
        let bad = row(text("7"), Member::Absent).into_task();
        assert_eq!(bad, Err(RowError::TaskId));
        for version in [Member::Given(0), Member::Null, Member::WrongType] {
            let bad = row(text(id), version).into_task();
            assert_eq!(bad, Err(RowError::Version));
        }
    }
}
