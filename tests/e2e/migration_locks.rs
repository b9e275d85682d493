//! Migrations of a database in use: they wait for locks for seconds only, name who holds them, and try again.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use crate::load::Load;
use crate::service::{Database, Service, eventually, run, taskhold};

/// Takes back the migrations of accounts and sessions, of which creating and reading tasks uses nothing.
const TAKE_BACK: &str = "
    ALTER TABLE users DROP COLUMN email_key;
    DROP TABLE refresh_tokens, revocations, attempts;
    DELETE FROM seaql_migrations WHERE version LIKE '%_000003_%' OR version LIKE '%_000005_%';";

/// The clients of the load. The first task of each makes its user, which asks for revocations.
const CLIENTS: usize = 12;

/// `pg_dump` of a database, which is stuck because nobody reads what it writes. It holds its locks until then.
struct StuckDump(Child);

impl StuckDump {
    async fn start(url: &str, admin: &mut PgConnection) -> Self {
        let fill = "CREATE TABLE filler AS SELECT repeat(md5(number::text), 64) FROM generate_series(1, 20000) AS number";
        admin.execute(fill).await.expect("filled");
        let dump = Command::new("pg_dump")
            .args(["--dbname", url])
            .stdout(Stdio::piped())
            .spawn();
        let dump = Self(dump.expect("pg_dump runs"));
        eventually("pg_dump holds its locks", async || {
            let held = "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) \
                WHERE application_name = 'pg_dump' AND relation = 'users'::regclass AND query LIKE 'COPY%'";
            admin.fetch_optional(held).await.expect("answered").map(drop)
        })
        .await;
        dump
    }
}

impl Drop for StuckDump {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn connect(database: &Database) -> PgConnection {
    let connection = PgConnection::connect(&database.url).await;
    connection.expect("connected")
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).expect("a log")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn old_instances_serve_on_while_migrate_up_waits_for_a_backup() {
    let server = PostgresServer::start().expect("a server");
    let database = Database::at(&server.url("postgres"));
    let service = Service::start(&database).await;
    let mut admin = connect(&database).await;
    let load = Load::start(&service.url, CLIENTS);
    eventually("every client has its user", async || {
        let users = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM users");
        let users = users.fetch_one(&mut admin).await.expect("answered");
        (usize::try_from(users) == Ok(CLIENTS)).then_some(())
    })
    .await;
    admin.execute(TAKE_BACK).await.expect("taken back");
    let dump = StuckDump::start(&database.url, &mut admin).await;

    let folder = database.folder.path();
    let mut migration = taskhold(
        folder,
        &[("DATABASE_URL", &database.url)],
        &["migrate", "up"],
    )
    .stderr(File::create(folder.join("log")).expect("a log"))
    .spawn()
    .expect("started");
    for tries in 1..=3 {
        eventually("the migration tells what it waits for", async || {
            (log(folder).matches("application pg_dump").count() >= tries).then_some(())
        })
        .await;
        load.wait_for_progress(100).await;
    }
    assert!(
        log(folder).contains("last statement COPY"),
        "{}",
        log(folder)
    );
    drop(dump);
    let status = eventually("the migration ends", async || {
        migration.try_wait().expect("a status")
    })
    .await;
    assert!(status.success(), "{}", log(folder));
    load.wait_for_progress(100).await;
    let (_, slowest) = load.finish(&service).await;
    // One time-out of a lock, on a loaded machine. The backup took several times as long.
    assert!(slowest < Duration::from_secs(4), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn migrate_up_names_who_holds_a_lock_and_changes_nothing() {
    let database = Database::postgres().await;
    let folder = database.folder.path();
    let variables = [("DATABASE_URL", database.url.as_str())];
    let migrate = |arguments: &[&str]| {
        let output = run(folder, &variables, &[&["migrate"], arguments].concat());
        let printed = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8(printed).expect("UTF-8"),
        )
    };
    assert_eq!(migrate(&["up"]).0, Some(0));
    let mut admin = connect(&database).await;
    admin.execute(TAKE_BACK).await.expect("taken back");
    let sql = "SET application_name = 'nightly report'; BEGIN; SELECT 'hunter2' FROM users";
    admin.execute(sql).await.expect("a lock");
    let (process,): (i32,) = sqlx::query_as("SELECT pg_backend_pid()")
        .fetch_one(&mut admin)
        .await
        .expect("a number");

    // A migration, one that takes back, and one that drops everything.
    for arguments in [
        &["up", "--wait", "4"][..],
        &["down", "--steps", "100", "--yes", "--wait", "4"],
        &["fresh", "--yes", "--wait", "4"],
    ] {
        let (code, printed) = migrate(arguments);
        assert_eq!(code, Some(1), "{printed}");
        let last = printed.lines().last().unwrap_or_default();
        for named in [
            &process.to_string(),
            "role postgres",
            "application nightly report",
            "idle in transaction",
            "since 20",
            "last statement SELECT",
            "pg_terminate_backend",
            "Nothing has changed",
        ] {
            assert!(last.contains(named), "{named}: {printed}");
        }
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    let (_, status) = migrate(&["status"]);
    assert_eq!(status.matches("pending").count(), 2, "{status}");

    admin.execute("ROLLBACK").await.expect("released");
    let (code, printed) = migrate(&["up"]);
    assert!(
        code == Some(0) && printed.contains("2 migrations applied"),
        "{printed}"
    );
    let service = Service::start(&database).await;
    service
        .client("alice")
        .create(json!({"title": "migrated"}))
        .await;
}

/// The role's limits are those of requests. The migration waits for longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_the_role_do_not_end_a_migration() {
    let database = Database::postgres().await;
    let folder = database.folder.path();
    let variables = [("DATABASE_URL", database.url.as_str())];
    let output = run(folder, &variables, &["migrate", "up"]);
    assert!(output.status.success(), "{output:?}");
    let mut admin = connect(&database).await;
    let (_, name) = database.url.rsplit_once('/').expect("a database");
    let limit = format!("{TAKE_BACK}; ALTER DATABASE \"{name}\" SET statement_timeout = '500ms'");
    admin
        .execute(sqlx::AssertSqlSafe(limit))
        .await
        .expect("executed");
    let mut holder = connect(&database).await;
    holder
        .execute("BEGIN; SELECT FROM users")
        .await
        .expect("a lock");
    let mut migration = taskhold(folder, &variables, &["migrate", "up"])
        .spawn()
        .expect("started");
    eventually(
        "the migration waits for longer than the limit",
        async || {
            let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
            AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '700 ms'";
            let ended = migration.try_wait().expect("a status");
            assert!(ended.is_none(), "{ended:?}");
            admin
                .fetch_optional(waits)
                .await
                .expect("answered")
                .map(drop)
        },
    )
    .await;
    holder.execute("ROLLBACK").await.expect("released");
    let status = eventually("the migration ends", async || {
        migration.try_wait().expect("a status")
    })
    .await;
    assert!(status.success(), "{status:?}");
}

/// Takes back the builds of indexes.
const TAKE_BACK_INDEXES: &str = "
    DROP INDEX tasks_user_id_due_date_id, tasks_user_id_due_at_id;
    DELETE FROM seaql_migrations WHERE version LIKE '%_000010_%';";

/// Returns whether each index that a migration builds is valid.
async fn built_indexes(admin: &mut PgConnection) -> Vec<bool> {
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid::regclass::text LIKE 'tasks_user_id_due_%'";
    let valid = sqlx::query_scalar(valid).fetch_all(admin).await;
    valid.expect("answered")
}

/// The build of an index waits for every transaction that began before it, and keeps no request waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn interrupted_build_of_an_index_is_repeated() {
    let database = Database::postgres().await;
    let folder = database.folder.path();
    let variables = [("DATABASE_URL", database.url.as_str())];
    let service = Service::start(&database).await;
    let mut admin = connect(&database).await;
    admin.execute(TAKE_BACK_INDEXES).await.expect("taken back");
    let mut report = connect(&database).await;
    let snapshot = "SET application_name = 'nightly report'; \
        BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM users";
    report.execute(snapshot).await.expect("a snapshot");

    let load = Load::start(&service.url, CLIENTS);
    let mut migration = taskhold(folder, &variables, &["migrate", "up", "--wait", "3"])
        .stdout(File::create(folder.join("log")).expect("a log"))
        .stderr(File::create(folder.join("errors")).expect("a log"))
        .spawn()
        .expect("started");
    let status = eventually("the migration ends", async || {
        migration.try_wait().expect("a status")
    })
    .await;
    let printed = std::fs::read_to_string(folder.join("errors")).expect("a log");
    assert_eq!(status.code(), Some(1), "{printed}");
    let last = printed.lines().last().unwrap_or_default();
    for named in ["application nightly report", "but an unfinished index"] {
        assert!(last.contains(named), "{named}: {printed}");
    }
    load.wait_for_progress(100).await;
    let (_, slowest) = load.finish(&service).await;
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert_eq!(built_indexes(&mut admin).await, [false]);

    report.execute("ROLLBACK").await.expect("released");
    let output = run(folder, &variables, &["migrate", "up"]);
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
    assert!(printed.contains("1 migration applied"), "{printed}");
    assert_eq!(built_indexes(&mut admin).await, [true, true]);
}
