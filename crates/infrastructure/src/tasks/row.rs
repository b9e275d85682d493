//! A row of the table `tasks`, and its way to and from a task.

use std::error::Error;

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use taskhold_domain::task::{Description, Task, TaskId, Title, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "tasks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: String,
    pub title: String,
    pub description: String,
    pub is_completed: bool,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A stored row that breaks a rule of the domain.
#[derive(Debug, thiserror::Error)]
#[error("the row {id} of the table tasks is damaged")]
pub struct DamagedRow {
    id: Uuid,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl From<DamagedRow> for StoreError {
    fn from(damaged: DamagedRow) -> Self {
        Self::Defect(damaged.into())
    }
}

impl TryFrom<Model> for Task {
    type Error = DamagedRow;

    fn try_from(row: Model) -> Result<Self, DamagedRow> {
        let id = row.id;
        parse(row).map_err(|source| DamagedRow { id, source })
    }
}

fn parse(row: Model) -> Result<Task, Box<dyn Error + Send + Sync>> {
    Ok(Task {
        id: TaskId::from_uuid(row.id),
        owner: UserId::parse(row.user_id)?,
        title: Title::parse(row.title)?,
        description: Description::parse(row.description)?,
        completed: row.is_completed,
        version: Version::parse(row.version)?,
        created_at: Timestamp::from_micros(row.created_at)?,
        updated_at: Timestamp::from_micros(row.updated_at)?,
    })
}

/// The task, or nothing and an error in the log: in a list, one damaged row must not hide the
/// others.
pub fn sound(row: Model) -> Option<Task> {
    match Task::try_from(row) {
        Ok(task) => Some(task),
        Err(damaged) => {
            tracing::error!(error = %damaged, cause = %damaged.source, "left a row out of a list");
            None
        }
    }
}

/// The row of a new task.
pub fn of(task: &Task) -> ActiveModel {
    ActiveModel {
        id: Set(task.id.as_uuid()),
        user_id: Set(task.owner.as_str().to_owned()),
        title: Set(task.title.as_str().to_owned()),
        description: Set(task.description.as_str().to_owned()),
        is_completed: Set(task.completed),
        version: Set(task.version.get()),
        created_at: Set(task.created_at.as_micros()),
        updated_at: Set(task.updated_at.as_micros()),
    }
}
