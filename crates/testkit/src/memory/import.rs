//! Imports.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use taskhold_domain::import::{ConsoleId, ParsedTime};
use taskhold_domain::task::TaskId;
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeKind, ChangeStamp, FieldValues};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::import::{
    Counts, ImportOutcome, ImportRepository, ImportRun, ImportedRow, RowIdentity,
};
use tokio::sync::OwnedMutexGuard;

use super::accounts::user_without_account;
use super::{MemoryStore, Rows};

/// What identifies a row in later imports: the owner of its task, its id in the file, and its time of
/// creation as written in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ImportKey(UserId, IdInFile, Option<i64>);

/// What identifies a row in its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum IdInFile {
    Console(UserId, ConsoleId),
    Native(TaskId),
}

/// An import into a [`MemoryStore`].
#[derive(Debug)]
struct MemoryImport {
    store: MemoryStore,
    staged: Vec<ImportedRow>,
    /// The time of the import and the lock that it holds, once the staged rows were imported.
    importing: Option<(Timestamp, OwnedMutexGuard<()>)>,
}

#[async_trait]
impl ImportRepository for MemoryStore {
    async fn begin_import(&self) -> Result<Box<dyn ImportRun>, StoreError> {
        Ok(Box::new(MemoryImport {
            store: self.clone(),
            staged: Vec::new(),
            importing: None,
        }))
    }
}

impl Rows {
    pub(super) fn delete_imports_of(&mut self, user: &UserId) {
        self.imports.retain(|ImportKey(owner, ..), _| owner != user);
    }
}

fn id_in_file(row: &ImportedRow) -> IdInFile {
    match &row.identity {
        RowIdentity::Console { owner, id, .. } => IdInFile::Console(owner.clone(), *id),
        RowIdentity::Native => IdInFile::Native(row.task.id),
    }
}

fn import_key(row: &ImportedRow) -> ImportKey {
    let created_at = match &row.identity {
        RowIdentity::Console { created_at, .. } => created_at.map(|time| match time {
            ParsedTime::Local(local) => local.as_micros(),
            ParsedTime::Instant(instant) => instant.as_micros(),
        }),
        RowIdentity::Native => None,
    };
    ImportKey(row.task.owner.clone(), id_in_file(row), created_at)
}

#[async_trait]
impl ImportRun for MemoryImport {
    async fn stage(&mut self, rows: &[ImportedRow]) -> Result<(), StoreError> {
        self.staged.extend_from_slice(rows);
        Ok(())
    }

    async fn import(&mut self, now: Timestamp, again: bool) -> Result<ImportOutcome, StoreError> {
        let lock = self.store.import_lock.clone().lock_owned().await;
        let rows = self.store.rows();
        let mut owners = BTreeMap::<_, Counts>::new();
        let (mut ids, mut taken, mut imported) = (BTreeSet::new(), Vec::new(), Vec::new());
        for row in self.staged.drain(..).rev() {
            let owner = &row.task.owner;
            let outcome = owners.entry(owner.clone()).or_default();
            if !ids.insert(id_in_file(&row)) {
                outcome.duplicates += 1;
                continue;
            }
            let before = rows.imports.get(&import_key(&row));
            let id = before.unwrap_or(&row.task.id);
            let trashed = rows.trash.get(id).map(|trashed| &trashed.task);
            let others = trashed.filter(|task| task.owner != *owner);
            match rows.tasks.get(id).or(others) {
                Some(task) if task.owner == *owner => outcome.already_there += 1,
                Some(task) => taken.push((row.position, task.id)),
                None if before.is_some() && !again => outcome.deleted_since += 1,
                None => {
                    outcome.imported += 1;
                    imported.push(row);
                }
            }
        }
        let owners_of_new = imported.iter().map(|row| &row.task.owner);
        let created = owners_of_new
            .filter(|owner| !rows.users.contains_key(owner))
            .cloned()
            .collect();
        drop(rows);
        taken.reverse();
        imported.reverse();
        self.staged = imported;
        self.importing = Some((now, lock));
        Ok(ImportOutcome {
            owners,
            created,
            taken,
        })
    }

    async fn verify(&mut self) -> Result<u64, StoreError> {
        // The tasks are those of the staged rows themselves.
        Ok(self.staged.len() as u64)
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let mut rows = self.store.rows();
        if let Some((now, _)) = &self.importing {
            if self
                .staged
                .iter()
                .any(|row| rows.tasks.contains_key(&row.task.id))
            {
                return Err(StoreError::Duplicate);
            }
            for row in &self.staged {
                let owner = &row.task.owner;
                rows.users
                    .entry(owner.clone())
                    .or_insert_with(|| user_without_account(owner, *now));
                rows.imports.insert(import_key(row), row.task.id);
                rows.trash.remove(&row.task.id);
                rows.tasks.insert(row.task.id, row.task.clone());
                let stamp = ChangeStamp {
                    at: *now,
                    by: ChangeAuthor::named(ChangeAuthor::IMPORT),
                };
                let before = FieldValues::default();
                rows.append(owner, row.task.id, ChangeKind::Created, before, &stamp);
            }
        }
        Ok(())
    }
}
