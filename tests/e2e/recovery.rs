//! Faults of a PostgreSQL server under load: requests wait until the server is back, no write is lost and none
//! is applied twice.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;
use taskhold_testkit::proxy::FaultProxy;

use crate::load::Load;
use crate::service::{Database, Service, eventually, path, within};

/// The path of a task that does not exist.
const MISSING_TASK: &str = "/api/v1/tasks/01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";

/// Stops the load, and asserts that requests were at most delayed.
async fn assert_only_delayed(load: Load, service: &Service) {
    let (_, slowest) = load.finish(service).await;
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_second_outage_fails_no_request() {
    let (server, service) = Service::start_on_own_postgres().await;
    let load = Load::start(&service.url, 16);
    load.wait_for_progress(100).await;
    server.stop();
    // The outage itself.
    tokio::time::sleep(Duration::from_secs(8)).await;
    server.restart();
    load.wait_for_progress(200).await;
    assert_only_delayed(load, &service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_second_freeze_fails_no_request() {
    let (server, service) = Service::start_on_own_postgres().await;
    let load = Load::start(&service.url, 16);
    load.wait_for_progress(100).await;
    server.freeze();
    // The outage itself.
    tokio::time::sleep(Duration::from_secs(10)).await;
    server.thaw();
    load.wait_for_progress(200).await;
    assert_only_delayed(load, &service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn terminated_sessions_fail_no_request() {
    let (server, service) = Service::start_on_own_postgres().await;
    let load = Load::start(&service.url, 16);
    for _ in 0..10 {
        load.wait_for_progress(50).await;
        server.end_sessions().await;
    }
    load.wait_for_progress(100).await;
    assert_only_delayed(load, &service).await;
    assert!(
        service.has_logged_failed_calls(),
        "no session ended during a call"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn restart_while_idle_fails_no_request() {
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    join_all((0..20).map(|number| alice.create(json!({"title": number.to_string()})))).await;
    for _ in 0..3 {
        server.stop();
        server.restart();
        let (tasks, created) =
            tokio::join!(alice.tasks(), alice.create(json!({"title": "right after"})));
        assert!(tasks.len() >= 20);
        assert_eq!(created["title"], "right after");
    }
    assert_eq!(alice.tasks().await.len(), 23);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forty_five_second_outage_returns_503_and_recovers() {
    let server = PostgresServer::start().expect("a server");
    // All requests of the outage are one user's and wait at the same time.
    let many = [("TASKHOLD__LIMITS__REQUESTS_PER_USER", "200")];
    let service = Service::start_with(&Database::at(&server.url("postgres")), &many).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "still there"})).await;
    let item = path(&task);
    server.stop();
    let down = Instant::now();
    let mut requests = Vec::new();
    while down.elapsed() < Duration::from_secs(45) {
        for (method, path, body) in [
            (Method::GET, "/api/v1/tasks".to_owned(), None),
            (
                Method::POST,
                "/api/v1/tasks".to_owned(),
                Some(json!({"title": "lost?"})),
            ),
            (Method::PATCH, item.clone() + "/complete", None),
            (Method::DELETE, MISSING_TASK.to_owned(), None),
        ] {
            let alice = alice.clone();
            // A connection is not checked again shortly after its last use, so a write that is sent while the
            // server stops may have been applied.
            let may_be_applied = method != Method::GET && down.elapsed() < Duration::from_secs(1);
            requests.push(tokio::spawn(async move {
                let started = Instant::now();
                let answer = alice.send(method, &path, body).await;
                (answer, started.elapsed(), may_be_applied)
            }));
        }
        // The pace of the clients during the outage.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let health = service.client_with(None).get("/health").await;
        assert_eq!(health.status, 503, "{health:?}");
    }
    let metrics = service.text("/metrics").await;
    assert!(
        metrics.contains("taskhold_store_retries_total{class=\"not_sent\"}"),
        "{metrics}"
    );
    assert!(metrics.contains("outcome=\"unavailable\""), "{metrics}");

    server.restart();
    let back = Instant::now();
    eventually("the first success", async || {
        (alice.get(&item).await.status == 200).then_some(())
    })
    .await;
    assert!(
        back.elapsed() < Duration::from_secs(5),
        "first success after {:?}",
        back.elapsed()
    );
    let (mut refused, mut slowest) = (0, Duration::ZERO);
    for request in requests {
        let (answer, took, may_be_applied) = request.await.expect("sent");
        slowest = slowest.max(took);
        // Requests from the end of the outage succeed after it.
        if answer.status == 503 {
            answer.assert_problem(503, "SERVICE_UNAVAILABLE");
            assert_eq!(answer.header("retry-after"), "5");
            refused += 1;
        } else if answer.status == 504 && may_be_applied {
            answer.assert_problem(504, "OUTCOME_UNKNOWN");
        } else {
            assert!([200, 201, 204, 404].contains(&answer.status), "{answer:?}");
        }
    }
    assert!(refused > 20, "{refused}");
    assert!(slowest < Duration::from_secs(25), "{slowest:?}");
    eventually("the service is healthy again", async || {
        (service.client_with(None).get("/health").await.status == 200).then_some(())
    })
    .await;
    println!(
        "{refused} refused, slowest {slowest:?}, first success {:?} after its return",
        back.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn silently_dead_connections_are_replaced_within_10_seconds() {
    let server = PostgresServer::start().expect("a server");
    let proxy = FaultProxy::start(&server.url("postgres")).await;
    let service = Service::start(&Database::at(&proxy.url(&server.url("postgres")))).await;
    let load = Load::start(&service.url, 16);
    load.wait_for_progress(200).await;
    proxy.freeze_existing();
    let frozen = Instant::now();
    load.wait_for_progress(200).await;
    // At full capacity all connections work, and no request waits.
    let alice = service.client("alice");
    eventually("full capacity", async || {
        let started = Instant::now();
        let reads = join_all((0..50).map(|_| alice.get("/api/v1/tasks"))).await;
        let succeeded = reads.iter().all(|read| read.status == 200);
        (succeeded && started.elapsed() < Duration::from_secs(1)).then_some(())
    })
    .await;
    assert!(
        frozen.elapsed() < Duration::from_secs(10),
        "{:?}",
        frozen.elapsed()
    );
    assert_only_delayed(load, &service).await;
}

/// The write is committed but its reply is lost: the retry finds it applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lost_reply_creates_exactly_one_task() {
    let server = PostgresServer::start().expect("a server");
    let proxy = FaultProxy::start(&server.url("postgres")).await;
    let service = Service::start(&Database::at(&proxy.url(&server.url("postgres")))).await;
    let alice = service.client("alice");
    for round in 1..=5 {
        proxy.cut_reply_with(b"INSERT 0 1");
        alice
            .create(json!({"title": format!("round {round}")}))
            .await;
        assert_eq!(alice.tasks().await.len(), round);
    }
    let task = alice.tasks().await.remove(0);
    let item = path(&task);

    // A retried toggle would undo itself, so its outcome is reported as unknown.
    proxy.cut_reply_with(b"UPDATE 1");
    let toggled = alice
        .send(Method::PATCH, &(item.clone() + "/complete"), None)
        .await;
    toggled.assert_problem(504, "OUTCOME_UNKNOWN");
    assert_eq!(toggled.header("retry-after"), "");
    assert_eq!(
        alice.get(&item).await.body["task"]["completed"],
        true,
        "toggled once"
    );

    // A deletion is idempotent, so it is retried.
    proxy.cut_reply_with(b"DELETE 1");
    assert_eq!(alice.send(Method::DELETE, &item, None).await.status, 204);
    assert_eq!(alice.tasks().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pool_larger_than_the_role_limit_fails_no_request() {
    let server = PostgresServer::start().expect("a server");
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("connected");
    admin
        .execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 4")
        .await
        .expect("a role");
    admin
        .execute("CREATE DATABASE limited OWNER limited")
        .await
        .expect("a database");
    let url = server.url("limited").replace("postgres@", "limited@");
    let service = Service::start_with(
        &Database::at(&url),
        &[("TASKHOLD__DATABASE__MAX_CONNECTIONS", "20")],
    )
    .await;
    let load = Load::start(&service.url, 50);
    load.wait_for_progress(500).await;
    assert_eq!(
        service.client_with(None).get("/health").await.status,
        200,
        "a full pool does not mean an unavailable store"
    );
    // Another client takes one of the four connections for a while.
    let guest = PgConnection::connect(&url).await;
    load.wait_for_progress(100).await;
    drop(guest);
    load.wait_for_progress(500).await;
    assert_only_delayed(load, &service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn silently_dead_health_connection_is_replaced() {
    let server = PostgresServer::start().expect("a server");
    let proxy = FaultProxy::start(&server.url("postgres")).await;
    let service = Service::start(&Database::at(&proxy.url(&server.url("postgres")))).await;
    // A connection that was used a moment ago is not pinged before its next use.
    assert_eq!(service.readiness().await, 200);
    proxy.freeze_existing();
    assert_eq!(service.readiness().await, 503);
    within(
        Duration::from_secs(10),
        "the service is ready again",
        async || (service.readiness().await == 200).then_some(()),
    )
    .await;
}
