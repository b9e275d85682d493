//! The tasks port: one statement for each change.
//!
//! The inherent methods, such as `add_task`, execute a call that is admitted already, so that
//! [`Batched`](crate::batching::Batched) can pass on a call whose batch failed.

mod add;
mod bulk;
mod by_due;
mod by_position;
mod complete;
mod due;
mod idempotent;
pub(crate) mod logged;
pub(crate) mod page;
mod place;
mod planned;
pub(crate) mod statement;
pub(crate) mod undo;

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::sea_query::{CaseStatement, Expr, Func};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeSeq, ChangeStamp};
use taskhold_domain::task::{Destination, FollowUp, Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{IdempotentOutcome, KeyedRequest};
use taskhold_repository::tasks::{
    BulkWrite, DueFilter, Precondition, SortKey, TaskCounts, TaskPage, TaskQuery, TaskRepository,
    TaskStats, TaskWrite,
};
use taskhold_repository::written::{BulkOutcome, Written};

use self::add::Addition;
use self::by_due::DueList;
use self::complete::CompletionWithFollowUp;
use self::logged::{LoggedRow, read_seq, removal, update, written};
use self::page::page;
use self::statement::owned;
use crate::db::Database;
use crate::db::connection::Connection;
use crate::db::retry::{Attempt, Call, Idempotence};
use crate::db::transaction::TransactionOutcome;
use crate::entities::task::{Column, Entity, TaskRow};
use crate::entities::{change, idempotency_key};

impl Database {
    /// Adds a task, as [`TaskRepository::add`] does.
    pub(crate) async fn add_task(
        &self,
        call: Call,
        task: &Task,
        by: &ChangeAuthor,
    ) -> Result<ChangeSeq, StoreError> {
        let addition = Arc::new(Addition::new(self.backend(), task, by));
        let add = move |connection, attempt| {
            let addition = Arc::clone(&addition);
            async move { addition.execute(&connection, attempt).await }
        };
        self.execute_call(call, Idempotence::IdempotentWrite, add)
            .await
    }

    /// Reads a task, as [`TaskRepository::find`] does.
    pub(crate) async fn find_task(
        &self,
        call: Call,
        owner: &UserId,
        id: TaskId,
    ) -> Result<Option<Task>, StoreError> {
        let select = TaskRow::select()
            .filter(owned(owner, id))
            .build(self.backend());
        let find = move |connection, _| {
            let select = select.clone();
            async move { TaskRow::read_one(&connection, select).await }
        };
        let row = self.execute_call(call, Idempotence::Read, find).await?;
        Ok(row.map(|row| row.into_task(owner.clone())).transpose()?)
    }

    /// Reads a list, as [`TaskRepository::list`] does.
    pub(crate) async fn list_tasks(
        &self,
        call: Call,
        owner: &UserId,
        query: &TaskQuery,
    ) -> Result<TaskPage, StoreError> {
        if query.sort.key == SortKey::Due {
            return self.list_by_due(call, owner, query).await;
        }
        let select = match by_position::select(self.backend(), owner, query)? {
            Some(select) => select,
            None => page::select(self.backend(), owner, query)?,
        };
        let list = move |connection, _| {
            let select = select.clone();
            async move { TaskRow::read_all(&connection, select).await }
        };
        let rows = self.execute_call(call, Idempotence::Read, list).await?;
        Ok(page(owner, query, rows))
    }

    async fn list_by_due(
        &self,
        call: Call,
        owner: &UserId,
        query: &TaskQuery,
    ) -> Result<TaskPage, StoreError> {
        let list = Arc::new(DueList::new(self.backend(), owner, query)?);
        let read = move |connection, _| {
            let list = Arc::clone(&list);
            async move { list.read(&connection).await }
        };
        let rows = self.execute_call(call, Idempotence::Read, read).await?;
        Ok(by_due::page(owner, query, rows))
    }

    /// Changes a task, as [`TaskRepository::change`] does without a follow-up.
    pub(crate) async fn change_task(
        &self,
        call: Call,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        let update = update(self.backend(), owner, id, change, precondition, stamp);
        let change = move |connection, _| {
            let update = update.clone();
            async move { LoggedRow::read_one(&connection, update).await }
        };
        let row = self.execute_call(call, Idempotence::NonIdempotentWrite, change);
        written(row.await?, owner)
    }

    /// Changes a task, as [`TaskRepository::change`] does with a follow-up, after the statement of
    /// [`change_task`](Self::change_task) has missed the task. Without a follow-up, the task stays missed.
    pub(crate) async fn complete_task(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        follow_up: Option<&FollowUp>,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        let Some(follow_up) = follow_up.cloned() else {
            return Ok(None);
        };
        let completion = Arc::new(CompletionWithFollowUp {
            owner: owner.clone(),
            id,
            change: change.clone(),
            precondition: precondition.clone(),
            follow_up,
            stamp: stamp.clone(),
        });
        let complete = move |connection, _| {
            let completion = Arc::clone(&completion);
            async move {
                let completed = completion.execute(&connection).await?;
                Ok(TransactionOutcome::commit_if_found(completed))
            }
        };
        self.transact("tasks.complete", Idempotence::NonIdempotentWrite, complete)
            .await
    }

    /// Removes a task, as [`TaskRepository::remove`] does.
    pub(crate) async fn remove_task(
        &self,
        call: Call,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError> {
        let delete = removal(self.backend(), owner, id, precondition, stamp);
        // An unconditional removal can be repeated, whatever another client does to the task in between.
        let idempotence = match precondition {
            Precondition::None => Idempotence::IdempotentWrite,
            Precondition::RevisionIn(_) => Idempotence::NonIdempotentWrite,
        };
        let owner = owner.clone();
        let remove = move |connection: Connection, attempt: Attempt| {
            let (delete, owner) = (delete.clone(), owner.clone());
            async move {
                let removed = read_seq(&connection, delete).await?;
                if removed.is_none() && attempt.may_have_applied {
                    return change::latest(&connection, &owner, id).await;
                }
                Ok(removed)
            }
        };
        self.execute_call(call, idempotence, remove).await
    }
}

#[async_trait]
impl TaskRepository for Database {
    async fn add(&self, task: &Task, by: &ChangeAuthor) -> Result<ChangeSeq, StoreError> {
        self.add_task(self.admit("tasks.add")?, task, by).await
    }

    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.find_task(self.admit("tasks.find")?, owner, id).await
    }

    async fn list(&self, owner: &UserId, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        self.list_tasks(self.admit("tasks.list")?, owner, query)
            .await
    }

    async fn count(&self, owner: &UserId) -> Result<TaskCounts, StoreError> {
        let select = Entity::find()
            .select_only()
            .expr(Expr::cust("count(*)"))
            .expr(Expr::cust("count(*) FILTER (WHERE is_completed)"))
            .filter(Column::UserId.eq(owner.as_str()));
        let counts = self.execute("tasks.count", Idempotence::Read, move |connection, _| {
            let select = select.clone();
            async move { select.into_tuple::<(i64, i64)>().one(&connection).await }
        });
        let (total, completed) = counts.await?.unwrap_or_default();
        Ok(TaskCounts {
            total: total.unsigned_abs(),
            completed: completed.unsigned_abs(),
        })
    }

    async fn stats(
        &self,
        owner: &UserId,
        now: Timestamp,
        zone: &Zone,
    ) -> Result<TaskStats, StoreError> {
        let open = |filter| {
            let is_open = Column::IsCompleted.eq(false);
            let counted = Condition::all().add(is_open).add(due::filter(filter, zone));
            Func::count(CaseStatement::new().case(counted, Expr::cust("1")))
        };
        let select = Entity::find()
            .select_only()
            .expr(Expr::cust("count(*)"))
            .expr(Expr::cust("count(*) FILTER (WHERE is_completed)"))
            .expr(open(DueFilter::Overdue(now)))
            .expr(open(DueFilter::Today(now)))
            .filter(Column::UserId.eq(owner.as_str()));
        let stats = self.execute("tasks.stats", Idempotence::Read, move |connection, _| {
            let select = select.clone();
            async move {
                let counts = select.into_tuple::<(i64, i64, i64, i64)>();
                counts.one(&connection).await
            }
        });
        let (total, completed, overdue, due_today) = stats.await?.unwrap_or_default();
        Ok(TaskStats {
            counts: TaskCounts {
                total: total.unsigned_abs(),
                completed: completed.unsigned_abs(),
            },
            overdue: overdue.unsigned_abs(),
            due_today: due_today.unsigned_abs(),
        })
    }

    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        follow_up: Option<&FollowUp>,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        let call = self.admit("tasks.change")?;
        let changed = self.change_task(call, owner, id, change, precondition, stamp);
        match changed.await? {
            None => {
                self.complete_task(owner, id, change, precondition, follow_up, stamp)
                    .await
            }
            changed => Ok(changed),
        }
    }

    async fn move_to(
        &self,
        owner: &UserId,
        id: TaskId,
        to: Destination,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        let arguments = Arc::new((owner.clone(), precondition.clone(), stamp.clone()));
        let write = move |connection, _| {
            let arguments = Arc::clone(&arguments);
            async move {
                let (owner, precondition, stamp) = &*arguments;
                let moved = place::move_to(&connection, owner, id, to, precondition, stamp).await?;
                Ok(TransactionOutcome::commit_if_found(moved))
            }
        };
        let moved = self.transact("tasks.move", Idempotence::NonIdempotentWrite, write);
        written(moved.await?, owner)
    }

    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError> {
        let call = self.admit("tasks.remove")?;
        self.remove_task(call, owner, id, precondition, stamp).await
    }

    async fn write_bulk(
        &self,
        owner: &UserId,
        write: &BulkWrite,
        stamp: &ChangeStamp,
    ) -> Result<BulkOutcome, StoreError> {
        let arguments = Arc::new((owner.clone(), write.clone(), stamp.clone()));
        let write = move |connection, _| {
            let arguments = Arc::clone(&arguments);
            async move {
                let (owner, write, stamp) = &*arguments;
                let outcome = bulk::write(&connection, owner, write, stamp).await?;
                Ok(match outcome {
                    BulkOutcome::Done(_) => TransactionOutcome::Commit(outcome),
                    BulkOutcome::NoneChanged(_) => TransactionOutcome::Rollback(outcome),
                })
            }
        };
        // A removal too: after an attempt that may have been applied, tasks that are missing would not tell whether all
        // of them were removed.
        self.transact("tasks.bulk", Idempotence::NonIdempotentWrite, write)
            .await
    }

    async fn write_idempotent(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        write: &TaskWrite,
        stamp: &ChangeStamp,
    ) -> Result<IdempotentOutcome, StoreError> {
        let arguments = Arc::new((owner.clone(), request.clone(), write.clone(), stamp.clone()));
        let write = move |connection, attempt| {
            let arguments = Arc::clone(&arguments);
            async move {
                let (owner, request, write, stamp) = &*arguments;
                idempotent::write(&connection, attempt, owner, request, write, stamp).await
            }
        };
        self.transact("tasks.write_once", Idempotence::KeyedWrite, write)
            .await
    }

    async fn recall(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<IdempotentOutcome>, StoreError> {
        let (owner, request) = (owner.clone(), request.clone());
        let recall = move |connection, _| {
            let (owner, request) = (owner.clone(), request.clone());
            async move { idempotent::recall(&connection, &owner, &request, now).await }
        };
        self.execute("idempotency_keys.recall", Idempotence::Read, recall)
            .await
    }

    async fn count_keys(&self, owner: &UserId, now: Timestamp) -> Result<u64, StoreError> {
        let select = idempotency_key::count(owner, now);
        let count = self.execute(
            "idempotency_keys.count",
            Idempotence::Read,
            move |connection, _| {
                let select = select.clone();
                async move { select.into_tuple::<i64>().one(&connection).await }
            },
        );
        Ok(count.await?.unwrap_or_default().unsigned_abs())
    }

    async fn belongs_to_another(&self, caller: &UserId, id: TaskId) -> Result<bool, StoreError> {
        let select = Entity::find()
            .select_only()
            .expr(Expr::value(1))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::UserId.ne(caller.as_str()));
        let find = move |connection, _| {
            let select = select.clone();
            async move { select.into_tuple::<i32>().one(&connection).await }
        };
        let found = self.execute("tasks.belongs_to_another", Idempotence::Read, find);
        Ok(found.await?.is_some())
    }
}
