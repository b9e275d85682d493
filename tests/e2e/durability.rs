//! Acknowledged writes survive restarts and crashes.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Client, Database, Service, eventually, path};

/// Creates, changes and deletes tasks. Returns the tasks that must exist afterwards.
async fn write_sample_tasks(client: &Client) -> Vec<Value> {
    for number in 0..10 {
        client
            .create(json!({"title": format!("task {number}"), "description": "жить"}))
            .await;
    }
    let tasks = client.tasks().await;
    let updated = client
        .send(
            Method::PUT,
            &path(&tasks[0]),
            Some(json!({"title": "updated"})),
        )
        .await;
    assert_eq!(updated.status, 200);
    assert_eq!(
        client
            .send(Method::PATCH, &(path(&tasks[1]) + "/complete"), None)
            .await
            .status,
        200
    );
    assert_eq!(
        client
            .send(Method::DELETE, &path(&tasks[2]), None)
            .await
            .status,
        204
    );
    let tasks = client.tasks().await;
    assert_eq!(tasks.len(), 9);
    tasks
}

async fn tasks_survive_a_restart(database: Database) {
    let service = Service::start(&database).await;
    let tasks = write_sample_tasks(&service.client("alice")).await;
    assert!(service.stop().await.success(), "it stops in order");
    let service = Service::start(&database).await;
    assert_eq!(service.client("alice").tasks().await, tasks);
}

async fn tasks_survive_kill_9(database: Database) {
    let mut expected = Vec::new();
    for _ in 0..3 {
        let service = Service::start(&database).await;
        let alice = service.client("alice");
        assert_eq!(alice.tasks().await, expected);
        alice
            .create(json!({"title": "the last before the crash"}))
            .await;
        expected = alice.tasks().await;
        service.kill();
    }
    let service = Service::start(&database).await;
    assert_eq!(service.client("alice").tasks().await, expected);
}

/// Every request in flight must get an answer instead of a broken connection.
async fn requests_in_flight_finish_before_the_service_stops(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let client = alice.clone();
            tokio::spawn(async move {
                let mut acknowledged = 0_usize;
                // A connection closed by the service ends the loop; any answer other than success
                // fails the test.
                while let Ok(answer) = client
                    .request(Method::POST, "/api/v1/tasks")
                    .json(&json!({"title": "in flight"}))
                    .send()
                    .await
                {
                    assert_eq!(answer.status(), 201);
                    acknowledged += 1;
                }
                acknowledged
            })
        })
        .collect();
    eventually("some tasks", async || {
        (alice.tasks().await.len() > 20).then_some(())
    })
    .await;
    assert!(service.stop().await.success());
    let mut acknowledged = 0;
    for writer in writers {
        acknowledged += writer.await.expect("no answer but success");
    }
    let service = Service::start(&database).await;
    let stored = service.client("alice").tasks().await.len();
    assert!(
        stored >= acknowledged,
        "{stored} stored of {acknowledged} acknowledged"
    );
}

async fn empty_store_takes_a_task_within_10_seconds_of_the_start(database: Database) {
    let started = Instant::now();
    let service = Service::start(&database).await;
    let task = service
        .client("alice")
        .create(json!({"title": "the first"}))
        .await;
    let took = started.elapsed();
    println!("{took:?} from the start to the first task");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(service.client("alice").tasks().await, [task]);
}

on_both_stores! {
    empty_store_takes_a_task_within_10_seconds_of_the_start
    tasks_survive_a_restart
    tasks_survive_kill_9
    requests_in_flight_finish_before_the_service_stops
}

#[tokio::test]
async fn tasks_survive_a_crash_of_postgres() {
    let (server, service) = Service::start_on_own_postgres().await;
    let alice = service.client("alice");
    let tasks = write_sample_tasks(&alice).await;
    server.kill();
    server.restart();
    let after = eventually("the service finds the server again", async || {
        let answer = alice.get("/api/v1/tasks").await;
        (answer.status == 200).then(|| answer.body["tasks"].clone())
    });
    assert_eq!(after.await, Value::Array(tasks));
}

#[tokio::test]
async fn four_instances_starting_on_an_empty_postgres_migrate_once() {
    let database = Database::postgres().await;
    let (first, second, third, fourth) = tokio::join!(
        Service::start(&database),
        Service::start(&database),
        Service::start(&database),
        Service::start(&database),
    );
    let mut migrated = 0;
    for service in [&first, &second, &third, &fourth] {
        let anonymous = service.client_with(None);
        let health = anonymous.get("/health").await;
        assert_eq!(
            (health.status, &health.body),
            (200, &json!({"status": "healthy", "database": "connected"}))
        );
        assert_eq!(anonymous.get("/health/ready").await.status, 200);
        migrated += usize::from(service.log().contains("migrated the database"));
    }
    assert_eq!(migrated, 1, "one of them made the schema");
    let task = first
        .client("alice")
        .create(json!({"title": "seen by all"}))
        .await;
    for service in [&second, &third, &fourth] {
        assert_eq!(
            service.client("alice").tasks().await,
            std::slice::from_ref(&task)
        );
    }
}
