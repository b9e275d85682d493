//! The tasks port: one statement for each change.
//!
//! The inherent methods, such as `add_task`, execute a call that is admitted already, so that
//! [`Batched`](crate::batching::Batched) can pass on a call whose batch failed.

mod idempotent;
pub(crate) mod page;
pub(crate) mod statement;

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    Statement,
};
use taskhold_domain::task::{Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{IdempotentOutcome, KeyedRequest};
use taskhold_repository::tasks::{
    Precondition, TaskCounts, TaskPage, TaskQuery, TaskRepository, TaskWrite,
};

use self::page::page;
use self::statement::{owned, removal, update};
use crate::db::Database;
use crate::db::connection::Connection;
use crate::db::error::{is_duplicate, is_foreign_key_violation};
use crate::db::retry::{Attempt, Call, Idempotence};
use crate::entities::idempotency_key;
use crate::entities::task::{self, Column, Entity, TaskRow};
use crate::entities::user;

impl Database {
    /// Adds a task, as [`TaskRepository::add`] does.
    pub(crate) async fn add_task(&self, call: Call, task: &Task) -> Result<(), StoreError> {
        let insert = task::insert(std::slice::from_ref(task));
        let addition = Arc::new(Addition {
            owner: task.owner.clone(),
            id: task.id,
            now: task.created_at,
            insert: self.backend().build(&insert),
        });
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
        let select = Entity::find()
            .select_only()
            .columns(TaskRow::COLUMNS)
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
        let select = page::select(self.backend(), owner, query)?;
        let list = move |connection, _| {
            let select = select.clone();
            async move { TaskRow::read_all(&connection, select).await }
        };
        let rows = self.execute_call(call, Idempotence::Read, list).await?;
        Ok(page(owner, query, rows))
    }

    /// Changes a task, as [`TaskRepository::change`] does.
    pub(crate) async fn change_task(
        &self,
        call: Call,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        let update = update(self.backend(), owner, id, change, precondition, now);
        let change = move |connection, _| {
            let update = update.clone();
            async move { TaskRow::read_one(&connection, update).await }
        };
        let row = self
            .execute_call(call, Idempotence::NonIdempotentWrite, change)
            .await?;
        Ok(row.map(|row| row.into_task(owner.clone())).transpose()?)
    }

    /// Removes a task, as [`TaskRepository::remove`] does.
    pub(crate) async fn remove_task(
        &self,
        call: Call,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<bool, StoreError> {
        let delete = removal(self.backend(), owner, id, precondition);
        // An unconditional removal can be repeated, whatever another client does to the task in between.
        let idempotence = match precondition {
            Precondition::None => Idempotence::IdempotentWrite,
            Precondition::RevisionIn(_) => Idempotence::NonIdempotentWrite,
        };
        let remove = move |connection: Connection, attempt: Attempt| {
            let delete = delete.clone();
            async move {
                let outcome = connection.execute_raw(delete).await?;
                Ok(outcome.rows_affected() > 0 || attempt.may_have_applied)
            }
        };
        self.execute_call(call, idempotence, remove).await
    }
}

#[async_trait]
impl TaskRepository for Database {
    async fn add(&self, task: &Task) -> Result<(), StoreError> {
        self.add_task(self.admit("tasks.add")?, task).await
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

    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        let call = self.admit("tasks.change")?;
        self.change_task(call, owner, id, change, precondition, now)
            .await
    }

    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<bool, StoreError> {
        let call = self.admit("tasks.remove")?;
        self.remove_task(call, owner, id, precondition).await
    }

    async fn write_idempotent(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        write: &TaskWrite,
        now: Timestamp,
    ) -> Result<IdempotentOutcome, StoreError> {
        let arguments = Arc::new((owner.clone(), request.clone(), write.clone()));
        let write = move |connection, attempt| {
            let arguments = Arc::clone(&arguments);
            async move {
                let (owner, request, write) = &*arguments;
                idempotent::write(&connection, attempt, owner, request, write, now).await
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

/// The addition of a task.
struct Addition {
    owner: UserId,
    id: TaskId,
    now: Timestamp,
    insert: Statement,
}

impl Addition {
    /// Adds the task, or finds that an earlier attempt has added it.
    async fn execute(&self, connection: &Connection, attempt: Attempt) -> Result<(), DbErr> {
        if attempt.is_in_transaction {
            return self.insert_in_transaction(connection, &attempt).await;
        }
        let inserted = match connection.execute_raw(self.insert.clone()).await {
            // The owner has no row yet, which is so only for the owner's first task. So every other
            // addition is one statement.
            Err(error) if is_foreign_key_violation(&error) => {
                self.insert_with_owner(connection).await
            }
            outcome => outcome.map(drop),
        };
        match inserted {
            Err(error) if attempt.may_have_applied => {
                self.find_added(connection).await?.ok_or(error)
            }
            outcome => outcome,
        }
    }

    /// Adds the task in the transaction of the attempt, which an error would end: each is taken back first.
    async fn insert_in_transaction(
        &self,
        connection: &Connection,
        attempt: &Attempt,
    ) -> Result<(), DbErr> {
        const TAKE_BACK: &str = "ROLLBACK TO SAVEPOINT addition";
        connection.execute_unprepared("SAVEPOINT addition").await?;
        let mut inserted = connection.execute_raw(self.insert.clone()).await;
        if inserted.as_ref().is_err_and(is_foreign_key_violation) {
            connection.execute_unprepared(TAKE_BACK).await?;
            user::ensure_user_exists(connection, &self.owner, self.now).await?;
            inserted = connection.execute_raw(self.insert.clone()).await;
        }
        match inserted {
            Err(error) if attempt.may_have_applied && is_duplicate(&error) => {
                connection.execute_unprepared(TAKE_BACK).await?;
                self.find_added(connection).await?.ok_or(error)
            }
            outcome => outcome.map(drop),
        }
    }

    /// Finds the task, if it is there. Ids are unique, so a task of this owner and id is the one that was to be
    /// added, even if somebody has changed it since.
    async fn find_added(&self, connection: &Connection) -> Result<Option<()>, DbErr> {
        let find = Entity::find().filter(owned(&self.owner, self.id));
        Ok(find.one(connection).await?.map(drop))
    }

    /// Adds the task and its owner in one transaction.
    async fn insert_with_owner(&self, connection: &Connection) -> Result<(), DbErr> {
        connection.begin().await?;
        let inserted = match user::ensure_user_exists(connection, &self.owner, self.now).await {
            Ok(()) => connection.execute_raw(self.insert.clone()).await.map(drop),
            Err(error) => Err(error),
        };
        match inserted {
            Ok(()) => connection.commit().await,
            Err(error) => {
                connection.roll_back_after_error().await;
                Err(error)
            }
        }
    }
}
