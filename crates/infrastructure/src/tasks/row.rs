//! A row of the table `tasks`, and its way to and from a task.

use std::error::Error;

use sea_orm::Value;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{DynIden, InsertStatement, IntoIden, Query};
use serde::{Deserialize, Serialize};
use taskhold_domain::search::fold;
use taskhold_domain::task::{Description, Task, TaskId, Title, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Key, Position, SortKey};

#[derive(Clone, Debug, DeriveEntityModel, Serialize, Deserialize)]
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

impl Model {
    /// Where the row stands in an order, whether or not it is sound.
    pub fn position(&self, sort: SortKey) -> Position {
        // A damaged time stands where the nearest sound one would.
        let instant =
            |micros| Key::Instant(Timestamp::from_micros(micros).unwrap_or(Timestamp::LAST));
        Position {
            key: match sort {
                SortKey::CreatedAt => instant(self.created_at),
                SortKey::UpdatedAt => instant(self.updated_at),
                SortKey::Title => Key::Title(self.title.clone()),
            },
            id: TaskId::from_uuid(self.id),
        }
    }
}

/// A stored row that breaks a rule of the domain.
#[derive(Debug, thiserror::Error)]
#[error("the row {id} of the table tasks is damaged")]
pub struct DamagedRow {
    id: Uuid,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl DamagedRow {
    /// For where only errors of the database can pass.
    pub fn into_db_error(self) -> DbErr {
        DbErr::Custom(format!("{self}: {}", self.source))
    }
}

impl From<&Task> for Model {
    fn from(task: &Task) -> Self {
        Self {
            id: task.id.as_uuid(),
            user_id: task.owner.as_str().to_owned(),
            title: task.title.as_str().to_owned(),
            description: task.description.as_str().to_owned(),
            is_completed: task.completed,
            version: task.version.get(),
            created_at: task.created_at.as_micros(),
            updated_at: task.updated_at.as_micros(),
        }
    }
}

/// A task as the JSON of its row.
pub fn to_json(task: &Task) -> Result<String, DbErr> {
    serde_json::to_string(&Model::from(task)).map_err(|error| DbErr::Custom(error.to_string()))
}

/// The task whose row this is, as JSON.
pub fn from_json(json: &str) -> Result<Task, DbErr> {
    // The text of the error would hold the text of the task.
    let row: Model = serde_json::from_str(json)
        .map_err(|_| DbErr::Custom("the JSON of a task is damaged".into()))?;
    Task::try_from(row).map_err(DamagedRow::into_db_error)
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

/// The columns that a search compares. They are written with every text and never read back, so
/// they are no part of [`Model`].
#[derive(DeriveIden)]
pub enum Folded {
    TitleFolded,
    DescriptionFolded,
}

/// The statement that keeps a new task.
pub fn insert(task: &Task) -> InsertStatement {
    let cells: [(DynIden, Value); 10] = [
        (Column::Id.into_iden(), task.id.as_uuid().into()),
        (Column::UserId.into_iden(), task.owner.as_str().into()),
        (Column::Title.into_iden(), task.title.as_str().into()),
        (
            Column::Description.into_iden(),
            task.description.as_str().into(),
        ),
        (
            Folded::TitleFolded.into_iden(),
            fold(task.title.as_str()).into(),
        ),
        (
            Folded::DescriptionFolded.into_iden(),
            fold(task.description.as_str()).into(),
        ),
        (Column::IsCompleted.into_iden(), task.completed.into()),
        (Column::Version.into_iden(), task.version.get().into()),
        (
            Column::CreatedAt.into_iden(),
            task.created_at.as_micros().into(),
        ),
        (
            Column::UpdatedAt.into_iden(),
            task.updated_at.as_micros().into(),
        ),
    ];
    let (columns, values): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
    let mut insert = Query::insert();
    insert
        .into_table(Entity)
        .columns(columns)
        .values_panic(values.into_iter().map(Expr::value));
    insert
}
