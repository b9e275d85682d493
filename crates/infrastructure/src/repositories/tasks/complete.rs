//! Completes a task that repeats, with its follow-up.

use sea_orm::{ConnectionTrait, DbErr};
use taskhold_domain::task::change_log::ChangeStamp;
use taskhold_domain::task::{FollowUp, Task, TaskChange, TaskId};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::Precondition;
use taskhold_repository::written::Written;

use super::bulk;
use super::logged::{LoggedRow, update};
use super::planned::{Table, lock};
use crate::db::connection::Connection;

/// A change that completes a task, with the follow-up to which the completion may lead.
pub(super) struct CompletionWithFollowUp {
    pub(super) owner: UserId,
    pub(super) id: TaskId,
    pub(super) change: TaskChange,
    pub(super) precondition: Precondition,
    pub(super) follow_up: FollowUp,
    pub(super) stamp: ChangeStamp,
}

impl CompletionWithFollowUp {
    /// Makes the change and adds the follow-up, in the transaction of `connection`.
    pub(super) async fn execute(
        &self,
        connection: &Connection,
    ) -> Result<Option<Written<Task>>, DbErr> {
        let Self {
            owner,
            id,
            change,
            precondition,
            follow_up,
            stamp,
        } = self;
        // Locked, so that the follow-up is that of the task which is completed.
        let locked = lock(connection, Table::Tasks, owner, &[*id]).await?;
        let Some(current) = locked.into_iter().next() else {
            return Ok(None);
        };
        if current.repeated(change, follow_up, stamp.at).is_none() {
            // A change that leads to no follow-up is made by itself, under the conditions of its statement.
            let backend = connection.get_database_backend();
            let update = update(backend, owner, *id, change, precondition, stamp);
            let row = LoggedRow::read_one(connection, update).await?;
            return Ok(row.map(|row| row.into_written(owner)).transpose()?);
        }
        if !precondition.allows(current.revision()) {
            return Ok(None);
        }
        let tasks = vec![(current, follow_up)];
        let Written { outcome, seq, next } =
            bulk::complete(connection, owner, tasks, change, stamp).await?;
        let mut completed = outcome.into_iter();
        Ok(completed
            .next()
            .map(|outcome| Written { outcome, seq, next }))
    }
}
