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
use crate::service::{Answer, Client, Database, Service, TASKS, eventually, path, within};

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

/// Returns the status of `/health/ready`.
async fn readiness(service: &Service) -> u16 {
    service.client_with(None).get("/health/ready").await.status
}

async fn execute(admin: &mut PgConnection, statement: &'static str) {
    admin.execute(statement).await.expect("executed");
}

/// Sends a write of each kind, some of which are batched.
async fn send_every_write(client: &Client, item: &str) -> Vec<Answer> {
    let body = |title: &str| Some(json!({"title": title}));
    let completion = format!("{item}/complete");
    let register = json!({"email": "anna@example.org", "password": "correct horse battery"});
    let plain = [
        (Method::POST, TASKS, body("new")),
        (Method::PUT, item, body("replaced")),
        (Method::PATCH, item, Some(json!({"description": "changed"}))),
        (Method::PATCH, completion.as_str(), None),
        (Method::POST, "/api/auth/register", Some(register)),
    ];
    let plain = plain.map(|(method, path, body)| client.send(method, path, body));
    let (mut answers, keyed) = tokio::join!(
        join_all(plain),
        client.send_keyed("a-key", Method::POST, TASKS, body("keyed")),
    );
    answers.push(keyed);
    answers
}

/// The setting of a database takes effect in new sessions. So it outlasts its end in the pool's sessions, until
/// they are given up, as on a server that was a standby.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn read_only_database_delays_writes_and_is_not_ready() {
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    let item = path(&alice.create(json!({"title": "before"})).await);
    let admin = async || {
        // Another database, in whose sessions the setting has no effect.
        let admin = PgConnection::connect(&server.url("template1")).await;
        admin.expect("connected")
    };
    execute(
        &mut admin().await,
        "ALTER DATABASE postgres SET default_transaction_read_only = on",
    )
    .await;
    server.end_sessions().await;
    // A read may find out that the sessions have ended, and be repeated; a write could have an unknown outcome.
    assert_eq!(alice.get(&item).await.status, 200);
    let writes = {
        let (alice, item) = (alice.clone(), item.clone());
        tokio::spawn(async move { send_every_write(&alice, &item).await })
    };
    eventually("the service is not ready", async || {
        (readiness(&service).await == 503).then_some(())
    })
    .await;
    eventually("the writes are retried", async || {
        service.log().contains("retrying it").then_some(())
    })
    .await;
    assert_eq!(alice.get(&item).await.status, 200, "reads go on");
    let health = service.client_with(None).get("/health").await;
    assert_eq!(health.status, 200, "the database answers");
    assert!(service.log().contains("read-only"), "{}", service.log());

    execute(
        &mut admin().await,
        "ALTER DATABASE postgres RESET default_transaction_read_only",
    )
    .await;
    for answer in writes.await.expect("sent") {
        assert!([200, 201].contains(&answer.status), "{answer:?}");
    }
    eventually("the service is ready again", async || {
        (readiness(&service).await == 200).then_some(())
    })
    .await;
    assert_eq!(alice.tasks().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn read_only_server_returns_503_and_no_defect() {
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    let item = path(&alice.create(json!({"title": "before"})).await);
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("connected");
    execute(
        &mut admin,
        "ALTER SYSTEM SET default_transaction_read_only = on",
    )
    .await;
    execute(&mut admin, "SELECT pg_reload_conf()").await;
    eventually("the service is not ready", async || {
        (readiness(&service).await == 503).then_some(())
    })
    .await;
    let asked = Instant::now();
    for answer in send_every_write(&alice, &item).await {
        answer.assert_problem(503, "SERVICE_UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), "5");
    }
    assert!(
        asked.elapsed() < Duration::from_secs(21),
        "{:?}",
        asked.elapsed()
    );
    execute(
        &mut admin,
        "ALTER SYSTEM RESET default_transaction_read_only",
    )
    .await;
    execute(&mut admin, "SELECT pg_reload_conf()").await;
    eventually("the service is ready again", async || {
        (readiness(&service).await == 200).then_some(())
    })
    .await;
    for answer in send_every_write(&alice, &item).await {
        assert!([200, 201].contains(&answer.status), "{answer:?}");
    }
}

/// The service stops between two statements of a transaction, for longer than the server lets a transaction idle.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn paused_service_completes_keyed_writes() {
    // The limit that the service sets itself is longer than an attempt may take.
    let (server, service) = Service::start_on_own_postgres().await;
    pause_between_statements(&server, &service).await;
}

/// The service learns of the end of its session before the attempt has timed out.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn briefly_paused_service_completes_keyed_writes() {
    let server = PostgresServer::start().expect("a server");
    let url = server.url("postgres");
    let mut admin = PgConnection::connect(&url).await.expect("connected");
    execute(
        &mut admin,
        "ALTER DATABASE postgres SET idle_in_transaction_session_timeout = '2s'",
    )
    .await;
    // With a direct URL the service leaves the settings of a session to the server.
    let service = Service::start_with(&Database::at(&url), &[("DIRECT_URL", &url)]).await;
    pause_between_statements(&server, &service).await;
    assert!(
        service.log().contains("idle-in-transaction timeout"),
        "{}",
        service.log()
    );
}

async fn pause_between_statements(server: &PostgresServer, service: &Service) {
    let alice = service.client("alice");
    let item = path(&alice.create(json!({"title": "before"})).await);
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("connected");
    let mut observer = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("connected");
    let mut count = async |condition: &str| {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}");
        let count = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql));
        count.fetch_one(&mut observer).await.expect("a number")
    };
    let mut lock = admin.begin().await.expect("begun");
    lock.execute("LOCK TABLE tasks").await.expect("locked");
    let completion = format!("{item}/complete");
    let writes = tokio::spawn(async move {
        tokio::join!(
            alice.send_keyed("one", Method::POST, TASKS, Some(json!({"title": "new"}))),
            alice.send_keyed("two", Method::PATCH, &completion, None),
        )
    });
    eventually("both writes wait for the lock", async || {
        (count("wait_event_type = 'Lock'").await == 2).then_some(())
    })
    .await;
    signal(service, "STOP");
    lock.commit().await.expect("released");
    let idle = "state = 'idle in transaction' AND application_name = 'taskhold'";
    eventually("both transactions idle", async || {
        (count(idle).await == 2).then_some(())
    })
    .await;
    eventually("the server ends their sessions", async || {
        (count(idle).await == 0).then_some(())
    })
    .await;
    signal(service, "CONT");
    let (created, toggled) = writes.await.expect("sent");
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(toggled.body["task"]["completed"], true, "{toggled:?}");
    assert_eq!(service.client("alice").tasks().await.len(), 2);
}

fn signal(service: &Service, signal: &str) {
    let kill = format!("kill -{signal} {}", service.process_id());
    let status = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    assert!(status.expect("sh runs").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn silently_dead_health_connection_is_replaced() {
    let server = PostgresServer::start().expect("a server");
    let proxy = FaultProxy::start(&server.url("postgres")).await;
    let service = Service::start(&Database::at(&proxy.url(&server.url("postgres")))).await;
    // A connection that was used a moment ago is not pinged before its next use.
    assert_eq!(readiness(&service).await, 200);
    proxy.freeze_existing();
    assert_eq!(readiness(&service).await, 503);
    within(
        Duration::from_secs(10),
        "the service is ready again",
        async || (readiness(&service).await == 200).then_some(()),
    )
    .await;
}
