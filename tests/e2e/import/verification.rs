//! What is told where the store does not keep what it was given.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

use super::assert_counts;
use crate::service::Database;

/// What a database can be made to do with each new row of a table, as a statement.
const SQLITE: &str =
    "CREATE TRIGGER meddles AFTER INSERT ON tasks WHEN new.title = 'two' BEGIN {}; END";
const POSTGRES: &str = "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN {}; RETURN new; END $$; \
    CREATE TRIGGER meddles AFTER INSERT ON tasks FOR EACH ROW WHEN (new.title = 'two') \
    EXECUTE FUNCTION meddle()";

impl Database {
    /// Has the database do this to each task with the title "two".
    async fn meddles(&self, statement: &str) {
        if self.url.starts_with("sqlite") {
            let sql = format!("DROP TRIGGER IF EXISTS meddles; {SQLITE}").replace("{}", statement);
            let mut connection = SqliteConnection::connect(&self.url).await.expect("open");
            connection.execute(AssertSqlSafe(sql)).await.expect("made");
        } else {
            let sql = format!("DROP FUNCTION IF EXISTS meddle CASCADE; {POSTGRES}");
            let sql = sql.replace("{}", statement);
            let mut connection = PgConnection::connect(&self.url).await.expect("open");
            connection.execute(AssertSqlSafe(sql)).await.expect("made");
        }
    }
}

async fn a_task_that_is_not_what_the_file_says_undoes_the_import(database: Database) {
    let file = database.file(
        r#"[{"id": 1, "title": "one", "user_id": "alice", "description": "d"},
            {"id": 2, "title": "two", "user_id": "alice", "created_at": "2026-01-01T00:00:00"}]"#,
    );
    let empty = database.folder.path().join("empty.json");
    std::fs::write(&empty, "[]").expect("written");
    assert_eq!(database.import(empty.to_str().expect("UTF-8"), &[]).0, 0);
    for (change, fault) in [
        (
            "UPDATE tasks SET title = 'tw0' WHERE id = new.id",
            "title of row 2 of the file differs",
        ),
        (
            "UPDATE tasks SET description = 'd' WHERE id = new.id",
            "description of row 2 of the file differs",
        ),
        (
            "UPDATE tasks SET is_completed = true WHERE id = new.id",
            "completed of row 2 of the file differs",
        ),
        (
            "UPDATE tasks SET version = 2 WHERE id = new.id",
            "version of row 2 of the file differs",
        ),
        (
            "UPDATE tasks SET created_at = created_at - 1 WHERE id = new.id",
            "created_at of row 2 of the file differs",
        ),
        (
            "UPDATE tasks SET updated_at = updated_at + 1 WHERE id = new.id",
            "updated_at of row 2 of the file differs",
        ),
        (
            "DELETE FROM tasks WHERE id = new.id",
            "row 2 of the file is not there",
        ),
    ] {
        database.meddles(change).await;
        let told = database.refusal(&file);
        assert!(told.contains("nothing was imported"), "{told}");
        assert!(told.contains(fault), "{change}: {told}");
        assert_eq!(database.tasks_of("alice"), [""; 0]);
    }
    database
        .meddles("UPDATE tasks SET title = title WHERE id = new.id")
        .await;
    let (status, report) = database.import(&file, &[]);
    assert_eq!(status, 0);
    assert_counts(&report, [2, 0, 0, 0, 0, 2]);
}

on_both_stores! {
    a_task_that_is_not_what_the_file_says_undoes_the_import
}
