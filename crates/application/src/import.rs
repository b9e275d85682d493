//! Tasks out of a file: all sound rows together, or none.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use taskhold_domain::import::{RowError, RowTask};
use taskhold_domain::task::{TaskId, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
pub use taskhold_repository::import::{Counts, ImportRun};
use taskhold_repository::import::{ImportedRow, RowIdentity};

use crate::exchange::{Content, Row};
use crate::ids::Ids;
use crate::zone::Zone;

/// What is made of rows that do not tell everything.
#[derive(Debug, Clone)]
pub struct Choices {
    /// The owner of rows without one.
    pub owner: UserId,
    /// Other owners for those in the file.
    pub owners: HashMap<UserId, UserId>,
    /// Where the clock hung that the times were read from.
    pub zone: Zone,
}

/// A row that was not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Where it stands among the rows, from 1 on.
    pub position: u64,
    /// Its id, as far as it has one.
    pub id: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// Why a row was not imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It breaks a rule.
    #[error(transparent)]
    Bad(#[from] RowError),
    /// Another user has a task of its id.
    #[error("another user has a task of this id")]
    Taken,
}

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// By owner.
    pub owners: BTreeMap<UserId, Counts>,
    /// All together.
    pub total: Counts,
    /// Tasks that were read back and are what the file says: all that were imported.
    pub verified: u64,
}

/// Why an import is not known to be done.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It surely is not.
    #[error("nothing was imported")]
    Nothing(#[source] StoreError),
    /// The store was lost while it made it last.
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

/// Makes tasks of rows. What it takes is only set aside until it is told to [finish](Self::finish).
pub struct Importer {
    run: Box<dyn ImportRun>,
    ids: Arc<dyn Ids>,
    choices: Choices,
    now: Timestamp,
}

impl Importer {
    /// An import at `now`, the time of rows that tell none.
    #[must_use]
    pub fn new(
        run: Box<dyn ImportRun>,
        ids: Arc<dyn Ids>,
        choices: Choices,
        now: Timestamp,
    ) -> Self {
        Self {
            run,
            ids,
            choices,
            now,
        }
    }

    /// Takes the next rows of the file. Those that are bad.
    ///
    /// # Errors
    /// [`ImportError`].
    pub async fn take(&mut self, rows: Vec<Row>) -> Result<Vec<Rejected>, ImportError> {
        let (mut sound, mut rejected) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            match row.content {
                Ok(content) => sound.push(self.imported(row.position, content)),
                Err(bad) => rejected.push(Rejected {
                    position: row.position,
                    id: row.id,
                    reason: bad.into(),
                }),
            }
        }
        if !sound.is_empty() {
            self.run.stage(&sound).await?;
        }
        Ok(rejected)
    }

    fn imported(&self, position: u64, content: Content) -> ImportedRow {
        match content {
            Content::Console(id, row) => {
                let (owner, created_at) = (self.owner_in_file(&row), row.created_at);
                let task_id = TaskId::from_uuid(self.ids.next());
                let owner_here = self.owner_here(&owner);
                ImportedRow {
                    position,
                    identity: RowIdentity::Console {
                        owner,
                        id,
                        created_at,
                    },
                    task: self.task(row, task_id, Version::FIRST, owner_here),
                }
            }
            Content::Kept(id, version, row) => {
                let owner = self.owner_here(&self.owner_in_file(&row));
                ImportedRow {
                    position,
                    identity: RowIdentity::Native,
                    task: self.task(row, id, version, owner),
                }
            }
        }
    }

    fn task(
        &self,
        row: RowTask,
        id: TaskId,
        version: Version,
        owner: UserId,
    ) -> taskhold_domain::task::Task {
        let zone = self.choices.zone;
        row.task(id, version, owner, self.now, |wall| zone.instant(wall))
    }

    fn owner_in_file(&self, row: &RowTask) -> UserId {
        row.owner
            .clone()
            .unwrap_or_else(|| self.choices.owner.clone())
    }

    fn owner_here(&self, in_file: &UserId) -> UserId {
        let mapped = self.choices.owners.get(in_file);
        mapped.unwrap_or(in_file).clone()
    }

    /// Imports what was taken, reads it back, and makes it last unless it is a rehearsal. The rows
    /// that were rejected only now are given to `reject`.
    ///
    /// # Errors
    /// [`ImportError`].
    pub async fn finish(
        mut self,
        rehearsal: bool,
        mut reject: impl FnMut(Rejected),
    ) -> Result<Summary, ImportError> {
        let outcome = self.run.import(self.now).await?;
        let verified = self.run.verify().await?;
        let imported: u64 = outcome.owners.values().map(|counts| counts.imported).sum();
        if verified != imported {
            let text = format!("{imported} rows were imported, and {verified} read back");
            return Err(StoreError::Defect(text.into()).into());
        }
        if !rehearsal {
            self.run.commit().await?;
        }
        for (position, id) in outcome.taken {
            reject(Rejected {
                position,
                id: Some(id.to_string()),
                reason: Reason::Taken,
            });
        }
        let mut total = Counts::default();
        for counts in outcome.owners.values() {
            total.imported += counts.imported;
            total.already_there += counts.already_there;
            total.deleted_since += counts.deleted_since;
            total.duplicates += counts.duplicates;
        }
        Ok(Summary {
            owners: outcome.owners,
            total,
            verified,
        })
    }
}
