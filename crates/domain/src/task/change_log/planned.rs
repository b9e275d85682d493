//! Changes that are computed before they are stored.

use super::{ChangeKind, FieldValues};
use crate::task::{FollowUp, Task, TaskChange};
use crate::timestamp::Timestamp;

/// A change of one task as a part of a write, computed from the task as it is. Until it is stored, nothing else may
/// change the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedChange {
    /// The kind of the change, which says what becomes of the task.
    pub kind: ChangeKind,
    /// The task after the change; the task as it was, if it is moved to the trash.
    pub task: Task,
    /// The values that the change sets in a task that stays where it is.
    pub change: TaskChange,
    /// The old values of the fields that change.
    pub before: FieldValues,
}

impl PlannedChange {
    /// Plans to apply `change` to a task at `now`.
    #[must_use]
    pub fn of(change: TaskChange, mut task: Task, now: Timestamp) -> Self {
        let before = change.overwrites(&task);
        task.apply(&change, now);
        Self {
            kind: change.kind(task.completed),
            task,
            change,
            before,
        }
    }

    /// Plans to complete a task at `now`, as `change` says. The follow-up to which this leads is to be added in the same
    /// write; its position is still that of a new task.
    #[must_use]
    pub fn completion(
        change: &TaskChange,
        task: Task,
        follow_up: &FollowUp,
        now: Timestamp,
    ) -> (Self, Option<Box<Task>>) {
        let repeated = task.repeated(change, follow_up, now);
        let (change, next) = repeated.unwrap_or_else(|| (change.clone(), None));
        (Self::of(change, task, now), next)
    }

    /// Plans to add a task.
    #[must_use]
    pub fn addition(task: Task) -> Self {
        Self::whole(ChangeKind::Created, task)
    }

    /// Plans to move a task to the trash.
    #[must_use]
    pub fn deletion(task: Task) -> Self {
        Self::whole(ChangeKind::Deleted, task)
    }

    /// Plans to take a task out of the trash at `now`.
    #[must_use]
    pub fn restoration(mut task: Task, now: Timestamp) -> Self {
        task.version = task.version.next();
        task.updated_at = now.strictly_after(task.updated_at);
        Self::whole(ChangeKind::Restored, task)
    }

    fn whole(kind: ChangeKind, task: Task) -> Self {
        Self {
            kind,
            task,
            change: TaskChange::default(),
            before: FieldValues::default(),
        }
    }
}
