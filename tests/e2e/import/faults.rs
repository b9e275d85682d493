//! Imports that are interrupted, and concurrent imports.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;
use taskhold_testkit::proxy::FaultProxy;

use super::{assert_counts, fixture};
use crate::service::{Database, eventually, taskhold};

/// Starts an import that reads from a pipe.
fn start_import(database: &Database) -> Child {
    let variables = [("DATABASE_URL", database.url.as_str())];
    taskhold(database.folder.path(), &variables, &["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the import starts")
}

/// The moment at which an import is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KillPoint {
    /// The import has read half of the file and waits for the rest.
    HalfRead,
    /// The whole file has just been written to the pipe.
    Sent,
    /// The import has started to create tasks.
    Importing,
}

async fn killed_import_leaves_nothing_and_can_be_repeated(database: Database) {
    assert_eq!(database.import(&database.file("[]"), &[]).0, 0);
    let file = std::fs::read(fixture("90-ten-thousand")).expect("a fixture");
    let (half, rest) = file.split_at(file.len() / 2);
    for moment in [KillPoint::HalfRead, KillPoint::Sent, KillPoint::Importing] {
        let mut import = start_import(&database);
        let mut input = import.stdin.take().expect("a pipe");
        input.write_all(half).expect("the import reads");
        if moment != KillPoint::HalfRead {
            input.write_all(rest).expect("the import reads");
        }
        if moment == KillPoint::Importing {
            drop(input);
            let stderr = BufReader::new(import.stderr.take().expect("a pipe"));
            let mut lines = stderr.lines().map_while(Result::ok);
            let started = lines.any(|line| line.ends_with("importing"));
            assert!(started, "the progress says so");
        }
        import.kill().expect("killed");
        let done = import.wait().expect("ended").success();
        assert!(!done || moment == KillPoint::Importing, "{moment:?}");
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

async fn concurrent_imports_create_each_task_once(database: Database) {
    assert_eq!(database.import(&database.file("[]"), &[]).0, 0);
    let file = std::fs::read(fixture("90-ten-thousand")).expect("a fixture");
    let imports: Vec<_> = (0..3)
        .map(|_| {
            let mut import = start_import(&database);
            let mut input = import.stdin.take().expect("a pipe");
            let file = file.clone();
            let writer = std::thread::spawn(move || input.write_all(&file));
            (import, writer)
        })
        .collect();
    let mut imported = Vec::new();
    for (import, writer) in imports {
        let output = import.wait_with_output().expect("ended");
        writer.join().expect("no panic").expect("the import reads");
        assert!(output.status.success(), "{output:?}");
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        imported.push(stdout.split(' ').next().expect("a number").to_owned());
    }
    imported.sort_unstable();
    assert_eq!(imported, ["0", "0", "10000"]);
    assert_eq!(database.tasks_of("alice").len(), 5820);
    let (_, report) = database.import(&fixture("90-ten-thousand"), &[]);
    assert_counts(&report, [0, 10_000, 0, 0, 0, 0]);
}

on_both_stores! {
    killed_import_leaves_nothing_and_can_be_repeated
    concurrent_imports_create_each_task_once
}

/// Waits until a session of the server is in this state.
async fn wait_for_session(connection: &mut PgConnection, state: &str) {
    let sql = format!("SELECT true FROM pg_stat_activity WHERE {state}");
    eventually(state, async || {
        let session = sqlx::query(AssertSqlSafe(sql.as_str()));
        let found = session.fetch_optional(&mut *connection).await;
        found.expect("an answer")
    })
    .await;
}

/// Asserts that the import fails with an error and that the restarted server has none of its tasks.
fn assert_import_lost(server: &PostgresServer, database: &Database, import: Child) {
    let output = import.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("nothing was imported: the store is not available"),
        "{stderr}"
    );
    server.restart();
    for user in ["alice", "bob", "carol-é"] {
        assert_eq!(database.lines_of(user), "");
    }
}

/// The store goes away while rows are staged, and again after all tasks were created but before the import
/// is recorded.
#[tokio::test]
async fn store_lost_during_import_fails_it_and_keeps_nothing() {
    let server = PostgresServer::start().expect("a server");
    let database = Database::at(&server.url("postgres"));
    assert_eq!(database.import(&database.file("[]"), &[]).0, 0);
    // Half of the file is larger than one batch.
    let rows = (1..=20_000).map(|id| {
        json!({"id": id, "title": format!("task {id}"), "description": "x".repeat(500), "user_id": "alice"})
    });
    let file = serde_json::to_vec(&rows.collect::<Vec<_>>()).expect("JSON");
    let (half, rest) = file.split_at(file.len() / 2);
    let connect = || async {
        let connection = PgConnection::connect(&server.url("postgres")).await;
        connection.expect("connected")
    };

    let mut import = start_import(&database);
    let mut input = import.stdin.take().expect("a pipe");
    input.write_all(half).expect("the import reads");
    // The import has sent every complete batch, and waits for input.
    let waits_for_input = "state = 'idle in transaction' AND query NOT LIKE 'BEGIN%' \
        AND state_change < clock_timestamp() - interval '500 ms'";
    wait_for_session(&mut connect().await, waits_for_input).await;
    server.kill();
    // The import may exit before it has read everything.
    drop(input.write_all(rest));
    drop(input);
    assert_import_lost(&server, &database, import);

    let mut holder = connect().await;
    let mut held = holder.begin().await.expect("begun");
    let lock = held.execute("LOCK TABLE imports IN SHARE MODE").await;
    lock.expect("locked");
    let mut import = start_import(&database);
    let mut input = import.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || input.write_all(&file));
    let has_created_tasks = "wait_event_type = 'Lock' AND query LIKE 'INSERT INTO imports%'";
    wait_for_session(&mut connect().await, has_created_tasks).await;
    server.kill();
    assert_import_lost(&server, &database, import);
    writer.join().expect("no panic").expect("the import reads");

    let (_, report) = database.import(&fixture("90-ten-thousand"), &[]);
    assert_counts(&report, [10_000, 0, 0, 0, 0, 10_000]);
}

/// A lost reply to a commit must not be reported as a failure, nor a failed commit as an unknown outcome.
#[tokio::test(flavor = "multi_thread")]
async fn failed_and_unknown_commits_are_reported_apart() {
    let server = PostgresServer::start().expect("a server");
    let url = server.url("postgres");
    let database = Database::at(&url);
    assert_eq!(database.import(&database.file("[]"), &[]).0, 0);
    let mut connection = PgConnection::connect(&url).await.expect("connected");
    let full_at_commit = "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN RAISE EXCEPTION 'No space left' USING ERRCODE = 'disk_full'; END $$; \
        CREATE CONSTRAINT TRIGGER full_at_commit AFTER INSERT ON tasks \
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fill()";
    connection.execute(full_at_commit).await.expect("created");
    let message = database.import_error(&fixture("90-ten-thousand"));
    assert!(
        message.contains("nothing was imported: the store is not available"),
        "{message}"
    );
    assert_eq!(database.tasks_of("alice").len(), 0);
    let function = connection.execute("DROP FUNCTION fill CASCADE").await;
    function.expect("dropped");

    let proxy = FaultProxy::start(&url).await;
    let mut import = start_import(&Database::at(&proxy.url(&url)));
    let mut input = import.stdin.take().expect("a pipe");
    let file = std::fs::read(fixture("90-ten-thousand")).expect("a fixture");
    let (half, rest) = file.split_at(file.len() / 2);
    input.write_all(half).expect("the import reads");
    wait_for_session(&mut connection, "state = 'idle in transaction'").await;
    proxy.cut_reply_with(b"COMMIT");
    input.write_all(rest).expect("the import reads");
    drop(input);
    let output = import.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("all of the file was imported, or nothing: import it again"),
        "{stderr}"
    );
    assert!(!stderr.contains("nothing was imported"), "{stderr}");
    let (_, report) = database.import(&fixture("90-ten-thousand"), &[]);
    assert_counts(&report, [0, 10_000, 0, 0, 0, 0]);
}
