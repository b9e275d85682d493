//! Rows in a form that both kinds of store share: SQLite has numbers and bytes where PostgreSQL has
//! booleans and UUIDs.

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::postgres::{PgValueRef, Postgres};
use sea_orm::sqlx::sqlite::{Sqlite, SqliteValueRef};
use sea_orm::sqlx::types::Uuid;
use sea_orm::sqlx::{
    self, AssertSqlSafe, ColumnIndex, Database, Decode, Row as _, TypeInfo as _, ValueRef as _,
};
use taskhold_infrastructure::db::session::MaintenanceSession;

use crate::table::Table;

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    /// An integer, or a boolean as 0 or 1.
    Integer(i64),
    Text(String),
    /// Bytes, such as the 16 of a UUID.
    Bytes(Vec<u8>),
}

/// The values of a row, in the order of its table's columns.
pub(crate) type Row = Vec<Value>;

/// Reads every row of a table, in no particular order.
pub(crate) fn rows<'a>(
    session: &'a mut MaintenanceSession,
    table: &Table,
) -> BoxStream<'a, Result<Row, sqlx::Error>> {
    let sql = format!("SELECT {} FROM {}", table.column_list(), table.name);
    fetch(session, sql, None)
}

/// Reads the rows for which a condition on a user's id, `$1`, holds.
pub(crate) fn rows_of<'a>(
    session: &'a mut MaintenanceSession,
    table: &Table,
    condition: &str,
    user: &str,
) -> BoxStream<'a, Result<Row, sqlx::Error>> {
    let (columns, table) = (table.column_list(), table.name);
    let sql = format!("SELECT {columns} FROM {table} WHERE {condition}");
    fetch(session, sql, Some(user.to_owned()))
}

fn fetch(
    session: &mut MaintenanceSession,
    sql: String,
    user: Option<String>,
) -> BoxStream<'_, Result<Row, sqlx::Error>> {
    match session {
        MaintenanceSession::Postgres(connection) => user
            .into_iter()
            .fold(sqlx::query(AssertSqlSafe(sql)), sqlx::query::Query::bind)
            .fetch(&mut **connection)
            .and_then(async |row| decode::<Postgres>(&row, postgres_value))
            .boxed(),
        MaintenanceSession::Sqlite(connection) => user
            .into_iter()
            .fold(sqlx::query(AssertSqlSafe(sql)), sqlx::query::Query::bind)
            .fetch(&mut **connection)
            .and_then(async |row| decode::<Sqlite>(&row, sqlite_value))
            .boxed(),
    }
}

/// Decodes the values of a row, each by this function of its kind of store.
fn decode<D: Database>(
    row: &D::Row,
    value: for<'r> fn(D::ValueRef<'r>) -> Result<Value, BoxDynError>,
) -> Result<Row, sqlx::Error>
where
    usize: ColumnIndex<D::Row>,
{
    let values = (0..row.len()).map(|index| {
        value(row.try_get_raw(index)?).map_err(|source| sqlx::Error::ColumnDecode {
            index: index.to_string(),
            source,
        })
    });
    values.collect()
}

fn postgres_value(value: PgValueRef<'_>) -> Result<Value, BoxDynError> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let kind = value.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "BOOL" => Value::Integer(<bool as Decode<Postgres>>::decode(value)?.into()),
        "INT4" => Value::Integer(<i32 as Decode<Postgres>>::decode(value)?.into()),
        "INT8" => Value::Integer(Decode::<Postgres>::decode(value)?),
        "TEXT" | "VARCHAR" => Value::Text(Decode::<Postgres>::decode(value)?),
        "BYTEA" => Value::Bytes(Decode::<Postgres>::decode(value)?),
        "UUID" => {
            let id: Uuid = Decode::<Postgres>::decode(value)?;
            Value::Bytes(id.into_bytes().to_vec())
        }
        other => return Err(unknown(other)),
    })
}

fn sqlite_value(value: SqliteValueRef<'_>) -> Result<Value, BoxDynError> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let kind = value.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INTEGER" => Value::Integer(Decode::<Sqlite>::decode(value)?),
        "TEXT" => Value::Text(Decode::<Sqlite>::decode(value)?),
        "BLOB" => Value::Bytes(Decode::<Sqlite>::decode(value)?),
        other => return Err(unknown(other)),
    })
}

fn unknown(kind: &str) -> BoxDynError {
    format!("the type {kind} is in no table of the schema").into()
}
