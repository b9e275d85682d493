//! `kill -9` in the middle of it: what was there is there, or what was asked for is, and never a half.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::contents::{Contents, SESSIONS, add_tasks, contents, execute, is_empty, postgres};
use super::{copied, names, quietly, rewrite, text};
use crate::service::{Database, Service, WAIT_TIMEOUT, eventually, run};

on_both_stores! {
    a_backup_that_is_killed_is_none_and_the_next_one_removes_it
    one_backup_is_made_in_a_folder_at_a_time
}

/// More than are read and written before anybody can look.
const MANY: u32 = 12_000;
/// The schema in which a restore keeps what was there.
const ASIDE: &str = "taskhold_before_restore";

/// A store that takes its time.
async fn large(database: &Database, tasks: u32) {
    database.ended(&["migrate", "up"]).done();
    add_tasks(database, tasks).await;
}

/// What a backup holds of a store, but for revocations: a restore adds to them.
async fn kept(database: &Database) -> Contents {
    let mut contents = contents(database).await;
    for table in SESSIONS.into_iter().chain(["revocations"]) {
        contents.remove(table);
    }
    contents
}

/// Waits for a moment of a process and kills it then. Whether that was in time: it may have been done.
async fn kill_at(mut child: Child, moment: &str, mut is_now: impl AsyncFnMut() -> bool) -> bool {
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

/// The same for a process that cannot be done by then.
async fn kill_when(child: Child, moment: &str, is_now: impl AsyncFnMut() -> bool) {
    assert!(kill_at(child, moment, is_now).await, "done before {moment}");
}

/// Stops a process where it stands, or lets it go on.
fn signal(child: &Child, signal: &str) {
    let script = format!("kill -{signal} {}", child.id());
    let status = Command::new("sh").args(["-c", &script]).status();
    assert!(status.expect("sh runs").success());
}

/// Starts a restore that gives up what is there.
fn restoring(target: &Database, backup: &Path) -> Child {
    let mut command = quietly(target.command(&["restore", text(backup), "--force"]));
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{}", target.name()).expect("told");
    child
}

fn partial(database: &Database) -> Option<String> {
    let mut names = names(&database.backups()).into_iter();
    names.find(|name| name.ends_with(".partial"))
}

async fn a_backup_that_is_killed_is_none_and_the_next_one_removes_it(database: Database) {
    large(&database, MANY).await;
    let first = database.backup();
    let before = super::files(&first);
    let child = quietly(database.command(&["backup"])).spawn();
    kill_when(child.expect("it starts"), "rows are written", async || {
        let partial = partial(&database).map(|name| database.backups().join(name));
        partial.is_some_and(|partial| {
            super::names(&partial)
                .iter()
                .any(|name| std::fs::metadata(partial.join(name)).is_ok_and(|file| file.len() > 0))
        })
    })
    .await;
    let name = first.file_name().expect("a name").to_str().expect("UTF-8");
    let killed = partial(&database).expect("what was begun");
    assert_eq!(names(&database.backups()), [".lock", name, &killed]);
    let list = database.ended(&["backup", "list"]).done();
    assert_eq!(list.lines().count(), 1, "{list}");
    assert!(list.starts_with(name), "{list}");
    assert!(super::files(&first) == before);

    let second = database.backup();
    assert_eq!(partial(&database), None);
    assert_eq!(names(&database.backups()).len(), 3);
    database.verify(&second).done();
    assert!(super::files(&first) == before, "nobody has touched it");
}

async fn one_backup_is_made_in_a_folder_at_a_time(database: Database) {
    large(&database, MANY).await;
    let mut first = quietly(database.command(&["backup"]))
        .spawn()
        .expect("it starts");
    eventually("the first has begun", async || {
        (database.backups().exists() && partial(&database).is_some()).then_some(())
    })
    .await;
    signal(&first, "STOP");
    database
        .ended(&["backup"])
        .refused("another backup is being made in");
    database
        .ended(&["backup", "prune"])
        .refused("another backup is being made in");
    signal(&first, "CONT");
    assert!(
        first.wait().expect("ended").success(),
        "it was not disturbed"
    );
    assert_eq!(names(&database.backups()).len(), 2, "the lock and a backup");
}

#[tokio::test]
async fn a_sqlite_file_is_what_it_was_or_the_restored_one() {
    let source = Database::sqlite();
    large(&source, MANY / 2).await;
    let backup = source.backup();
    let size = std::fs::metadata(backup.join("store.sqlite"))
        .expect("rows")
        .len();
    let whole = kept(&source).await;
    let shallow = copied(&backup, "another-manifest");
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
                occupied_by_anna(&target).await;
            }
            let before = contents(&target).await;
            let data = target.folder.path().join("data");
            let file = data.join(format!("taskhold.db{ending}"));
            let in_time = kill_at(restoring(&target, &backup), moment, async || {
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
                    target.restore_over(shallow).refused("is not what it says");
                }
                if in_time {
                    let found = contents(&target).await;
                    assert!(found == before || is_new && is_empty(&found), "as it was");
                } else {
                    assert!(kept(&target).await == whole);
                }
            }
            target.restore_over(&backup).done();
            assert!(kept(&target).await == whole);
            let left = names(&data)
                .into_iter()
                .filter(|name| name.contains(".restoring"));
            assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
        }
    }
    assert!(killed > 0, "no restore was still at it");
}

/// A store with somebody who would be missed.
async fn occupied_by_anna(target: &Database) {
    target.ended(&["migrate", "up"]).done();
    let anna = "INSERT INTO users (id, created_at, updated_at) VALUES ('anna', 1, 1)";
    execute(target, anna).await;
}

/// A session that keeps a restore from going on, for as long as it likes.
async fn in_the_way(target: &Database, sql: &'static str) -> PgConnection {
    let mut connection = postgres(&target.url).await;
    connection.execute(sql).await.expect("done");
    connection
}

async fn holds(target: &Database, sql: &'static str) -> bool {
    let mut connection = postgres(&target.url).await;
    let found = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
    connection.close().await.expect("closed");
    found.expect("an answer")
}

const IS_ASIDE: &str = "SELECT to_regnamespace('taskhold_before_restore') IS NOT NULL";
const IS_STUCK: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'taskhold' AND wait_event_type = 'Lock')";
const IS_IN_USE: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'taskhold')";

/// A store that is half restored: nobody works with it, and then a restore that fails brings back what was
/// there, and one that does not brings what it holds.
async fn is_half_restored(
    target: &Database,
    before: &Contents,
    bad: &Path,
    good: &Path,
    whole: &Contents,
) {
    let half = holds(target, IS_ASIDE).await;
    println!("half restored: {half}");
    if half {
        let variables = [
            ("DATABASE_URL", target.url.as_str()),
            ("JWT_SECRET", crate::service::SECRET),
        ];
        let others = target.another().await;
        others.ended(&["migrate", "up"]).done();
        for arguments in [&["serve"][..], &["migrate", "up"], &["user", "list"]] {
            let output = run(target.folder.path(), &variables, arguments);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(78), "{arguments:?}: {said}");
            assert!(said.contains("run `taskhold restore` again"), "{said}");
        }
        for ended in [
            target.ended(&["backup"]),
            target.ended(&["copy", "--to", &others.url]),
            others.ended(&["copy", "--to", &target.url]),
        ] {
            ended.refused("a backup is being restored into it, or that was cut off");
        }
    }
    // What is left of what was killed ends by itself.
    eventually("nobody uses it", async || {
        (!holds(target, IS_IN_USE).await).then_some(())
    })
    .await;
    target
        .restore_over(bad)
        .refused("has other bytes in store.dump");
    assert!(!holds(target, IS_ASIDE).await);
    assert!(contents(target).await == *before, "what was there is there");

    target.restore_over(good).done();
    assert!(kept(target).await == *whole);
    let service = Service::start(target).await;
    assert_eq!(service.client("bob").tasks().await.len(), 0);
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_postgresql_database_is_what_it_was_or_the_restored_one() {
    let source = Database::postgres().await;
    large(&source, MANY).await;
    let backup = source.backup();
    let whole = kept(&source).await;
    let bad = copied(&backup, "a-byte-too-many");
    let mut rows = std::fs::read(bad.join("store.dump")).expect("rows");
    let last = rows.len() - 1;
    rows[last] ^= 1;
    std::fs::write(bad.join("store.dump"), rows).expect("written");

    let anna = async || {
        let target = Database::postgres().await;
        occupied_by_anna(&target).await;
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
        let mut other = in_the_way(&target, sql).await;
        kill_when(restoring(&target, &backup), moment, async || {
            holds(&target, IS_STUCK).await
        })
        .await;
        // `pg_restore` lives on and finishes.
        other.execute("ROLLBACK").await.expect("done");
        other.close().await.expect("closed");
        is_half_restored(&target, &Contents::new(), &bad, &backup, &whole).await;
    }

    println!("while tables are set aside");
    let (target, before) = anna().await;
    let mut other = in_the_way(&target, "BEGIN; LOCK TABLE tasks IN ACCESS SHARE MODE").await;
    kill_when(restoring(&target, &backup), "it waits", async || {
        holds(&target, IS_STUCK).await
    })
    .await;
    other.execute("ROLLBACK").await.expect("done");
    other.close().await.expect("closed");
    is_half_restored(&target, &before, &bad, &backup, &whole).await;

    println!("when all but the end is done");
    let (target, before) = anna().await;
    let child = restoring(&target, &backup);
    let mut other = postgres(&target.url).await;
    eventually("tables are set aside", async || {
        holds(&target, IS_ASIDE).await.then_some(())
    })
    .await;
    let lock = sqlx::AssertSqlSafe(format!(
        "BEGIN; LOCK TABLE {ASIDE}.tasks IN ACCESS SHARE MODE"
    ));
    other.execute(lock).await.expect("done");
    kill_when(child, "it waits", async || holds(&target, IS_STUCK).await).await;
    other.execute("ROLLBACK").await.expect("done");
    other.close().await.expect("closed");
    is_half_restored(&target, &before, &bad, &backup, &whole).await;
}
