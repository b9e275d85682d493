//! Clients that are slow, silent or disconnected do not hold resources that others need.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::net::TcpSocket;

use crate::load::Load;
use crate::service::{Database, Service, eventually, path};
use crate::soak::is_soak;
use crate::socket::{Socket, request};

/// How much longer than its limit a time-out may take on a busy machine.
const SLACK: Duration = Duration::from_secs(5);

/// The interval at which a slow client sends a byte.
const TRICKLE: Duration = Duration::from_millis(500);

const ALIVE: &str = "GET /health/live HTTP/1.1\r\nhost: taskhold\r\n\r\n";

/// Asserts that the service closes the connection after this limit in seconds.
async fn assert_closes_after(socket: &mut Socket, limit: u64) {
    let started = Instant::now();
    tokio::time::timeout(
        Duration::from_secs(limit) + SLACK,
        socket.wait_until_closed(),
    )
    .await
    .expect("closed in time");
    let took = started.elapsed();
    // The clock of the HTTP parser ticks twice a second.
    assert!(
        took > Duration::from_secs(limit - 1),
        "after {took:?} of {limit} s"
    );
}

/// Sends single bytes until the service answers or closes the connection.
async fn trickle(socket: &mut Socket) {
    let mut next = tokio::time::interval(TRICKLE);
    loop {
        next.tick().await;
        if socket.send("a").await.is_err() || socket.has_data() {
            break;
        }
    }
}

async fn first_head_trickles(url: String) {
    let mut socket = Socket::connect(&url).await.expect("connected");
    let started = Instant::now();
    trickle(&mut socket).await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5) + SLACK, "{took:?}");
    assert_eq!(socket.answer().await.expect("an answer").status, 408);
    socket.wait_until_closed().await;
}

async fn further_head_trickles(url: String) {
    let mut socket = Socket::connect(&url).await.expect("connected");
    assert_eq!(socket.exchange(ALIVE).await.expect("an answer").status, 200);
    let started = Instant::now();
    trickle(&mut socket).await;
    socket.wait_until_closed().await;
    let took = started.elapsed();
    assert!(
        took > Duration::from_secs(4) && took < Duration::from_secs(5) + SLACK,
        "{took:?}"
    );
}

async fn body_trickles(url: String) {
    let mut socket = Socket::connect(&url).await.expect("connected");
    let started = Instant::now();
    let creation = request(
        "POST",
        "/api/v1/tasks",
        "slow",
        Some(&json!({"title": "x".repeat(50)})),
    );
    socket
        .send(&creation[..creation.len() - 40])
        .await
        .expect("sent");
    // The last byte would be due after more than 10 s.
    let mut next = tokio::time::interval(TRICKLE * 2);
    while !socket.has_data() {
        next.tick().await;
        socket.send("\"").await.expect("sent");
    }
    let answer = socket.answer().await.expect("an answer");
    let took = started.elapsed();
    assert_eq!(
        (answer.status, answer.body["error_code"].as_str()),
        (408, Some("REQUEST_TIMEOUT")),
        "{answer:?}"
    );
    assert!(
        took > Duration::from_secs(9) && took < Duration::from_secs(10) + SLACK,
        "{took:?}"
    );
    socket.wait_until_closed().await;
}

/// The request is refused before its body, which never ends, has arrived.
async fn unwanted_body_trickles(url: String) {
    let mut socket = Socket::connect(&url).await.expect("connected");
    let head =
        "POST /api/v1/tasks HTTP/1.1\r\nhost: taskhold\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = socket.exchange(head).await.expect("an answer");
    assert_eq!(answer.status, 401);
    let started = Instant::now();
    let mut next = tokio::time::interval(TRICKLE);
    while socket.send("1\r\na\r\n").await.is_ok() && !socket.has_data() {
        next.tick().await;
    }
    socket.wait_until_closed().await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5) + SLACK, "{took:?}");
}

/// Connects with a small buffer for what the service sends.
pub async fn connect_small(url: &str) -> Socket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address = url
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    Socket::of(socket.connect(address).await.expect("connected"))
}

async fn answer_is_not_read(url: String) {
    let mut socket = connect_small(&url).await;
    // The answers are larger than the buffers of the system.
    socket
        .send(request("GET", "/api/v1/tasks", "big", None).repeat(8))
        .await
        .expect("sent");
    let started = Instant::now();
    // The limit starts when the buffers between both are full, which a client cannot observe.
    tokio::time::timeout(Duration::from_mins(1), socket.wait_until_broken())
        .await
        .expect("closed in time");
    let took = started.elapsed();
    println!("an answer was not read for {took:?}");
    assert!(took > Duration::from_secs(29), "{took:?}");
}

/// Runs `count` clients concurrently until the service has closed all of their connections.
async fn run_clients(count: usize, client: impl AsyncFn(String), url: &str) {
    let all = join_all((0..count).map(|_| client(url.to_owned())));
    // Longer than every limit: a connection that is never closed fails the test instead of hanging it.
    tokio::time::timeout(Duration::from_secs(75), all)
        .await
        .expect("every connection is closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slow_clients_are_disconnected_and_others_stay_fast() {
    // The bodies of one user arrive slowly on many connections.
    let many = [("TASKHOLD__LIMITS__REQUESTS_PER_USER", "1000")];
    let service = Service::start_with(&Database::postgres().await, &many).await;
    let big = service.client("big");
    let large = json!({"title": "\u{1F600}".repeat(100), "description": "\u{1F600}".repeat(500)});
    for _ in 0..20 {
        join_all((0..20).map(|_| big.create(large.clone()))).await;
    }
    let load = Load::start(&service.url, 8);
    let url = &service.url;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(Socket::connect(url).await.expect("connected"));
    }
    for socket in &mut idle {
        assert_eq!(socket.exchange(ALIVE).await.expect("an answer").status, 200);
    }
    tokio::join!(
        run_clients(100, first_head_trickles, url),
        run_clients(100, further_head_trickles, url),
        run_clients(100, body_trickles, url),
        run_clients(100, unwanted_body_trickles, url),
        run_clients(5, answer_is_not_read, url),
    );
    // Idle connections are kept for longer.
    for socket in &mut idle {
        assert_eq!(socket.exchange(ALIVE).await.expect("an answer").status, 200);
    }
    load.wait_for_progress(100).await;
    let (usual, slowest) = load.finish(&service).await;
    assert!(usual < Duration::from_millis(500), "{usual:?}");
    // A request that had to wait for a slow client would take longer.
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    assert_eq!(
        service.client("slow").tasks().await,
        [] as [serde_json::Value; 0]
    );
    if is_soak() {
        join_all(
            idle.iter_mut()
                .map(|socket| assert_closes_after(socket, 75)),
        )
        .await;
    }
}

#[tokio::test]
async fn excess_connections_wait_for_a_free_one() {
    let limit = [("TASKHOLD__SERVER__MAX_CONNECTIONS", "4")];
    let service = Service::start_with(&Database::sqlite(), &limit).await;
    let creation = request("POST", "/api/v1/tasks", "a", Some(&json!({"title": "x"})));
    let (start, end) = creation.split_at(creation.len() - 1);
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        socket.send(start).await.expect("sent");
        sockets.push(socket);
    }
    let mut fifth = Socket::connect(&service.url).await.expect("connected");
    fifth.send(ALIVE).await.expect("sent");
    let early = tokio::time::timeout(Duration::from_millis(500), fifth.answer()).await;
    assert!(early.is_err(), "the fifth connection waits");
    for socket in &mut sockets {
        assert_eq!(socket.exchange(end).await.expect("an answer").status, 201);
    }
    assert_eq!(fifth.answer().await.expect("an answer").status, 200);
}

/// A write that has started is completed even if its client disconnects.
#[tokio::test]
async fn client_disconnect_does_not_interrupt_a_write() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "before"})).await;
    let path = path(&task);

    let mut other = PgConnection::connect(&database.url)
        .await
        .expect("connected");
    let mut lock = other.begin().await.expect("a transaction");
    lock.execute("SELECT FROM tasks FOR UPDATE")
        .await
        .expect("locked");
    let mut gone = Socket::connect(&service.url).await.expect("connected");
    let change = request("PATCH", &path, "alice", Some(&json!({"title": "after"})));
    gone.send(change).await.expect("sent");
    let mut watch = PgConnection::connect(&database.url)
        .await
        .expect("connected");
    eventually("the write waits for the lock", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watch).await.expect("a number");
        (waiting > 0).then_some(())
    })
    .await;
    gone.reset().expect("reset");
    // After the lock timeout, the retry is a call whose client is gone.
    eventually("the write is retried", async || {
        service.log().contains("retrying it").then_some(())
    })
    .await;
    assert_eq!(alice.get(&path).await.body["task"]["title"], "before");
    lock.rollback().await.expect("released");
    eventually("the change is stored", async || {
        (alice.get(&path).await.body["task"]["title"] == "after").then_some(())
    })
    .await;
}
