//! Rows of the table `tasks`, and their conversion from and to tasks.

mod row;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{DynIden, IntoIden};
use sea_orm::{IntoActiveModel, Iterable, Value};
use serde::{Deserialize, Serialize};
use taskhold_domain::lower_case::lower_case;
use taskhold_domain::search::fold;
use taskhold_domain::task::{self, DetailsChange, Task};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

pub use self::row::{CorruptRow, TaskRow};
use super::details;

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
    pub completed_at: Option<i64>,
    pub details: Option<String>,
    /// The place among the tasks of the owner; `None` while it is that of the creation. (The name `position` is that
    /// of a column of the temporary table in which the version before this one stages an import.)
    pub moved_to: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The columns that a search or a filter compares. They are written with the values that they repeat and never read
/// with a task, so they are not part of [`Model`].
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
    /// The priority as a number; NULL for none.
    Priority,
    /// The [key](taskhold_domain::task::Tag::key) of each tag between commas; NULL without tags.
    TagKeys,
    /// The days since 1970 of a due date that is a day; NULL for any other.
    DueDate,
    /// The microseconds since 1970 of a due date that is a time; NULL for any other.
    DueAt,
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
            completed_at: task.completed_at.map(Timestamp::as_micros),
            details: details::document(&task.details),
            moved_to: (task.position != task::Position::of_creation(task.created_at))
                .then(|| task.position.as_str().to_owned()),
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

/// Returns the columns that filters and orders compare, of those details that a change sets, in the order of
/// [`Searched`].
pub fn filtered(change: &DetailsChange) -> impl Iterator<Item = (Searched, Value)> + use<> {
    let DetailsChange {
        due,
        priority,
        tags,
        ..
    } = change;
    let priority = priority.map(|priority| {
        let number = Some(details::priority_number(priority)).filter(|number| *number > 0);
        (Searched::Priority, number.into())
    });
    let tags = tags
        .as_ref()
        .map(|tags| (Searched::TagKeys, details::tag_keys(tags).into()));
    let due = due.as_ref().map(|due| {
        let (date, at) = details::due_columns(due.as_ref());
        [
            (Searched::DueDate, date.into()),
            (Searched::DueAt, at.into()),
        ]
    });
    priority
        .into_iter()
        .chain(tags)
        .chain(due.into_iter().flatten())
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
    let search = search
        .into_iter()
        .chain(filtered(&DetailsChange::of(&task.details)));
    let stored = Model::from(task).into_values();
    stored
        .map(|(column, value)| (column.into_iden(), value))
        .chain(search.map(|(column, value)| (column.into_iden(), value)))
}

/// The number from which the microseconds of a creation are subtracted in
/// [`Position::of_creation`](taskhold_domain::task::Position::of_creation).
pub const CREATIONS: i64 = 900_000_000_000_000_000;

/// Returns the place of a task among those of its owner in SQL, for a table with the columns of `tasks`: the one to
/// which it was moved, or that of its creation as
/// [`Position::of_creation`](taskhold_domain::task::Position::of_creation) computes it.
pub fn position(table: &str) -> String {
    let (first, last) = (Timestamp::FIRST.as_micros(), Timestamp::LAST.as_micros());
    // A time out of range, which only a corrupt row has, must not overflow.
    let digits = format!(
        "CAST({CREATIONS} - CASE WHEN {table}.created_at < {first} THEN {first} \
            WHEN {table}.created_at > {last} THEN {last} ELSE {table}.created_at END AS text)"
    );
    format!(
        "coalesce({table}.moved_to, '0' || substr({digits}, 1, 8) || '0' || substr({digits}, 9, 8) \
            || '6' || substr({digits}, 17, 2))"
    )
}

/// The rows of tasks and of their follow-ups.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredJson<Row> {
    Several {
        tasks: Vec<Row>,
        next: Vec<Row>,
    },
    /// The version before this one reads this form only, and ignores the member `next`.
    One {
        #[serde(flatten)]
        row: Row,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<Row>,
    },
}

/// Returns the rows of tasks and of their follow-ups as JSON; `None` if there is no task.
pub fn to_json(tasks: &[Task], next: &[Task]) -> Result<Option<String>, DbErr> {
    let stored = match tasks {
        [] => return Ok(None),
        [task] => StoredJson::One {
            row: Model::from(task),
            next: next.first().map(Model::from),
        },
        _ => StoredJson::Several {
            tasks: tasks.iter().map(Model::from).collect(),
            next: next.iter().map(Model::from).collect(),
        },
    };
    let json = serde_json::to_string(&stored);
    json.map(Some)
        .map_err(|error| DbErr::Custom(error.to_string()))
}

/// Parses the JSON of rows, and returns the tasks and their follow-ups, all with this owner.
pub fn from_json(json: &str, owner: &UserId) -> Result<(Vec<Task>, Vec<Task>), DbErr> {
    // The parser's error is left out: it may quote a task.
    let stored: StoredJson<TaskRow> = serde_json::from_str(json)
        .map_err(|_| DbErr::Custom("the stored JSON of a task is corrupt".into()))?;
    let (tasks, next) = match stored {
        StoredJson::One { row, next } => (vec![row], next.into_iter().collect()),
        StoredJson::Several { tasks, next } => (tasks, next),
    };
    let into_tasks = |rows: Vec<TaskRow>| {
        let tasks = rows.into_iter().map(|row| row.into_task(owner.clone()));
        tasks.collect::<Result<_, CorruptRow>>()
    };
    Ok((into_tasks(tasks)?, into_tasks(next)?))
}
