//! A PostgreSQL server that takes no writes for a while: writes wait, readiness fails, and reads go on.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::observability::series;
use crate::service::{Answer, Client, Service, TASKS, eventually, path};

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
        (service.readiness().await == 503).then_some(())
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
        (service.readiness().await == 200).then_some(())
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
        (service.readiness().await == 503).then_some(())
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
    let metrics = service.text("/metrics").await;
    let counted = series(
        &metrics,
        "taskhold_store_failures_total",
        &["cause=\"read_only\""],
    );
    assert!(counted.is_some_and(|count| count >= 1.0), "{metrics}");
    let ready = service.client_with(None).get("/health/ready").await;
    assert_eq!(ready.body["reason"], "store_takes_no_writes", "{ready:?}");
    execute(
        &mut admin,
        "ALTER SYSTEM RESET default_transaction_read_only",
    )
    .await;
    execute(&mut admin, "SELECT pg_reload_conf()").await;
    eventually("the service is ready again", async || {
        (service.readiness().await == 200).then_some(())
    })
    .await;
    for answer in send_every_write(&alice, &item).await {
        assert!([200, 201].contains(&answer.status), "{answer:?}");
    }
}
