//! The change log and the trash.

use std::collections::BTreeMap;

use async_trait::async_trait;
use taskhold_domain::task::change_log::{
    ChangeKind, ChangeSeq, ChangeStamp, FieldValues, LoggedChange, PlannedChange, UndoRefusal,
    UndoState, write_of,
};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::{
    ChangeLogRepository, ChangePage, Feed, LatestChange, UndoOutcome,
};
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::Precondition;
use taskhold_repository::trash::{TrashPage, TrashRepository, TrashedTask};
use taskhold_repository::written::{Undo, Written};

use super::{MemoryStore, Rows};

impl Rows {
    /// Appends a change to the owner's log and returns its number.
    pub(super) fn append(
        &mut self,
        owner: &UserId,
        task: TaskId,
        kind: ChangeKind,
        before: FieldValues,
        stamp: &ChangeStamp,
    ) -> ChangeSeq {
        let epoch = i64::try_from(self.feeds.len()).unwrap_or(i64::MAX - 1);
        let feed = self.feeds.entry(owner.clone()).or_insert(Feed {
            epoch: epoch + 1,
            last: ChangeSeq::ZERO,
            floor: ChangeSeq::ZERO,
        });
        feed.last = feed.last.next();
        let seq = feed.last;
        let change = LoggedChange {
            seq,
            task,
            kind,
            before,
            next: None,
            stamp: stamp.clone(),
        };
        self.changes.insert((owner.clone(), seq), change);
        seq
    }

    pub(super) fn restore(
        &mut self,
        owner: &UserId,
        id: TaskId,
        stamp: &ChangeStamp,
    ) -> Option<Written<Task>> {
        let mut task = self.trash.get(&id)?.task.clone();
        if task.owner != *owner {
            return None;
        }
        self.trash.remove(&id);
        task.version = task.version.next();
        task.updated_at = stamp.at.strictly_after(task.updated_at);
        self.tasks.insert(id, task.clone());
        let before = FieldValues::default();
        let seq = self.append(owner, id, ChangeKind::Restored, before, stamp);
        Some(Written::new(task, seq))
    }

    pub(super) fn undo(
        &mut self,
        owner: &UserId,
        Undo { seq, may_restore }: Undo,
        stamp: &ChangeStamp,
    ) -> UndoOutcome {
        let theirs = self.changes.iter().filter(|((of, _), _)| of == owner);
        let theirs: Vec<_> = theirs.map(|(_, change)| change.clone()).collect();
        let write = write_of(&theirs, seq);
        let (tasks, trash) = (&self.tasks, &self.trash);
        let of_owner = |task: &&Task| task.owner == *owner;
        let ids = || write.iter().map(|change| change.task);
        let trashed = ids().filter_map(|id| Some(&trash.get(&id)?.task));
        let state = UndoState {
            tasks: ids()
                .filter_map(|id| tasks.get(&id))
                .filter(of_owner)
                .cloned()
                .collect(),
            trash: trashed.filter(of_owner).cloned().collect(),
            later: theirs.clone(),
            may_restore,
        };
        let planned = match state.plan(write, stamp.at) {
            Ok(planned) => planned,
            Err(UndoRefusal::Conflict(task)) => return UndoOutcome::Conflict(task),
            Err(UndoRefusal::QuotaExceeded) => return UndoOutcome::QuotaExceeded,
            Err(UndoRefusal::NotFound) => return UndoOutcome::NotFound,
        };
        let Some(first) = planned.first().map(|first| first.task.clone()) else {
            return UndoOutcome::NotFound;
        };
        let seq = self.write(owner, planned, stamp);
        UndoOutcome::Done(Box::new(Written::new(first, seq)))
    }

    /// Stores planned changes as one write. Returns the number of the last one.
    pub(super) fn write(
        &mut self,
        owner: &UserId,
        planned: Vec<PlannedChange>,
        stamp: &ChangeStamp,
    ) -> ChangeSeq {
        let mut last = ChangeSeq::ZERO;
        for PlannedChange {
            kind, task, before, ..
        } in planned
        {
            let id = task.id;
            if kind == ChangeKind::Deleted {
                self.tasks.remove(&id);
                let deleted_at = stamp.at;
                self.trash.insert(id, TrashedTask { task, deleted_at });
            } else {
                self.trash.remove(&id);
                self.tasks.insert(id, task);
            }
            if let Some(previous) = self.changes.get_mut(&(owner.clone(), last)) {
                previous.next = Some(id);
            }
            last = self.append(owner, id, kind, before, stamp);
        }
        last
    }

    fn purge_trash(&mut self, ids: &[TaskId], stamp: &ChangeStamp) -> Option<ChangeSeq> {
        let mut last = None;
        for id in ids {
            if let Some(TrashedTask { task, .. }) = self.trash.remove(id) {
                let before = FieldValues::default();
                last = Some(self.append(&task.owner, *id, ChangeKind::Purged, before, stamp));
            }
        }
        last
    }

    pub(super) fn delete_log_of(&mut self, user: &UserId) {
        self.feeds.remove(user);
        self.changes.retain(|(owner, _), _| owner != user);
        self.trash.retain(|_, trashed| trashed.task.owner != *user);
    }
}

#[async_trait]
impl ChangeLogRepository for MemoryStore {
    async fn changes(
        &self,
        owner: &UserId,
        after: ChangeSeq,
        limit: u32,
    ) -> Result<ChangePage, StoreError> {
        let rows = self.rows();
        let mut latest = BTreeMap::new();
        for ((of, seq), change) in &rows.changes {
            if of == owner {
                latest.insert(change.task, *seq);
            }
        }
        let mut changes: Vec<_> = latest
            .into_iter()
            .filter(|(_, seq)| *seq > after)
            .map(|(id, seq)| LatestChange {
                seq,
                id,
                task: rows
                    .tasks
                    .get(&id)
                    .filter(|task| task.owner == *owner)
                    .cloned(),
            })
            .collect();
        changes.sort_by_key(|change| change.seq);
        let has_more = changes.len() > limit as usize;
        changes.truncate(limit as usize);
        Ok(ChangePage {
            feed: rows.feeds.get(owner).copied(),
            changes,
            has_more,
        })
    }

    async fn feeds(&self, owners: &[UserId]) -> Result<Vec<(UserId, Feed)>, StoreError> {
        let rows = self.rows();
        let feeds = owners.iter().filter_map(|owner| {
            let feed = rows.feeds.get(owner)?;
            Some((owner.clone(), *feed))
        });
        Ok(feeds.collect())
    }

    async fn history(
        &self,
        owner: &UserId,
        id: TaskId,
    ) -> Result<Option<(Task, Vec<LoggedChange>)>, StoreError> {
        let mut rows = self.rows();
        let Some(task) = rows.owned(owner, id, &Precondition::None).cloned() else {
            return Ok(None);
        };
        let changes = rows.changes.values().rev();
        let changes = changes.filter(|change| change.task == id).cloned();
        Ok(Some((task, changes.collect())))
    }

    async fn undo(
        &self,
        owner: &UserId,
        undo: Undo,
        stamp: &ChangeStamp,
    ) -> Result<UndoOutcome, StoreError> {
        Ok(self.rows().undo(owner, undo, stamp))
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let mut old: Vec<_> = rows
            .changes
            .iter()
            .filter(|(_, change)| change.stamp.at < time)
            .map(|(key, change)| (change.stamp.at, key.clone()))
            .collect();
        old.sort();
        old.truncate(most as usize);
        for (_, key) in &old {
            rows.changes.remove(key);
            if let Some(feed) = rows.feeds.get_mut(&key.0) {
                feed.floor = feed.floor.max(key.1);
            }
        }
        Ok(old.len() as u64)
    }
}

#[async_trait]
impl TrashRepository for MemoryStore {
    async fn list(
        &self,
        owner: &UserId,
        after: Option<(Timestamp, TaskId)>,
        limit: u32,
    ) -> Result<TrashPage, StoreError> {
        let rows = self.rows();
        let place = |trashed: &TrashedTask| (trashed.deleted_at, trashed.task.id);
        let theirs = rows.trash.values();
        let mut tasks: Vec<_> = theirs
            .filter(|trashed| trashed.task.owner == *owner)
            .filter(|trashed| after.is_none_or(|after| place(trashed) < after))
            .cloned()
            .collect();
        tasks.sort_by_key(|trashed| std::cmp::Reverse(place(trashed)));
        let has_more = tasks.len() > limit as usize;
        tasks.truncate(limit as usize);
        let next = tasks.last().filter(|_| has_more).map(place);
        Ok(TrashPage { tasks, next })
    }

    async fn restore(
        &self,
        owner: &UserId,
        id: TaskId,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        Ok(self.rows().restore(owner, id, stamp))
    }

    async fn purge(
        &self,
        owner: &UserId,
        id: Option<TaskId>,
        stamp: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError> {
        let mut rows = self.rows();
        let theirs = rows.trash.values();
        let theirs = theirs.filter(|trashed| trashed.task.owner == *owner);
        let ids: Vec<_> = theirs
            .map(|trashed| trashed.task.id)
            .filter(|found| id.is_none_or(|id| id == *found))
            .collect();
        Ok(rows.purge_trash(&ids, stamp))
    }

    async fn purge_expired(
        &self,
        time: Timestamp,
        most: u32,
        stamp: &ChangeStamp,
    ) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let old = rows.trash.values();
        let mut old: Vec<_> = old
            .filter(|trashed| trashed.deleted_at < time)
            .map(|trashed| (trashed.deleted_at, trashed.task.id))
            .collect();
        old.sort();
        old.truncate(most as usize);
        let ids: Vec<_> = old.into_iter().map(|(_, id)| id).collect();
        rows.purge_trash(&ids, stamp);
        Ok(ids.len() as u64)
    }
}
