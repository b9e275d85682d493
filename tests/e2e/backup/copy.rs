//! Copies from either kind of store to either kind.

use super::contents::{Contents, MIGRATIONS, add_tasks, contents, count, is_empty, postgres};
use super::life::{Person, populate, tasks};
use super::{CommandOutcome, without_output};
use crate::service::{Database, Service, eventually};

on_both_stores! {
    copy_has_every_row_and_leaves_the_source_unchanged
    killed_copy_leaves_nothing_or_everything
}

/// More rows than SQLite keeps in memory before it writes, and more than are copied before a test
/// can observe the copy.
const MANY: u32 = 30_000;

impl Database {
    fn copy_to(&self, target: &Self) -> CommandOutcome {
        self.run_command_with(&[("TO_DATABASE_URL", &target.url)], &["copy"])
    }
}

/// Returns the contents that a copy transfers.
async fn copied_contents(database: &Database) -> Contents {
    let mut contents = contents(database).await;
    contents.remove(MIGRATIONS);
    contents
}

async fn copy_has_every_row_and_leaves_the_source_unchanged(source: Database) {
    let service = Service::start(&source).await;
    let person = populate(&source, &service).await;
    let expected_tasks = tasks(&person, &service).await;
    let expected = copied_contents(&source).await;
    for target in [Database::sqlite(), Database::postgres().await] {
        let printed = source.copy_to(&target).assert_success();
        assert!(printed.contains("read back and compared"), "{printed}");
        assert!(
            copied_contents(&target).await == expected,
            "every row of every table"
        );

        let copy = Service::start(&target).await;
        assert!(tasks(&person, &copy).await == expected_tasks);
        let again = Person::log_in(&copy, &person.email).await;
        assert_eq!(again.refresh_status(&copy).await, 200);
        assert!(copy.stop().await.success());

        let before = contents(&target).await;
        source
            .copy_to(&target)
            .assert_refused("is not empty (users has");
        assert!(contents(&target).await == before, "nothing was added");
    }
    assert!(
        copied_contents(&source).await == expected,
        "the source is as it was"
    );
    service.stop().await;
}

async fn killed_copy_leaves_nothing_or_everything(source: Database) {
    source.run_command(&["migrate", "up"]).assert_success();
    add_tasks(&source, MANY).await;
    let expected = copied_contents(&source).await;
    for target in [Database::sqlite(), Database::postgres().await] {
        let mut command = without_output(source.command(&["copy"]));
        let copying = command.env("TO_DATABASE_URL", &target.url).spawn();
        let mut copying = copying.expect("it starts");
        eventually("rows are written", async || {
            let is_done = copying.try_wait().expect("a status").is_some();
            (is_done || has_started_writing(&target).await).then_some(())
        })
        .await;
        copying.kill().expect("killed");
        copying.wait().expect("ended");
        if is_empty(&contents(&target).await) {
            source.copy_to(&target).assert_success();
        } else {
            println!("it had just been done");
        }
        let found = copied_contents(&target).await;
        assert_eq!(count(&found, "tasks"), MANY as usize);
        assert!(found == expected, "every row of every table");
    }
}

/// Returns whether the copy has started to write rows.
async fn has_started_writing(target: &Database) -> bool {
    const COPYING: &str = "SELECT to_regclass('tasks') IS NOT NULL AND EXISTS (SELECT FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'taskhold' AND backend_xid IS NOT NULL)";
    if target.is_sqlite() {
        let log = target.folder.path().join("data/taskhold.db-wal");
        return std::fs::metadata(log).is_ok_and(|log| log.len() > 1 << 20);
    }
    let mut connection = postgres(&target.url).await;
    let found = sqlx::query_scalar(COPYING).fetch_one(&mut connection).await;
    found.expect("an answer")
}
