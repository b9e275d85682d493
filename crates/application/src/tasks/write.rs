//! Executes writes within the quotas, and at most once if the request has an idempotency key.

use taskhold_domain::task::Task;
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeSeq, ChangeStamp};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::UndoOutcome;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{IdempotentOutcome, KeyedRequest};
use taskhold_repository::tasks::TaskWrite;
use taskhold_repository::written::{BulkOutcome, Written};

use super::{TaskError, TaskService};

/// The result of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteResult<T> {
    /// The tasks after the write.
    pub outcome: T,
    /// `true` for the stored result of an earlier request with the same idempotency key.
    pub replayed: bool,
    /// The number of the write in the change log; `None` if an earlier version of the service made the write
    /// that is replayed.
    pub seq: Option<ChangeSeq>,
    /// The follow-ups that completions have added, in the order of the tasks that they follow.
    pub next: Vec<Task>,
}

impl<T> WriteResult<T> {
    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> WriteResult<U> {
        WriteResult {
            outcome: map(self.outcome),
            replayed: self.replayed,
            seq: self.seq,
            next: self.next,
        }
    }
}

impl TaskService {
    /// Makes a write that gives the caller one more task. If the quota admits none, an earlier request with the same
    /// key has its outcome again, and a first one gets the error.
    pub(super) async fn write_within_quota(
        &self,
        caller: &UserId,
        write: impl FnOnce() -> TaskWrite,
        request: Option<&KeyedRequest>,
        now: Timestamp,
    ) -> Result<Option<WriteResult<Vec<Task>>>, TaskError> {
        if self.admits_task(caller, now).await? {
            return self.write(caller, write(), request, now).await;
        }
        let exceeded = self.quota_exceeded();
        match request {
            Some(request) => self.replay(caller, request, now, exceeded).await,
            None => Err(exceeded),
        }
    }

    /// Returns whether the caller may have one more task.
    pub(super) async fn admits_task(
        &self,
        caller: &UserId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let count = async || Ok(self.tasks.count(caller).await?.total);
        self.quota.admits(caller, now, count).await
    }

    /// Makes a write; returns `None` if there is no task that it applies to.
    pub(super) async fn write(
        &self,
        caller: &UserId,
        write: TaskWrite,
        request: Option<&KeyedRequest>,
        now: Timestamp,
    ) -> Result<Option<WriteResult<Vec<Task>>>, TaskError> {
        let stamp = ChangeStamp {
            at: now,
            by: ChangeAuthor::session(),
        };
        let outcome = match request {
            None => self.write_without_key(caller, write, &stamp).await?,
            Some(request) => {
                let count = async || self.tasks.count_keys(caller, now).await;
                if !self.keys.admits(caller, now, count).await? {
                    let limit = self.keys.limit();
                    let exceeded = TaskError::TooManyKeys { limit };
                    return self.replay(caller, request, now, exceeded).await;
                }
                let outcome = self.tasks.write_idempotent(caller, request, &write, &stamp);
                outcome.await?
            }
        };
        if let IdempotentOutcome::Done(written) = &outcome {
            self.streams.wrote(caller, written.seq);
        }
        self.result_of(outcome)
    }

    async fn write_without_key(
        &self,
        caller: &UserId,
        write: TaskWrite,
        stamp: &ChangeStamp,
    ) -> Result<IdempotentOutcome, StoreError> {
        let tasks = &self.tasks;
        let written = match write {
            TaskWrite::Add(task) => {
                let seq = tasks.add(&task, &stamp.by).await?;
                Some(Written::new(vec![task], seq))
            }
            TaskWrite::Change {
                id,
                change,
                precondition,
                follow_up,
            } => {
                let next = follow_up.as_ref();
                let changed = tasks.change(caller, id, &change, &precondition, next, stamp);
                changed.await?.map(one_task)
            }
            TaskWrite::Move {
                id,
                to,
                precondition,
            } => {
                let moved = tasks.move_to(caller, id, to, &precondition, stamp);
                moved.await?.map(one_task)
            }
            TaskWrite::Remove { id, precondition } => {
                let removed = tasks.remove(caller, id, &precondition, stamp).await?;
                removed.map(|seq| Written::new(Vec::new(), seq))
            }
            TaskWrite::Restore { id } => {
                let restored = self.trash.restore(caller, id, stamp).await?;
                restored.map(one_task)
            }
            TaskWrite::Undo(undo) => {
                return Ok(match self.log.undo(caller, undo, stamp).await? {
                    UndoOutcome::Done(written) => IdempotentOutcome::Done(one_task(*written)),
                    UndoOutcome::Conflict(task) => IdempotentOutcome::UndoConflict(task),
                    UndoOutcome::QuotaExceeded => IdempotentOutcome::QuotaExceeded,
                    UndoOutcome::NotFound => IdempotentOutcome::Missed,
                });
            }
            TaskWrite::Bulk(write) => {
                return Ok(match tasks.write_bulk(caller, &write, stamp).await? {
                    BulkOutcome::Done(written) => IdempotentOutcome::Done(written),
                    BulkOutcome::NoneChanged(id) => IdempotentOutcome::NoneChanged(id),
                });
            }
        };
        Ok(written.map_or(IdempotentOutcome::Missed, IdempotentOutcome::Done))
    }

    /// Returns the outcome of a request that succeeded before it exceeded a quota. A first request gets the
    /// error.
    async fn replay(
        &self,
        caller: &UserId,
        request: &KeyedRequest,
        now: Timestamp,
        exceeded: TaskError,
    ) -> Result<Option<WriteResult<Vec<Task>>>, TaskError> {
        let recalled = self.tasks.recall(caller, request, now).await?;
        self.result_of(recalled.ok_or(exceeded)?)
    }

    fn quota_exceeded(&self) -> TaskError {
        let quota = self.quota.limit();
        TaskError::QuotaExceeded { quota }
    }

    /// Converts the outcome of a write; `None` if there is no task that it applies to.
    fn result_of(
        &self,
        outcome: IdempotentOutcome,
    ) -> Result<Option<WriteResult<Vec<Task>>>, TaskError> {
        let (outcome, replayed, seq, next) = match outcome {
            IdempotentOutcome::Done(Written { outcome, seq, next }) => {
                (outcome, false, Some(seq), next)
            }
            IdempotentOutcome::Replayed { tasks, seq, next } => (tasks, true, seq, next),
            IdempotentOutcome::Missed => return Ok(None),
            IdempotentOutcome::NoneChanged(id) => return Err(TaskError::OneNotFound(id)),
            IdempotentOutcome::UndoConflict(task) => return Err(TaskError::UndoConflict(task)),
            IdempotentOutcome::QuotaExceeded => return Err(self.quota_exceeded()),
            IdempotentOutcome::KeyReused => return Err(TaskError::KeyReused),
            IdempotentOutcome::KeyInFlight => return Err(TaskError::KeyInFlight),
        };
        Ok(Some(WriteResult {
            outcome,
            replayed,
            seq,
            next,
        }))
    }
}

fn one_task(written: Written<Task>) -> Written<Vec<Task>> {
    written.map(|task| vec![task])
}

/// Returns the result of a write that leaves a task.
pub(super) fn with_task(written: WriteResult<Vec<Task>>) -> Result<WriteResult<Task>, TaskError> {
    let mut tasks = written.outcome.into_iter();
    Ok(WriteResult {
        outcome: tasks.next().ok_or_else(missing_task)?,
        replayed: written.replayed,
        seq: written.seq,
        next: written.next,
    })
}

/// The error of an adapter that breaks the contract of its port.
pub(super) fn missing_task() -> TaskError {
    TaskError::Defect("the store told of a creation or change without its task".into())
}
