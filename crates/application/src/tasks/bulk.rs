//! The use cases that write several tasks at once.

use taskhold_domain::task::{FollowUp, Task, TaskId, TaskIds};
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_repository::idempotency::KeyedRequest;
use taskhold_repository::tasks::{BulkWrite, TaskWrite};

use super::write::missing_task;
use super::{TaskError, TaskService, WriteResult};

impl TaskService {
    /// Completes tasks, all of them or none, as [`change`](Self::change) completes each; at most once if the request has
    /// an idempotency key. Returns them in the order of `ids`. They are one write in the change log: undoing its number
    /// takes all of it back, follow-ups included.
    ///
    /// # Errors
    /// [`TaskError`]: `OneNotFound` and `OneForbidden` for the first of `ids` that is not a task of the caller;
    /// `TooManyKeys`, `KeyReused`, `KeyInFlight`, `Busy`, `Unavailable`, `OutcomeUnknown`, `RetryWithKey`, `Defect`.
    pub async fn complete_all(
        &self,
        caller: &UserId,
        ids: &TaskIds,
        zone: Zone,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<Vec<Task>>, TaskError> {
        let follow_up = || FollowUp {
            id: TaskId::from_uuid(self.ids.next()),
            zone: zone.clone(),
        };
        let tasks = ids.as_slice().iter().map(|id| (*id, follow_up()));
        let write = BulkWrite::Complete(tasks.collect());
        self.write_bulk(caller, write, request).await
    }

    /// Deletes tasks, all of them or none; at most once if the request has an idempotency key. They are one write in
    /// the change log: undoing its number restores all of them.
    ///
    /// # Errors
    /// As [`complete_all`](Self::complete_all).
    pub async fn delete_all(
        &self,
        caller: &UserId,
        ids: &TaskIds,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<()>, TaskError> {
        let write = BulkWrite::Remove(ids.clone());
        let deleted = self.write_bulk(caller, write, request).await?;
        self.quota.freed(caller);
        Ok(deleted.map(drop))
    }

    async fn write_bulk(
        &self,
        caller: &UserId,
        write: BulkWrite,
        request: Option<&KeyedRequest>,
    ) -> Result<WriteResult<Vec<Task>>, TaskError> {
        let write = TaskWrite::Bulk(write);
        match self.write(caller, write, request, self.clock.now()).await {
            Ok(written) => written.ok_or_else(missing_task),
            // Queried only then, as for a write of one task.
            Err(TaskError::OneNotFound(id))
                if self.tasks.belongs_to_another(caller, id).await? =>
            {
                Err(TaskError::OneForbidden(id))
            }
            Err(error) => Err(error),
        }
    }
}
