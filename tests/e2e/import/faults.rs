//! Imports that are cut off, and several at once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;
use taskhold_testkit::proxy::FaultProxy;

use super::{assert_counts, fixture};
use crate::service::{Database, eventually, taskhold};

/// An import that reads what it is told through a pipe.
fn importing(database: &Database) -> Child {
    let variables = [("DATABASE_URL", database.url.as_str())];
    taskhold(database.folder.path(), &variables, &["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// When an import is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// It has half of the file and waits for the rest.
    HalfRead,
    /// It was given the whole file a moment ago.
    Given,
    /// It has begun to make tasks of what it has read.
    Importing,
}

async fn an_import_that_is_killed_never_was_and_the_next_one_works(database: Database) {
    assert_eq!(database.import(&database.file("[]"), &[]).0, 0);
    let file = std::fs::read(fixture("90-ten-thousand")).expect("a fixture");
    let (half, rest) = file.split_at(file.len() / 2);
    for moment in [Moment::HalfRead, Moment::Given, Moment::Importing] {
        let mut import = importing(&database);
        let mut input = import.stdin.take().expect("a pipe");
        input.write_all(half).expect("it reads");
        if moment != Moment::HalfRead {
            input.write_all(rest).expect("it reads");
        }
        if moment == Moment::Importing {
            drop(input);
            let said = BufReader::new(import.stderr.take().expect("a pipe"));
            let mut lines = said.lines().map_while(Result::ok);
            assert!(lines.any(|line| line.ends_with("importing")), "it says so");
        }
        import.kill().expect("killed");
        let done = import.wait().expect("ended").success();
        assert!(!done || moment == Moment::Importing, "{moment:?}");
        let tasks: usize = ["alice", "bob", "carol-é"]
            .iter()
            .map(|user| database.tasks_of(user).len())
            .sum();
        assert!(
            tasks == 0 && !done || tasks == 10_000,
            "{moment:?}: {tasks}"
        );
        println!("killed when {moment:?}: {tasks} tasks");
    }
    let (status, report) = database.import(&fixture("90-ten-thousand"), &[]);
    assert_eq!(status, 0);
    let [imported, there] = ["imported", "already_there"].map(|name| report[name].as_u64());
    assert_eq!(
        imported.zip(there).map(|(one, other)| one + other),
        Some(10_000)
    );
    assert_eq!(database.tasks_of("alice").len(), 5820);
}

async fn two_imports_at_once_make_each_task_once(database: Database) {
    assert_eq!(database.import(&database.file("[]"), &[]).0, 0);
    let file = std::fs::read(fixture("90-ten-thousand")).expect("a fixture");
    let imports: Vec<_> = (0..3)
        .map(|_| {
            let mut import = importing(&database);
            let mut input = import.stdin.take().expect("a pipe");
            let file = file.clone();
            let writer = std::thread::spawn(move || input.write_all(&file));
            (import, writer)
        })
        .collect();
    let mut imported = Vec::new();
    for (import, writer) in imports {
        let output = import.wait_with_output().expect("ended");
        writer.join().expect("no panic").expect("it reads");
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        imported.push(said.split(' ').next().expect("a number").to_owned());
    }
    imported.sort_unstable();
    assert_eq!(imported, ["0", "0", "10000"]);
    assert_eq!(database.tasks_of("alice").len(), 5820);
    let (_, report) = database.import(&fixture("90-ten-thousand"), &[]);
    assert_counts(&report, [0, 10_000, 0, 0, 0, 0]);
}

on_both_stores! {
    an_import_that_is_killed_never_was_and_the_next_one_works
    two_imports_at_once_make_each_task_once
}

/// Waits until a session of the server is in this state.
async fn eventually_a_session(connection: &mut PgConnection, state: &str) {
    let sql = format!("SELECT true FROM pg_stat_activity WHERE {state}");
    eventually(state, async || {
        let session = sqlx::query(AssertSqlSafe(sql.as_str()));
        let found = session.fetch_optional(&mut *connection).await;
        found.expect("an answer")
    })
    .await;
}

/// What is told when the server goes away, and that it has nothing of the import afterwards.
fn assert_lost(server: &PostgresServer, database: &Database, import: Child) {
    let output = import.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("nothing was imported: the store is not available"),
        "{told}"
    );
    server.restart();
    for user in ["alice", "bob", "carol-é"] {
        assert_eq!(database.export(user, &["--format", "ndjson"]), "");
    }
}

/// While rows are set aside, and when all tasks are made but for their being remembered.
#[tokio::test]
async fn a_store_that_goes_away_midway_is_told_and_has_nothing() {
    let server = PostgresServer::start().expect("a server");
    let database = Database::at(&server.url("postgres"));
    assert_eq!(database.import(&database.file("[]"), &[]).0, 0);
    // Half of it is more than what is sent at once.
    let rows = (1..=20_000).map(|id| {
        json!({"id": id, "title": format!("task {id}"), "description": "x".repeat(500), "user_id": "alice"})
    });
    let file = serde_json::to_vec(&rows.collect::<Vec<_>>()).expect("JSON");
    let (half, rest) = file.split_at(file.len() / 2);
    let connect = || async {
        let connection = PgConnection::connect(&server.url("postgres")).await;
        connection.expect("connected")
    };

    let mut import = importing(&database);
    let mut input = import.stdin.take().expect("a pipe");
    input.write_all(half).expect("it reads");
    // It has sent what it could, and waits for more.
    let waits_for_more = "state = 'idle in transaction' AND query NOT LIKE 'BEGIN%' \
        AND state_change < clock_timestamp() - interval '500 ms'";
    eventually_a_session(&mut connect().await, waits_for_more).await;
    server.kill();
    // It may have ended before it has read all.
    drop(input.write_all(rest));
    drop(input);
    assert_lost(&server, &database, import);

    let mut holder = connect().await;
    let mut held = holder.begin().await.expect("begun");
    let lock = held.execute("LOCK TABLE imports IN SHARE MODE").await;
    lock.expect("locked");
    let mut import = importing(&database);
    let mut input = import.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || input.write_all(&file));
    let has_made_tasks = "wait_event_type = 'Lock' AND query LIKE 'INSERT INTO imports%'";
    eventually_a_session(&mut connect().await, has_made_tasks).await;
    server.kill();
    assert_lost(&server, &database, import);
    writer.join().expect("no panic").expect("it reads");

    let (_, report) = database.import(&fixture("90-ten-thousand"), &[]);
    assert_counts(&report, [10_000, 0, 0, 0, 0, 10_000]);
}

/// The word of a commit that was lost is not taken for a failure, and one that failed not for a loss.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_commit_came_to_is_told() {
    let server = PostgresServer::start().expect("a server");
    let url = server.url("postgres");
    let database = Database::at(&url);
    assert_eq!(database.import(&database.file("[]"), &[]).0, 0);
    let mut connection = PgConnection::connect(&url).await.expect("connected");
    let full_at_commit = "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN RAISE EXCEPTION 'No space left' USING ERRCODE = 'disk_full'; END $$; \
        CREATE CONSTRAINT TRIGGER full_at_commit AFTER INSERT ON tasks \
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fill()";
    connection.execute(full_at_commit).await.expect("made");
    let told = database.refusal(&fixture("90-ten-thousand"));
    assert!(
        told.contains("nothing was imported: the store is not available"),
        "{told}"
    );
    assert_eq!(database.tasks_of("alice").len(), 0);
    let function = connection.execute("DROP FUNCTION fill CASCADE").await;
    function.expect("dropped");

    let proxy = FaultProxy::start(&url).await;
    let mut import = importing(&Database::at(&proxy.url(&url)));
    let mut input = import.stdin.take().expect("a pipe");
    let file = std::fs::read(fixture("90-ten-thousand")).expect("a fixture");
    let (half, rest) = file.split_at(file.len() / 2);
    input.write_all(half).expect("it reads");
    eventually_a_session(&mut connection, "state = 'idle in transaction'").await;
    proxy.cut_reply_with(b"COMMIT");
    input.write_all(rest).expect("it reads");
    drop(input);
    let output = import.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("all of the file was imported, or nothing: import it again"),
        "{told}"
    );
    assert!(!told.contains("nothing was imported"), "{told}");
    let (_, report) = database.import(&fixture("90-ten-thousand"), &[]);
    assert_counts(&report, [0, 10_000, 0, 0, 0, 0]);
}
