//! Why a write found no task that it applies to.

use taskhold_domain::task::{Destination, DetailsChange, TaskId};
use taskhold_domain::user::UserId;
use taskhold_domain::violation::Violation;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::Precondition;

use super::{TaskError, TaskService};

impl TaskService {
    /// Returns why a task was not moved: the reason may be that of the task which the destination names.
    pub(super) async fn why_not_moved(
        &self,
        caller: &UserId,
        id: TaskId,
        to: Destination,
        precondition: &Precondition,
    ) -> Result<TaskError, StoreError> {
        let moved = self.tasks.find(caller, id).await?;
        let (Some(task), Some(neighbour)) = (moved, to.neighbour()) else {
            return self.why_missed(caller, id, precondition, None).await;
        };
        Ok(if !precondition.allows(task.revision()) {
            TaskError::Stale(Box::new(task))
        } else if self.tasks.belongs_to_another(caller, neighbour).await? {
            TaskError::ForbiddenNeighbour
        } else {
            TaskError::NoNeighbour
        })
    }

    /// Returns why a write found no task. Queried only then, so that a successful write is one statement. `details` are
    /// those that a change would give to the task.
    pub(super) async fn why_missed(
        &self,
        caller: &UserId,
        id: TaskId,
        precondition: &Precondition,
        details: Option<&DetailsChange>,
    ) -> Result<TaskError, StoreError> {
        if self.tasks.belongs_to_another(caller, id).await? {
            return Ok(TaskError::Forbidden);
        }
        let may_break = details.is_some_and(|new| new.due.is_some() || new.repeat.is_some());
        if *precondition == Precondition::None && !may_break {
            return Ok(TaskError::NotFound);
        }
        let Some(current) = self.tasks.find(caller, id).await? else {
            return Ok(TaskError::NotFound);
        };
        let is_current = precondition.allows(current.revision());
        Ok(
            if is_current && details.is_some_and(|new| new.breaks_repeat(&current.details)) {
                TaskError::Invalid(Violation::RepeatWithoutDue.into())
            } else if *precondition == Precondition::None {
                // It changed between the change and this question.
                TaskError::Busy
            } else {
                TaskError::Stale(Box::new(current))
            },
        )
    }
}
