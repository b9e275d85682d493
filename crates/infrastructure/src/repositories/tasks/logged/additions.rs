//! SQLite's statement that adds several tasks.

use std::sync::LazyLock;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use serde_json::Value as Json;
use taskhold_domain::task::Task;
use taskhold_domain::task::change_log::{ChangeKind, ChangeSeq};

use super::sql::{LOG, Sql, all_columns, name};
use crate::entities::change::parse_seq;
use crate::entities::task::{self, Column};

/// The members of a task that is added, before its cells.
const AUTHOR: &str = "new.value ->> 0";
const ID: &str = "unhex(new.value ->> 1)";
const OWNER: &str = "new.value ->> 2";
const CREATED_AT: &str = "new.value ->> 3";
const FIRST_CELL: usize = 4;

/// The statements that add the tasks of a JSON array, and return their numbers as one.
static ADDITIONS: LazyLock<String> = LazyLock::new(|| {
    let columns = all_columns();
    let id = name(&Column::Id);
    let cells: Vec<_> = columns
        .iter()
        .zip(FIRST_CELL..)
        .map(|(column, place)| match column {
            column if *column == id => ID.to_owned(),
            _ => format!("new.value ->> {place}"),
        })
        .collect();
    let feed = Sql::new(DbBackend::Sqlite).feed(
        &format!("SELECT {OWNER}, count(*)"),
        &format!("FROM json_each($1) AS new WHERE true GROUP BY {OWNER}"),
    );
    let seq =
        "feeds.seq + 1 - row_number() OVER (PARTITION BY feeds.user_id ORDER BY new.key DESC)";
    let numbered = format!("FROM json_each($1) AS new JOIN feeds ON feeds.user_id = {OWNER}");
    format!(
        "{feed}; INSERT INTO tasks ({columns}) SELECT {cells} FROM json_each($1) AS new; \
         INSERT INTO {LOG} SELECT feeds.user_id, {seq}, {ID}, '{kind}', '{{}}', {CREATED_AT}, {AUTHOR} {numbered}; \
         SELECT json_group_array(seq) FROM (SELECT {seq} AS seq {numbered} ORDER BY new.key) AS numbered",
        columns = columns.join(", "),
        cells = cells.join(", "),
        kind = ChangeKind::Created.as_str(),
    )
});

/// Adds tasks on SQLite, each with its author, and returns their numbers in this order. An unknown owner breaks a
/// foreign key.
pub(crate) async fn add_all_on_sqlite(
    connection: &impl ConnectionTrait,
    tasks: String,
) -> Result<Vec<ChangeSeq>, DbErr> {
    let statement =
        Statement::from_sql_and_values(DbBackend::Sqlite, ADDITIONS.as_str(), [tasks.into()]);
    let row = connection.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("additions have numbers".into()))?;
    let numbers: String = row.try_get_by_index(0)?;
    let numbers: Vec<i64> = serde_json::from_str(&numbers).map_err(|error| json_error(&error))?;
    numbers.into_iter().map(parse_seq).collect()
}

/// Returns tasks, each with its author, as the JSON array that [`add_all_on_sqlite`] adds.
pub(crate) fn to_json(tasks: &[(&Task, &str)]) -> Result<String, DbErr> {
    let rows = tasks.iter().map(|(task, by)| {
        let mut row: Vec<Json> = vec![
            (*by).into(),
            task.id.as_uuid().simple().to_string().into(),
            task.owner.as_str().into(),
            task.created_at.as_micros().into(),
        ];
        for (_, value) in task::cells(task) {
            row.push(cell(value)?);
        }
        Ok(row)
    });
    let rows: Vec<_> = rows.collect::<Result<_, DbErr>>()?;
    serde_json::to_string(&rows).map_err(|error| json_error(&error))
}

fn cell(value: Value) -> Result<Json, DbErr> {
    Ok(match value {
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::BigInt(value) => value.into(),
        Value::String(value) => value.into(),
        // The statement takes the id from another member.
        Value::Uuid(_) => Json::Null,
        other => return Err(DbErr::Type(format!("{other:?} is in no column of a task"))),
    })
}

fn json_error(error: &serde_json::Error) -> DbErr {
    DbErr::Json(error.to_string())
}
