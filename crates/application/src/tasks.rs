//! The use cases of tasks.

mod bulk;
mod error;
mod missed;
mod ports;
mod reads;
mod write;

use std::num::NonZeroU64;
use std::sync::Arc;

use taskhold_domain::input::QuickText;
use taskhold_domain::quick_add::Understood;
pub use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_domain::task::{Destination, FollowUp, Task, TaskChange, TaskDraft, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_domain::violation::Violations;
use taskhold_domain::zone::Zone;
use taskhold_repository::change_log::ChangeLogRepository;
pub use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKey, IdempotencyKeyError, KeyedRequest,
};
pub use taskhold_repository::tasks::{
    DueFilter, Key, Position, Precondition, Sort, SortKey, Start, TaskCounts, TaskPage, TaskQuery,
    TaskStats,
};
use taskhold_repository::tasks::{TaskRepository, TaskWrite};
use taskhold_repository::trash::TrashRepository;
use taskhold_repository::written::Undo;

pub use self::error::TaskError;
pub use self::ports::TaskPorts;
use self::reads::MAX_SCANS;
pub use self::write::WriteResult;
use self::write::{missing_task, with_task};
use crate::change_streams::ChangeStreams;
use crate::clock::Clock;
use crate::ids::Ids;
use crate::quota::Quota;
use crate::user_limit::UserLimit;

/// The tasks of a user. Every method acts for `caller` on the caller's own tasks.
///
/// A task of another user is reported like one that does not exist, except to a caller who tries to
/// change or delete it ([`TaskError::Forbidden`]).
#[derive(Clone)]
pub struct TaskService {
    tasks: Arc<dyn TaskRepository>,
    trash: Arc<dyn TrashRepository>,
    log: Arc<dyn ChangeLogRepository>,
    streams: Arc<ChangeStreams>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    quota: Arc<Quota>,
    keys: Arc<Quota>,
    scans: Arc<UserLimit>,
}

impl TaskService {
    /// Creates the service on its ports. Each user may have about `quota` tasks, and about `keys` idempotency
    /// keys that have not expired.
    #[must_use]
    pub fn new(
        ports: TaskPorts,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        quota: NonZeroU64,
        keys: NonZeroU64,
    ) -> Self {
        let TaskPorts {
            tasks,
            trash,
            log,
            streams,
        } = ports;
        Self {
            tasks,
            trash,
            log,
            streams,
            clock,
            ids,
            quota: Arc::new(Quota::new(quota)),
            keys: Arc::new(Quota::new(keys)),
            scans: UserLimit::new(MAX_SCANS),
        }
    }

    /// Creates a task; at most once if the request has an idempotency key.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `Invalid`, `NotFound`, `Forbidden`, `Stale`.
    pub async fn create(
        &self,
        caller: &UserId,
        draft: TaskDraft,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<Task>, TaskError> {
        self.create_at(self.clock.now(), caller, draft, request)
            .await
    }

    /// Creates the task that a text means; at most once if the request has an idempotency key. Returns it with the
    /// parts of the text that are not in its title.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `NotFound`, `Forbidden`, `Stale`.
    pub async fn quick_add(
        &self,
        caller: &UserId,
        text: &QuickText,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<(Task, Vec<Understood>)>, TaskError> {
        let now = self.clock.now();
        let (draft, mut understood) = text.read_at(now)?;
        let created = self.create_at(now, caller, draft, request).await?;
        if created.replayed {
            // The earlier request may have been read on another day.
            (_, understood) = text.read_at(created.outcome.created_at)?;
        }
        Ok(created.map(|task| (task, understood)))
    }

    /// Returns the task that [`quick_add`](Self::quick_add) would create now, and creates none.
    ///
    /// # Errors
    /// [`Violations`]: the text breaks rules.
    pub fn preview(
        &self,
        caller: &UserId,
        text: &QuickText,
    ) -> Result<(Task, Vec<Understood>), Violations> {
        let now = self.clock.now();
        let (draft, understood) = text.read_at(now)?;
        Ok((self.new_task(now, caller, draft), understood))
    }

    fn new_task(&self, now: Timestamp, caller: &UserId, draft: TaskDraft) -> Task {
        let id = TaskId::from_uuid(self.ids.next());
        Task::create(id, caller.clone(), draft, now)
    }

    async fn create_at(
        &self,
        now: Timestamp,
        caller: &UserId,
        draft: TaskDraft,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<Task>, TaskError> {
        let write = || TaskWrite::Add(self.new_task(now, caller, draft));
        let written = self.write_within_quota(caller, write, request, now).await?;
        with_task(written.ok_or_else(missing_task)?)
    }

    /// Takes a task out of the trash; at most once if the request has an idempotency key.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `Forbidden`, `Stale`, `UndoConflict`. `NotFound` if it is not in the
    /// caller's trash.
    pub async fn restore(
        &self,
        caller: &UserId,
        id: TaskId,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<Task>, TaskError> {
        let now = self.clock.now();
        let write = || TaskWrite::Restore { id };
        let written = self.write_within_quota(caller, write, request, now).await?;
        with_task(written.ok_or(TaskError::NotFound)?)
    }

    /// Takes the write of a change back by a new one; at most once if the request has an idempotency key. Returns the
    /// first task of the write after that, or, if it is deleted by that, before it.
    ///
    /// If the write has deleted several tasks, all of them are restored as soon as the quota admits one.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `Forbidden`, `Stale`. `NotFound` if the change is not the caller's, is
    /// no longer kept, or a task of its write is gone.
    pub async fn undo(
        &self,
        caller: &UserId,
        seq: ChangeSeq,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<Task>, TaskError> {
        let now = self.clock.now();
        let may_restore = self.admits_task(caller, now).await?;
        let write = TaskWrite::Undo(Undo { seq, may_restore });
        let written = self.write(caller, write, request, now).await?;
        with_task(written.ok_or(TaskError::NotFound)?)
    }

    /// Changes a task; at most once if the request has an idempotency key. A change that completes an open task which
    /// repeats adds its follow-up, whatever the quota: a completion does not fail because of it. `zone` says on which
    /// day a task that is due on a mere date is completed.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `QuotaExceeded`.
    pub async fn change(
        &self,
        caller: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        zone: Zone,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<Task>, TaskError> {
        let follow_up = change.may_complete().then(|| FollowUp {
            id: TaskId::from_uuid(self.ids.next()),
            zone,
        });
        let write = TaskWrite::Change {
            id,
            change: change.clone(),
            precondition: precondition.clone(),
            follow_up,
        };
        let written = self.write(caller, write, request, self.clock.now()).await?;
        match written {
            Some(written) => with_task(written),
            None => Err(self
                .why_missed(caller, id, precondition, Some(&change.details))
                .await?),
        }
    }

    /// Moves a task to another place in the order by hand; at most once if the request has an idempotency key.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `QuotaExceeded`, `UndoConflict`.
    pub async fn move_to(
        &self,
        caller: &UserId,
        id: TaskId,
        to: Destination,
        precondition: &Precondition,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<Task>, TaskError> {
        let write = TaskWrite::Move {
            id,
            to,
            precondition: precondition.clone(),
        };
        let written = self.write(caller, write, request, self.clock.now()).await?;
        match written {
            Some(written) => with_task(written),
            None => Err(self.why_not_moved(caller, id, to, precondition).await?),
        }
    }

    /// Deletes a task; at most once if the request has an idempotency key.
    ///
    /// # Errors
    /// [`TaskError`]: every variant but `QuotaExceeded`.
    pub async fn delete(
        &self,
        caller: &UserId,
        id: TaskId,
        precondition: &Precondition,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<()>, TaskError> {
        let write = TaskWrite::Remove {
            id,
            precondition: precondition.clone(),
        };
        let written = self.write(caller, write, request, self.clock.now()).await?;
        let Some(written) = written else {
            return Err(self.why_missed(caller, id, precondition, None).await?);
        };
        self.quota.freed(caller);
        Ok(written.map(drop))
    }
}
