//! Completes tasks that repeat, with their follow-ups.

use sea_orm::{ConnectionTrait, DbErr, QueryFilter, QuerySelect, QueryTrait};
use taskhold_domain::task::change_log::ChangeStamp;
use taskhold_domain::task::{FollowUp, Task, TaskChange, TaskId};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::Precondition;
use taskhold_repository::written::Written;

use super::logged::{LoggedRow, add_one, addition, update};
use super::place;
use super::statement::owned;
use crate::db::connection::Connection;
use crate::entities::task::TaskRow;

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
        let backend = connection.get_database_backend();
        // Locked, so that the follow-up is that of the task which is completed. SQLite ignores this.
        let select = TaskRow::select().filter(owned(owner, *id)).lock_exclusive();
        let Some(current) = TaskRow::read_one(connection, select.build(backend)).await? else {
            return Ok(None);
        };
        let current = current.into_task(owner.clone())?;
        let repeated = current.repeated(change, follow_up, stamp.at);
        // A change that leads to no follow-up is made by itself, under the conditions of its statement.
        let (change, mut next) = repeated.unwrap_or_else(|| (change.clone(), None));
        let next_id = next.as_ref().map(|next| next.id);
        let update = update(backend, owner, *id, &change, precondition, next_id, stamp);
        let Some(row) = LoggedRow::read_one(connection, update).await? else {
            return Ok(None);
        };
        let mut written = row.into_written(owner)?;
        if let Some(next) = next.as_deref_mut() {
            if let Some(position) = place::after(connection, owner, *id).await? {
                next.position = position;
            }
            let addition = addition(backend, &[(next, stamp.by.as_str())]);
            written.seq = add_one(connection, addition).await?;
        }
        Ok(Some(Written { next, ..written }))
    }
}
