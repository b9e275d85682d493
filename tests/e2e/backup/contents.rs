//! The contents of a store, read without the program and represented alike for both kinds.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::service::Database;

/// The sorted rows of every table; the values of each row are sorted by column name.
pub type Contents = BTreeMap<String, Vec<Vec<Option<String>>>>;

/// The tables whose rows no backup contains.
pub const SESSIONS: [&str; 2] = ["attempts", "refresh_tokens"];
/// The table of migrations, whose times of application differ between stores.
pub const MIGRATIONS: &str = "seaql_migrations";

/// Reads the current contents of a store, without the epochs of the change logs, which every restore and copy renews,
/// and without the locks of instances that use the store.
pub async fn contents(database: &Database) -> Contents {
    let mut contents = if database.is_sqlite() {
        of_sqlite(&database.url).await
    } else {
        of_postgres(&database.url).await
    };
    for feed in contents.get_mut("feeds").into_iter().flatten() {
        let epoch = feed.remove(0).expect("a number");
        assert!(epoch.parse::<i64>().expect("a number") > 0, "{epoch}");
    }
    if let Some(feeds) = contents.get_mut("feeds") {
        feeds.sort();
    }
    contents.remove("locks");
    contents
}

/// Returns the number of rows of a table, 0 if the table does not exist.
pub fn count(contents: &Contents, table: &str) -> usize {
    contents.get(table).map_or(0, Vec::len)
}

/// Returns whether only the migrations table has rows.
pub fn is_empty(contents: &Contents) -> bool {
    let mut tables = contents.iter().filter(|(table, _)| *table != MIGRATIONS);
    tables.all(|(_, rows)| rows.is_empty())
}

/// Adds `number` tasks of one new user, faster than by requests.
pub async fn add_tasks(database: &Database, number: u32) {
    let (numbers, id) = if database.is_sqlite() {
        (
            format!(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {number}) "
            ),
            "randomblob(16)",
        )
    } else {
        (
            format!("WITH numbers AS (SELECT generate_series(1, {number}) AS n) "),
            "gen_random_uuid()",
        )
    };
    database.execute(&format!(
            "INSERT INTO users (id, created_at, updated_at) VALUES ('crowd', 1, 1); \
             INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded, created_at, updated_at) \
             {numbers} SELECT {id}, 'crowd', 'task ' || n, 'one of many', 'task ' || n, 'one of many', n, n FROM numbers"
        ),
    )
    .await;
}

pub async fn postgres(url: &str) -> PgConnection {
    PgConnection::connect(url)
        .await
        .expect("PostgreSQL answers")
}

async fn sqlite(url: &str) -> SqliteConnection {
    SqliteConnection::connect(url).await.expect("a SQLite file")
}

/// Returns every row of these tables, sorted, and closes the connection, which may be of either
/// kind.
macro_rules! rows_of {
    ($connection:ident, $tables:ident) => {{
        let mut contents = Contents::new();
        for (table, values) in $tables {
            let sql = AssertSqlSafe(format!("SELECT {} FROM {table}", values.join(", ")));
            let rows = sqlx::query(sql)
                .fetch_all(&mut $connection)
                .await
                .expect("rows");
            let mut rows: Vec<Vec<Option<String>>> = rows
                .iter()
                .map(|row| (0..row.len()).map(|index| row.get(index)).collect())
                .collect();
            rows.sort();
            contents.insert(table, rows);
        }
        $connection.close().await.expect("closed");
        contents
    }};
}

async fn of_postgres(url: &str) -> Contents {
    const COLUMNS: &str = "SELECT table_name::text, column_name::text, udt_name::text \
        FROM information_schema.columns WHERE table_schema = 'public' \
        ORDER BY table_name::text COLLATE \"C\", column_name::text COLLATE \"C\"";
    let mut connection = postgres(url).await;
    let columns: Vec<(String, String, String)> = sqlx::query_as(COLUMNS)
        .fetch_all(&mut connection)
        .await
        .expect("columns");
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column, kind) in columns {
        let value = match kind.as_str() {
            "bool" => format!("{column}::int::text"),
            "uuid" => format!("replace({column}::text, '-', '')"),
            "bytea" => format!("encode({column}, 'hex')"),
            _ => format!("{column}::text"),
        };
        tables.entry(table).or_default().push(value);
    }
    rows_of!(connection, tables)
}

async fn of_sqlite(url: &str) -> Contents {
    const COLUMNS: &str = "SELECT tables.name, columns.name FROM sqlite_master AS tables, \
        pragma_table_info(tables.name) AS columns \
        WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite~_%' ESCAPE '~' \
        ORDER BY tables.name, columns.name";
    let path = url.strip_prefix("sqlite://").expect("the URL of a file");
    if !Path::new(path).exists() {
        return Contents::new();
    }
    let mut connection = sqlite(url).await;
    let columns: Vec<(String, String)> = sqlx::query_as(COLUMNS)
        .fetch_all(&mut connection)
        .await
        .expect("columns");
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column) in columns {
        let value = format!(
            "CASE typeof({column}) WHEN 'blob' THEN lower(hex({column})) ELSE CAST({column} AS TEXT) END"
        );
        tables.entry(table).or_default().push(value);
    }
    rows_of!(connection, tables)
}
