//! Requests with an `Idempotency-Key` take effect once.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};

use crate::service::{Answer, Client, Database, Service, TASKS, eventually, path};

/// Requests in a burst.
const REQUESTS: usize = 40;
/// Different keys among the requests.
const KEYS: usize = 4;

/// Sends all requests concurrently, to the services in turn. Requests with the same key have the same body.
async fn send_duplicates(clients: &[Client]) -> Vec<(usize, Answer)> {
    let requests = (0..REQUESTS).map(|number| async move {
        let key = number % KEYS;
        let client = &clients[number % clients.len()];
        let body = json!({"title": format!("task {key}")});
        let name = format!("key-{key}");
        (
            key,
            client
                .send_keyed(&name, Method::POST, TASKS, Some(body.clone()))
                .await,
        )
    });
    join_all(requests).await
}

/// Asserts that every answer is a 201 or, while the key is in flight, a 409, that all answers to a key name
/// the same task, and that `firsts` answers are not replays. Returns the number of first and replayed answers.
fn assert_applied_once(answers: &[(usize, Answer)], firsts: usize) -> (usize, usize) {
    let mut tasks: BTreeMap<usize, Value> = BTreeMap::new();
    let (mut first, mut replayed) = (0, 0);
    for (key, answer) in answers {
        if answer.status == 409 {
            answer.assert_problem(409, "CONFLICT");
            continue;
        }
        assert_eq!(answer.status, 201, "{answer:?}");
        let task = tasks
            .entry(*key)
            .or_insert_with(|| answer.body["task"].clone());
        assert_eq!(*task, answer.body["task"]);
        assert_eq!(answer.header("location"), path(task));
        assert_eq!(answer.version(), 1);
        match answer.header("idempotent-replayed") {
            "" => first += 1,
            header => {
                assert_eq!(header, "true");
                replayed += 1;
            }
        }
    }
    assert_eq!(first, firsts);
    (first, replayed)
}

async fn concurrent_keyed_requests_take_effect_once_per_key(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let clients = [alice.clone()];
    let (first, replayed) = assert_applied_once(&send_duplicates(&clients).await, KEYS);
    assert_eq!(first + replayed, REQUESTS, "no request is refused");
    let tasks = alice.tasks().await;
    assert_eq!(tasks.len(), KEYS);

    // Keys survive a shutdown, a kill, and the deletion of their tasks.
    let deleted = alice.send(Method::DELETE, &path(&tasks[0]), None).await;
    assert_eq!(deleted.status, 204);
    assert!(service.stop().await.success());
    let service = Service::start(&database).await;
    assert_applied_once(&send_duplicates(&[service.client("alice")]).await, 0);
    service.kill();
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    assert_applied_once(&send_duplicates(std::slice::from_ref(&alice)).await, 0);
    assert_eq!(alice.tasks().await.len(), KEYS - 1);
    let body = json!({"title": "something else"});
    let reused = alice
        .send_keyed("key-0", Method::POST, TASKS, Some(body.clone()))
        .await;
    reused.assert_problem(422, "VALIDATION_ERROR");
    assert_eq!(reused.body["errors"][0]["field"], "Idempotency-Key");

    // Keys belong to a user: another user can use the same ones.
    let bob = service.client("bob");
    assert_applied_once(&send_duplicates(&[bob]).await, KEYS);
}

async fn concurrent_toggles_under_one_key_toggle_once(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "toggled once"})).await;
    let item = path(&task);
    let toggle = format!("{item}/complete");
    let answers =
        join_all((0..20).map(|_| alice.send_keyed("toggle", Method::PATCH, &toggle, None)));
    for answer in answers.await {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["task"]["completed"], true);
        assert_eq!(answer.version(), 2);
    }
    let removals =
        join_all((0..20).map(|_| alice.send_keyed("delete", Method::DELETE, &item, None)));
    for answer in removals.await {
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    assert_eq!(alice.get(&item).await.status, 404);
}

/// A key older than a day can be reused at once, and its row is deleted when the service starts.
async fn day_old_keys_are_purged(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let body = json!({"title": "again after a day"});
    for key in ["old", "young"] {
        assert_eq!(
            alice
                .send_keyed(key, Method::POST, TASKS, Some(body.clone()))
                .await
                .status,
            201
        );
    }
    let day = "created_at = created_at - 86400000000";
    database
        .execute(&format!(
            "UPDATE idempotency_keys SET {day} WHERE key = 'old'"
        ))
        .await;
    let again = alice
        .send_keyed("old", Method::POST, TASKS, Some(body.clone()))
        .await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (201, "")
    );
    assert_eq!(alice.tasks().await.len(), 3);
    database
        .execute(&format!(
            "UPDATE idempotency_keys SET {day} WHERE key = 'old'"
        ))
        .await;
    assert!(service.stop().await.success());

    let service = Service::start(&database).await;
    eventually("the old key is deleted", async || {
        (stored_keys(&database).await == ["young"]).then_some(())
    })
    .await;
    let alice = service.client("alice");
    let young = alice
        .send_keyed("young", Method::POST, TASKS, Some(body.clone()))
        .await;
    assert_eq!(young.header("idempotent-replayed"), "true");
}

on_both_stores! {
    concurrent_keyed_requests_take_effect_once_per_key
    concurrent_toggles_under_one_key_toggle_once
    day_old_keys_are_purged
    key_beyond_the_users_limit_returns_429
}

async fn key_beyond_the_users_limit_returns_429(database: Database) {
    let limit = [("TASKHOLD__LIMITS__KEYS_PER_USER", "3")];
    let service = Service::start_with(&database, &limit).await;
    let alice = service.client("alice");
    let send = async |key: &str| {
        let body = json!({"title": "Buy milk"});
        alice.send_keyed(key, Method::POST, TASKS, Some(body)).await
    };
    for key in ["1", "2", "3"] {
        assert_eq!(send(key).await.status, 201);
    }
    for key in ["4", "5"] {
        let refused = send(key).await;
        refused.assert_problem(429, "RATE_LIMITED");
        assert_eq!(refused.header("retry-after"), "3600");
    }
    let replayed = send("2").await;
    assert_eq!(
        (replayed.status, replayed.header("idempotent-replayed")),
        (201, "true")
    );
    assert_eq!(alice.tasks().await.len(), 3);
    // Neither writes without a key nor other users are affected.
    alice.create(json!({"title": "Buy milk"})).await;
    let bob = service.client("bob");
    let body = json!({"title": "Buy milk"});
    let his = bob.send_keyed("4", Method::POST, TASKS, Some(body)).await;
    assert_eq!(his.status, 201);
}

async fn stored_keys(database: &Database) -> Vec<String> {
    let sql = "SELECT key FROM idempotency_keys ORDER BY key";
    if database.is_sqlite() {
        let mut connection = SqliteConnection::connect(&database.url)
            .await
            .expect("open");
        let rows = connection.fetch_all(sql).await.expect("read");
        rows.iter().map(|row| row.get(0)).collect()
    } else {
        let mut connection = PgConnection::connect(&database.url)
            .await
            .expect("connected");
        let rows = connection.fetch_all(sql).await.expect("read");
        rows.iter().map(|row| row.get(0)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keyed_requests_at_two_instances_take_effect_once_per_key() {
    let database = Database::postgres().await;
    let (one, other) = tokio::join!(Service::start(&database), Service::start(&database));
    let clients = [one.client("alice"), other.client("alice")];
    let (first, replayed) = assert_applied_once(&send_duplicates(&clients).await, KEYS);
    assert_eq!(first + replayed, REQUESTS, "no request is refused");
    one.kill();
    assert_applied_once(&send_duplicates(&[other.client("alice")]).await, 0);
    assert_eq!(other.client("alice").tasks().await.len(), KEYS);
}

/// Another transaction holds the key for longer than the service waits.
#[tokio::test]
async fn key_in_flight_returns_409() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "before"})).await;
    let mut running = PgConnection::connect(&database.url)
        .await
        .expect("connected");
    running
        .execute(
            "BEGIN; INSERT INTO idempotency_keys (user_id, key, fingerprint, created_at) \
             VALUES ('alice', 'running', decode(repeat('00', 32), 'hex'), 1)",
        )
        .await
        .expect("inserted");
    let body = json!({"title": "after"});
    let refused = alice
        .send_keyed("running", Method::PUT, &path(&task), Some(body.clone()))
        .await;
    refused.assert_problem(409, "CONFLICT");
    assert_eq!(refused.header("retry-after"), "1");
    // Requests with other keys do not wait.
    let other = alice
        .send_keyed("other", Method::PUT, &path(&task), Some(body.clone()))
        .await;
    assert_eq!(other.status, 200);
    running.execute("ROLLBACK").await.expect("released");
    let done = alice
        .send_keyed("running", Method::PUT, &path(&task), Some(body.clone()))
        .await;
    assert_eq!((done.status, done.version()), (200, 3));
}
