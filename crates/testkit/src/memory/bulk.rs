//! Writes of several tasks.

use taskhold_domain::task::change_log::{ChangeStamp, PlannedChange};
use taskhold_domain::task::{FollowUp, Position, Task, TaskChange};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::{BulkWrite, Precondition};
use taskhold_repository::written::{BulkOutcome, Written};

use super::Rows;

impl Rows {
    /// Completes tasks of an owner as `change` says, in one write with their follow-ups.
    pub(super) fn complete(
        &mut self,
        owner: &UserId,
        tasks: Vec<(Task, &FollowUp)>,
        change: &TaskChange,
        stamp: &ChangeStamp,
    ) -> Written<Vec<Task>> {
        let order = self.in_order(owner);
        let (mut planned, mut outcome, mut added) = (Vec::new(), Vec::new(), Vec::new());
        for (task, follow_up) in tasks {
            let (completion, next) = PlannedChange::completion(change, task, follow_up, stamp.at);
            let task = completion.task.clone();
            planned.push(completion);
            if let Some(mut next) = next {
                let followed = order.iter().position(|(_, other)| *other == task.id);
                let after = followed.and_then(|place| order.get(place + 1));
                let after = after.map(|(position, _)| position);
                next.position = Position::of_follow_up(&task.position, after);
                added.push(Task::clone(&next));
                planned.push(PlannedChange::addition(*next));
            }
            outcome.push(task);
        }
        let seq = self.write(owner, planned, stamp);
        Written {
            outcome,
            seq,
            next: added,
        }
    }

    pub(super) fn write_bulk(
        &mut self,
        owner: &UserId,
        write: &BulkWrite,
        stamp: &ChangeStamp,
    ) -> BulkOutcome {
        let mut tasks = Vec::new();
        for id in write.ids() {
            match self.owned(owner, id, &Precondition::None) {
                Some(task) => tasks.push(task.clone()),
                None => return BulkOutcome::NoneChanged(id),
            }
        }
        BulkOutcome::Done(match write {
            BulkWrite::Complete(completed) => {
                let follow_ups = completed.iter().map(|(_, follow_up)| follow_up);
                let tasks = tasks.into_iter().zip(follow_ups).collect();
                self.complete(owner, tasks, &TaskChange::complete(true), stamp)
            }
            BulkWrite::Remove(_) => {
                let planned = tasks.into_iter().map(PlannedChange::deletion);
                let seq = self.write(owner, planned.collect(), stamp);
                Written::new(Vec::new(), seq)
            }
        })
    }
}
