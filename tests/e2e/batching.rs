//! What limits, metrics and the log say of calls that are batched into one statement.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use crate::service::{Client, Service, TASKS, eventually, path};

/// The most calls in progress, as `docs/reliability.md` says.
const MAX_CALLS: usize = 256;

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
    let calls = join_all((0..CALLS).map(|_| create(&alice)));
    let locked = Instant::now();
    let unlock = async {
        eventually("every call waits", async || {
            let waiting = metric(&service, "taskhold_store_calls_waiting").await;
            let in_use = metric(&service, "taskhold_store_connections{state=\"in_use\"}").await;
            (waiting + in_use >= 2.0 && locked.elapsed() > Duration::from_millis(200)).then_some(())
        })
        .await;
        lock.rollback().await.expect("unlocked");
        locked.elapsed()
    };
    let (statuses, held) = tokio::join!(calls, unlock);
    assert_eq!(statuses, [201; CALLS]);

    let counted = metric(&service, &count).await - count_before;
    assert!((counted - 12.0).abs() < 0.5, "{counted} calls");
    let measured = metric(&service, &sum).await - sum_before;
    // The calls began within a moment of the lock, and each waited until it was released.
    let least = (held - Duration::from_millis(150)).as_secs_f64() * 12.0;
    assert!(measured >= least, "{measured} s of {least} s");
}

#[tokio::test]
async fn batched_calls_above_the_limit_are_busy_at_once() {
    const CALLS: usize = MAX_CALLS + 40;
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    assert_eq!(create(&alice).await, 201);

    let mut admin = admin(&server).await;
    let mut lock = admin.begin().await.expect("begun");
    lock.execute("LOCK TABLE tasks").await.expect("locked");
    let calls = join_all((0..CALLS).map(|_| create(&alice)));
    let unlock = async {
        eventually("the excess calls are refused", async || {
            let series = "taskhold_store_call_duration_seconds_count{operation=\"tasks.add\",outcome=\"busy\"}";
            (metric(&service, series).await >= 1.0).then_some(())
        })
        .await;
        lock.rollback().await.expect("unlocked");
    };
    let (statuses, ()) = tokio::join!(calls, unlock);
    let (created, refused): (Vec<_>, Vec<_>) =
        statuses.into_iter().partition(|status| *status == 201);
    assert!(refused.iter().all(|status| *status == 503), "{refused:?}");
    assert!(!refused.is_empty());
    assert_eq!(alice.tasks().await.len(), created.len() + 1);
}

#[tokio::test]
async fn ambiguous_completion_is_neither_logged_nor_counted_as_a_retry() {
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    let task = alice.created(json!({"title": "a title"})).await;
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
                 WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE%'",
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
