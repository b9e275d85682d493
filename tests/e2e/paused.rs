//! A pause of the service itself, as of a machine that is suspended.

use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use crate::service::{Database, Service, TASKS, eventually, path, signal};

/// What the server logs when it ends a session.
const ENDED: &str = "terminating connection due to idle-in-transaction timeout";

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
    let limit = "ALTER DATABASE postgres SET idle_in_transaction_session_timeout = '1s'";
    admin.execute(limit).await.expect("executed");
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
    // The limit is for the service: this session holds its lock until both writes wait for it.
    let unlimited = "SET idle_in_transaction_session_timeout = 0";
    admin.execute(unlimited).await.expect("executed");
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
    signal(service.process_id(), "STOP");
    lock.commit().await.expect("released");
    // The log keeps what lasts for a moment only in the list of sessions.
    let idle = "state = 'idle in transaction' AND application_name = 'taskhold'";
    eventually("the server ends both sessions", async || {
        let ended = server.log().matches(ENDED).count();
        (ended >= 2 && count(idle).await == 0).then_some(())
    })
    .await;
    signal(service.process_id(), "CONT");
    let (created, toggled) = writes.await.expect("sent");
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(toggled.body["task"]["completed"], true, "{toggled:?}");
    assert_eq!(service.client("alice").tasks().await.len(), 2);
}
