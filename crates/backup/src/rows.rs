//! Rows as both kinds of store have them: what is a boolean or a UUID on one is a number or bytes on
//! the other.

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::postgres::{PgRow, PgValueRef, Postgres};
use sea_orm::sqlx::sqlite::{Sqlite, SqliteRow, SqliteValueRef};
use sea_orm::sqlx::types::Uuid;
use sea_orm::sqlx::{self, AssertSqlSafe, Decode, Row as _, TypeInfo as _, ValueRef as _};
use taskhold_infrastructure::session::Session;

use crate::table::Table;

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    /// Also a boolean: 0 or 1.
    Integer(i64),
    Text(String),
    /// Also a UUID: its 16 bytes.
    Bytes(Vec<u8>),
}

/// The values of a row, in the order of its table's columns.
pub(crate) type Row = Vec<Value>;

/// Every row of a table, one after the other and in no order that means anything.
pub(crate) fn rows<'a>(
    session: &'a mut Session,
    table: &Table,
) -> BoxStream<'a, Result<Row, sqlx::Error>> {
    let sql = format!("SELECT {} FROM {}", table.column_list(), table.name);
    let query = AssertSqlSafe(sql);
    match session {
        Session::Postgres(connection) => sqlx::query(query)
            .fetch(&mut **connection)
            .and_then(async |row| of_postgres(&row))
            .boxed(),
        Session::Sqlite(connection) => sqlx::query(query)
            .fetch(&mut **connection)
            .and_then(async |row| of_sqlite(&row))
            .boxed(),
    }
}

fn of_postgres(row: &PgRow) -> Result<Row, sqlx::Error> {
    let values = (0..row.len()).map(|index| {
        let value = row.try_get_raw(index)?;
        postgres_value(value).map_err(|source| undecodable(index, source))
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

fn of_sqlite(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let values = (0..row.len()).map(|index| {
        let value = row.try_get_raw(index)?;
        sqlite_value(value).map_err(|source| undecodable(index, source))
    });
    values.collect()
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
    format!("the type {kind} is in no table of ours").into()
}

fn undecodable(index: usize, source: BoxDynError) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: index.to_string(),
        source,
    }
}
