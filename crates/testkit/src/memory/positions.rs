//! The order of tasks by hand.

use taskhold_domain::task::change_log::ChangeStamp;
use taskhold_domain::task::{self, Destination, NoRoom, Task, TaskChange, TaskId};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::Precondition;
use taskhold_repository::written::Written;

use super::Rows;

impl Rows {
    pub(super) fn move_to(
        &mut self,
        owner: &UserId,
        id: TaskId,
        to: Destination,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Option<Written<Task>> {
        self.owned(owner, id, precondition)?;
        if let Some(neighbour) = to.neighbour() {
            self.owned(owner, neighbour, &Precondition::None)?;
        }
        let position = self.place(owner, id, to, stamp).unwrap_or_else(|NoRoom| {
            self.rebalance(owner, stamp);
            let placed = self.place(owner, id, to, stamp);
            placed.expect("new positions leave room")
        });
        let change = TaskChange::move_to(position);
        self.change(owner, id, &change, &Precondition::None, stamp)
    }

    /// Returns the position of a task at its destination.
    fn place(
        &self,
        owner: &UserId,
        id: TaskId,
        to: Destination,
        stamp: &ChangeStamp,
    ) -> Result<task::Position, NoRoom> {
        let mut tasks = self.in_order(owner);
        if to.neighbour() == Some(id)
            && let Some(task) = self.tasks.get(&id)
        {
            return Ok(task.position.clone());
        }
        tasks.retain(|(_, other)| *other != id);
        let place = |id| tasks.iter().position(|(_, other)| *other == id);
        let place = match to {
            Destination::Start => Some(0),
            Destination::End => Some(tasks.len()),
            Destination::Before(id) => place(id),
            Destination::After(id) => place(id).map(|place| place + 1),
        };
        let place = place.expect("the neighbour is there");
        let position = |place: usize| tasks.get(place).map(|(position, _)| position);
        let (before, after) = (place.checked_sub(1).and_then(position), position(place));
        task::Position::next_to(before, after, stamp.at)
    }

    fn rebalance(&mut self, owner: &UserId, stamp: &ChangeStamp) {
        let tasks = self.in_order(owner);
        let positions = task::Position::spread(tasks.len());
        for ((_, id), position) in tasks.into_iter().zip(positions) {
            let change = TaskChange::move_to(position);
            self.change(owner, id, &change, &Precondition::None, stamp);
        }
    }

    pub(super) fn in_order(&self, owner: &UserId) -> Vec<(task::Position, TaskId)> {
        let theirs = self.tasks.values().filter(|task| task.owner == *owner);
        let mut theirs: Vec<_> = theirs
            .map(|task| (task.position.clone(), task.id))
            .collect();
        theirs.sort();
        theirs
    }
}
