//! Real faults of a real PostgreSQL, under load: requests wait them out, nothing is lost, nothing
//! happens twice.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;
use taskhold_testkit::proxy::FaultProxy;

use crate::load::Load;
use crate::service::{Database, Service, eventually, path};

/// The path of no task.
const NOBODYS: &str = "/api/v1/tasks/01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";

/// Ends the load: nobody noticed more than a delay.
async fn is_waited_out(load: Load, service: &Service) {
    let (_, slowest) = load.ends_well(service).await;
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_stopped_for_8_seconds() {
    let (server, service) = Service::start_on_own_postgres().await;
    let load = Load::start(&service.url, 16);
    load.goes_on(100).await;
    server.stop();
    // The outage itself.
    tokio::time::sleep(Duration::from_secs(8)).await;
    server.restart();
    load.goes_on(200).await;
    is_waited_out(load, &service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_frozen_for_10_seconds() {
    let (server, service) = Service::start_on_own_postgres().await;
    let load = Load::start(&service.url, 16);
    load.goes_on(100).await;
    server.freeze();
    // The outage itself.
    tokio::time::sleep(Duration::from_secs(10)).await;
    server.thaw();
    load.goes_on(200).await;
    is_waited_out(load, &service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_that_are_ended_again_and_again() {
    let (server, service) = Service::start_on_own_postgres().await;
    let load = Load::start(&service.url, 16);
    for _ in 0..10 {
        load.goes_on(50).await;
        server.end_sessions().await;
    }
    load.goes_on(100).await;
    is_waited_out(load, &service).await;
    assert!(
        service.log().contains("retrying it"),
        "the retries are seen"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_was_restarted_while_nobody_asked() {
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    join_all((0..20).map(|number| alice.created(json!({"title": number.to_string()})))).await;
    for _ in 0..3 {
        server.stop();
        server.restart();
        let (tasks, created) = tokio::join!(
            alice.tasks(),
            alice.created(json!({"title": "right after"}))
        );
        assert!(tasks.len() >= 20);
        assert_eq!(created["title"], "right after");
    }
    assert_eq!(alice.tasks().await.len(), 23);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_down_for_45_seconds() {
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    let task = alice.created(json!({"title": "still there"})).await;
    let item = path(&task);
    server.stop();
    let down = Instant::now();
    let mut asked = Vec::new();
    while down.elapsed() < Duration::from_secs(45) {
        for (method, path, body) in [
            (Method::GET, "/api/v1/tasks".to_owned(), None),
            (
                Method::POST,
                "/api/v1/tasks".to_owned(),
                Some(json!({"title": "lost?"})),
            ),
            (Method::PATCH, item.clone() + "/complete", None),
            (Method::DELETE, NOBODYS.to_owned(), None),
        ] {
            let alice = alice.clone();
            // A connection that was used a moment before is trusted: what is sent on it as the server
            // goes may have been done.
            let may_be_done = method != Method::GET && down.elapsed() < Duration::from_secs(1);
            asked.push(tokio::spawn(async move {
                let started = Instant::now();
                let answer = alice.send(method, &path, body).await;
                (answer, started.elapsed(), may_be_done)
            }));
        }
        // How often the clients of an outage ask.
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
    for request in asked {
        let (answer, took, may_be_done) = request.await.expect("asked");
        slowest = slowest.max(took);
        // Those that were asked at the end of the outage succeeded after it.
        if answer.status == 503 {
            answer.assert_problem(503, "SERVICE_UNAVAILABLE");
            assert_eq!(answer.header("retry-after"), "5");
            refused += 1;
        } else if answer.status == 504 && may_be_done {
            answer.assert_problem(504, "OUTCOME_UNKNOWN");
        } else {
            assert!([200, 201, 204, 404].contains(&answer.status), "{answer:?}");
        }
    }
    assert!(refused > 20, "{refused}");
    assert!(slowest < Duration::from_secs(25), "{slowest:?}");
    eventually("health is told again", async || {
        (service.client_with(None).get("/health").await.status == 200).then_some(())
    })
    .await;
    println!(
        "{refused} refused, slowest {slowest:?}, first success {:?} after its return",
        back.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_died_silently() {
    let server = PostgresServer::start().expect("a server");
    let proxy = FaultProxy::start(&server.url("postgres")).await;
    let service = Service::start(&Database::at(&proxy.url(&server.url("postgres")))).await;
    let load = Load::start(&service.url, 16);
    load.goes_on(200).await;
    proxy.freeze_existing();
    let frozen = Instant::now();
    load.goes_on(200).await;
    // Full capacity: as many at once as there are connections, each at once.
    let alice = service.client("alice");
    eventually("full capacity", async || {
        let started = Instant::now();
        let reads = join_all((0..50).map(|_| alice.get("/api/v1/tasks"))).await;
        let sound = reads.iter().all(|read| read.status == 200);
        (sound && started.elapsed() < Duration::from_secs(1)).then_some(())
    })
    .await;
    assert!(
        frozen.elapsed() < Duration::from_secs(10),
        "{:?}",
        frozen.elapsed()
    );
    is_waited_out(load, &service).await;
}

/// The write has happened and nobody was told: it is made again, and found done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reply_that_is_lost_leaves_exactly_one_task() {
    let server = PostgresServer::start().expect("a server");
    let proxy = FaultProxy::start(&server.url("postgres")).await;
    let service = Service::start(&Database::at(&proxy.url(&server.url("postgres")))).await;
    let alice = service.client("alice");
    for round in 1..=5 {
        proxy.cut_reply_with(b"INSERT 0 1");
        alice
            .created(json!({"title": format!("round {round}")}))
            .await;
        assert_eq!(alice.tasks().await.len(), round);
    }
    let task = alice.tasks().await.remove(0);
    let item = path(&task);

    // Made again, a toggle would undo itself: its outcome is told as unknown.
    proxy.cut_reply_with(b"UPDATE 1");
    let toggled = alice
        .send(Method::PATCH, &(item.clone() + "/complete"), None)
        .await;
    toggled.assert_problem(504, "OUTCOME_UNKNOWN");
    assert_eq!(toggled.header("retry-after"), "");
    assert_eq!(
        alice.get(&item).await.body["task"]["completed"],
        true,
        "it had happened, once"
    );

    // A deletion that may have happened is as good as one that has.
    proxy.cut_reply_with(b"DELETE 1");
    assert_eq!(alice.send(Method::DELETE, &item, None).await.status, 204);
    assert_eq!(alice.tasks().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_that_is_larger_than_the_roles_limit() {
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
    load.goes_on(500).await;
    assert_eq!(
        service.client_with(None).get("/health").await.status,
        200,
        "a full pool is no dead store"
    );
    // Somebody else takes one of the four away, and gives it back.
    let guest = PgConnection::connect(&url).await;
    load.goes_on(100).await;
    drop(guest);
    load.goes_on(500).await;
    is_waited_out(load, &service).await;
}
