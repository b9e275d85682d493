//! Tasks, and the outcomes of idempotent writes.

use async_trait::async_trait;
use taskhold_domain::search::fold;
use taskhold_domain::task::{Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKeyRepository, IdempotentOutcome, KeyedRequest, retention_start,
};
use taskhold_repository::search::SearchRepository;
use taskhold_repository::tasks::{
    Key, Position, Precondition, SortKey, Start, TaskCounts, TaskPage, TaskQuery, TaskRepository,
    TaskWrite,
};

use super::{MemoryStore, Rows, purge};

/// The stored outcome of an idempotent write.
#[derive(Debug)]
pub(super) struct StoredOutcome {
    fingerprint: Fingerprint,
    task: Option<Task>,
    at: Timestamp,
}

impl Rows {
    fn add(&mut self, task: &Task) -> Result<(), StoreError> {
        if self.tasks.contains_key(&task.id) {
            return Err(StoreError::Duplicate);
        }
        self.ensure_user_exists(&task.owner, task.created_at)?;
        self.tasks.insert(task.id, task.clone());
        Ok(())
    }

    fn change(
        &mut self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Option<Task> {
        self.owned(owner, id, precondition).map(|task| {
            task.apply(change, now);
            task.clone()
        })
    }

    fn remove(&mut self, owner: &UserId, id: TaskId, precondition: &Precondition) -> bool {
        let found = self.owned(owner, id, precondition).is_some();
        if found {
            self.tasks.remove(&id);
        }
        found
    }

    fn recall(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Option<IdempotentOutcome> {
        let stored = self.keys.get(&(owner.clone(), request.key.clone()))?;
        if stored.at <= retention_start(now) {
            None
        } else if stored.fingerprint == request.fingerprint {
            Some(IdempotentOutcome::Replayed(stored.task.clone()))
        } else {
            Some(IdempotentOutcome::KeyReused)
        }
    }

    fn owned(
        &mut self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Option<&mut Task> {
        self.tasks
            .get_mut(&id)
            .filter(|task| task.owner == *owner && precondition.allows(task.revision()))
    }
}

fn key(task: &Task, sort: SortKey) -> Key {
    match sort {
        SortKey::CreatedAt => Key::Instant(task.created_at),
        SortKey::UpdatedAt => Key::Instant(task.updated_at),
        SortKey::Title => Key::Title(task.title.as_str().to_owned()),
    }
}

#[async_trait]
impl SearchRepository for MemoryStore {
    /// Rebuilds nothing: a search folds the texts when it compares them.
    async fn rebuild(&self, _: Option<TaskId>, _: u32) -> Result<Vec<TaskId>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl TaskRepository for MemoryStore {
    async fn add(&self, task: &Task) -> Result<(), StoreError> {
        self.rows().add(task)
    }

    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.rows().owned(owner, id, &Precondition::None).cloned())
    }

    async fn list(&self, owner: &UserId, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        let text = query.text.as_deref().map(fold);
        let wanted = |task: &&Task| {
            task.owner == *owner
                && query
                    .completed
                    .is_none_or(|completed| task.completed == completed)
                && text.as_ref().is_none_or(|text| {
                    fold(task.title.as_str()).contains(text)
                        || fold(task.description.as_str()).contains(text)
                })
        };
        let mut tasks: Vec<_> = self.rows().tasks.values().filter(wanted).cloned().collect();
        let place = |task: &Task| (key(task, query.sort.key), task.id);
        tasks.sort_by_key(place);
        if query.sort.descending {
            tasks.reverse();
        }
        match &query.start {
            Start::First => {}
            Start::Offset(offset) => {
                let offset = usize::try_from(*offset)
                    .unwrap_or(usize::MAX)
                    .min(tasks.len());
                tasks.drain(..offset);
            }
            Start::After(position) => {
                let before = (position.key.clone(), position.id);
                tasks.retain(|task| {
                    if query.sort.descending {
                        place(task) < before
                    } else {
                        place(task) > before
                    }
                });
            }
        }
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        let more = tasks.len() > limit;
        tasks.truncate(limit);
        let next = tasks.last().filter(|_| more).map(|last| Position {
            key: key(last, query.sort.key),
            id: last.id,
        });
        Ok(TaskPage {
            tasks,
            next,
            corrupt_rows: 0,
        })
    }

    async fn count(&self, owner: &UserId) -> Result<TaskCounts, StoreError> {
        let rows = self.rows();
        let theirs = rows.tasks.values().filter(|task| task.owner == *owner);
        Ok(
            theirs.fold(TaskCounts::default(), |counts, task| TaskCounts {
                total: counts.total + 1,
                completed: counts.completed + u64::from(task.completed),
            }),
        )
    }

    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        Ok(self.rows().change(owner, id, change, precondition, now))
    }

    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<bool, StoreError> {
        Ok(self.rows().remove(owner, id, precondition))
    }

    async fn write_idempotent(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        write: &TaskWrite,
        now: Timestamp,
    ) -> Result<IdempotentOutcome, StoreError> {
        let mut rows = self.rows();
        if let Some(before) = rows.recall(owner, request, now) {
            return Ok(before);
        }
        let task = match write {
            TaskWrite::Add(task) => {
                rows.add(task)?;
                Some(task.clone())
            }
            TaskWrite::Change {
                id,
                change,
                precondition,
            } => match rows.change(owner, *id, change, precondition, now) {
                None => return Ok(IdempotentOutcome::Missed),
                changed => changed,
            },
            TaskWrite::Remove { id, precondition } => {
                if !rows.remove(owner, *id, precondition) {
                    return Ok(IdempotentOutcome::Missed);
                }
                None
            }
        };
        let stored = StoredOutcome {
            fingerprint: request.fingerprint,
            task: task.clone(),
            at: now,
        };
        rows.keys
            .insert((owner.clone(), request.key.clone()), stored);
        Ok(IdempotentOutcome::Done(task))
    }

    async fn recall(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<IdempotentOutcome>, StoreError> {
        Ok(self.rows().recall(owner, request, now))
    }

    async fn count_keys(&self, owner: &UserId, now: Timestamp) -> Result<u64, StoreError> {
        let rows = self.rows();
        let counted = rows
            .keys
            .iter()
            .filter(|((user, _), stored)| user == owner && stored.at > retention_start(now));
        Ok(counted.count() as u64)
    }

    async fn belongs_to_another(&self, caller: &UserId, id: TaskId) -> Result<bool, StoreError> {
        Ok(self
            .rows()
            .tasks
            .get(&id)
            .is_some_and(|task| task.owner != *caller))
    }
}

#[async_trait]
impl IdempotencyKeyRepository for MemoryStore {
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        Ok(purge(&mut self.rows().keys, most, |stored| {
            stored.at < time
        }))
    }
}
