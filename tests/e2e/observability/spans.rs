//! Spans, and the service without a collector that accepts them.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;

use super::collector::Collector;
use crate::service::{Answer, Database, Service, TASKS, eventually, run, within};

const ENDPOINT: &str = "TASKHOLD__TELEMETRY__OTLP_ENDPOINT";
/// Exports spans every 100 ms instead of every 5 s.
const SOON: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "100");

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00f067aa0ba902b7";

on_both_stores! {
    request_and_store_call_spans_join_the_callers_trace
    request_without_traceparent_starts_a_trace
    unsampled_trace_is_not_exported
    shutdown_exports_the_last_spans
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal).expect("hexadecimal digits")
}

/// Counts the occurrences of `part` in `all`.
fn count(all: &[u8], part: &[u8]) -> usize {
    all.windows(part.len())
        .filter(|window| *window == part)
        .count()
}

async fn create_traced_task(service: &Service, flags: &str) {
    let alice = service.client("alice");
    let request = alice
        .request(Method::POST, TASKS)
        .header("traceparent", format!("00-{TRACE}-{PARENT}-{flags}"))
        .json(&json!({"title": "unmistakable"}));
    assert_eq!(Answer::of(request).await.status, 201);
}

async fn request_and_store_call_spans_join_the_callers_trace(database: Database) {
    let collector = Collector::start().await;
    let service = Service::start_with(&database, &[(ENDPOINT, &collector.url), SOON]).await;
    create_traced_task(&service, "01").await;
    for part in [
        "POST /api/v1/tasks",
        "http.response.status_code",
        "tasks.add",
    ] {
        eventually(part, async || collector.has(part.as_bytes()).then_some(())).await;
    }
    assert!(count(&collector.received(), &bytes(TRACE)) >= 2);
    // The caller's span is the parent of the request's span only; the store call's parent is the latter.
    assert_eq!(count(&collector.received(), &bytes(PARENT)), 1);
    assert!(!collector.has(b"unmistakable"));
    assert!(
        service
            .log()
            .contains(&format!("trace_id={TRACE} parent_id={PARENT}"))
    );
}

async fn request_without_traceparent_starts_a_trace(database: Database) {
    let collector = Collector::start().await;
    let service = Service::start_with(&database, &[(ENDPOINT, &collector.url), SOON]).await;
    service
        .client("alice")
        .create(json!({"title": "one"}))
        .await;
    let trace = eventually("its line", async || {
        let log = service.log();
        let (_, after) = log.split_once("trace_id=")?;
        Some(after.get(..32)?.to_owned())
    })
    .await;
    assert!(!service.log().contains("parent_id="), "{}", service.log());
    eventually("its spans", async || {
        (count(&collector.received(), &bytes(&trace)) >= 2).then_some(())
    })
    .await;
}

async fn unsampled_trace_is_not_exported(database: Database) {
    let collector = Collector::start().await;
    let service = Service::start_with(&database, &[(ENDPOINT, &collector.url), SOON]).await;
    create_traced_task(&service, "00").await;
    // A later span arrives, so this one would have arrived too.
    service.client("alice").get("/health/live").await;
    eventually("the next span", async || {
        collector.has(b"GET /health/live").then_some(())
    })
    .await;
    assert!(!collector.has(&bytes(TRACE)));
    assert!(
        service.log().contains(TRACE),
        "the log has the trace id anyway"
    );
}

async fn shutdown_exports_the_last_spans(database: Database) {
    let collector = Collector::start().await;
    let never = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    let service = Service::start_with(&database, &[(ENDPOINT, &collector.url), never]).await;
    create_traced_task(&service, "01").await;
    assert!(!collector.has(&bytes(TRACE)));
    assert!(service.stop().await.success());
    assert!(collector.has(&bytes(TRACE)));
}

/// One collector refuses connections, the other accepts them and never answers.
#[tokio::test]
async fn unreachable_collector_does_not_slow_requests() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = silent.local_addr().expect("an address");
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed_address = closed.local_addr().expect("an address");
    drop(closed);
    for address in [silent, closed_address] {
        let database = Database::sqlite();
        let url = format!("http://{address}");
        let service = Service::start_with(&database, &[(ENDPOINT, &url), SOON]).await;
        let alice = service.client("alice");
        alice.create(json!({"title": "one"})).await;
        eventually("the loss is logged", async || {
            service.log().contains("spans are lost").then_some(())
        })
        .await;
        // More spans than the queue holds.
        within(Duration::from_secs(25), "many reads", async || {
            for _ in 0..1_500 {
                assert_eq!(alice.get(TASKS).await.status, 200);
            }
            Some(())
        })
        .await;
        assert_eq!(service.log().matches("spans are lost").count(), 1);
        let stopped = std::time::Instant::now();
        assert!(service.stop().await.success());
        assert!(stopped.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn invalid_collector_url_is_refused() {
    let database = Database::sqlite();
    for invalid in [
        "localhost",
        "grpc://localhost:4317",
        "http://u:hunter2@localhost",
    ] {
        let output = run(database.folder.path(), &[(ENDPOINT, invalid)], &["serve"]);
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(78), "{stderr}");
        assert!(stderr.contains("telemetry.otlp_endpoint"), "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}
