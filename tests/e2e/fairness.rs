//! What one user asks for does not keep the service from others.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpSocket;

use crate::backup::contents::add_tasks;
use crate::service::{Database, Service, eventually, path};
use crate::socket::{Socket, request};

on_both_stores! {
    stalled_long_lists_take_little_memory
    request_beyond_the_users_limit_returns_429
    long_list_in_any_order_is_complete
}

/// More than fits into the buffers of the system.
const TASKS: u32 = 30_000;
/// The owner of the tasks.
const OWNER: &str = "crowd";
/// The connections of the owner.
const CONNECTIONS: usize = 16;

/// Asks for all tasks of the owner, and reads no more than the head of the answer.
async fn stalled_list(service: &Service) -> Socket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address = service.url.trim_start_matches("http://");
    let stream = socket.connect(address.parse().expect("an address")).await;
    let mut socket = Socket::of(stream.expect("connected"));
    let list = request("GET", "/api/v1/tasks", OWNER, None);
    socket.send(list).await.expect("sent");
    eventually("the list begins", async || socket.has_data().then_some(())).await;
    socket
}

/// Returns the memory of the service in MiB.
fn memory(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.process_id()));
    let status = status.expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line
        .and_then(|line| line.split_whitespace().nth(1))
        .expect("a size");
    kibibytes.parse::<u64>().expect("a number") / 1024
}

async fn stalled_long_lists_take_little_memory(database: Database) {
    let service = Service::start(&database).await;
    add_tasks(&database, TASKS).await;
    let bob = service.client("bob");
    bob.create(json!({"title": "Buy milk"})).await;
    let idle = memory(&service);

    let mut stalled = Vec::new();
    for _ in 0..CONNECTIONS {
        stalled.push(stalled_list(&service).await);
    }
    assert_eq!(bob.tasks().await.len(), 1);
    // All tasks of one list are 10 MiB.
    let during = memory(&service);
    assert!(during < idle + 64, "{idle} MiB before, {during} MiB during");
    drop(stalled);
    eventually("the memory is given back", async || {
        (memory(&service) < idle + 20).then_some(())
    })
    .await;
}

async fn request_beyond_the_users_limit_returns_429(database: Database) {
    let limit = [("TASKHOLD__LIMITS__REQUESTS_PER_USER", "2")];
    let service = Service::start_with(&database, &limit).await;
    add_tasks(&database, TASKS).await;
    let (owner, bob) = (service.client(OWNER), service.client("bob"));
    let stalled = (stalled_list(&service).await, stalled_list(&service).await);

    let started = Instant::now();
    let requests = [
        (Method::GET, "/api/v1/tasks?limit=1", None),
        (Method::GET, "/api/v1/export", None),
        (
            Method::POST,
            "/api/v1/tasks",
            Some(json!({"title": "Buy milk"})),
        ),
        (Method::GET, "/api/auth/me", None),
    ];
    let requests = requests.map(|(method, path, body)| owner.send(method, path, body));
    for refused in join_all(requests).await {
        refused.assert_problem(429, "RATE_LIMITED");
        assert_eq!(refused.header("retry-after"), "1");
    }
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(5), "{waited:?}");
    bob.create(json!({"title": "Buy milk"})).await;

    drop(stalled);
    eventually("the owner is served again", async || {
        (owner.get("/api/v1/tasks?limit=1").await.status == 200).then_some(())
    })
    .await;
    let created = owner.create(json!({"title": "Buy milk"})).await;
    assert_eq!(owner.get(&path(&created)).await.status, 200);
}

async fn long_list_in_any_order_is_complete(database: Database) {
    let service = Service::start(&database).await;
    add_tasks(&database, 6_000).await;
    let owner = service.client(OWNER);
    for sort in [
        "created_at",
        "-created_at",
        "title",
        "-title",
        "updated_at",
        "-updated_at",
    ] {
        let list = owner.get(&format!("/api/v1/tasks?sort={sort}")).await;
        assert_eq!((list.status, list.header("link")), (200, ""));
        assert!(list.body["next_cursor"].is_null());
        let key = sort.trim_start_matches('-');
        let tasks = list.body["tasks"].as_array().expect("tasks");
        let keys: Vec<_> = tasks
            .iter()
            .map(|task| task[key].as_str().expect("a text"))
            .collect();
        assert_eq!(keys.len(), 6_000, "{sort}");
        let is_sorted = if sort.starts_with('-') {
            keys.is_sorted_by(|one, next| one > next)
        } else {
            keys.is_sorted_by(|one, next| one < next)
        };
        assert!(is_sorted, "{sort}: in order, none twice");
    }
    let found = owner.get("/api/v1/tasks?q=TASK%2059&completed=false").await;
    assert_eq!(found.body["tasks"].as_array().expect("tasks").len(), 111);
}
