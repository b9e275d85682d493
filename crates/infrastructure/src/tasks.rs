//! The tasks port: one statement for each change.

mod once;
mod page;
pub(crate) mod row;
mod shared;
mod statement;

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Statement,
};
use taskhold_domain::task::{Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{IdempotentOutcome, KeyedRequest};
use taskhold_repository::tasks::{
    Precondition, TaskCounts, TaskPage, TaskQuery, TaskRepository, TaskWrite,
};
use tokio::time::Instant;

use self::page::page;
use self::row::{Column, Entity, Listed};
use self::shared::{AskedCompletion, Shared};
use self::statement::{owned, removal, update};
use crate::connection::Connection;
use crate::error::is_foreign_key_violation;
use crate::policy::{Attempt, Earlier, Effect};
use crate::store::Store;
use crate::together::Told;
use crate::{idempotency, users};

const LOST: &str = "the store was lost during a statement for several calls";

/// Tasks in a SQL database.
#[derive(Clone)]
pub struct SqlTasks {
    store: Store,
    shared: Arc<Shared>,
}

impl SqlTasks {
    /// Tasks in this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            shared: Arc::new(Shared::new(store.clone())),
            store,
        }
    }
}

#[async_trait]
impl TaskRepository for SqlTasks {
    async fn add(&self, task: &Task) -> Result<(), StoreError> {
        let since = Instant::now();
        let earlier = match self.shared.add(task).await {
            Told::Answer(()) => return Ok(()),
            not_answered => not_answered.earlier(since),
        };
        let insert = row::insert(std::slice::from_ref(task));
        let addition = Arc::new(Addition {
            owner: task.owner.clone(),
            id: task.id,
            at: task.created_at,
            insert: self.store.backend().build(&insert),
        });
        self.store
            .call_after(
                earlier,
                "tasks.add",
                Effect::RepeatableWrite,
                move |connection, attempt| {
                    let addition = Arc::clone(&addition);
                    async move { addition.make(&connection, attempt).await }
                },
            )
            .await
    }

    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        if let Some(found) = self.shared.find(owner, id).await {
            return Ok(found.map(Task::try_from).transpose()?);
        }
        let select = Entity::find().filter(owned(owner, id));
        let found = self
            .store
            .call("tasks.find", Effect::Read, move |connection, _| {
                let select = select.clone();
                async move { select.one(&connection).await }
            });
        Ok(found.await?.map(Task::try_from).transpose()?)
    }

    async fn list(&self, owner: &UserId, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        if let Some(rows) = self.shared.page(owner, query).await {
            return Ok(page(owner, query, rows));
        }
        let select = page::select(self.store.backend(), owner, query)?;
        let rows = self
            .store
            .call("tasks.list", Effect::Read, move |connection, _| {
                let select = select.clone();
                async move { Listed::read_all(&connection, select).await }
            });
        Ok(page(owner, query, rows.await?))
    }

    async fn count(&self, owner: &UserId) -> Result<TaskCounts, StoreError> {
        let select = Entity::find()
            .select_only()
            .expr(Expr::cust("count(*)"))
            .expr(Expr::cust("count(*) FILTER (WHERE is_completed)"))
            .filter(Column::UserId.eq(owner.as_str()));
        let counts = self
            .store
            .call("tasks.count", Effect::Read, move |connection, _| {
                let select = select.clone();
                async move { select.into_tuple::<(i64, i64)>().one(&connection).await }
            });
        let counts = counts.await?;
        let (total, completed) = counts.unwrap_or_default();
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
        let since = Instant::now();
        let mut earlier = Earlier::nothing();
        if let TaskChange {
            title: None,
            description: None,
            completion: Some(completion),
        } = change
            && *precondition == Precondition::None
        {
            let ask = AskedCompletion {
                owner: owner.clone(),
                id,
                completion: *completion,
                at: now,
            };
            earlier = match self.shared.complete(ask).await {
                Told::Answer(row) => {
                    let changed = row.map(|row| row.task(owner.clone()));
                    return Ok(changed.transpose()?);
                }
                // Made again it could undo another's change in between.
                Told::Unknown => return Err(StoreError::OutcomeUnknown(LOST.into())),
                nothing @ Told::Nothing => nothing.earlier(since),
            };
        }
        let update = update(self.store.backend(), owner, id, change, precondition, now);
        let changed = self.store.call_after(
            earlier,
            "tasks.change",
            Effect::Write,
            move |connection, _| {
                let update = update.clone();
                async move { Listed::read_one(&connection, update).await }
            },
        );
        let changed = changed.await?.map(|row| row.task(owner.clone()));
        Ok(changed.transpose()?)
    }

    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<bool, StoreError> {
        let since = Instant::now();
        let mut earlier = Earlier::nothing();
        if *precondition == Precondition::None {
            earlier = match self.shared.remove(owner, id).await {
                Told::Answer(removed) => return Ok(removed),
                not_answered => not_answered.earlier(since),
            };
        }
        let delete = removal(self.store.backend(), owner, id, precondition);
        // Whatever the task is by now, it is to go: deleting twice does as once.
        let effect = match precondition {
            Precondition::None => Effect::RepeatableWrite,
            Precondition::VersionIn(_) => Effect::Write,
        };
        self.store
            .call_after(
                earlier,
                "tasks.remove",
                effect,
                move |connection, attempt| {
                    let delete = delete.clone();
                    async move {
                        let outcome = connection.execute_raw(delete).await?;
                        Ok(outcome.rows_affected() > 0 || attempt.may_be_done)
                    }
                },
            )
            .await
    }

    async fn write_idempotent(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        write: &TaskWrite,
        now: Timestamp,
    ) -> Result<IdempotentOutcome, StoreError> {
        let (owner, request, write) = (owner.clone(), request.clone(), write.clone());
        let written = Arc::new((owner, request, write));
        self.store
            .transact(
                "tasks.write_once",
                Effect::KeyedWrite,
                move |connection, attempt| {
                    let written = Arc::clone(&written);
                    async move {
                        let (owner, request, write) = &*written;
                        once::write(&connection, attempt, owner, request, write, now).await
                    }
                },
            )
            .await
    }

    async fn recall(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<IdempotentOutcome>, StoreError> {
        let (owner, request) = (owner.clone(), request.clone());
        let recalled = self.store.call(
            "idempotency_keys.recall",
            Effect::Read,
            move |connection, _| {
                let (owner, request) = (owner.clone(), request.clone());
                async move { idempotency::recall(&connection, &owner, &request, now).await }
            },
        );
        recalled.await
    }

    async fn belongs_to_another(&self, caller: &UserId, id: TaskId) -> Result<bool, StoreError> {
        let select = Entity::find()
            .select_only()
            .expr(Expr::value(1))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::UserId.ne(caller.as_str()));
        let found = self.store.call(
            "tasks.belongs_to_another",
            Effect::Read,
            move |connection, _| {
                let select = select.clone();
                async move { select.into_tuple::<i32>().one(&connection).await }
            },
        );
        Ok(found.await?.is_some())
    }
}

/// A task that is new.
struct Addition {
    owner: UserId,
    id: TaskId,
    at: Timestamp,
    insert: Statement,
}

impl Addition {
    /// Keeps it; where an attempt before may have done so, finding it there is as good.
    async fn make(&self, connection: &Connection, attempt: Attempt) -> Result<(), DbErr> {
        let inserted = match connection.execute_raw(self.insert.clone()).await {
            // Only the first task of an owner meets this, so all others are one statement.
            Err(error) if is_foreign_key_violation(&error) => self.make_first(connection).await,
            outcome => outcome.map(drop),
        };
        match inserted {
            // Ids are made once: a task of this owner and this id is the one that was to be kept, also
            // when somebody has changed it since.
            Err(error) if attempt.may_be_done => {
                let kept = Entity::find()
                    .filter(owned(&self.owner, self.id))
                    .one(connection)
                    .await?;
                kept.map(drop).ok_or(error)
            }
            outcome => outcome,
        }
    }

    /// Keeps it and makes its owner known, or neither.
    async fn make_first(&self, connection: &Connection) -> Result<(), DbErr> {
        connection.begin().await?;
        let kept = match users::make_known(connection, &self.owner, self.at).await {
            Ok(()) => connection.execute_raw(self.insert.clone()).await.map(drop),
            Err(error) => Err(error),
        };
        match kept {
            Ok(()) => connection.commit().await,
            Err(error) => {
                if let Err(error) = connection.roll_back().await {
                    // The connection is given up, and the transaction with it.
                    tracing::debug!(%error, "a transaction could not be rolled back");
                }
                Err(error)
            }
        }
    }
}
