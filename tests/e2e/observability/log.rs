//! The members of a log line.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::service::{Answer, Client, Database, Service, TASKS, eventually, run};

const JSON: [(&str, &str); 1] = [("TASKHOLD__LOG__FORMAT", "json")];

on_both_stores! {
    log_lines_carry_a_digest_instead_of_the_user_id
    only_a_valid_traceparent_is_logged
    slow_store_call_logs_a_warning
    left_out_requests_have_no_line
    slow_calls_of_a_long_list_name_their_request
    locked_store_is_counted
}

/// Waits for at least `count` log lines with this member, and returns them.
async fn lines(service: &Service, member: &str, value: &str, count: usize) -> Vec<Value> {
    eventually("the lines are logged", async || {
        let log = service.log();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let lines: Vec<Value> = lines.filter(|line: &Value| line[member] == value).collect();
        (lines.len() >= count).then_some(lines)
    })
    .await
}

async fn requests(service: &Service, count: usize) -> Vec<Value> {
    lines(service, "target", "taskhold::request", count).await
}

async fn log_lines_carry_a_digest_instead_of_the_user_id(database: Database) {
    let service = Service::start_with(&database, &JSON).await;
    for user in ["anna", "bert", "anna"] {
        assert_eq!(service.client(user).get(TASKS).await.status, 200);
    }
    let unknown = service.client_with(Some("no token".to_owned()));
    assert_eq!(unknown.get(TASKS).await.status, 401);
    let lines = requests(&service, 4).await;
    let [anna, bert, anna_again, unknown] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    // The documentation computes it in a shell.
    assert_eq!(anna["user"], "851d6ec91299cc3e");
    // Without the secret nobody can find an id by trying.
    assert_ne!(anna["user"], "55579b557896d0ce", "its plain digest");
    assert_eq!(anna["user"], anna_again["user"]);
    assert!(bert["user"].is_string() && bert["user"] != anna["user"]);
    assert_eq!(unknown.get("user"), None);
    let log = service.log();
    assert!(!log.contains("anna") && !log.contains("bert"), "{log}");
}

async fn send_traced(client: &Client, parents: &[&str]) {
    let mut request = client.request(Method::GET, "/health/live");
    for parent in parents {
        request = request.header("traceparent", *parent);
    }
    assert_eq!(Answer::of(request).await.status, 200);
}

async fn only_a_valid_traceparent_is_logged(database: Database) {
    let service = Service::start_with(&database, &JSON).await;
    let client = service.client_with(None);
    let valid = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    let malformed = [
        "",
        "nonsense",
        "00-0AF7651916CD43DD8448EB211C80319C-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
    ];
    send_traced(&client, &[valid]).await;
    for parent in malformed {
        send_traced(&client, &[parent]).await;
    }
    send_traced(&client, &[valid, valid]).await;
    send_traced(&client, &[]).await;
    let lines = requests(&service, malformed.len() + 3).await;
    let (first, others) = lines.split_first().expect("lines");
    assert_eq!(first["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(first["parent_id"], "00f067aa0ba902b7");
    for line in others {
        assert_eq!(line.get("trace_id"), None, "{line}");
        assert_eq!(line.get("parent_id"), None, "{line}");
    }
}

/// Blocks writes to tasks for a while.
async fn block_writes(database: &Database, time: Duration) {
    macro_rules! hold {
        ($connection:ty, $begin:expr) => {{
            let connection = <$connection>::connect(&database.url).await;
            let mut connection = connection.expect("connected");
            let begin = AssertSqlSafe($begin.to_owned());
            connection.execute(begin).await.expect("locked");
            tokio::time::sleep(time).await;
            connection.execute("ROLLBACK").await.expect("unlocked");
        }};
    }
    if database.is_sqlite() {
        hold!(SqliteConnection, "BEGIN IMMEDIATE");
    } else {
        hold!(PgConnection, "BEGIN; LOCK TABLE tasks IN EXCLUSIVE MODE");
    }
}

async fn slow_store_call_logs_a_warning(database: Database) {
    let limit = [("TASKHOLD__LOG__SLOW_STORE_CALL_MS", "300")];
    let service = Service::start_with(&database, &[&JSON[..], &limit].concat()).await;
    let alice = service.client("alice");
    alice.create(json!({"title": "one"})).await;
    tokio::join!(block_writes(&database, Duration::from_millis(900)), async {
        // The first writes may come before the lock.
        eventually("a write has waited", async || {
            alice.create(json!({"title": "unmistakable"})).await;
            service.log().contains("slow").then_some(())
        })
        .await;
    });
    let slow = "a store call was slow";
    let lines = lines(&service, "message", slow, 1).await;
    let line = &lines[0];
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["operation"], "tasks.add");
    assert_eq!(line["outcome"], "ok");
    assert!(
        line["duration_ms"].as_f64().is_some_and(|ms| ms >= 300.0),
        "{line}"
    );
    assert!(!service.log().contains("unmistakable"));
    let id = line["request_id"].as_str().expect("a request");
    let log = service.log();
    let same = log.lines().filter(|line| line.contains(id));
    assert!(same.count() >= 2, "the line of the request too: {log}");
}

async fn left_out_requests_have_no_line(database: Database) {
    let leave_out = ("TASKHOLD__LOG__LEAVE_OUT", "health not_found");
    let service = Service::start_with(&database, &[&JSON[..], &[leave_out]].concat()).await;
    let alice = service.client("alice");
    for (path, status) in [
        ("/health", 200),
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/metrics", 200),
        ("/nothing/here", 404),
        (TASKS, 200),
    ] {
        let request = alice.request(Method::GET, path);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
    }
    let missing = format!("{TASKS}/01a22555-e46c-754a-9af7-f04a981479e6");
    assert_eq!(alice.get(&missing).await.status, 404);
    assert_eq!(alice.get("/api/v1/tasks?sort=x").await.status, 400);
    let lines = requests(&service, 2).await;
    let lines: Vec<_> = lines.iter().map(|line| line["status"].as_u64()).collect();
    assert_eq!(lines, [Some(200), Some(400)]);
    let metrics = service.text("/metrics").await;
    let ready = ["route=\"/health/ready\"", "status=\"200\""];
    let count = "taskhold_http_request_duration_seconds_count";
    assert_eq!(super::series(&metrics, count, &ready), Some(1.0));
}

/// The pages of a list are read while it is sent, after its handler has returned.
async fn slow_calls_of_a_long_list_name_their_request(database: Database) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = folder.join("../../tests/fixtures/storage/90-ten-thousand.json");
    assert_eq!(database.import(file.to_str().expect("a path"), &[]).0, 0);
    let limit = [("TASKHOLD__LOG__SLOW_STORE_CALL_MS", "1")];
    let service = Service::start_with(&database, &[&JSON[..], &limit].concat()).await;
    let alice = service.client("alice");
    let list = alice
        .request(Method::GET, TASKS)
        .header("x-request-id", "the-list");
    let answer = Answer::of(list).await;
    assert!(
        answer.body["tasks"]
            .as_array()
            .is_some_and(|tasks| tasks.len() > 2000)
    );
    let calls = lines(&service, "operation", "tasks.list", 2).await;
    for call in &calls {
        assert_eq!(call["request_id"], "the-list", "{call}");
    }
}

async fn locked_store_is_counted(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let counted = async || {
        let metrics = service.text("/metrics").await;
        let locked = ["cause=\"locked\""];
        super::series(&metrics, "taskhold_store_failures_total", &locked).expect("a counter")
    };
    alice.create(json!({"title": "one"})).await;
    assert!(counted().await < 1.0);
    eventually("the lock is counted", async || {
        tokio::select! {
            () = block_writes(&database, Duration::from_secs(7)) => {}
            // The first writes may come before the lock.
            () = async { loop { alice.create(json!({"title": "two"})).await; } } => {}
        }
        (counted().await >= 1.0).then_some(())
    })
    .await;
}

/// A check of a whole file is slow by nature: it is no statement that the driver should warn of.
#[test]
fn backup_and_verification_log_no_statement() {
    let database = Database::sqlite();
    let log = [
        ("DATABASE_URL", database.url.as_str()),
        ("TASKHOLD__LOG__FILTER", "info,sqlx::query=debug"),
    ];
    for arguments in [
        &["migrate", "up"][..],
        &["backup"],
        &["backup", "verify"],
        &["doctor"],
    ] {
        let done = run(database.folder.path(), &log, arguments);
        let printed = String::from_utf8_lossy(&done.stderr);
        assert!(!printed.contains("PRAGMA"), "{arguments:?}: {printed}");
    }
}
