//! `kill -9` during a backup or restore leaves the old or the new state, never a mixture.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::contents::{Contents, SESSIONS, add_tasks, contents, is_empty, postgres};
use super::{copy_backup, names, rewrite, text, without_output};
use crate::service::{Database, Service, WAIT_TIMEOUT, eventually, run, signal};

on_both_stores! {
    killed_backup_is_ignored_and_removed_by_the_next
    concurrent_backup_in_one_folder_is_refused
}

/// More rows than are read and written before a test can observe the command.
const MANY: u32 = 12_000;
/// The schema to which a restore moves the old tables.
const OLD_SCHEMA: &str = "taskhold_before_restore";

/// Creates a store that takes noticeable time to read.
async fn create_large(database: &Database, tasks: u32) {
    database.run_command(&["migrate", "up"]).assert_success();
    add_tasks(database, tasks).await;
}

/// Returns what a backup contains of a store, without revocations, because a restore adds some.
async fn restorable_contents(database: &Database) -> Contents {
    let mut contents = contents(database).await;
    for table in SESSIONS.into_iter().chain(["revocations"]) {
        contents.remove(table);
    }
    contents
}

/// Kills a process once `is_now` holds. Returns whether the process was still running; it may have
/// finished before.
async fn try_kill_when(
    mut child: Child,
    moment: &str,
    mut is_now: impl AsyncFnMut() -> bool,
) -> bool {
    let deadline = Instant::now() + WAIT_TIMEOUT;
    while !is_now().await && child.try_wait().expect("a status").is_none() {
        assert!(Instant::now() < deadline, "never: {moment}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().expect("killed, or ended before");
    let status = child.wait().expect("ended");
    assert!(
        status.success() || status.code().is_none(),
        "{moment}: {status}"
    );
    !status.success()
}

/// Kills a process that must still be running once `is_now` holds.
async fn kill_when(child: Child, moment: &str, is_now: impl AsyncFnMut() -> bool) {
    assert!(
        try_kill_when(child, moment, is_now).await,
        "done before {moment}"
    );
}

fn spawn_backup(database: &Database) -> Child {
    let child = without_output(database.command(&["backup"])).spawn();
    child.expect("it starts")
}

/// Spawns a restore over the existing rows.
fn spawn_restore(target: &Database, backup: &Path) -> Child {
    let mut command = without_output(target.command(&["restore", text(backup), "--force"]));
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{}", target.name()).expect("told");
    child
}

fn partial_backup(database: &Database) -> Option<String> {
    let mut names = names(&database.backups()).into_iter();
    names.find(|name| name.ends_with(".partial"))
}

/// Returns whether a file of the folder has contents. The folder is renamed once its backup is complete.
fn has_written_rows(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .any(|file| file.len() > 0)
}

async fn killed_backup_is_ignored_and_removed_by_the_next(database: Database) {
    create_large(&database, MANY).await;
    let first = database.backup();
    let before = super::files(&first);
    let name = first.file_name().expect("a name").to_str().expect("UTF-8");
    let mut backups = 0;
    while !try_kill_when(spawn_backup(&database), "rows are written", async || {
        let partial = partial_backup(&database).map(|name| database.backups().join(name));
        partial.is_some_and(|partial| has_written_rows(&partial))
    })
    .await
    {
        // The backup was complete before this test noticed its rows.
        backups += 1;
        assert!(backups < 20, "every backup is complete too soon");
        let names = names(&database.backups()).into_iter();
        for complete in names.filter(|other| other != name && other != ".lock") {
            std::fs::remove_dir_all(database.backups().join(complete)).expect("removed");
        }
    }
    let killed = partial_backup(&database).expect("what was begun");
    let mut expected = [".lock", name, &killed];
    // The random name of an unfinished backup can come first.
    expected.sort_unstable();
    assert_eq!(names(&database.backups()), expected);
    let list = database.run_command(&["backup", "list"]).assert_success();
    assert_eq!(list.lines().count(), 1, "{list}");
    assert!(list.starts_with(name), "{list}");
    assert!(super::files(&first) == before);

    let second = database.backup();
    assert_eq!(partial_backup(&database), None);
    assert_eq!(names(&database.backups()).len(), 3);
    database.verify(&second).assert_success();
    assert!(super::files(&first) == before, "nobody has touched it");
}

async fn concurrent_backup_in_one_folder_is_refused(database: Database) {
    create_large(&database, MANY).await;
    let mut first = spawn_backup(&database);
    eventually("the first has begun", async || {
        (database.backups().exists() && partial_backup(&database).is_some()).then_some(())
    })
    .await;
    signal(first.id(), "STOP");
    database
        .run_command(&["backup"])
        .assert_refused("another backup is being made in");
    database
        .run_command(&["backup", "prune"])
        .assert_refused("another backup is being made in");
    signal(first.id(), "CONT");
    assert!(
        first.wait().expect("ended").success(),
        "it was not disturbed"
    );
    assert_eq!(names(&database.backups()).len(), 2, "the lock and a backup");
}

#[tokio::test]
async fn killed_sqlite_restore_leaves_the_old_or_the_new_file() {
    let source = Database::sqlite();
    create_large(&source, MANY / 2).await;
    let backup = source.backup();
    let size = std::fs::metadata(backup.join("store.sqlite"))
        .expect("rows")
        .len();
    let whole = restorable_contents(&source).await;
    let shallow = copy_backup(&backup, "another-manifest");
    rewrite(&shallow, |manifest| {
        manifest.tables.get_mut("tasks").expect("tasks").rows += 1;
    });

    let mut killed = 0;
    for (moment, ending, least) in [
        ("a file is there", ".restoring", 0),
        ("the file is whole", ".restoring", size),
        ("it is opened to change it", ".restoring-wal", 0),
    ] {
        for is_new in [true, false] {
            let target = Database::sqlite();
            if !is_new {
                add_user_anna(&target).await;
            }
            let before = contents(&target).await;
            let data = target.folder.path().join("data");
            let file = data.join(format!("taskhold.db{ending}"));
            let in_time = try_kill_when(spawn_restore(&target, &backup), moment, async || {
                std::fs::metadata(&file).is_ok_and(|file| file.len() >= least)
            })
            .await;
            println!(
                "{moment}: {}",
                if in_time { "killed" } else { "done before" }
            );
            killed += u32::from(in_time);
            for failing in [None, Some(&shallow)] {
                if let Some(shallow) = failing {
                    target
                        .restore_over(shallow)
                        .assert_refused("is not what it says");
                }
                if in_time {
                    let found = contents(&target).await;
                    assert!(found == before || is_new && is_empty(&found), "as it was");
                } else {
                    assert!(restorable_contents(&target).await == whole);
                }
            }
            target.restore_over(&backup).assert_success();
            assert!(restorable_contents(&target).await == whole);
            let left = names(&data)
                .into_iter()
                .filter(|name| name.contains(".restoring"));
            assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
        }
    }
    assert!(killed > 0, "no restore was still at it");
}

/// Adds a user whose loss would be noticed.
async fn add_user_anna(target: &Database) {
    target.run_command(&["migrate", "up"]).assert_success();
    let anna = "INSERT INTO users (id, created_at, updated_at) VALUES ('anna', 1, 1)";
    target.execute(anna).await;
}

/// Opens a session whose locks block a restore.
async fn block_restore(target: &Database, sql: &'static str) -> PgConnection {
    let mut connection = postgres(&target.url).await;
    connection.execute(sql).await.expect("done");
    connection
}

async fn query_bool(target: &Database, sql: &'static str) -> bool {
    let mut connection = postgres(&target.url).await;
    let found = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
    connection.close().await.expect("closed");
    found.expect("an answer")
}

const OLD_SCHEMA_EXISTS: &str = "SELECT to_regnamespace('taskhold_before_restore') IS NOT NULL";
const IS_BLOCKED: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'taskhold' AND wait_event_type = 'Lock')";
const HAS_SESSIONS: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'taskhold')";

/// Asserts that no command works on a half-restored store, that a failing restore brings back the
/// old contents, and that a successful one brings those of its backup.
async fn assert_recovers_from_half_restore(
    target: &Database,
    before: &Contents,
    bad: &Path,
    good: &Path,
    whole: &Contents,
) {
    let half = query_bool(target, OLD_SCHEMA_EXISTS).await;
    println!("half restored: {half}");
    if half {
        let variables = [
            ("DATABASE_URL", target.url.as_str()),
            ("JWT_SECRET", crate::service::SECRET),
        ];
        let others = target.another().await;
        others.run_command(&["migrate", "up"]).assert_success();
        for arguments in [&["serve"][..], &["migrate", "up"], &["user", "list"]] {
            let output = run(target.folder.path(), &variables, arguments);
            let printed = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(78), "{arguments:?}: {printed}");
            assert!(
                printed.contains("run `taskhold restore` again"),
                "{printed}"
            );
        }
        for outcome in [
            target.run_command(&["backup"]),
            target.run_command(&["copy", "--to", &others.url]),
            others.run_command(&["copy", "--to", &target.url]),
        ] {
            let sentence = "a backup is being restored into it, or that was cut off";
            assert_eq!(outcome.code, Some(78), "{outcome:?}");
            assert!(outcome.stderr.contains(sentence), "{outcome:?}");
        }
    }
    // The orphaned processes of the killed command end by themselves.
    eventually("nobody uses it", async || {
        (!query_bool(target, HAS_SESSIONS).await).then_some(())
    })
    .await;
    target
        .restore_over(bad)
        .assert_refused("has other bytes in store.dump");
    assert!(!query_bool(target, OLD_SCHEMA_EXISTS).await);
    assert!(contents(target).await == *before, "what was there is there");

    target.restore_over(good).assert_success();
    assert!(restorable_contents(target).await == *whole);
    let service = Service::start(target).await;
    assert_eq!(service.client("bob").tasks().await.len(), 0);
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn killed_postgres_restore_leaves_the_old_or_the_new_database() {
    let source = Database::postgres().await;
    create_large(&source, MANY).await;
    let backup = source.backup();
    let whole = restorable_contents(&source).await;
    let bad = copy_backup(&backup, "a-byte-too-many");
    let mut rows = std::fs::read(bad.join("store.dump")).expect("rows");
    let last = rows.len() - 1;
    rows[last] ^= 1;
    std::fs::write(bad.join("store.dump"), rows).expect("written");

    let anna = async || {
        let target = Database::postgres().await;
        add_user_anna(&target).await;
        let before = contents(&target).await;
        (target, before)
    };

    for (moment, sql) in [
        (
            "before the first table",
            "BEGIN; CREATE TABLE public.users (id int)",
        ),
        (
            "once rows are written",
            "BEGIN; CREATE TABLE public.tasks_pkey (id int)",
        ),
    ] {
        println!("into an empty one, {moment}");
        let target = Database::postgres().await;
        let mut other = block_restore(&target, sql).await;
        kill_when(spawn_restore(&target, &backup), moment, async || {
            query_bool(&target, IS_BLOCKED).await
        })
        .await;
        // `pg_restore` survives the kill and finishes.
        other.execute("ROLLBACK").await.expect("done");
        other.close().await.expect("closed");
        assert_recovers_from_half_restore(&target, &Contents::new(), &bad, &backup, &whole).await;
    }

    println!("while tables are set aside");
    let (target, before) = anna().await;
    let mut other = block_restore(&target, "BEGIN; LOCK TABLE tasks IN ACCESS SHARE MODE").await;
    kill_when(spawn_restore(&target, &backup), "it waits", async || {
        query_bool(&target, IS_BLOCKED).await
    })
    .await;
    other.execute("ROLLBACK").await.expect("done");
    other.close().await.expect("closed");
    assert_recovers_from_half_restore(&target, &before, &bad, &backup, &whole).await;

    println!("when all but the end is done");
    let (target, before) = anna().await;
    let child = spawn_restore(&target, &backup);
    let mut other = postgres(&target.url).await;
    eventually("tables are set aside", async || {
        query_bool(&target, OLD_SCHEMA_EXISTS).await.then_some(())
    })
    .await;
    let lock = sqlx::AssertSqlSafe(format!(
        "BEGIN; LOCK TABLE {OLD_SCHEMA}.tasks IN ACCESS SHARE MODE"
    ));
    other.execute(lock).await.expect("done");
    kill_when(child, "it waits", async || {
        query_bool(&target, IS_BLOCKED).await
    })
    .await;
    other.execute("ROLLBACK").await.expect("done");
    other.close().await.expect("closed");
    assert_recovers_from_half_restore(&target, &before, &bad, &backup, &whole).await;
}
