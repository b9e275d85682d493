//! The database of a test.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use taskhold_testkit::postgres::PostgresDatabase;
use tempfile::TempDir;

/// An empty database that no other test uses, and a folder for the other files of the test.
pub struct Database {
    pub url: String,
    pub folder: TempDir,
}

impl Database {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!(
            "sqlite://{}",
            folder.path().join("data/taskhold.db").display()
        );
        Self { url, folder }
    }

    pub async fn postgres() -> Self {
        Self::at(PostgresDatabase::empty().await.url())
    }

    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite")
    }

    /// Creates another empty database of the same kind.
    pub async fn another(&self) -> Self {
        if self.is_sqlite() {
            Self::sqlite()
        } else {
            Self::postgres().await
        }
    }

    /// Creates an empty database of the other kind.
    pub async fn of_other_kind(&self) -> Self {
        if self.is_sqlite() {
            Self::postgres().await
        } else {
            Self::sqlite()
        }
    }

    /// Executes statements without the program. A missing SQLite file is created.
    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = if self.is_sqlite() {
            std::fs::create_dir_all(self.folder.path().join("data")).expect("a folder");
            let connection = SqliteConnection::connect(&format!("{}?mode=rwc", self.url)).await;
            let mut connection = connection.expect("opened");
            let done = connection.execute(sql).await.map(drop);
            connection.close().await.expect("closed");
            done
        } else {
            let connection = PgConnection::connect(&self.url).await;
            connection.expect("connected").execute(sql).await.map(drop)
        };
        done.expect("executed");
    }

    /// Returns the number that a query finds.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        let found = if self.is_sqlite() {
            let connection = SqliteConnection::connect(&self.url).await;
            let mut connection = connection.expect("opened");
            let found = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
            connection.close().await.expect("closed");
            found
        } else {
            let mut connection = PgConnection::connect(&self.url).await.expect("connected");
            sqlx::query_scalar(sql).fetch_one(&mut connection).await
        };
        found.expect("found")
    }
}
