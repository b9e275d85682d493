//! Personal data and secrets appear in no log line and no span, at any log level.

use std::fs;
use std::path::Path;
use std::process::Output;

use reqwest::Method;
use serde_json::{Value, json};

use super::collector::Collector;
use crate::service::{
    Answer, Client, Database, SECRET, Service, TASKS, path, run, signed, tomorrow,
};

/// A part of every e-mail address, password, text and other secret of this test.
const MARK: &str = "unmistakable";
const PASSWORD: &str = "unmistakable horse battery";
const LOGIN: &str = "/api/auth/login";

on_both_stores! {
    default_log_and_spans_contain_no_secrets
    trace_log_and_spans_contain_no_secrets
}

async fn default_log_and_spans_contain_no_secrets(database: Database) {
    let log = log_of_all_operations(&database, &[]).await;
    assert!(log.contains("taskhold::request"), "{log}");
}

async fn trace_log_and_spans_contain_no_secrets(database: Database) {
    let log = log_of_all_operations(&database, &[("TASKHOLD__LOG__FILTER", "trace")]).await;
    assert!(log.contains("TRACE"), "the log has every level");
}

/// Uses every operation, with valid and invalid input, asserts that no secret leaks, and returns the log.
async fn log_of_all_operations(database: &Database, variables: &[(&str, &str)]) -> String {
    let collector = Collector::start().await;
    let of_service = [
        ("TASKHOLD__TELEMETRY__OTLP_ENDPOINT", collector.url.as_str()),
        // Nearly every store call is logged as slow.
        ("TASKHOLD__LOG__SLOW_STORE_CALL_MS", "1"),
    ];
    let service = Service::start_with(database, &[&of_service, variables].concat()).await;
    let mut tokens = accounts(&service).await;
    let token = tokens.first().expect("a token").clone();
    let client = service.client_with(Some(token));
    tasks(&client).await;
    bad_requests(&client).await;
    tokens.extend(bad_tokens(&service).await);
    let log = service.log() + &commands(database, variables);
    assert!(service.stop().await.success());
    let spans = String::from_utf8_lossy(&collector.received()).into_owned();
    assert!(spans.contains("tasks.add"), "spans were sent");
    for secret in tokens
        .iter()
        .map(String::as_str)
        .chain([MARK, SECRET, "$argon2"])
    {
        let line = log
            .lines()
            .find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
        assert_eq!(line, None, "{secret}");
        assert!(!spans.contains(secret), "{secret}");
    }
    log
}

/// Registers, logs in and refreshes, with valid and invalid credentials. Returns all issued tokens, beginning
/// with a valid access token.
async fn accounts(service: &Service) -> Vec<String> {
    let nobody = service.client_with(None);
    let (email, name) = ("Unmistakable@example.org", "Unmistakable Anna");
    let ours = json!({"email": email, "password": PASSWORD, "name": name});
    let wrong = json!({"email": email, "password": "unmistakable mistake"});
    let unknown = json!({"email": "an.unmistakable@example.org", "password": PASSWORD});
    let broken = json!({"email": "unmistakable", "password": "short"});
    let (mut tokens, mut refresh_token) = (Vec::new(), None);
    for (path, body, status) in [
        ("/api/auth/register", &ours, 201),
        ("/api/auth/register", &ours, 409),
        ("/api/auth/register", &broken, 422),
        (LOGIN, &ours, 200),
        (LOGIN, &wrong, 401),
        (LOGIN, &unknown, 401),
    ] {
        let answer = nobody.post(path, body.clone()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        tokens.extend(issued_tokens(&answer));
        refresh_token = answer.body["refresh_token"]
            .as_str()
            .map(str::to_owned)
            .or(refresh_token);
    }
    let refresh = json!({"refresh_token": refresh_token.expect("a refresh token")});
    for status in [200, 401] {
        let answer = nobody.post("/api/auth/refresh", refresh.clone()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        tokens.extend(issued_tokens(&answer));
    }
    // The second use of a refresh token has ended the access tokens.
    let answer = nobody.post(LOGIN, ours).await;
    [issued_tokens(&answer), tokens].concat()
}

fn issued_tokens(answer: &Answer) -> Vec<String> {
    let tokens = ["access_token", "refresh_token"].map(|name| &answer.body[name]);
    let device = answer.headers.get("device-token");
    let device = device.and_then(|token| token.to_str().ok());
    tokens
        .into_iter()
        .filter_map(Value::as_str)
        .chain(device)
        .map(str::to_owned)
        .collect()
}

/// Creates, reads, edits, lists, searches, exports and deletes.
async fn tasks(client: &Client) {
    let task = json!({"title": "an unmistakable title", "description": "an unmistakable text"});
    let key = "key-1";
    for _ in 0..2 {
        let keyed = client
            .send_keyed(key, Method::POST, TASKS, Some(task.clone()))
            .await;
        assert_eq!(keyed.status, 201, "{keyed:?}");
    }
    let item = path(&client.create(task.clone()).await);
    let toggled = format!("{item}/complete");
    let searched = format!("{TASKS}?q={MARK}&limit=1");
    let (get, put, patch) = (Method::GET, Method::PUT, Method::PATCH);
    for (method, path, body, status) in [
        (&get, &*item, None, 200),
        (&put, &item, Some(task.clone()), 200),
        (&patch, &item, Some(task.clone()), 200),
        (&patch, &toggled, None, 200),
        (&get, TASKS, None, 200),
        (&get, &searched, None, 200),
        (&get, "/api/v1/export?format=ndjson", None, 200),
        (&Method::DELETE, &item, None, 204),
        (&get, &item, None, 404),
    ] {
        let answer = client.send(method.clone(), path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
}

/// Sends requests that violate validation rules or are malformed.
async fn bad_requests(client: &Client) {
    let long = MARK.repeat(50);
    for (body, status) in [
        (json!({"title": long, "description": long}).to_string(), 422),
        (json!({"title": [MARK], "completed": MARK}).to_string(), 422),
        (json!({"title": "unmistakable\u{0}"}).to_string(), 422),
        (format!(r#"{{"title": "{MARK}"#), 400),
        (format!(r#"{{"title": {MARK}}}"#), 400),
        (format!(r#""{MARK}""#), 400),
        (MARK.repeat(10_000), 413),
    ] {
        let answer = client.send_raw(Method::POST, TASKS, body).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    for path in [
        format!("{TASKS}/{MARK}"),
        format!("{TASKS}?limit={MARK}"),
        format!("{TASKS}?cursor={MARK}&limit=1"),
        format!("/{MARK}?{MARK}"),
    ] {
        let answer = client.get(&path).await;
        assert!(matches!(answer.status, 400 | 404), "{answer:?}");
    }
    let header = client
        .request(Method::GET, TASKS)
        .header("if-none-match", MARK);
    assert!(Answer::of(header).await.status < 500);
    let header = client
        .request(Method::GET, TASKS)
        .header("traceparent", MARK);
    assert_eq!(Answer::of(header).await.status, 200);
}

/// Sends invalid tokens, and a valid one. Returns all of them.
async fn bad_tokens(service: &Service) -> Vec<String> {
    let expired = json!({"sub": "unmistakable user", "exp": 1_000_000_000});
    let foreign = json!({"sub": "unmistakable user", "exp": tomorrow()});
    let tokens = vec![
        MARK.to_owned(),
        signed(&expired, SECRET),
        signed(&foreign, "an unmistakable secret of somebody else"),
    ];
    for token in &tokens {
        let answer = service.client_with(Some(token.clone())).get(TASKS).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    // A valid token, which contains the name of its user.
    let valid = signed(&foreign, SECRET);
    let client = service.client_with(Some(valid.clone()));
    client.create(json!({"title": "unmistakable"})).await;
    [tokens, vec![valid]].concat()
}

/// Runs imports that succeed and fail, and backups, and returns what they log. The result of a command, such
/// as the rejected rows, goes to standard output and is not part of the log.
fn commands(database: &Database, variables: &[(&str, &str)]) -> String {
    let folder = database.folder.path();
    let variables = [&[("DATABASE_URL", database.url.as_str())], variables].concat();
    let file = folder.join("tasks.json");
    let good = json!({"id": "1", "title": MARK, "description": MARK, "completed": false,
        "user_id": "unmistakable user", "created_at": "2026-01-02T03:04:05",
        "updated_at": "2026-01-02T03:04:05"});
    let bad = json!({"id": "2", "title": MARK.repeat(20), "completed": MARK});
    let mut log = String::new();
    for (text, status) in [
        (json!([good, bad]).to_string(), 3),
        (format!(r#"[{{"title": "{MARK}"#), 1),
    ] {
        fs::write(&file, text).expect("written");
        let done = run(folder, &variables, &["import", name(&file)]);
        assert_eq!(done.status.code(), Some(status), "{done:?}");
        log += &stderr_of(done);
    }
    for arguments in [&["backup"][..], &["backup", "verify"], &["user", "list"]] {
        let done = run(folder, &variables, arguments);
        assert!(done.status.success(), "{done:?}");
        log += &stderr_of(done);
    }
    log
}

fn name(path: &Path) -> &str {
    path.to_str().expect("a path")
}

fn stderr_of(done: Output) -> String {
    String::from_utf8(done.stderr).expect("UTF-8")
}
