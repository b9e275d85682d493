//! Metrics, alerts, the request log, and spans.

mod collector;
mod fail2ban;
mod log;
mod prometheus;
mod secrecy;
mod spans;

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Database, Service, eventually, http, path, token};

/// Returns the value of the only series with this name and all of these labels, or `None` without one.
pub fn series(metrics: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let mut found = metrics.lines().filter(|line| {
        line.starts_with(name)
            && line[name.len()..].starts_with(['{', ' '])
            && labels.iter().all(|label| line.contains(label))
    });
    let value = found.next()?.rsplit(' ').next()?.parse().ok();
    assert!(found.next().is_none(), "{name} {labels:?} is one series");
    value
}

async fn requests_and_store_calls_are_counted(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "one"})).await;
    let item = path(&task);
    for _ in 0..3 {
        assert_eq!(alice.get(&item).await.status, 200);
    }
    assert_eq!(alice.send(Method::DELETE, &item, None).await.status, 204);
    assert_eq!(alice.get(&item).await.status, 404);
    assert_eq!(alice.get("/no/such/path").await.status, 404);
    assert_eq!(
        alice
            .post("/api/v1/tasks", json!({"title": ""}))
            .await
            .status,
        422
    );
    let brew = Method::from_bytes(b"BREW").expect("a method");
    assert_eq!(alice.send(brew, "/api/v1/tasks", None).await.status, 405);

    let metrics = service.text("/metrics").await;
    let requests = |labels: &[&str]| {
        series(
            &metrics,
            "taskhold_http_request_duration_seconds_count",
            labels,
        )
    };
    let item = r#"route="/api/v1/tasks/{id}""#;
    let all = r#"route="/api/v1/tasks""#;
    assert_eq!(
        requests(&[r#"method="POST""#, all, r#"status="201""#]),
        Some(1.0),
        "{metrics}"
    );
    assert_eq!(
        requests(&[r#"method="POST""#, all, r#"status="422""#]),
        Some(1.0)
    );
    assert_eq!(
        requests(&[r#"method="GET""#, item, r#"status="200""#]),
        Some(3.0)
    );
    assert_eq!(
        requests(&[r#"method="GET""#, item, r#"status="404""#]),
        Some(1.0)
    );
    assert_eq!(
        requests(&[r#"method="DELETE""#, item, r#"status="204""#]),
        Some(1.0)
    );
    assert_eq!(
        requests(&[r#"method="GET""#, r#"route="none""#, r#"status="404""#]),
        Some(1.0)
    );
    assert_eq!(
        requests(&[r#"method="other""#, all, r#"status="405""#]),
        Some(1.0)
    );
    let calls = |labels: &[&str]| {
        series(
            &metrics,
            "taskhold_store_call_duration_seconds_count",
            labels,
        )
    };
    assert_eq!(
        calls(&[r#"operation="tasks.add""#, r#"outcome="ok""#]),
        Some(1.0)
    );
    assert_eq!(
        calls(&[r#"operation="tasks.find""#, r#"outcome="ok""#]),
        Some(4.0)
    );
    assert_eq!(
        calls(&[r#"operation="tasks.remove""#, r#"outcome="ok""#]),
        Some(1.0)
    );
    assert_eq!(
        series(&metrics, "taskhold_store_calls_waiting", &[]),
        Some(0.0)
    );
    assert!(
        series(
            &metrics,
            "taskhold_store_connections",
            &[r#"state="in_use""#]
        )
        .is_some()
    );
    assert!(series(&metrics, "taskhold_store_connections", &[r#"state="idle""#]).is_some());
    assert_eq!(
        series(&metrics, "taskhold_build_info", &["version="]),
        Some(1.0)
    );
    assert!(
        !metrics.contains(task["id"].as_str().expect("an id")),
        "labels are bounded"
    );
}

async fn failed_logins_are_counted(database: Database) {
    let service = Service::start(&database).await;
    let nobody = service.client_with(None);
    let register = json!({"email": "anna@example.org", "password": "correct horse"});
    let answer = nobody.post("/api/auth/register", register).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    for (email, password, status, count) in [
        ("anna@example.org", "correct horse", 200, 0.0),
        ("anna@example.org", "wrong horse", 401, 1.0),
        ("nobody@example.org", "correct horse", 401, 2.0),
        ("anna@example.org", "correct horse", 200, 2.0),
    ] {
        let login = json!({"email": email, "password": password});
        let answer = nobody.post("/api/auth/login", login).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let metrics = service.text("/metrics").await;
        let failures = series(&metrics, "taskhold_login_failures_total", &[]);
        assert_eq!(failures, Some(count), "{metrics}");
    }
}

async fn metrics_address_moves_the_metrics_to_their_own_listener(database: Database) {
    let service =
        Service::start_with(&database, &[("TASKHOLD__METRICS__ADDRESS", "127.0.0.1:0")]).await;
    // The service logs this address after the one that the start waits for.
    let url = eventually("the URL is logged", async || {
        let log = service.log();
        let (_, after) = log.split_once("metrics_url=")?;
        let (url, _) = after.split_once(char::is_whitespace)?;
        Some(url.to_owned())
    })
    .await;
    let answer = http().get(url).send().await.expect("an answer");
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .expect("ASCII")
            .starts_with("text/plain")
    );
    assert!(
        answer
            .text()
            .await
            .expect("text")
            .contains("taskhold_build_info")
    );
    service
        .client_with(None)
        .get("/metrics")
        .await
        .assert_problem(404, "NOT_FOUND");
}

/// The file of the production profile sets no address: clients must not reach the metrics.
async fn production_without_metrics_address_serves_no_metrics(database: Database) {
    let folder = database.folder.path().join("config");
    std::fs::create_dir(&folder).expect("a folder");
    let file = "[server]\nport = 0\n[metrics]\naddress = ''\n";
    std::fs::write(folder.join("production.toml"), file).expect("written");
    let service = Service::start_with(&database, &[("TASKHOLD_PROFILE", "production")]).await;
    assert!(!service.log().contains("metrics_url"), "{}", service.log());
    let nobody = service.client_with(None);
    nobody
        .get("/metrics")
        .await
        .assert_problem(404, "NOT_FOUND");
}

async fn each_request_logs_one_line(database: Database) {
    let service = Service::start_with(&database, &[("TASKHOLD__LOG__FORMAT", "json")]).await;
    let alice = service.client("alice@example.org");
    let request = alice
        .request(Method::POST, "/api/v1/tasks?q=secret-search")
        .header("x-request-id", "mine-1")
        .header("prefer", "handling=lenient")
        .json(&json!({"title": "a secret title", "description": "a secret description"}));
    assert_eq!(crate::service::Answer::of(request).await.status, 201);
    alice.get("/api/v1/tasks/no-such-id").await;
    let lines = eventually("two lines", async || {
        let lines: Vec<Value> = service
            .log()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line["target"] == "taskhold::request")
            .collect();
        (lines.len() >= 2).then_some(lines)
    })
    .await;
    assert_eq!(lines.len(), 2);
    let line = &lines[0];
    assert_eq!(
        (&line["method"], &line["route"]),
        (&json!("POST"), &json!("/api/v1/tasks"))
    );
    assert_eq!(
        (&line["status"], &line["request_id"]),
        (&json!(201), &json!("mine-1"))
    );
    assert!(
        line["duration_ms"]
            .as_f64()
            .is_some_and(|duration| duration > 0.0)
    );
    assert_eq!(
        (&lines[1]["route"], &lines[1]["status"]),
        (&json!("/api/v1/tasks/{id}"), &json!(404))
    );
    let log = service.log();
    for secret in [
        "a secret",
        "secret-search",
        "alice",
        "no-such-id",
        &token("alice@example.org"),
    ] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

on_both_stores! {
    requests_and_store_calls_are_counted
    failed_logins_are_counted
    metrics_address_moves_the_metrics_to_their_own_listener
    production_without_metrics_address_serves_no_metrics
    each_request_logs_one_line
}
