//! The port for the import of a file.

use std::collections::BTreeMap;

use async_trait::async_trait;
use taskhold_domain::import::{ConsoleId, ParsedTime};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;

/// A sound row of a file, and the task that it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRow {
    /// Where it stands in the file, from 1 on.
    pub position: u64,
    /// By what it is known again.
    pub identity: RowIdentity,
    /// The task, under the owner whom it is to belong to.
    pub task: Task,
}

/// By what a row is known again, in the same file and when that is imported again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowIdentity {
    /// A row of the console.
    Console {
        /// Its owner there.
        owner: UserId,
        /// Its id there. Of several rows of one owner and id in a file, the last counts.
        id: ConsoleId,
        /// When it was created, as the file says it: what a later run takes for the time zone makes
        /// no other row of it.
        created_at: Option<ParsedTime>,
    },
    /// A task of Taskhold, known by its id, which it keeps.
    Native,
}

/// What becomes of a number of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// They were not there, and are now.
    pub imported: u64,
    /// They were imported before and are there, changed since or not; they stay as they are.
    pub already_there: u64,
    /// They were imported before and deleted since; they stay away.
    pub deleted_since: u64,
    /// A later row of the file takes their place.
    pub duplicates: u64,
}

/// What becomes of all rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOutcome {
    /// By owner.
    pub owners: BTreeMap<UserId, Counts>,
    /// Rows that were not imported because another user has a task of their id.
    pub taken: Vec<(u64, TaskId)>,
}

/// Begins imports.
#[async_trait]
pub trait ImportRepository: Send + Sync {
    /// Begins an import. Nothing is stored before [`ImportRun::commit`].
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn begin_import(&self) -> Result<Box<dyn ImportRun>, StoreError>;
}

/// One import: rows are set aside, then all of them are imported at once, or none. Until
/// [`commit`](Self::commit) nobody else sees anything of it, and an import that is dropped before
/// never was.
#[async_trait]
pub trait ImportRun: Send {
    /// Sets rows aside, in the order of the file. Holds nothing that others want.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`; the import is of no use then.
    async fn stage(&mut self, rows: &[ImportedRow]) -> Result<(), StoreError>;

    /// Imports what was set aside, at `now`: makes owners known who are not, keeps the tasks that are
    /// not there, and remembers them. Of several imports at once, one does this at a time.
    ///
    /// # Errors
    /// As [`stage`](Self::stage).
    async fn import(&mut self, now: Timestamp) -> Result<ImportOutcome, StoreError>;

    /// Reads every imported task back and compares it with what was read from the file, field by
    /// field. How many they are, all alike.
    ///
    /// # Errors
    /// As [`stage`](Self::stage); `Defect` where one differs, with its position and the field.
    async fn verify(&mut self) -> Result<u64, StoreError>;

    /// Makes it last.
    ///
    /// # Errors
    /// `Unavailable` and `Defect`: nothing was imported; `OutcomeUnknown`: all or nothing was.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
