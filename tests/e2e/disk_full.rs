//! A small disk that fills up and is freed again.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;
use taskhold_testkit::small_disk::SmallDisk;

use crate::import::assert_counts;
use crate::observability::series;
use crate::service::{Answer, Client, Database, SECRET, Service, WAIT_TIMEOUT, path, taskhold};

/// Enough for SQLite's log (4 MB) and some thousand tasks.
const SIZE: &str = "8m";
/// The size of the file that is removed to free space.
const BALLAST: &str = "1m";

/// A database with one folder on a small disk.
pub struct FullDatabase {
    pub database: Database,
    pub disk: SmallDisk,
}

impl FullDatabase {
    pub fn new() -> Self {
        Self::at(Database::sqlite(), "data")
    }

    /// Mounts the small disk at this folder.
    pub fn at(database: Database, folder: &str) -> Self {
        let folder = database.folder.path().join(folder);
        std::fs::create_dir(&folder).expect("a folder");
        let disk = SmallDisk::mount(&folder, SIZE);
        Self { database, disk }
    }

    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command
            .current_dir(self.database.folder.path())
            .args(arguments);
        let output = self.disk.inside(&command).output().expect("nsenter runs");
        assert!(output.status.success(), "{program}: {output:?}");
        output
    }

    async fn serve(&self) -> Service {
        let variables = [
            ("DATABASE_URL", self.database.url.as_str()),
            ("JWT_SECRET", SECRET),
        ];
        let command = taskhold(self.database.folder.path(), &variables, &["serve"]);
        Service::spawn(self.disk.inside(&command))
            .wait_until_listening()
            .await
    }

    /// Returns the result of SQLite's own integrity check.
    fn integrity(&self) -> String {
        let check = ["data/taskhold.db", "PRAGMA integrity_check"];
        let output = self.run("sqlite3", &check);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// Returns a task of the maximum size.
fn large(number: usize) -> Value {
    json!({"title": format!("task {number}"), "description": "\u{10ffff}".repeat(500)})
}

/// Creates tasks until one is refused. Returns the refusal and the acknowledged tasks.
async fn fill(client: &Client) -> (Answer, Vec<Value>) {
    let started = Instant::now();
    let mut created = Vec::new();
    loop {
        let answer = client.post("/api/v1/tasks", large(created.len())).await;
        if answer.status != 201 {
            return (answer, created);
        }
        created.push(answer.body["task"].clone());
        assert!(started.elapsed() < WAIT_TIMEOUT * 4, "the disk never fills");
    }
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    answer.assert_problem(503, "SERVICE_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn full_disk_returns_503_and_loses_nothing() {
    let full = FullDatabase::new();
    full.run("fallocate", &["--length", BALLAST, "data/ballast"]);
    let service = full.serve().await;
    let alice = service.client("alice");

    let (refusal, mut expected) = fill(&alice).await;
    assert_refused(&refusal);
    expected.reverse();
    println!("{} tasks fill the disk", expected.len());
    let item = path(&expected[0]);

    // Writers do not wait for space, and readers are not blocked.
    let asked = Instant::now();
    let (written, read) = tokio::join!(
        join_all((0..100).map(|number| alice.post("/api/v1/tasks", large(number)))),
        join_all((0..100).map(|_| alice.get(&item))),
    );
    written.iter().for_each(assert_refused);
    assert!(read.iter().all(|answer| answer.status == 200), "reads work");
    for (method, path, body) in [
        (Method::PUT, item.clone(), Some(large(0))),
        (Method::PATCH, format!("{item}/complete"), None),
        (Method::DELETE, item.clone(), None),
    ] {
        assert_refused(&alice.send(method, &path, body).await);
    }
    assert!(alice.tasks().await == expected, "nothing changed");
    let ready = async |service: &Service| {
        let answer = service.client_with(None).get("/health/ready").await;
        answer.status
    };
    assert_eq!(ready(&service).await, 503);
    assert!(service.log().contains("is full"), "{}", service.log());
    let metrics = service.text("/metrics").await;
    let full_disk = [r#"cause="disk_full""#];
    let counted = series(&metrics, "taskhold_store_failures_total", &full_disk);
    assert!(counted.is_some_and(|count| count >= 1.0), "{metrics}");
    let in_folder = [r#"folder="store""#];
    let free = series(&metrics, "taskhold_disk_free_bytes", &in_folder);
    assert!(free.is_some(), "{metrics}");
    println!("told after {:?}", asked.elapsed());
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );

    // A service that starts on the full disk after a kill serves reads, too.
    service.kill();
    let service = full.serve().await;
    let alice = service.client("alice");
    assert!(alice.tasks().await == expected, "nothing was lost");

    assert_eq!(ready(&service).await, 503);
    full.run("rm", &["data/ballast"]);
    assert_eq!(ready(&service).await, 200);
    let created = alice.create(json!({"title": "there is room"})).await;
    expected.insert(0, created);
    assert!(alice.tasks().await == expected, "as if nothing had been");

    assert!(service.stop().await.success());
    assert_eq!(full.integrity(), "ok");
    let service = full.serve().await;
    assert!(
        service.client("alice").tasks().await == expected,
        "nothing was lost"
    );
}

#[tokio::test]
async fn import_on_a_full_disk_fails_and_leaves_nothing() {
    let full = FullDatabase::new();
    let file = crate::import::fixture("90-ten-thousand");
    let variables = [("DATABASE_URL", full.database.url.as_str())];
    let import = |file: &str| {
        let command = taskhold(full.database.folder.path(), &variables, &["import", file]);
        full.disk.inside(&command).output().expect("it runs")
    };
    let small = full
        .database
        .file(r#"[{"id": 1, "title": "fits", "user_id": "alice"}]"#);
    assert!(import(&small).status.success());
    full.run("fallocate", &["--length", "5m", "data/ballast"]);
    let output = import(&file);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("nothing was imported"), "{message}");
    assert!(message.contains("disk is full"), "{message}");
    assert_eq!(full.integrity(), "ok");
    let service = full.serve().await;
    assert_eq!(service.client("alice").tasks().await.len(), 1);
    assert_eq!(service.client("bob").tasks().await.len(), 0);
}

#[tokio::test]
async fn import_into_a_full_postgres_leaves_nothing_and_succeeds_with_space() {
    let server = PostgresServer::start_with_small_disk("64m").expect("a server");
    let mut connection = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("connected");
    let folder = server.small_folder();
    for statement in [
        format!("CREATE TABLESPACE small LOCATION '{}'", folder.display()),
        "CREATE DATABASE small TABLESPACE small".to_owned(),
    ] {
        let created = connection.execute(AssertSqlSafe(statement)).await;
        created.expect("made");
    }
    let database = Database::at(&server.url("small"));
    let small = database.file(r#"[{"id": 1, "title": "fits", "user_id": "alice"}]"#);
    assert_eq!(database.import(&small, &[]).0, 0);
    let file = crate::import::fixture("90-ten-thousand");
    // The first size is too small to stage the rows, the second too small to create the tasks.
    for (room, is_staged) in [("2M", false), ("8M", true)] {
        let filling = format!("cat /dev/zero > ballast; truncate --size=-{room} ballast");
        server.run_on_small_disk("sh", &["-c", &filling]);
        let message = database.import_error(&file);
        println!("with {room}: {message}");
        assert!(message.contains("nothing was imported"), "{message}");
        assert!(message.contains("No space left on device"), "{message}");
        assert_eq!(message.contains("rows read; importing"), is_staged);
        assert_eq!(database.tasks_of("alice").len(), 1);
        assert_eq!(database.tasks_of("bob").len(), 0);
        server.run_on_small_disk("rm", &["ballast"]);
    }
    let (status, report) = database.import(&file, &[]);
    assert_eq!(status, 0);
    assert_counts(&report, [10_000, 0, 0, 0, 0, 10_000]);
}
