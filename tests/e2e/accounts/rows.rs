//! Every row of every table, as text.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection,
};

use crate::service::Database;

/// The rows of a database, by table.
pub type Rows = BTreeMap<String, BTreeSet<String>>;

/// Reads every row of every table.
pub async fn rows(database: &Database) -> Rows {
    let tables = if database.is_sqlite() {
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    } else {
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
    };
    let mut rows = Rows::new();
    for table in query_texts(database, tables).await {
        let all = table_rows(database, &table).await;
        rows.insert(table, all.into_iter().collect());
    }
    assert!(rows.len() >= 6, "{rows:?}");
    rows
}

async fn table_rows(database: &Database, table: &str) -> Vec<String> {
    if !database.is_sqlite() {
        let all = format!("SELECT row_to_json(t)::text FROM \"{table}\" t");
        return query_texts(database, &all).await;
    }
    let columns = format!("SELECT 'quote(\"' || name || '\")' FROM pragma_table_info('{table}')");
    let columns = query_texts(database, &columns).await.join(" || ',' || ");
    query_texts(database, &format!("SELECT {columns} FROM \"{table}\"")).await
}

async fn query_texts(database: &Database, sql: &str) -> Vec<String> {
    let sql = AssertSqlSafe(sql.to_owned());
    if database.is_sqlite() {
        let mut connection = SqliteConnection::connect(&database.url)
            .await
            .expect("open");
        let rows = connection.fetch_all(sql).await.expect("read");
        rows.iter().map(|row| row.get(0)).collect()
    } else {
        let mut connection = connect_postgres(database).await;
        let rows = connection.fetch_all(sql).await.expect("read");
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// Connects to the PostgreSQL database.
pub async fn connect_postgres(database: &Database) -> PgConnection {
    PgConnection::connect(&database.url)
        .await
        .expect("connected")
}
