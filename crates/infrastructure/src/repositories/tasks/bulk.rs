//! Writes of several tasks, with a few statements for all of them.

use std::collections::BTreeMap;

use sea_orm::DbErr;
use taskhold_domain::task::change_log::{ChangeStamp, PlannedChange};
use taskhold_domain::task::{FollowUp, Task, TaskChange};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::BulkWrite;
use taskhold_repository::written::{BulkOutcome, Written};

use super::place;
use super::planned::{Table, lock, store};
use crate::db::connection::Connection;

/// Makes a bulk write in the transaction of `connection`, or finds the first task that the owner does not have.
pub(super) async fn write(
    connection: &Connection,
    owner: &UserId,
    write: &BulkWrite,
    stamp: &ChangeStamp,
) -> Result<BulkOutcome, DbErr> {
    let ids = write.ids();
    let locked = lock(connection, Table::Tasks, owner, &ids).await?;
    let locked = locked.into_iter().map(|task| (task.id, task));
    let mut locked: BTreeMap<_, _> = locked.collect();
    let mut tasks = Vec::with_capacity(ids.len());
    for id in ids {
        match locked.remove(&id) {
            Some(task) => tasks.push(task),
            None => return Ok(BulkOutcome::NoneChanged(id)),
        }
    }
    Ok(BulkOutcome::Done(match write {
        BulkWrite::Complete(completed) => {
            let follow_ups = completed.iter().map(|(_, follow_up)| follow_up);
            let tasks = tasks.into_iter().zip(follow_ups).collect();
            let change = TaskChange::complete(true);
            complete(connection, owner, tasks, &change, stamp).await?
        }
        BulkWrite::Remove(_) => {
            let planned: Vec<_> = tasks.into_iter().map(PlannedChange::deletion).collect();
            let seq = store(connection, owner, &planned, stamp).await?;
            Written::new(Vec::new(), seq)
        }
    }))
}

/// Completes tasks, which are locked, as `change` says, and adds their follow-ups.
pub(super) async fn complete(
    connection: &Connection,
    owner: &UserId,
    tasks: Vec<(Task, &FollowUp)>,
    change: &TaskChange,
    stamp: &ChangeStamp,
) -> Result<Written<Vec<Task>>, DbErr> {
    let completions = tasks
        .into_iter()
        .map(|(task, follow_up)| PlannedChange::completion(change, task, follow_up, stamp.at));
    let completions: Vec<_> = completions.collect();
    let followed = completions.iter().filter(|(_, next)| next.is_some());
    let followed: Vec<_> = followed.map(|(planned, _)| planned.task.id).collect();
    let mut places = place::after(connection, owner, &followed).await?;
    let (mut planned, mut outcome, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for (completion, next) in completions {
        let task = completion.task.clone();
        planned.push(completion);
        if let Some(mut next) = next {
            if let Some(position) = places.remove(&task.id) {
                next.position = position;
            }
            added.push(Task::clone(&next));
            planned.push(PlannedChange::addition(*next));
        }
        outcome.push(task);
    }
    let seq = store(connection, owner, &planned, stamp).await?;
    Ok(Written {
        outcome,
        seq,
        next: added,
    })
}
