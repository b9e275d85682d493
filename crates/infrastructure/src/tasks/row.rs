//! A row of the table `tasks`, and its way to and from a task.

use std::cmp::Ordering;
use std::error::Error;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{DynIden, InsertStatement, IntoIden, Query};
use sea_orm::{Statement, Value};
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

/// A row of a list of one owner's tasks, read by position: columns found by name and an owner read anew
/// for each row took a fourth of the time of a page.
#[derive(Debug)]
pub struct Listed {
    id: Uuid,
    title: String,
    description: String,
    is_completed: bool,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl Listed {
    /// What is selected, in this order.
    pub const COLUMNS: [Column; 7] = [
        Column::Id,
        Column::Title,
        Column::Description,
        Column::IsCompleted,
        Column::Version,
        Column::CreatedAt,
        Column::UpdatedAt,
    ];

    /// What a statement that returns these columns finds.
    pub async fn read_all(
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> Result<Vec<Self>, DbErr> {
        let rows = connection.query_all_raw(statement).await?;
        rows.iter().map(Self::read).collect()
    }

    /// What a statement that finds one row at most returns.
    pub async fn read_one(
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> Result<Option<Self>, DbErr> {
        let rows = Self::read_all(connection, statement).await?;
        Ok(rows.into_iter().next())
    }

    /// Reads a row of these columns, and maybe others after them.
    pub fn read(found: &QueryResult) -> Result<Self, DbErr> {
        let (id, title, description, is_completed, version, created_at, updated_at) =
            found.try_get_many_by_index()?;
        Ok(Self {
            id,
            title,
            description,
            is_completed,
            version,
            created_at,
            updated_at,
        })
    }

    /// Which row it is.
    pub fn id(&self) -> TaskId {
        TaskId::from_uuid(self.id)
    }

    /// The order of the newest tasks.
    pub fn newest_first(&self, other: &Self) -> Ordering {
        (other.created_at, other.id).cmp(&(self.created_at, self.id))
    }

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

    /// The task, or nothing and an error in the log: in a list, one damaged row must not hide the
    /// others.
    pub fn sound(self, owner: &UserId) -> Option<Task> {
        match self.task(owner.clone()) {
            Ok(task) => Some(task),
            Err(damaged) => {
                tracing::error!(error = %damaged, cause = %damaged.source, "left a row out of a list");
                None
            }
        }
    }

    /// The task of this owner.
    pub fn task(self, owner: UserId) -> Result<Task, DamagedRow> {
        let id = self.id;
        self.parse(owner)
            .map_err(|source| DamagedRow { id, source })
    }

    fn parse(self, owner: UserId) -> Result<Task, Box<dyn Error + Send + Sync>> {
        Ok(Task {
            id: TaskId::from_uuid(self.id),
            owner,
            title: Title::parse(self.title)?,
            description: Description::parse(self.description)?,
            completed: self.is_completed,
            version: Version::parse(self.version)?,
            created_at: Timestamp::from_micros(self.created_at)?,
            updated_at: Timestamp::from_micros(self.updated_at)?,
        })
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
        let owner = UserId::parse(row.user_id).map_err(|error| DamagedRow {
            id: row.id,
            source: error.into(),
        })?;
        let row = Listed {
            id: row.id,
            title: row.title,
            description: row.description,
            is_completed: row.is_completed,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        row.task(owner)
    }
}

/// The columns that a search compares. They are written with every text and never read back, so
/// they are no part of [`Model`].
#[derive(DeriveIden)]
pub enum Folded {
    TitleFolded,
    DescriptionFolded,
}

/// The statement that keeps new tasks.
pub fn insert(tasks: &[Task]) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table(Entity);
    for task in tasks {
        let (columns, values): (Vec<_>, Vec<_>) = cells(task).into_iter().unzip();
        insert
            .columns(columns)
            .values_panic(values.into_iter().map(Expr::value));
    }
    insert
}

fn cells(task: &Task) -> [(DynIden, Value); 10] {
    [
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
    ]
}
