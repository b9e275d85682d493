//! Tasks, and the outcomes of idempotent writes.

use async_trait::async_trait;
use taskhold_domain::search::fold;
use taskhold_domain::task::change_log::{
    ChangeAuthor, ChangeKind, ChangeSeq, ChangeStamp, FieldValues,
};
use taskhold_domain::task::{Destination, Details, FollowUp, Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_repository::change_log::UndoOutcome;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKeyRepository, IdempotentOutcome, KeyedRequest, retention_start,
};
use taskhold_repository::search::SearchRepository;
use taskhold_repository::tasks::{
    BulkWrite, DueFilter, Key, Position, Precondition, SortKey, Start, TaskCounts, TaskPage,
    TaskQuery, TaskRepository, TaskStats, TaskWrite,
};
use taskhold_repository::trash::TrashedTask;
use taskhold_repository::written::{BulkOutcome, Written};

use super::{MemoryStore, Rows, purge};

/// The stored outcome of an idempotent write.
#[derive(Debug)]
pub(super) struct StoredOutcome {
    fingerprint: Fingerprint,
    written: Written<Vec<Task>>,
    at: Timestamp,
}

impl Rows {
    fn add(&mut self, task: &Task, by: &ChangeAuthor) -> Result<ChangeSeq, StoreError> {
        if self.tasks.contains_key(&task.id) {
            return Err(StoreError::Duplicate);
        }
        self.ensure_user_exists(&task.owner, task.created_at)?;
        self.tasks.insert(task.id, task.clone());
        let stamp = ChangeStamp {
            at: task.created_at,
            by: by.clone(),
        };
        let before = FieldValues::default();
        Ok(self.append(&task.owner, task.id, ChangeKind::Created, before, &stamp))
    }

    pub(super) fn change(
        &mut self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Option<Written<Task>> {
        let task = self.owned(owner, id, precondition)?;
        if !task.allows(change) {
            return None;
        }
        let before = change.overwrites(task);
        task.apply(change, stamp.at);
        let outcome = task.clone();
        let kind = change.kind(outcome.completed);
        let seq = self.append(owner, id, kind, before, stamp);
        Some(Written::new(outcome, seq))
    }

    /// Makes a change, and adds the follow-up that it leads to.
    fn change_or_repeat(
        &mut self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        follow_up: Option<&FollowUp>,
        stamp: &ChangeStamp,
    ) -> Option<Written<Task>> {
        let task = self.owned(owner, id, precondition)?.clone();
        let follow_up = follow_up.filter(|_| task.is_repeated_by(change));
        match follow_up {
            Some(_) if change.details.breaks_repeat(&task.details) => None,
            Some(follow_up) => {
                let completed = vec![(task, follow_up)];
                let written = self.complete(owner, completed, change, stamp);
                let mut tasks = written.outcome.iter().cloned();
                tasks.next().map(|task| written.map(|_| task))
            }
            None => self.change(owner, id, change, precondition, stamp),
        }
    }

    pub(super) fn remove(
        &mut self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Option<ChangeSeq> {
        self.owned(owner, id, precondition)?;
        let task = self.tasks.remove(&id)?;
        let deleted_at = stamp.at;
        self.trash.insert(id, TrashedTask { task, deleted_at });
        let before = FieldValues::default();
        Some(self.append(owner, id, ChangeKind::Deleted, before, stamp))
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
            Some(IdempotentOutcome::Replayed {
                tasks: stored.written.outcome.clone(),
                seq: Some(stored.written.seq),
                next: stored.written.next.clone(),
            })
        } else {
            Some(IdempotentOutcome::KeyReused)
        }
    }

    pub(super) fn owned(
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

fn position(task: &Task, query: &TaskQuery) -> Position {
    let due = || task.details.due.as_ref();
    let key = match query.sort.key {
        SortKey::CreatedAt => Key::Instant(task.created_at),
        SortKey::UpdatedAt => Key::Instant(task.updated_at),
        SortKey::Title => Key::Title(task.title.as_str().to_owned()),
        SortKey::Priority => Key::Priority(task.details.priority),
        SortKey::CompletedAt => Key::CompletedAt(task.completed_at),
        SortKey::Due => Key::Due(due().map(|due| due.sort_key(&query.zone))),
        SortKey::Position => Key::Position(task.position.as_str().to_owned()),
    };
    Position { key, id: task.id }
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
    async fn add(&self, task: &Task, by: &ChangeAuthor) -> Result<ChangeSeq, StoreError> {
        self.rows().add(task, by)
    }

    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.rows().owned(owner, id, &Precondition::None).cloned())
    }

    async fn list(&self, owner: &UserId, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        let text = query.text.as_deref().map(fold);
        let wanted = |task: &&Task| {
            let Details { priority, tags, .. } = &task.details;
            task.owner == *owner
                && (query.priorities.is_empty() || query.priorities.contains(priority))
                && query.tag_keys.iter().all(|key| tags.contains(key))
                && query.due.iter().all(|due| due.matches(task, &query.zone))
                && query
                    .completed
                    .is_none_or(|completed| task.completed == completed)
                && text.as_ref().is_none_or(|text| {
                    fold(task.title.as_str()).contains(text)
                        || fold(task.description.as_str()).contains(text)
                })
        };
        let rows = self.rows();
        let found = rows.tasks.values().filter(wanted);
        let mut tasks: Vec<_> = found
            .map(|task| (position(task, query), task.clone()))
            .collect();
        tasks.sort_by(|(one, _), (other, _)| query.sort.compare(one, other));
        match &query.start {
            Start::First => {}
            Start::Offset(offset) => {
                let offset = usize::try_from(*offset)
                    .unwrap_or(usize::MAX)
                    .min(tasks.len());
                tasks.drain(..offset);
            }
            Start::After(before) => {
                tasks.retain(|(position, _)| query.sort.compare(position, before).is_gt());
            }
        }
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        let more = tasks.len() > limit;
        tasks.truncate(limit);
        let next = tasks.last().filter(|_| more);
        let next = next.map(|(position, _)| position.clone());
        let tasks = tasks.into_iter().map(|(_, task)| task).collect();
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

    async fn stats(
        &self,
        owner: &UserId,
        now: Timestamp,
        zone: &Zone,
    ) -> Result<TaskStats, StoreError> {
        let counts = self.count(owner).await?;
        let rows = self.rows();
        let open = rows.tasks.values();
        let open = open.filter(|task| task.owner == *owner && !task.completed);
        let count = |due: DueFilter| {
            let due = open.clone().filter(|task| due.matches(task, zone));
            due.count() as u64
        };
        Ok(TaskStats {
            counts,
            overdue: count(DueFilter::Overdue(now)),
            due_today: count(DueFilter::Today(now)),
        })
    }

    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        follow_up: Option<&FollowUp>,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        let mut rows = self.rows();
        Ok(rows.change_or_repeat(owner, id, change, precondition, follow_up, stamp))
    }

    async fn move_to(
        &self,
        owner: &UserId,
        id: TaskId,
        to: Destination,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        Ok(self.rows().move_to(owner, id, to, precondition, stamp))
    }

    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError> {
        Ok(self.rows().remove(owner, id, precondition, stamp))
    }

    async fn write_bulk(
        &self,
        owner: &UserId,
        write: &BulkWrite,
        stamp: &ChangeStamp,
    ) -> Result<BulkOutcome, StoreError> {
        Ok(self.rows().write_bulk(owner, write, stamp))
    }

    async fn write_idempotent(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        write: &TaskWrite,
        stamp: &ChangeStamp,
    ) -> Result<IdempotentOutcome, StoreError> {
        let mut rows = self.rows();
        if let Some(before) = rows.recall(owner, request, stamp.at) {
            return Ok(before);
        }
        let with_task = |written: Written<Task>| written.map(|task| vec![task]);
        let written = match write {
            TaskWrite::Add(task) => {
                let seq = rows.add(task, &stamp.by)?;
                Some(Written::new(vec![task.clone()], seq))
            }
            TaskWrite::Change {
                id,
                change,
                precondition,
                follow_up,
            } => rows
                .change_or_repeat(owner, *id, change, precondition, follow_up.as_ref(), stamp)
                .map(with_task),
            TaskWrite::Move {
                id,
                to,
                precondition,
            } => rows
                .move_to(owner, *id, *to, precondition, stamp)
                .map(with_task),
            TaskWrite::Remove { id, precondition } => rows
                .remove(owner, *id, precondition, stamp)
                .map(|seq| Written::new(Vec::new(), seq)),
            TaskWrite::Restore { id } => rows.restore(owner, *id, stamp).map(with_task),
            TaskWrite::Undo(undo) => match rows.undo(owner, *undo, stamp) {
                UndoOutcome::Done(written) => Some(with_task(*written)),
                UndoOutcome::QuotaExceeded => return Ok(IdempotentOutcome::QuotaExceeded),
                UndoOutcome::Conflict(task) => return Ok(IdempotentOutcome::UndoConflict(task)),
                UndoOutcome::NotFound => None,
            },
            TaskWrite::Bulk(write) => match rows.write_bulk(owner, write, stamp) {
                BulkOutcome::Done(written) => Some(written),
                BulkOutcome::NoneChanged(id) => return Ok(IdempotentOutcome::NoneChanged(id)),
            },
        };
        let Some(written) = written else {
            return Ok(IdempotentOutcome::Missed);
        };
        let stored = StoredOutcome {
            fingerprint: request.fingerprint,
            written: written.clone(),
            at: stamp.at,
        };
        rows.keys
            .insert((owner.clone(), request.key.clone()), stored);
        Ok(IdempotentOutcome::Done(written))
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
