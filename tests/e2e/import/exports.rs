//! Exports that fail midway, and their output files.

use std::io::Read as _;
use std::process::{Child, Stdio};

use futures_util::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use taskhold_testkit::postgres::PostgresServer;

use super::fixture;
use crate::service::{Database, Service, taskhold};

const FORMATS: [&str; 2] = ["console", "ndjson"];

/// Tasks of alice, each of the maximum size: far more data than pipes and sockets buffer.
const TASKS: usize = 10_000;

fn large_tasks() -> String {
    let rows = (1..=TASKS).map(|id| {
        json!({"id": id, "title": "large", "description": "\u{10ffff}".repeat(500), "user_id": "alice"})
    });
    Value::Array(rows.collect()).to_string()
}

/// Starts an export and reads the first bytes of its output; the export blocks until more is read.
fn start_export(database: &Database, format: &str) -> (Child, Vec<u8>) {
    let variables = [("DATABASE_URL", database.url.as_str())];
    let arguments = ["export", "--user", "alice", "--format", format];
    let mut export = taskhold(database.folder.path(), &variables, &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the export starts");
    let mut beginning = vec![0; 100];
    let output = export.stdout.as_mut().expect("a pipe");
    output
        .read_exact(&mut beginning)
        .expect("the export writes");
    (export, beginning)
}

fn assert_fails_with_an_error(format: &str, (export, mut written): (Child, Vec<u8>)) {
    let output = export.wait_with_output().expect("ended");
    written.extend(&output.stdout);
    println!("{format}: cut after {} bytes", written.len());
    assert_eq!(output.status.code(), Some(1), "{format}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let expected = "cannot read the tasks: the store is not available";
    assert!(stderr.contains(expected), "{stderr}");
    assert!(written.len() < TASKS * 2_000, "{format}");
    assert!(serde_json::from_slice::<Value>(&written).is_err());
}

async fn assert_body_is_incomplete(format: &str, mut answer: Response) {
    let mut bytes = 0;
    let ended = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes += chunk.len(),
            end => break end,
        }
    };
    println!("{format} over HTTP: cut after {bytes} bytes: {ended:?}");
    assert!(
        ended.is_err(),
        "{format}: the body ends as if it were complete"
    );
    assert!(bytes < TASKS * 2_000, "{format}: {bytes}");
}

#[tokio::test]
async fn lost_store_cuts_the_export_off_with_an_error() {
    let server = PostgresServer::start().expect("a server");
    let database = Database::at(&server.url("postgres"));
    assert_eq!(database.import(&database.file(large_tasks()), &[]).0, 0);
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let exports = FORMATS.map(|format| start_export(&database, format));
    let mut answers = Vec::new();
    for format in FORMATS {
        let path = format!("/api/v1/export?format={format}");
        let answer = alice.request(Method::GET, &path).send().await;
        let answer = answer.expect("a head");
        assert_eq!(answer.status(), 200);
        answers.push(answer);
    }
    server.kill();

    // Each export waits for the store until its timeout, so all are read concurrently.
    let outputs = FORMATS.into_iter().zip(exports).map(|(format, export)| {
        tokio::task::spawn_blocking(move || assert_fails_with_an_error(format, export))
    });
    let outputs: Vec<_> = outputs.collect();
    let answers = FORMATS.into_iter().zip(answers);
    join_all(answers.map(|(format, answer)| assert_body_is_incomplete(format, answer))).await;
    for output in outputs {
        output.await.expect("no failed assertion");
    }

    server.restart();
    for format in FORMATS {
        let file = database.export("alice", &["--format", format]);
        assert_eq!(file.matches("large").count(), TASKS);
    }
}

/// The store is available, but a row of the second page is corrupt.
#[tokio::test]
async fn failed_export_leaves_the_output_file_unchanged() {
    let database = Database::sqlite();
    assert_eq!(database.import(&fixture("90-ten-thousand"), &[]).0, 0);
    let path = database.folder.path().join("new.json");
    let named = path.to_str().expect("UTF-8");
    let to_file = |format: &str| {
        let arguments = [
            "export", "--user", "alice", "--format", format, "--output", named,
        ];
        let output = database.taskhold(&arguments);
        assert_eq!(output.stdout, b"");
        output
    };
    for format in FORMATS {
        assert!(to_file(format).status.success());
        let file = std::fs::read_to_string(&path).expect("the output file");
        assert_eq!(file, database.export("alice", &["--format", format]));
    }
    let before = std::fs::read(&path).expect("the output file");

    let mut connection = SqliteConnection::connect(&database.url)
        .await
        .expect("open");
    connection
        .execute(
            "PRAGMA ignore_check_constraints = ON; UPDATE tasks SET version = 0 WHERE id = \
             (SELECT id FROM tasks WHERE user_id = 'alice' ORDER BY created_at DESC LIMIT 1)",
        )
        .await
        .expect("damaged");
    for format in FORMATS {
        let output = to_file(format);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("damaged"));
        let left = std::fs::read(&path).expect("the output file");
        assert!(left == before, "the earlier file is unchanged");
        std::fs::remove_file(&path).expect("removed");
        assert!(!to_file(format).status.success());
        assert!(!path.exists());
        std::fs::write(&path, &before).expect("written");
    }
    let left = std::fs::read_dir(database.folder.path()).expect("a folder");
    // The folder of the database, the report of the import, and the file.
    assert_eq!(left.count(), 3);
}

#[test]
fn unwritable_output_is_refused_by_name() {
    let database = Database::sqlite();
    assert_eq!(database.import(&fixture("01-current"), &[]).0, 0);
    for output in ["nowhere/new.json", ".", "/dev/null"] {
        let refused = database.taskhold(&["export", "--user", "alice", "--output", output]);
        assert_eq!(refused.status.code(), Some(1), "{output}: {refused:?}");
        let stderr = String::from_utf8_lossy(&refused.stderr);
        let expected = format!("--output: cannot write {output}");
        assert!(stderr.contains(&expected), "{stderr}");
    }
}
