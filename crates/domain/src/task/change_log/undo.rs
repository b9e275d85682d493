//! Undoing a write.

use super::{ChangeSeq, Inverse, LoggedChange, PlannedChange};
use crate::task::{Task, TaskId, TaskIds};
use crate::timestamp::Timestamp;

/// The greatest number of changes of one write: the completions of as many tasks as one write may have, each with a
/// follow-up.
pub const MAX_CHANGES: usize = 2 * TaskIds::MAX;

/// Returns all changes of the write of which the change `seq` is one, out of changes of one owner in the order of their
/// numbers. Returns none if that change is not among them.
///
/// Two changes are of one write if the first of them [names](LoggedChange::next) the task of the second and their
/// numbers follow each other.
#[must_use]
pub fn write_of(changes: &[LoggedChange], seq: ChangeSeq) -> &[LoggedChange] {
    let writes =
        changes.chunk_by(|one, other| one.next == Some(other.task) && one.seq.next() == other.seq);
    let has_change = |write: &&[LoggedChange]| write.iter().any(|change| change.seq == seq);
    writes.into_iter().find(has_change).unwrap_or_default()
}

/// The state of the tasks of a write that is to be undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UndoState {
    /// Those of the tasks that the owner has.
    pub tasks: Vec<Task>,
    /// Those of the tasks that are in the owner's trash.
    pub trash: Vec<Task>,
    /// The changes of the tasks since the first change of the write.
    pub later: Vec<LoggedChange>,
    /// `true` if the owner may have one more task.
    pub may_restore: bool,
}

/// The reason that a write cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndoRefusal {
    /// A field of this task has changed since, or the undo would break a rule for it.
    #[error("a task has changed since the write")]
    Conflict(Box<Task>),
    /// Deleted tasks would be restored, and the owner may have no further one.
    #[error("the owner may have no further task")]
    QuotaExceeded,
    /// A task of the write is gone.
    #[error("a task of the write is gone")]
    NotFound,
}

impl UndoState {
    /// Plans to take all changes of a write back at `now`, in their order.
    ///
    /// A follow-up is taken back if nothing else was done with it; otherwise it stays as it is.
    ///
    /// # Errors
    /// [`UndoRefusal`], that of the first change that cannot be taken back.
    pub fn plan(
        &self,
        write: &[LoggedChange],
        now: Timestamp,
    ) -> Result<Vec<PlannedChange>, UndoRefusal> {
        let mut planned = Vec::with_capacity(write.len());
        let mut has_set = false;
        for change in write {
            let inverse = change.inverse().ok_or(UndoRefusal::NotFound)?;
            // Only follow-ups are created, deleted or restored by a write that sets fields, each after the task that
            // it follows.
            has_set |= matches!(inverse, Inverse::Set(_));
            let is_follow_up = has_set && !matches!(inverse, Inverse::Set(_));
            if is_follow_up && self.later_than(change).next().is_some() {
                continue;
            }
            planned.push(self.take_back(change, inverse, is_follow_up, now)?);
        }
        Ok(planned)
    }

    fn take_back(
        &self,
        change: &LoggedChange,
        inverse: Inverse,
        is_follow_up: bool,
        now: Timestamp,
    ) -> Result<PlannedChange, UndoRefusal> {
        let living = find(&self.tasks, change.task);
        match (inverse, living) {
            // Only a deleted task can be restored, and only a living one changed.
            (Inverse::Restore, Some(task)) => Err(UndoRefusal::Conflict(Box::new(task.clone()))),
            (Inverse::Delete | Inverse::Set(_), None) => Err(UndoRefusal::NotFound),
            (Inverse::Restore, None) => {
                let trashed = find(&self.trash, change.task).ok_or(UndoRefusal::NotFound)?;
                if !self.may_restore && !is_follow_up {
                    return Err(UndoRefusal::QuotaExceeded);
                }
                Ok(PlannedChange::restoration(trashed.clone(), now))
            }
            (Inverse::Delete, Some(task)) => Ok(PlannedChange::deletion(task.clone())),
            (Inverse::Set(set), Some(task)) => {
                let mut later = self.later_than(change);
                let is_overtaken = later.any(|later| later.before.overlaps(&change.before));
                if is_overtaken || !task.allows(&set) {
                    return Err(UndoRefusal::Conflict(Box::new(task.clone())));
                }
                Ok(PlannedChange::of(*set, task.clone(), now))
            }
        }
    }

    /// Returns the later changes of the task of a change.
    fn later_than(&self, change: &LoggedChange) -> impl Iterator<Item = &LoggedChange> {
        let (task, seq) = (change.task, change.seq);
        let later = self.later.iter();
        later.filter(move |later| later.task == task && later.seq > seq)
    }
}

fn find(tasks: &[Task], id: TaskId) -> Option<&Task> {
    tasks.iter().find(|task| task.id == id)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::task::change_log::{ChangeAuthor, ChangeKind, ChangeStamp, FieldValues};

    fn id(number: u128) -> TaskId {
        TaskId::from_uuid(Uuid::from_u128(number))
    }

    fn change(seq: i64, task: u128, next: Option<u128>) -> LoggedChange {
        LoggedChange {
            seq: ChangeSeq::parse(seq).unwrap(),
            task: id(task),
            kind: ChangeKind::Completed,
            before: FieldValues::default(),
            next: next.map(id),
            stamp: ChangeStamp {
                at: Timestamp::FIRST,
                by: ChangeAuthor::session(),
            },
        }
    }

    #[test]
    fn changes_that_name_the_next_task_are_of_one_write() {
        let changes = [
            change(3, 1, None),
            change(4, 2, Some(1)),
            change(5, 1, Some(3)),
            change(6, 3, None),
            change(7, 3, None),
            // The rest of this write is not kept.
            change(8, 5, Some(6)),
            change(10, 6, None),
        ];
        let numbers = |seq| {
            let write = write_of(&changes, ChangeSeq::parse(seq).unwrap());
            let numbers = write.iter().map(|change| change.seq.get());
            numbers.collect::<Vec<_>>()
        };
        for (seq, expected) in [
            (2, vec![]),
            (3, vec![3]),
            (4, vec![4, 5, 6]),
            (5, vec![4, 5, 6]),
            (6, vec![4, 5, 6]),
            (7, vec![7]),
            (8, vec![8]),
            (9, vec![]),
            (10, vec![10]),
        ] {
            assert_eq!(numbers(seq), expected, "{seq}");
        }
    }
}
