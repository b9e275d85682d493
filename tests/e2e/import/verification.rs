//! Imports into a store that changes or drops what is written to it.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

use super::assert_counts;
use crate::service::Database;

/// A trigger that runs a statement for each new task with the title "two".
const SQLITE: &str =
    "CREATE TRIGGER interfere AFTER INSERT ON tasks WHEN new.title = 'two' BEGIN {}; END";
const POSTGRES: &str = "CREATE FUNCTION interfere_function() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN {}; RETURN new; END $$; \
    CREATE TRIGGER interfere AFTER INSERT ON tasks FOR EACH ROW WHEN (new.title = 'two') \
    EXECUTE FUNCTION interfere_function()";

impl Database {
    /// Installs a trigger that runs a statement for each new task with the title "two".
    async fn install_trigger(&self, statement: &str) {
        if self.is_sqlite() {
            let sql =
                format!("DROP TRIGGER IF EXISTS interfere; {SQLITE}").replace("{}", statement);
            let mut connection = SqliteConnection::connect(&self.url).await.expect("open");
            connection
                .execute(AssertSqlSafe(sql))
                .await
                .expect("created");
        } else {
            let sql = format!("DROP FUNCTION IF EXISTS interfere_function CASCADE; {POSTGRES}");
            let sql = sql.replace("{}", statement);
            let mut connection = PgConnection::connect(&self.url).await.expect("open");
            connection
                .execute(AssertSqlSafe(sql))
                .await
                .expect("created");
        }
    }
}

async fn task_that_differs_from_its_row_rolls_the_import_back(database: Database) {
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
        database.install_trigger(change).await;
        let message = database.import_error(&file);
        assert!(message.contains("nothing was imported"), "{message}");
        assert!(message.contains(fault), "{change}: {message}");
        assert_eq!(database.tasks_of("alice"), [""; 0]);
    }
    database
        .install_trigger("UPDATE tasks SET title = title WHERE id = new.id")
        .await;
    let (status, report) = database.import(&file, &[]);
    assert_eq!(status, 0);
    assert_counts(&report, [2, 0, 0, 0, 0, 2]);
}

on_both_stores! {
    task_that_differs_from_its_row_rolls_the_import_back
}
