//! The tasks port: one statement for each change.

mod row;

use async_trait::async_trait;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use taskhold_domain::task::{Completion, Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Precondition, TaskRepository};

use self::row::{Column, Entity};
use crate::error::is_foreign_key_violation;
use crate::store::Store;
use crate::users;

/// Tasks in a SQL database.
#[derive(Debug, Clone)]
pub struct SqlTasks {
    store: Store,
}

impl SqlTasks {
    /// Tasks in this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl TaskRepository for SqlTasks {
    async fn add(&self, task: &Task) -> Result<(), StoreError> {
        self.store
            .write(async |connection| {
                let insert = || Entity::insert(row::of(task)).exec_without_returning(connection);
                match insert().await {
                    // Only the first task of an owner meets this, so all others are one statement.
                    Err(error) if is_foreign_key_violation(&error) => {
                        users::make_known(connection, &task.owner, task.created_at).await?;
                        insert().await
                    }
                    outcome => outcome,
                }
            })
            .await?;
        Ok(())
    }

    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        let found = self
            .store
            .read(|connection| Entity::find().filter(owned(owner, id)).one(connection))
            .await?;
        Ok(found.map(Task::try_from).transpose()?)
    }

    async fn list(&self, owner: &UserId) -> Result<Vec<Task>, StoreError> {
        let rows = self
            .store
            .read(|connection| {
                Entity::find()
                    .filter(Column::UserId.eq(owner.as_str()))
                    .order_by_desc(Column::CreatedAt)
                    .order_by_desc(Column::Id)
                    .all(connection)
            })
            .await?;
        Ok(rows.into_iter().filter_map(row::sound).collect())
    }

    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        let mut update = Entity::update_many()
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .col_expr(Column::UpdatedAt, strictly_after_last_change(now))
            .filter(owned(owner, id))
            .filter(allowed(precondition));
        if let Some(title) = &change.title {
            update = update.col_expr(Column::Title, Expr::value(title.as_str()));
        }
        if let Some(description) = &change.description {
            update = update.col_expr(Column::Description, Expr::value(description.as_str()));
        }
        if let Some(completion) = change.completion {
            let completed = match completion {
                Completion::Set(completed) => Expr::value(completed),
                Completion::Toggle => Expr::col(Column::IsCompleted).not(),
            };
            update = update.col_expr(Column::IsCompleted, completed);
        }
        let changed = self
            .store
            .write(|connection| update.exec_with_returning(connection))
            .await?;
        Ok(changed.into_iter().next().map(Task::try_from).transpose()?)
    }

    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<bool, StoreError> {
        let delete = Entity::delete_many()
            .filter(owned(owner, id))
            .filter(allowed(precondition));
        let outcome = self
            .store
            .write(|connection| delete.exec(connection))
            .await?;
        Ok(outcome.rows_affected > 0)
    }

    async fn belongs_to_another(&self, caller: &UserId, id: TaskId) -> Result<bool, StoreError> {
        let found: Option<i32> = self
            .store
            .read(|connection| {
                Entity::find()
                    .select_only()
                    .expr(Expr::value(1))
                    .filter(Column::Id.eq(id.as_uuid()))
                    .filter(Column::UserId.ne(caller.as_str()))
                    .into_tuple()
                    .one(connection)
            })
            .await?;
        Ok(found.is_some())
    }
}

/// The one row of this owner and id.
fn owned(owner: &UserId, id: TaskId) -> Condition {
    Condition::all()
        .add(Column::Id.eq(id.as_uuid()))
        .add(Column::UserId.eq(owner.as_str()))
}

fn allowed(precondition: &Precondition) -> Condition {
    match precondition {
        Precondition::None => Condition::all(),
        Precondition::VersionIn(versions) => Condition::all()
            .add(Column::Version.is_in(versions.iter().map(|version| version.get()))),
    }
}

/// [`Timestamp::strictly_after`] in SQL, against the row as it is when the statement runs.
fn strictly_after_last_change(now: Timestamp) -> Expr {
    CaseStatement::new()
        .case(
            Expr::col(Column::UpdatedAt).gte(now.as_micros()),
            Expr::col(Column::UpdatedAt).add(1_i64),
        )
        .finally(now.as_micros())
        .into()
}
