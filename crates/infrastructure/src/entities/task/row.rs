//! Rows of the table `tasks` as they are read.

use std::cmp::Ordering;
use std::error::Error;
use std::sync::LazyLock;

use sea_orm::entity::prelude::*;
use sea_orm::sqlx::{self, Decode, Postgres, Row as _, Sqlite, Type};
use sea_orm::{DbBackend, QuerySelect, RuntimeErr, Statement};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use taskhold_domain::task::{self, Description, Details, Task, TaskId, Title, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Key, Position, SortKey, TaskQuery};

use super::{Column, Entity};
use crate::entities::details;

/// A row as it is read: by position, and without the owner, whom the statement names. Looking up columns by
/// name and parsing the owner of each row would take a quarter of the time that a page takes.
#[derive(Clone, Debug, Deserialize)]
pub struct TaskRow {
    id: Uuid,
    title: String,
    description: String,
    #[serde(deserialize_with = "boolean")]
    is_completed: bool,
    version: i64,
    created_at: i64,
    updated_at: i64,
    completed_at: Option<i64>,
    details: Option<String>,
    moved_to: Option<String>,
}

/// The beginning of the statement that returns the rows of a subquery as JSON. An id would be no JSON otherwise.
static ROWS_AS_JSON: LazyLock<String> = LazyLock::new(|| {
    let columns = TaskRow::COLUMNS.map(|column| match column {
        Column::Id => format!("hex({})", column.unquoted()),
        column => column.unquoted().to_owned(),
    });
    let columns = columns.join(", ");
    format!("SELECT json_group_array(json_array({columns})) FROM (")
});

impl TaskRow {
    /// The columns to select, in this order.
    pub const COLUMNS: [Column; 10] = [
        Column::Id,
        Column::Title,
        Column::Description,
        Column::IsCompleted,
        Column::Version,
        Column::CreatedAt,
        Column::UpdatedAt,
        Column::CompletedAt,
        Column::Details,
        Column::MovedTo,
    ];

    /// Returns the query for the [`COLUMNS`](Self::COLUMNS) of all tasks.
    pub fn select() -> Select<Entity> {
        Entity::find().select_only().columns(Self::COLUMNS)
    }

    /// Executes a statement that returns [`COLUMNS`](Self::COLUMNS), and reads all rows.
    pub async fn read_all(
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> Result<Vec<Self>, DbErr> {
        if connection.get_database_backend() == DbBackend::Sqlite {
            return Self::read_all_from_sqlite(connection, statement).await;
        }
        let rows = connection.query_all_raw(statement).await?;
        let mut read = Vec::with_capacity(rows.len());
        for row in &rows {
            read.push(Self::read(row)?);
        }
        Ok(read)
    }

    /// Reads all rows as one value (decision 26).
    async fn read_all_from_sqlite(
        connection: &impl ConnectionTrait,
        mut statement: Statement,
    ) -> Result<Vec<Self>, DbErr> {
        statement.sql = format!("{}{})", *ROWS_AS_JSON, statement.sql);
        let Some(row) = connection.query_one_raw(statement).await? else {
            return Ok(Vec::new());
        };
        let rows: &str = match row.try_as_sqlite_row() {
            Some(row) => row.try_get(0).map_err(query_error)?,
            None => return Err(DbErr::Type(ANOTHER_STORE.into())),
        };
        serde_json::from_str(rows).map_err(|error| DbErr::Json(error.to_string()))
    }

    /// Executes a statement that returns [`COLUMNS`](Self::COLUMNS) of one row at most.
    pub async fn read_one(
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> Result<Option<Self>, DbErr> {
        let row = connection.query_one_raw(statement).await?;
        row.as_ref().map(Self::read).transpose()
    }

    /// Reads a row that starts with [`COLUMNS`](Self::COLUMNS).
    pub fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Self::read_at(row, 0)
    }

    /// Reads a row that has [`COLUMNS`](Self::COLUMNS) at `start` and after it, or NULL in all of them.
    pub fn read_optional(row: &QueryResult, start: usize) -> Result<Option<Self>, DbErr> {
        let id: Option<Uuid> = row.try_get_by_index(start)?;
        id.map(|_| Self::read_at(row, start)).transpose()
    }

    fn read_at(row: &QueryResult, start: usize) -> Result<Self, DbErr> {
        Ok(Self {
            id: row.try_get_by_index(start)?,
            title: row.try_get_by_index(start + 1)?,
            description: row.try_get_by_index(start + 2)?,
            is_completed: row.try_get_by_index(start + 3)?,
            version: row.try_get_by_index(start + 4)?,
            created_at: row.try_get_by_index(start + 5)?,
            updated_at: row.try_get_by_index(start + 6)?,
            completed_at: nullable(row, start + 7)?,
            details: nullable(row, start + 8)?,
            moved_to: nullable(row, start + 9)?,
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
    pub fn position(&self, query: &TaskQuery) -> Option<Position> {
        let TaskQuery { sort, zone, .. } = query;
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
                SortKey::Priority => Key::Priority(self.valid_details().priority),
                SortKey::CompletedAt => {
                    let completed_at = self.completed_at.filter(|_| self.is_completed);
                    Key::CompletedAt(
                        completed_at.and_then(|micros| Timestamp::from_micros(micros).ok()),
                    )
                }
                SortKey::Due => {
                    let due = self.valid_details().due;
                    Key::Due(due.map(|due| due.sort_key(zone)))
                }
                SortKey::Position => Key::Position(self.place()),
            },
            id: self.id(),
        })
    }

    /// Returns the place among the tasks of the owner as [`position`](super::position) does, even if the row is corrupt.
    fn place(&self) -> String {
        self.moved_to.clone().unwrap_or_else(|| {
            let (first, last) = (Timestamp::FIRST, Timestamp::LAST);
            let nearest = self.created_at.clamp(first.as_micros(), last.as_micros());
            let nearest = Timestamp::from_micros(nearest).unwrap_or(last);
            task::Position::of_creation(nearest).as_str().to_owned()
        })
    }

    /// Returns the details; those of a new task if the row is corrupt.
    fn valid_details(&self) -> Details {
        details::parse(self.details.as_deref()).unwrap_or_default()
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
        let created_at = Timestamp::from_micros(self.created_at)?;
        Ok(Task {
            id: self.id(),
            owner,
            title: Title::parse(self.title)?,
            description: Description::parse(self.description)?,
            completed: self.is_completed,
            version: Version::parse(self.version)?,
            created_at,
            updated_at: Timestamp::from_micros(self.updated_at)?,
            // The version before this one reopens a task and leaves the time.
            completed_at: self
                .completed_at
                .filter(|_| self.is_completed)
                .map(Timestamp::from_micros)
                .transpose()?,
            position: match self.moved_to {
                Some(position) => task::Position::parse(position)?,
                None => task::Position::of_creation(created_at),
            },
            details: details::parse(self.details.as_deref())?,
        })
    }
}

/// Reads a Boolean in JSON. SQLite writes it as a number.
fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_u64().map(|number| number != 0);
    let boolean = value.as_bool().or(number);
    boolean.ok_or_else(|| D::Error::custom("neither a Boolean nor its number"))
}

/// Reads a column that is NULL in most rows. `try_get_by_index` formats an error for each NULL, and then drops it.
fn nullable<T>(row: &QueryResult, index: usize) -> Result<Option<T>, DbErr>
where
    T: Type<Postgres> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + for<'r> Decode<'r, Sqlite>,
{
    let value = match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
        (Some(row), _) => row.try_get(index),
        (None, Some(row)) => row.try_get(index),
        (None, None) => return Err(DbErr::Type(ANOTHER_STORE.into())),
    };
    value.map_err(query_error)
}

const ANOTHER_STORE: &str = "a row of another store";

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
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
