//! The temporary table in which the rows of an import are staged.

use std::borrow::Cow;

use sea_orm::sea_query::{DynIden, Expr, Iden as _, InsertStatement, IntoIden, Query, Value};
use sea_orm::{DbErr, FromQueryResult as _, Iterable as _, QueryResult};
use sha2::{Digest as _, Sha256};
use taskhold_domain::import::ParsedTime;
use taskhold_repository::error::StoreError;
use taskhold_repository::import::{ImportedRow, RowIdentity};

use super::failed;
use crate::db::session::{MaintenanceSession, copy_text};
use crate::entities::task::{self, Column, Model, Searched};

/// The statements that create the table, and one for the verdicts on its rows. The first columns are those
/// of a task.
pub(super) const POSTGRES_TABLES: &str = "\
    CREATE TEMPORARY TABLE staged (LIKE tasks, position bigint PRIMARY KEY, origin text COLLATE \"C\", \
        console_id bigint, remembered_at bigint, digest bytea) ON COMMIT DROP; \
    CREATE TEMPORARY TABLE verdicts (position bigint PRIMARY KEY, verdict bigint) ON COMMIT DROP";
pub(super) const SQLITE_TABLES: &str = "\
    CREATE TEMPORARY TABLE staged AS SELECT tasks.*, 0 AS position, '' AS origin, 0 AS console_id, \
        0 AS remembered_at, x'' AS digest FROM tasks WHERE false; \
    CREATE UNIQUE INDEX temp.staged_position ON staged (position); \
    CREATE TEMPORARY TABLE verdicts (position bigint PRIMARY KEY, verdict bigint)";

/// The columns beside those of a task, in the order of [`StagedRow::into_values`].
const COLUMNS: [&str; 5] = [
    "position",
    "origin",
    "console_id",
    "remembered_at",
    "digest",
];

/// The bytes that are kept of the digest of each field.
const DIGEST_LENGTH: usize = 8;

/// Returns the columns of a task, in the order of [`task::cells`].
pub(super) fn task_columns() -> String {
    let stored = Column::iter().map(|column| column.to_string());
    let search = Searched::iter().map(|column| column.to_string());
    stored.chain(search).collect::<Vec<_>>().join(", ")
}

/// Returns the statement that reads rows into PostgreSQL.
pub(super) fn copy() -> String {
    let columns = task_columns();
    format!("COPY staged ({columns}, {}) FROM STDIN", COLUMNS.join(", "))
}

/// Returns the statement that inserts rows into SQLite.
pub(super) fn insert(rows: Vec<StagedRow<'_>>) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table("staged");
    for row in rows {
        let (columns, values): (Vec<_>, Vec<_>) = row.into_values().unzip();
        insert
            .columns(columns)
            .values_panic(values.into_iter().map(Expr::value));
    }
    insert
}

/// Returns the first field in which a stored row differs from the row of this digest.
pub(super) fn differing_field(row: &Model, expected: &[u8]) -> Result<Option<String>, StoreError> {
    let found = digest(row)?;
    let mut digests = found
        .chunks(DIGEST_LENGTH)
        .zip(expected.chunks(DIGEST_LENGTH));
    let differing = digests.position(|(found, expected)| found != expected);
    let column = differing.and_then(|place| Column::iter().nth(place));
    Ok(column.map(|column| column.to_string().trim_start_matches("is_").to_owned()))
}

/// Returns a few bytes of the digest of each field; zeros for NULL.
fn digest(row: &Model) -> Result<Vec<u8>, StoreError> {
    let mut digest = Vec::new();
    for (_, value) in row.clone().into_values() {
        let field = text(&value)?.map_or([0; 32], |text| Sha256::digest(text.as_bytes()).into());
        digest.extend(field.into_iter().take(DIGEST_LENGTH));
    }
    Ok(digest)
}

/// Returns a value as the text that PostgreSQL reads; `None` for NULL.
fn text(value: &Value) -> Result<Option<Cow<'_, str>>, StoreError> {
    Ok(Some(match value {
        Value::String(Some(text)) => text.as_str().into(),
        Value::Uuid(Some(id)) => id.to_string().into(),
        Value::BigInt(Some(number)) => number.to_string().into(),
        Value::Bool(Some(flag)) => flag.to_string().into(),
        Value::Bytes(Some(bytes)) => format!("\\x{}", hex::encode(bytes)).into(),
        null if *null == null.as_null() => return Ok(None),
        other => return Err(StoreError::Defect(format!("cannot stage {other:?}").into())),
    }))
}

/// A row of the table.
pub(super) struct StagedRow<'a> {
    row: &'a ImportedRow,
    position: i64,
    origin: String,
    console_id: i64,
    remembered_at: i64,
    digest: Vec<u8>,
}

impl<'a> StagedRow<'a> {
    pub(super) fn of(row: &'a ImportedRow) -> Result<Self, StoreError> {
        /// Stands for a time that the file does not have.
        const UNKNOWN: i64 = i64::MIN;
        let (origin, console_id, remembered_at) = match &row.identity {
            RowIdentity::Console {
                owner,
                id,
                created_at,
            } => {
                let remembered_at = match created_at {
                    None => UNKNOWN,
                    Some(ParsedTime::Local(wall)) => wall.as_micros(),
                    Some(ParsedTime::Instant(instant)) => instant.as_micros(),
                };
                (owner.as_str().to_owned(), id.get(), remembered_at)
            }
            RowIdentity::Native => (row.task.id.to_string(), 0, UNKNOWN),
        };
        Ok(Self {
            row,
            position: i64::try_from(row.position)
                .map_err(|error| StoreError::Defect(error.into()))?,
            origin,
            console_id,
            remembered_at,
            digest: digest(&Model::from(&row.task))?,
        })
    }

    /// Returns each column with its value: those of a task, then [`COLUMNS`].
    fn into_values(self) -> impl Iterator<Item = (DynIden, Value)> {
        let staging: [Value; COLUMNS.len()] = [
            self.position.into(),
            self.origin.into(),
            self.console_id.into(),
            self.remembered_at.into(),
            self.digest.into(),
        ];
        let staging = COLUMNS.into_iter().map(IntoIden::into_iden).zip(staging);
        task::cells(&self.row.task).chain(staging)
    }

    /// Appends the row as a line of the text format of `COPY`.
    pub(super) fn write_copy(self, out: &mut String) -> Result<(), StoreError> {
        for (place, (_, value)) in self.into_values().enumerate() {
            if place > 0 {
                out.push('\t');
            }
            match text(&value)? {
                Some(text) => copy_text(out, &text),
                None => out.push_str("\\N"),
            }
        }
        out.push('\n');
        Ok(())
    }
}

/// Reads rows after a position: the position, the digest of the file's row, and the stored task.
pub(super) async fn read_back(
    session: &mut MaintenanceSession,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, Vec<u8>, Option<Model>)>, StoreError> {
    let stored = Column::iter().map(|column| format!("tasks.{}", column.to_string()));
    let sql = format!(
        "SELECT staged.position, staged.digest, {} FROM staged \
         LEFT JOIN tasks ON tasks.id = staged.id AND tasks.user_id = staged.user_id \
         WHERE staged.position > $1 ORDER BY staged.position LIMIT $2",
        stored.collect::<Vec<_>>().join(", ")
    );
    let rows = session.query(&sql, &[after, limit]).await.map_err(failed)?;
    let read = |row: &QueryResult| {
        let (position, digest) = row.try_get_many_by_index()?;
        Ok((
            position,
            digest,
            Model::from_query_result_optional(row, "")?,
        ))
    };
    rows.iter()
        .map(read)
        .collect::<Result<_, DbErr>>()
        .map_err(|error| StoreError::Defect(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_null_has_no_text() {
        assert_eq!(text(&Value::BigInt(None)).unwrap(), None);
        let empty = Value::from("");
        assert_eq!(text(&empty).unwrap().as_deref(), Some(""));
    }
}
