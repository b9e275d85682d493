//! Copies the contents of a store into another, of either kind: from SQLite to PostgreSQL, and back.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::types::Uuid;
use sea_orm::sqlx::{self, AssertSqlSafe};
use taskhold_infrastructure::db::connect::ConnectOptions;
use taskhold_infrastructure::db::migrations;
use taskhold_infrastructure::db::session::{MaintenanceSession, copy_text};

use crate::contents::{Contents, TableDigest, contents, difference};
use crate::error::BackupError;
use crate::make::migrations;
use crate::restore::{execute, migrate, occupied, renew_epochs};
use crate::rows::{Row, Value, rows};
use crate::table::{Table, tables_of_contents};

/// How many rows are written at once. With the widest table a statement stays within SQLite's limit of
/// 32,766 parameters.
pub(crate) const BATCH: usize = 1_000;

/// Copies the contents of one moment of a store, which is served meanwhile, into an empty one: all or
/// nothing. Returns the contents, which were read back and compared.
///
/// # Errors
/// [`BackupError`]. The target then has its tables and no rows.
pub async fn copy(
    source: &ConnectOptions,
    target: &ConnectOptions,
) -> Result<Contents, BackupError> {
    let _lock = target.lock()?;
    let mut from = source.session().await?;
    let (applied, _) = migrations(&mut from).await?;
    if applied != migrations::known() {
        return Err(BackupError::Refused(format!(
            "the {} lacks the tables of this program: run `taskhold migrate up` first",
            source.url
        )));
    }
    migrate(target).await?;
    let mut to = target.session().await?;
    if let Some(rows) = occupied(&mut to).await? {
        return Err(BackupError::Refused(format!(
            "the {} is not empty ({rows}): copy into an empty one",
            target.url
        )));
    }
    let begin = match from {
        MaintenanceSession::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        MaintenanceSession::Sqlite(_) => "BEGIN",
    };
    let failed = "begin or end the copy";
    execute(&mut from, begin, failed).await?;
    execute(&mut to, "BEGIN", failed).await?;
    let mut expected = Contents::new();
    for table in Table::of(&mut to, tables_of_contents()).await? {
        let copied = copy_table(&mut from, &mut to, &table).await?;
        expected.insert(table.name.to_owned(), copied.contents());
    }
    let found = contents(&mut to, tables_of_contents()).await?;
    if let Some(difference) = difference(&expected, &found) {
        return Err(BackupError::Mismatch(format!(
            "what was read back is not what was copied: {difference}"
        )));
    }
    renew_epochs(&mut to).await?;
    execute(&mut to, "COMMIT", failed).await?;
    to.close().await;
    from.close().await;
    Ok(found)
}

async fn copy_table(
    from: &mut MaintenanceSession,
    to: &mut MaintenanceSession,
    table: &Table,
) -> Result<TableDigest, BackupError> {
    let mut digest = TableDigest::new(table);
    let rows = rows(from, table).inspect_ok(|row| digest.add(row));
    let mut batches = rows
        .try_chunks(BATCH)
        .map_err(|error| BackupError::sql("read the store")(error.1));
    match to {
        MaintenanceSession::Postgres(connection) => {
            let sql = format!("COPY {} ({}) FROM STDIN", table.name, table.column_list());
            let copy = connection.copy_in_raw(&sql).await;
            let mut copy = copy.map_err(BackupError::sql("write rows"))?;
            while let Some(rows) = batches.try_next().await? {
                let sent = copy.send(as_text(table, &rows).into_bytes()).await;
                sent.map_err(BackupError::sql("write rows"))?;
            }
            let finished = copy.finish().await;
            finished.map_err(BackupError::sql("write rows"))?;
        }
        MaintenanceSession::Sqlite(connection) => {
            while let Some(rows) = batches.try_next().await? {
                let inserted = insert_statement(connection, table, rows, "").await;
                inserted.map_err(BackupError::sql("write rows"))?;
            }
        }
    }
    drop(batches);
    Ok(digest)
}

/// Writes rows in the text format of `COPY`.
fn as_text(table: &Table, rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        for (index, (value, column)) in row.iter().zip(&table.columns).enumerate() {
            if index > 0 {
                text.push('\t');
            }
            write_text(&mut text, value, &column.kind);
        }
        text.push('\n');
    }
    text
}

fn write_text(out: &mut String, value: &Value, kind: &str) {
    match value {
        Value::Null => out.push_str("\\N"),
        Value::Integer(number) => {
            // Writing to a string cannot fail. A boolean is read from 0 and 1 as well.
            let _ = write!(out, "{number}");
        }
        Value::Text(text) => copy_text(out, text),
        Value::Bytes(bytes) => copy_text(out, &postgres_text(bytes, kind)),
    }
}

/// Returns bytes as PostgreSQL reads them for a column of this type.
pub(crate) fn postgres_text(bytes: &[u8], kind: &str) -> String {
    match Uuid::from_slice(bytes) {
        Ok(id) if kind == "uuid" => id.to_string(),
        _ => format!("\\x{}", hex::encode(bytes)),
    }
}

/// Inserts at most [`BATCH`] rows into SQLite, with this clause at the end of the statement.
pub(crate) async fn insert_statement(
    connection: &mut SqliteConnection,
    table: &Table,
    rows: Vec<Row>,
    on_conflict: &str,
) -> Result<(), sqlx::Error> {
    let row = format!("({})", vec!["?"; table.columns.len()].join(", "));
    let sql = format!(
        "INSERT INTO {} ({}) VALUES {}{on_conflict}",
        table.name,
        table.column_list(),
        vec![row; rows.len()].join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for value in rows.into_iter().flatten() {
        query = match value {
            Value::Null => query.bind(None::<i64>),
            Value::Integer(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Bytes(bytes) => query.bind(bytes),
        };
    }
    query.execute(connection).await.map(drop)
}
