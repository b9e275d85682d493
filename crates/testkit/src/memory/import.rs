//! Imports.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use taskhold_domain::import::{ConsoleId, ParsedTime};
use taskhold_domain::task::TaskId;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::import::{
    Counts, ImportOutcome, ImportRepository, ImportRun, ImportedRow, RowIdentity,
};
use tokio::sync::OwnedMutexGuard;

use super::accounts::known_by_id;
use super::{MemoryStore, Rows};

/// By what a row is known in later imports: whose its task is, its number in the file, and when it
/// was created, as the file says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Imported(UserId, Number, Option<i64>);

/// By what a row is known in its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Number {
    Console(UserId, ConsoleId),
    Kept(TaskId),
}

/// An import into a [`MemoryStore`].
#[derive(Debug)]
struct MemoryImport {
    store: MemoryStore,
    staged: Vec<ImportedRow>,
    /// What is to be kept, since when, and the right to keep it.
    turn: Option<(Timestamp, OwnedMutexGuard<()>)>,
}

#[async_trait]
impl ImportRepository for MemoryStore {
    async fn begin_import(&self) -> Result<Box<dyn ImportRun>, StoreError> {
        Ok(Box::new(MemoryImport {
            store: self.clone(),
            staged: Vec::new(),
            turn: None,
        }))
    }
}

impl Rows {
    pub(super) fn forget_imports(&mut self, user: &UserId) {
        self.imports.retain(|Imported(owner, ..), _| owner != user);
    }
}

fn number(row: &ImportedRow) -> Number {
    match &row.identity {
        RowIdentity::Console { owner, id, .. } => Number::Console(owner.clone(), *id),
        RowIdentity::Native => Number::Kept(row.task.id),
    }
}

fn remembered(row: &ImportedRow) -> Imported {
    let created_at = match &row.identity {
        RowIdentity::Console { created_at, .. } => created_at.map(|written| match written {
            ParsedTime::Local(wall) => wall.as_micros(),
            ParsedTime::Instant(instant) => instant.as_micros(),
        }),
        RowIdentity::Native => None,
    };
    Imported(row.task.owner.clone(), number(row), created_at)
}

#[async_trait]
impl ImportRun for MemoryImport {
    async fn stage(&mut self, rows: &[ImportedRow]) -> Result<(), StoreError> {
        self.staged.extend_from_slice(rows);
        Ok(())
    }

    async fn import(&mut self, now: Timestamp) -> Result<ImportOutcome, StoreError> {
        let turn = self.store.turn.clone().lock_owned().await;
        let rows = self.store.rows();
        let mut owners = BTreeMap::<_, Counts>::new();
        let (mut numbers, mut taken, mut imported) = (BTreeSet::new(), Vec::new(), Vec::new());
        for row in self.staged.drain(..).rev() {
            let owner = &row.task.owner;
            let outcome = owners.entry(owner.clone()).or_default();
            if !numbers.insert(number(&row)) {
                outcome.duplicates += 1;
                continue;
            }
            let before = rows.imports.get(&remembered(&row));
            match rows.tasks.get(before.unwrap_or(&row.task.id)) {
                Some(task) if task.owner == *owner => outcome.already_there += 1,
                Some(task) => taken.push((row.position, task.id)),
                None if before.is_some() => outcome.deleted_since += 1,
                None => {
                    outcome.imported += 1;
                    imported.push(row);
                }
            }
        }
        drop(rows);
        taken.reverse();
        self.staged = imported;
        self.turn = Some((now, turn));
        Ok(ImportOutcome { owners, taken })
    }

    async fn verify(&mut self) -> Result<u64, StoreError> {
        // What is to be kept is what was set aside.
        Ok(self.staged.len() as u64)
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let mut rows = self.store.rows();
        if let Some((now, _)) = &self.turn {
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
                    .or_insert_with(|| known_by_id(owner, *now));
                rows.imports.insert(remembered(row), row.task.id);
                rows.tasks.insert(row.task.id, row.task.clone());
            }
        }
        Ok(())
    }
}
