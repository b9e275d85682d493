//! Rows of the table `tasks`, and their conversion from and to tasks.

use std::cmp::Ordering;
use std::error::Error;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{DynIden, ExprTrait as _, InsertStatement, IntoIden, Query};
use sea_orm::{IntoActiveModel, Iterable, Statement, Value};
use serde::{Deserialize, Serialize};
use taskhold_domain::lower_case::lower_case;
use taskhold_domain::search::fold;
use taskhold_domain::task::{Completion, Description, Task, TaskChange, TaskId, Title, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Key, Position, Sort, SortKey};

/// A row as it is written.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize)]
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

/// The columns that a search compares. They are written with every text and never read with a task, so they
/// are not part of [`Model`].
#[derive(Clone, Copy, DeriveIden, EnumIter)]
pub enum Searched {
    /// The title as [`fold`] makes it.
    TitleSearch,
    /// The description as [`fold`] makes it.
    DescriptionSearch,
    /// The version of the task that the two belong to. If the version before this one has written the row, it
    /// differs from the task's, and the two are out of date.
    SearchVersion,
    /// The title in lower case, which the version before this one searches.
    TitleFolded,
    /// The description in lower case.
    DescriptionFolded,
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

impl Model {
    /// Returns each column with its value, in the order of the fields.
    pub fn into_values(self) -> impl Iterator<Item = (Column, Value)> {
        let mut row = self.into_active_model();
        Column::iter().filter_map(move |column| Some((column, row.take(column).into_value()?)))
    }
}

/// Returns every column of a new row with its value, those of [`Searched`] last and in its order.
pub fn cells(task: &Task) -> impl Iterator<Item = (DynIden, Value)> {
    let (title, description) = (task.title.as_str(), task.description.as_str());
    let search: [(Searched, Value); 5] = [
        (Searched::TitleSearch, fold(title).into()),
        (Searched::DescriptionSearch, fold(description).into()),
        (Searched::SearchVersion, task.version.get().into()),
        (Searched::TitleFolded, lower_case(title).into()),
        (Searched::DescriptionFolded, lower_case(description).into()),
    ];
    let stored = Model::from(task).into_values();
    stored
        .map(|(column, value)| (column.into_iden(), value))
        .chain(search.map(|(column, value)| (column.into_iden(), value)))
}

/// Returns the statement that adds tasks.
pub fn insert(tasks: &[Task]) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table(Entity);
    for task in tasks {
        let (columns, values): (Vec<_>, Vec<_>) = cells(task).unzip();
        insert
            .columns(columns)
            .values_panic(values.into_iter().map(Expr::value));
    }
    insert
}

/// Returns every column that a change sets, with its new value.
pub fn assignments(change: &TaskChange) -> Vec<(DynIden, Expr)> {
    let TaskChange {
        title,
        description,
        completion,
    } = change;
    // The texts stay out of date if they are: this change need not contain both.
    let next = Expr::col(Searched::SearchVersion).add(1);
    let mut assignments = vec![(Searched::SearchVersion.into_iden(), next)];
    let texts = [
        title.as_ref().map(|title| {
            let columns = (Column::Title, Searched::TitleSearch, Searched::TitleFolded);
            (columns, title.as_str())
        }),
        description.as_ref().map(|description| {
            let (search, folded) = (Searched::DescriptionSearch, Searched::DescriptionFolded);
            ((Column::Description, search, folded), description.as_str())
        }),
    ];
    for ((column, search, folded), text) in texts.into_iter().flatten() {
        assignments.extend([
            (column.into_iden(), Expr::value(text)),
            (search.into_iden(), Expr::value(fold(text))),
            (folded.into_iden(), Expr::value(lower_case(text))),
        ]);
    }
    if let Some(completion) = completion {
        let completed = match completion {
            Completion::Set(completed) => Expr::value(*completed),
            Completion::Toggle => Expr::col(Column::IsCompleted).not(),
        };
        assignments.push((Column::IsCompleted.into_iden(), completed));
    }
    assignments
}

/// A row as it is read: by position, and without the owner, whom the statement names. Looking up columns by
/// name and parsing the owner of each row would take a quarter of the time that a page takes.
#[derive(Clone, Debug, Deserialize)]
pub struct TaskRow {
    id: Uuid,
    title: String,
    description: String,
    is_completed: bool,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl TaskRow {
    /// The columns to select, in this order.
    pub const COLUMNS: [Column; 7] = [
        Column::Id,
        Column::Title,
        Column::Description,
        Column::IsCompleted,
        Column::Version,
        Column::CreatedAt,
        Column::UpdatedAt,
    ];

    /// Executes a statement that returns [`COLUMNS`](Self::COLUMNS), and reads all rows.
    pub async fn read_all(
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> Result<Vec<Self>, DbErr> {
        let rows = connection.query_all_raw(statement).await?;
        rows.iter().map(Self::read).collect()
    }

    /// Executes a statement that returns [`COLUMNS`](Self::COLUMNS) of one row at most.
    pub async fn read_one(
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> Result<Option<Self>, DbErr> {
        let rows = Self::read_all(connection, statement).await?;
        Ok(rows.into_iter().next())
    }

    /// Reads a row that starts with [`COLUMNS`](Self::COLUMNS).
    pub fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let (id, title, description, is_completed, version, created_at, updated_at) =
            row.try_get_many_by_index()?;
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

    /// Returns the id of the task.
    pub fn id(&self) -> TaskId {
        TaskId::from_uuid(self.id)
    }

    /// Compares two rows in the order of the newest tasks.
    pub fn newest_first(&self, other: &Self) -> Ordering {
        (other.created_at, other.id).cmp(&(self.created_at, self.id))
    }

    /// Returns the position of the row in an order, even if the row is corrupt; `None` if every row after it
    /// has a time out of range, too.
    pub fn position(&self, sort: Sort) -> Option<Position> {
        let instant = |micros| {
            let nearest = match Timestamp::from_micros(micros) {
                Ok(instant) => instant,
                Err(_) if sort.descending == (micros < 0) => return None,
                Err(_) if micros < 0 => Timestamp::FIRST,
                Err(_) => Timestamp::LAST,
            };
            Some(Key::Instant(nearest))
        };
        Some(Position {
            key: match sort.key {
                SortKey::CreatedAt => instant(self.created_at)?,
                SortKey::UpdatedAt => instant(self.updated_at)?,
                SortKey::Title => Key::Title(self.title.clone()),
            },
            id: self.id(),
        })
    }

    /// Converts the row to a task of this owner.
    ///
    /// # Errors
    /// [`CorruptRow`] if a value breaks a rule of the domain.
    pub fn into_task(self, owner: UserId) -> Result<Task, CorruptRow> {
        let id = self.id;
        self.parse(owner)
            .map_err(|source| CorruptRow { id, source })
    }

    fn parse(self, owner: UserId) -> Result<Task, Box<dyn Error + Send + Sync>> {
        Ok(Task {
            id: self.id(),
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
#[error("the row {id} of the table tasks is corrupt")]
pub struct CorruptRow {
    id: Uuid,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl From<CorruptRow> for StoreError {
    fn from(corrupt: CorruptRow) -> Self {
        Self::Defect(corrupt.into())
    }
}

impl From<CorruptRow> for DbErr {
    fn from(corrupt: CorruptRow) -> Self {
        Self::Custom(format!("{corrupt}: {}", corrupt.source))
    }
}

/// Returns the row of a task as JSON.
pub fn to_json(task: &Task) -> Result<String, DbErr> {
    serde_json::to_string(&Model::from(task)).map_err(|error| DbErr::Custom(error.to_string()))
}

/// Parses the JSON of a row, and returns its task with this owner.
pub fn from_json(json: &str, owner: &UserId) -> Result<Task, DbErr> {
    // The parser's error is left out: it may quote the task.
    let row: TaskRow = serde_json::from_str(json)
        .map_err(|_| DbErr::Custom("the stored JSON of a task is corrupt".into()))?;
    Ok(row.into_task(owner.clone())?)
}
