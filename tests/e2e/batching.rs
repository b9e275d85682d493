//! What metrics and the log say of calls that are batched into one statement.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use crate::service::{Client, Service, TASKS, eventually, path};

async fn admin(server: &PostgresServer) -> PgConnection {
    let admin = PgConnection::connect(&server.url("postgres")).await;
    admin.expect("connected")
}

/// Returns the value of a series, 0 if it does not exist.
async fn metric(service: &Service, series: &str) -> f64 {
    let metrics = service.text("/metrics").await;
    let value = metrics.lines().find_map(|line| line.strip_prefix(series));
    value.map_or(0.0, |value| value.trim().parse().expect("a number"))
}

async fn create(client: &Client) -> u16 {
    client.post(TASKS, json!({"title": "a title"})).await.status
}

#[tokio::test]
async fn batched_calls_are_measured_with_their_wait() {
    const CALLS: usize = 12;
    const WAIT: Duration = Duration::from_millis(300);
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    assert_eq!(create(&alice).await, 201);
    let series = |what| {
        format!(
            "taskhold_store_call_duration_seconds_{what}{{operation=\"tasks.add\",outcome=\"ok\"}}"
        )
    };
    let (count, sum) = (series("count"), series("sum"));
    let (count_before, sum_before) = (metric(&service, &count).await, metric(&service, &sum).await);

    let mut admin = admin(&server).await;
    let mut lock = admin.begin().await.expect("begun");
    lock.execute("LOCK TABLE tasks").await.expect("locked");
    let mut calls = Vec::new();
    // The first calls find a free worker each, the others queue.
    for in_progress in [1, 2, CALLS] {
        while calls.len() < in_progress {
            let alice = alice.clone();
            calls.push(tokio::spawn(async move { create(&alice).await }));
        }
        eventually("the calls wait", async || {
            let waiting = metric(&service, "taskhold_store_calls_waiting").await;
            let in_use = metric(&service, "taskhold_store_connections{state=\"in_use\"}").await;
            (waiting + in_use >= as_f64(in_progress)).then_some(())
        })
        .await;
    }
    let all_wait_since = Instant::now();
    eventually("they have waited for a while", async || {
        (all_wait_since.elapsed() >= WAIT).then_some(())
    })
    .await;
    lock.rollback().await.expect("unlocked");
    for status in join_all(calls).await {
        assert_eq!(status.expect("answered"), 201);
    }

    let counted = metric(&service, &count).await - count_before;
    assert!((counted - as_f64(CALLS)).abs() < 0.5, "{counted} calls");
    let measured = metric(&service, &sum).await - sum_before;
    let least = WAIT.as_secs_f64() * as_f64(CALLS);
    assert!(measured >= least, "{measured} s of {least} s");
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).expect("few").into()
}

#[tokio::test]
async fn ambiguous_completion_is_neither_logged_nor_counted_as_a_retry() {
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "a title"})).await;
    let complete = path(&task) + "/complete";

    let mut admin = admin(&server).await;
    let mut lock = admin.begin().await.expect("begun");
    lock.execute("UPDATE tasks SET version = version")
        .await
        .expect("locked");
    let completion = alice.send(Method::PATCH, &complete, None);
    let terminate = async {
        let mut other = self::admin(&server).await;
        eventually("the completion waits for the lock", async || {
            let ended: Option<bool> = sqlx::query_scalar(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE wait_event_type = 'Lock' AND query LIKE 'WITH%'",
            )
            .fetch_optional(&mut other)
            .await
            .expect("asked");
            ended
        })
        .await;
    };
    let (answer, ()) = tokio::join!(completion, terminate);
    lock.rollback().await.expect("unlocked");
    answer.assert_problem(504, "OUTCOME_UNKNOWN");

    let retries = metric(
        &service,
        "taskhold_store_retries_total{class=\"ambiguous\"}",
    )
    .await;
    assert!(retries < 0.5, "{retries} retries");
    let log = service.log();
    assert!(log.contains("a batch of store calls failed"), "{log}");
    assert!(!log.contains("retrying"), "{log}");
}
