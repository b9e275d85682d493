//! The port for imports.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use taskhold_domain::import::{ConsoleId, ParsedTime};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;

/// A valid row of a file, as the task that it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRow {
    /// The number of the row in the file, from 1.
    pub position: u64,
    /// What identifies the row in later imports.
    pub identity: RowIdentity,
    /// The task, with its owner in the store.
    pub task: Task,
}

/// What identifies a row in its file and in later imports of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowIdentity {
    /// A row of the original command-line app (the *console*).
    Console {
        /// The owner in the file.
        owner: UserId,
        /// The id in the file. Of rows with the same owner and id, the last counts.
        id: ConsoleId,
        /// When the task was created, as written in the file, so that an import with another time zone
        /// recognizes the row.
        created_at: Option<ParsedTime>,
    },
    /// A row that Taskhold wrote, identified by the id of its task.
    Native,
}

/// The numbers of rows with each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// New rows, which were imported.
    pub imported: u64,
    /// Rows that were imported before and whose tasks exist, changed or not; they stay.
    pub already_there: u64,
    /// Rows that were imported before and whose tasks were deleted; they stay deleted unless asked for.
    pub deleted_since: u64,
    /// Rows that a later row of the file replaces.
    pub duplicates: u64,
}

/// The outcome of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOutcome {
    /// The counts of each owner.
    pub owners: BTreeMap<UserId, Counts>,
    /// The owners that the store did not know.
    pub created: BTreeSet<UserId>,
    /// The positions and ids of rows that were not imported because another user has a task of their id.
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

/// An import: rows are staged, then all of them are imported, or none. Nothing is visible to others
/// before [`commit`](Self::commit), and an import that is dropped before has no effect.
#[async_trait]
pub trait ImportRun: Send {
    /// Stages rows, in the order of the file. Holds no lock that others wait for.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`; the import cannot go on then.
    async fn stage(&mut self, rows: &[ImportedRow]) -> Result<(), StoreError>;

    /// Imports the staged rows at `now`: creates missing owners and missing tasks, and records the rows.
    /// Concurrent imports do this one at a time. With `again`, rows whose tasks were deleted since an earlier
    /// import are imported like new ones, and recorded anew: another import finds them there.
    ///
    /// # Errors
    /// As [`stage`](Self::stage).
    async fn import(&mut self, now: Timestamp, again: bool) -> Result<ImportOutcome, StoreError>;

    /// Reads every imported task back, compares it with its row field by field, and returns the number of
    /// tasks, which all are equal.
    ///
    /// # Errors
    /// As [`stage`](Self::stage); `Defect` if one differs, with its position and the field.
    async fn verify(&mut self) -> Result<u64, StoreError>;

    /// Commits the import.
    ///
    /// # Errors
    /// `Unavailable` and `Defect`: nothing was imported; `OutcomeUnknown`: all or nothing was.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
