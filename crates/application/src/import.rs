//! Import of tasks from a file: all valid rows together, or none.

mod of_user;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use taskhold_domain::import::{ConsoleId, LocalDateTime, RowError, RowTask};
use taskhold_domain::task::{Task, TaskId, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
pub use taskhold_repository::import::{Counts, ImportRepository, ImportRun};
use taskhold_repository::import::{ImportedRow, RowIdentity};

pub use self::of_user::{ImportReport, UserImport, UserImports};
use crate::ids::Ids;

/// A row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The number of the row in the file, from 1.
    pub position: u64,
    /// The id of the row as shown to people, if it has one.
    pub id: Option<String>,
    /// The content, or why the row is rejected.
    pub content: Result<RowContent, RowError>,
}

/// The content of a valid row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowContent {
    /// A row of the original command-line app (the *console*).
    Console(ConsoleId, RowTask),
    /// A row that Taskhold wrote.
    Native(TaskId, Version, RowTask),
}

/// The options of an import, which complete the rows of its file.
pub struct ImportOptions {
    /// The owner of rows that name none.
    pub owner: UserId,
    /// The owners of rows that name one.
    pub named_owners: NamedOwners,
    /// Imports a row again if its task was deleted after an earlier import.
    pub again: bool,
    /// Converts times that have no offset from UTC.
    pub to_instant: Box<dyn Fn(LocalDateTime) -> Timestamp + Send + Sync>,
}

/// The owners of rows that name one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedOwners {
    /// The users that the rows name, except for those that the map replaces.
    Named(HashMap<UserId, UserId>),
    /// The owner of the rows that name none.
    Ignored,
}

/// A row that was not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// The number of the row in the file, from 1.
    pub position: u64,
    /// The id of the row as shown to people, if it has one.
    pub id: Option<String>,
    /// The reason that the row was rejected.
    pub reason: RejectReason,
}

/// The reason that a row was not imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    /// The row breaks a rule.
    #[error(transparent)]
    Invalid(#[from] RowError),
    /// Another user has a task of this id.
    #[error("another user has a task of this id")]
    TakenId,
}

/// The result of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The counts of each owner.
    pub owners: BTreeMap<UserId, Counts>,
    /// The owners who are new users.
    pub created: BTreeSet<UserId>,
    /// The counts of all owners together.
    pub total: Counts,
    /// The number of tasks that were read back and equal the file: all that were imported.
    pub verified: u64,
}

/// The reason that an import failed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Nothing was imported.
    #[error("nothing was imported")]
    Nothing(#[source] StoreError),
    /// The store was lost during the commit.
    #[error("all of the file was imported, or nothing: import it again, no task is made twice")]
    OutcomeUnknown(#[source] StoreError),
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OutcomeUnknown(_) => Self::OutcomeUnknown(error),
            _ => Self::Nothing(error),
        }
    }
}

/// An import of one file. Rows are only staged until [`import`](Self::import).
pub struct Importer {
    run: Box<dyn ImportRun>,
    ids: Arc<dyn Ids>,
    options: ImportOptions,
    now: Timestamp,
}

impl Importer {
    /// Begins an import. Rows without times get `now`.
    #[must_use]
    pub fn new(
        run: Box<dyn ImportRun>,
        ids: Arc<dyn Ids>,
        options: ImportOptions,
        now: Timestamp,
    ) -> Self {
        Self {
            run,
            ids,
            options,
            now,
        }
    }

    /// Stages the next rows of the file and returns those that are rejected.
    ///
    /// # Errors
    /// [`ImportError`].
    pub async fn stage(&mut self, rows: Vec<Row>) -> Result<Vec<RejectedRow>, ImportError> {
        let (mut valid, mut rejected) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            match row.content {
                Ok(content) => valid.push(self.imported_row(row.position, content)),
                Err(error) => rejected.push(RejectedRow {
                    position: row.position,
                    id: row.id,
                    reason: error.into(),
                }),
            }
        }
        if !valid.is_empty() {
            self.run.stage(&valid).await?;
        }
        Ok(rejected)
    }

    fn imported_row(&self, position: u64, content: RowContent) -> ImportedRow {
        match content {
            RowContent::Console(id, row) => {
                let owner = self.owner_in_file(&row);
                let created_at = row.created_at;
                let task_id = TaskId::from_uuid(self.ids.next());
                let task = self.task(row, task_id, Version::FIRST, &owner);
                ImportedRow {
                    position,
                    identity: RowIdentity::Console {
                        owner,
                        id,
                        created_at,
                    },
                    task,
                }
            }
            RowContent::Native(id, version, row) => {
                let owner = self.owner_in_file(&row);
                ImportedRow {
                    position,
                    identity: RowIdentity::Native,
                    task: self.task(row, id, version, &owner),
                }
            }
        }
    }

    fn task(&self, row: RowTask, id: TaskId, version: Version, owner_in_file: &UserId) -> Task {
        let owner = match &self.options.named_owners {
            NamedOwners::Named(replaced) => replaced.get(owner_in_file).unwrap_or(owner_in_file),
            NamedOwners::Ignored => &self.options.owner,
        };
        row.task(
            id,
            version,
            owner.clone(),
            self.now,
            &self.options.to_instant,
        )
    }

    fn owner_in_file(&self, row: &RowTask) -> UserId {
        let owner = row.owner.as_ref();
        owner.unwrap_or(&self.options.owner).clone()
    }

    /// Imports the staged rows and reads them back. Returns the summary and the rows that are rejected only
    /// now. Nothing is stored without [`commit`](Self::commit).
    ///
    /// # Errors
    /// [`ImportError`].
    pub async fn import(&mut self) -> Result<(Summary, Vec<RejectedRow>), ImportError> {
        let outcome = self.run.import(self.now, self.options.again).await?;
        let verified = self.run.verify().await?;
        let mut total = Counts::default();
        for counts in outcome.owners.values() {
            total.imported += counts.imported;
            total.already_there += counts.already_there;
            total.deleted_since += counts.deleted_since;
            total.duplicates += counts.duplicates;
        }
        if verified != total.imported {
            let imported = total.imported;
            let text = format!("{imported} rows were imported, and {verified} read back");
            return Err(StoreError::Defect(text.into()).into());
        }
        let taken = outcome.taken.into_iter();
        let rejected = taken.map(|(position, id)| RejectedRow {
            position,
            id: Some(id.to_string()),
            reason: RejectReason::TakenId,
        });
        let rejected = rejected.collect();
        let summary = Summary {
            owners: outcome.owners,
            created: outcome.created,
            total,
            verified,
        };
        Ok((summary, rejected))
    }

    /// Stores what was imported.
    ///
    /// # Errors
    /// [`ImportError`].
    pub async fn commit(self) -> Result<(), ImportError> {
        Ok(self.run.commit().await?)
    }
}
