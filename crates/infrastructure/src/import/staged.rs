//! The table that the rows of an import are set aside in.

use std::fmt::{Display, Write as _};

use sea_orm::sqlx;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::sqlite::{Sqlite, SqliteArguments};
use sha2::{Digest as _, Sha256};
use taskhold_domain::import::ParsedTime;
use taskhold_domain::search::fold;
use taskhold_domain::task::Task;
use taskhold_repository::error::StoreError;
use taskhold_repository::import::{ImportedRow, RowIdentity};

use super::failed;
use crate::session::{Session, copy_text};
use crate::tasks::row::Model;

/// Its columns, in the order in which they are written.
const COLUMNS: [&str; 15] = [
    "position",
    "origin",
    "console_id",
    "remembered_at",
    "id",
    "user_id",
    "title",
    "description",
    "title_folded",
    "description_folded",
    "is_completed",
    "version",
    "created_at",
    "updated_at",
    "digest",
];

/// How PostgreSQL takes them, in that order.
pub(super) const COPY: &str = "COPY staged FROM STDIN";

const READ_BACK: &str = "SELECT staged.position, staged.digest, tasks.id, tasks.user_id, tasks.title, \
    tasks.description, tasks.is_completed, tasks.version, tasks.created_at, tasks.updated_at \
    FROM staged LEFT JOIN tasks ON tasks.id = staged.id AND tasks.user_id = staged.user_id \
    WHERE staged.position > $1 ORDER BY staged.position LIMIT $2";

/// The statements that make the table, and one for what becomes of its rows.
pub(super) fn tables(uuid: &str, bytes: &str, collation: &str, ending: &str) -> String {
    let text = format!("text{collation}");
    format!(
        "CREATE TEMPORARY TABLE staged (position bigint PRIMARY KEY, origin {text}, console_id bigint, \
         remembered_at bigint, id {uuid}, user_id {text}, title {text}, description {text}, \
         title_folded {text}, description_folded {text}, is_completed boolean, version bigint, \
         created_at bigint, updated_at bigint, digest {bytes}){ending}; \
         CREATE TEMPORARY TABLE verdicts (position bigint PRIMARY KEY, verdict bigint){ending}"
    )
}

/// A statement that sets so many rows aside.
pub(super) fn insert(rows: usize) -> String {
    let row = format!("({})", vec!["?"; COLUMNS.len()].join(", "));
    format!(
        "INSERT INTO staged ({}) VALUES {}",
        COLUMNS.join(", "),
        vec![row.as_str(); rows].join(", ")
    )
}

/// What is compared when a task is read back.
const FIELDS: [&str; 8] = [
    "id",
    "user_id",
    "title",
    "description",
    "completed",
    "version",
    "created_at",
    "updated_at",
];
/// Of so many bytes of each field's digest.
const DIGEST_LENGTH: usize = 8;

/// All fields of a task in a few bytes each, in the order of [`FIELDS`].
fn digest(row: &Model) -> Vec<u8> {
    [
        row.id.as_bytes().as_slice(),
        row.user_id.as_bytes(),
        row.title.as_bytes(),
        row.description.as_bytes(),
        &[u8::from(row.is_completed)],
        &row.version.to_be_bytes(),
        &row.created_at.to_be_bytes(),
        &row.updated_at.to_be_bytes(),
    ]
    .iter()
    .flat_map(|field| Sha256::digest(field).into_iter().take(DIGEST_LENGTH))
    .collect()
}

/// The first field of a row that is not what the digest was made of.
pub(super) fn differing_field(row: &Model, expected: &[u8]) -> Option<&'static str> {
    let found = digest(row);
    let mut digests = found
        .chunks(DIGEST_LENGTH)
        .zip(expected.chunks(DIGEST_LENGTH));
    let differing = digests.position(|(found, expected)| found != expected)?;
    FIELDS.get(differing).copied()
}

/// A row of the table.
pub(super) struct StagedRow<'a> {
    position: i64,
    origin: String,
    console_id: i64,
    remembered_at: i64,
    task: &'a Task,
    title_folded: String,
    description_folded: String,
    digest: Vec<u8>,
}

impl<'a> StagedRow<'a> {
    pub(super) fn of(row: &'a ImportedRow) -> Result<Self, StoreError> {
        /// For what the file does not tell.
        const UNKNOWN: i64 = i64::MIN;
        let task = &row.task;
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
            RowIdentity::Native => (task.id.to_string(), 0, UNKNOWN),
        };
        Ok(Self {
            position: i64::try_from(row.position)
                .map_err(|error| StoreError::Defect(error.into()))?,
            origin,
            console_id,
            remembered_at,
            task,
            title_folded: fold(task.title.as_str()),
            description_folded: fold(task.description.as_str()),
            digest: digest(&Model::from(task)),
        })
    }

    /// As a line of the text format of `COPY`.
    pub(super) fn write_copy(&self, out: &mut String) {
        let task = self.task;
        number(out, self.position);
        text(out, &self.origin);
        number(out, self.console_id);
        number(out, self.remembered_at);
        number(out, task.id);
        text(out, task.owner.as_str());
        text(out, task.title.as_str());
        text(out, task.description.as_str());
        text(out, &self.title_folded);
        text(out, &self.description_folded);
        number(out, task.completed);
        number(out, task.version.get());
        number(out, task.created_at.as_micros());
        number(out, task.updated_at.as_micros());
        out.push_str("\\\\x");
        for byte in &self.digest {
            // Writing to a string cannot fail.
            let _ = write!(out, "{byte:02x}");
        }
        out.push('\n');
    }

    pub(super) fn bind(
        self,
        query: Query<'_, Sqlite, SqliteArguments>,
    ) -> Query<'_, Sqlite, SqliteArguments> {
        let task = self.task;
        query
            .bind(self.position)
            .bind(self.origin)
            .bind(self.console_id)
            .bind(self.remembered_at)
            .bind(task.id.as_uuid())
            .bind(task.owner.as_str().to_owned())
            .bind(task.title.as_str().to_owned())
            .bind(task.description.as_str().to_owned())
            .bind(self.title_folded)
            .bind(self.description_folded)
            .bind(task.completed)
            .bind(task.version.get())
            .bind(task.created_at.as_micros())
            .bind(task.updated_at.as_micros())
            .bind(self.digest)
    }
}

fn number(out: &mut String, value: impl Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}\t");
}

fn text(out: &mut String, value: &str) {
    copy_text(out, value);
    out.push('\t');
}

/// Rows after a position: it, the digest of what the file said, and the task that is there.
pub(super) async fn read_back(
    session: &mut Session,
    after: i64,
    most: i64,
) -> Result<Vec<(i64, Vec<u8>, Option<Model>)>, StoreError> {
    match session {
        Session::Postgres(connection) => {
            let rows = sqlx::query(READ_BACK).bind(after).bind(most);
            let rows = rows.fetch_all(&mut **connection).await.map_err(failed)?;
            rows.iter().map(decoded).collect::<Result<_, _>>()
        }
        Session::Sqlite(connection) => {
            let rows = sqlx::query(READ_BACK).bind(after).bind(most);
            let rows = rows.fetch_all(&mut **connection).await.map_err(failed)?;
            rows.iter().map(decoded).collect::<Result<_, _>>()
        }
    }
    .map_err(failed)
}

fn decoded<R>(row: &R) -> Result<(i64, Vec<u8>, Option<Model>), sqlx::Error>
where
    R: sqlx::Row,
    usize: sqlx::ColumnIndex<R>,
    for<'r> i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> bool: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> Vec<u8>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> sqlx::types::Uuid: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let id: Option<sqlx::types::Uuid> = row.try_get(2)?;
    let task = match id {
        None => None,
        Some(id) => Some(Model {
            id,
            user_id: row.try_get(3)?,
            title: row.try_get(4)?,
            description: row.try_get(5)?,
            is_completed: row.try_get(6)?,
            version: row.try_get(7)?,
            created_at: row.try_get(8)?,
            updated_at: row.try_get(9)?,
        }),
    };
    Ok((row.try_get(0)?, row.try_get(1)?, task))
}
