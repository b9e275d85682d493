//! Adds a task, and its owner if that is the owner's first task.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeSeq};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use super::logged::{add_one, addition};
use crate::db::connection::Connection;
use crate::db::error::{is_duplicate, is_foreign_key_violation};
use crate::db::retry::Attempt;
use crate::entities::{change, user};

/// The addition of a task.
pub(super) struct Addition {
    owner: UserId,
    id: TaskId,
    now: Timestamp,
    insert: Statement,
}

impl Addition {
    /// Returns the addition of a task by an author.
    pub(super) fn new(backend: DbBackend, task: &Task, by: &ChangeAuthor) -> Self {
        Self {
            owner: task.owner.clone(),
            id: task.id,
            now: task.created_at,
            insert: addition(backend, &[(task, by.as_str())]),
        }
    }

    /// Adds the task, or finds that an earlier attempt has added it.
    pub(super) async fn execute(
        &self,
        connection: &Connection,
        attempt: Attempt,
    ) -> Result<ChangeSeq, DbErr> {
        if attempt.may_have_applied
            && let Some(added) = change::first(connection, &self.owner, self.id).await?
        {
            return Ok(added);
        }
        if attempt.is_in_transaction {
            return self.insert_in_transaction(connection, &attempt).await;
        }
        let inserted = match self.insert(connection).await {
            // The owner has no row yet, which is so only for the owner's first task. So every other
            // addition is one statement.
            Err(error) if is_foreign_key_violation(&error) => {
                self.insert_with_owner(connection).await
            }
            outcome => outcome,
        };
        match inserted {
            // Ids are unique, so a task of this owner and id is the one that was to be added. The insertion has
            // waited for the earlier attempt, which was committing.
            Err(error) if attempt.may_have_applied => {
                let added = change::first(connection, &self.owner, self.id).await?;
                added.ok_or(error)
            }
            outcome => outcome,
        }
    }

    /// Adds the task in the transaction of the attempt, which an error would end: each is taken back first.
    async fn insert_in_transaction(
        &self,
        connection: &Connection,
        attempt: &Attempt,
    ) -> Result<ChangeSeq, DbErr> {
        const TAKE_BACK: &str = "ROLLBACK TO SAVEPOINT addition";
        connection.execute_unprepared("SAVEPOINT addition").await?;
        let mut inserted = self.insert(connection).await;
        if inserted.as_ref().is_err_and(is_foreign_key_violation) {
            connection.execute_unprepared(TAKE_BACK).await?;
            user::ensure_user_exists(connection, &self.owner, self.now).await?;
            inserted = self.insert(connection).await;
        }
        match inserted {
            Err(error) if attempt.may_have_applied && is_duplicate(&error) => {
                connection.execute_unprepared(TAKE_BACK).await?;
                let added = change::first(connection, &self.owner, self.id).await?;
                added.ok_or(error)
            }
            outcome => outcome,
        }
    }

    async fn insert(&self, connection: &Connection) -> Result<ChangeSeq, DbErr> {
        add_one(connection, self.insert.clone()).await
    }

    /// Adds the task and its owner in one transaction.
    async fn insert_with_owner(&self, connection: &Connection) -> Result<ChangeSeq, DbErr> {
        connection.begin().await?;
        let inserted = match user::ensure_user_exists(connection, &self.owner, self.now).await {
            Ok(()) => self.insert(connection).await,
            Err(error) => Err(error),
        };
        match inserted {
            Ok(seq) => {
                connection.commit().await?;
                Ok(seq)
            }
            Err(error) => {
                connection.roll_back_after_error().await;
                Err(error)
            }
        }
    }
}
