//! Spans, and what becomes of the service when nobody takes them.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;

use super::collector::Collector;
use crate::service::{Answer, Database, Service, TASKS, eventually, run, within};

const ENDPOINT: &str = "TASKHOLD__TELEMETRY__OTLP_ENDPOINT";
/// Sends spans sooner than every 5 s.
const SOON: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "100");

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00f067aa0ba902b7";

on_both_stores! {
    spans_of_a_request_and_of_its_store_call_are_in_the_callers_trace
    a_request_that_tells_no_trace_begins_one
    what_the_caller_does_not_keep_is_not_sent
    the_last_spans_are_sent_when_the_service_stops
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal).expect("hexadecimal digits")
}

/// How often this is in that.
fn count(all: &[u8], part: &[u8]) -> usize {
    all.windows(part.len())
        .filter(|window| *window == part)
        .count()
}

async fn created_in(service: &Service, flags: &str) {
    let alice = service.client("alice");
    let request = alice
        .request(Method::POST, TASKS)
        .header("traceparent", format!("00-{TRACE}-{PARENT}-{flags}"))
        .json(&json!({"title": "unmistakable"}));
    assert_eq!(Answer::of(request).await.status, 201);
}

async fn spans_of_a_request_and_of_its_store_call_are_in_the_callers_trace(database: Database) {
    let collector = Collector::start().await;
    let service = Service::start_with(&database, &[(ENDPOINT, &collector.url), SOON]).await;
    created_in(&service, "01").await;
    for part in [
        "POST /api/v1/tasks",
        "http.response.status_code",
        "tasks.add",
    ] {
        eventually(part, async || collector.has(part.as_bytes()).then_some(())).await;
    }
    assert!(count(&collector.received(), &bytes(TRACE)) >= 2);
    // The request's is below the caller's, the call's below that.
    assert_eq!(count(&collector.received(), &bytes(PARENT)), 1);
    assert!(!collector.has(b"unmistakable"));
    assert!(
        service
            .log()
            .contains(&format!("trace_id={TRACE} parent_id={PARENT}"))
    );
}

async fn a_request_that_tells_no_trace_begins_one(database: Database) {
    let collector = Collector::start().await;
    let service = Service::start_with(&database, &[(ENDPOINT, &collector.url), SOON]).await;
    service
        .client("alice")
        .created(json!({"title": "one"}))
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

async fn what_the_caller_does_not_keep_is_not_sent(database: Database) {
    let collector = Collector::start().await;
    let service = Service::start_with(&database, &[(ENDPOINT, &collector.url), SOON]).await;
    created_in(&service, "00").await;
    // What comes after it arrives, so it would have.
    service.client("alice").get("/health/live").await;
    eventually("the next span", async || {
        collector.has(b"GET /health/live").then_some(())
    })
    .await;
    assert!(!collector.has(&bytes(TRACE)));
    assert!(service.log().contains(TRACE), "the log has it all the same");
}

async fn the_last_spans_are_sent_when_the_service_stops(database: Database) {
    let collector = Collector::start().await;
    let never = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    let service = Service::start_with(&database, &[(ENDPOINT, &collector.url), never]).await;
    created_in(&service, "01").await;
    assert!(!collector.has(&bytes(TRACE)));
    assert!(service.stop().await.success());
    assert!(collector.has(&bytes(TRACE)));
}

/// Nobody listens there, or somebody does who never answers.
#[tokio::test]
async fn a_collector_that_is_away_costs_no_request_anything() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = silent.local_addr().expect("an address");
    let dead = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let dead_address = dead.local_addr().expect("an address");
    drop(dead);
    for address in [silent, dead_address] {
        let database = Database::sqlite();
        let url = format!("http://{address}");
        let service = Service::start_with(&database, &[(ENDPOINT, &url), SOON]).await;
        let alice = service.client("alice");
        alice.created(json!({"title": "one"})).await;
        eventually("it is told of", async || {
            service.log().contains("spans are lost").then_some(())
        })
        .await;
        // More spans than are kept.
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
fn an_address_that_cannot_be_the_collectors_is_refused() {
    let database = Database::sqlite();
    for wrong in [
        "localhost",
        "grpc://localhost:4317",
        "http://u:hunter2@localhost",
    ] {
        let output = run(database.folder.path(), &[(ENDPOINT, wrong)], &["serve"]);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains("telemetry.otlp_endpoint"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
