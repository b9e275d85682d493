//! Clients that are slow, silent or gone hold nothing that others need.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::net::TcpSocket;

use crate::load::Load;
use crate::service::{Database, Service, eventually, path};
use crate::soak::is_soak;
use crate::socket::{Socket, request};

/// What a busy machine may add to a limit.
const SLACK: Duration = Duration::from_secs(5);

/// How often a slow client sends its next byte.
const TRICKLE: Duration = Duration::from_millis(500);

const ALIVE: &str = "GET /health/live HTTP/1.1\r\nhost: taskhold\r\n\r\n";

/// The connection ends by itself between these seconds from now.
async fn ends_after(socket: &mut Socket, limit: u64) {
    let started = Instant::now();
    tokio::time::timeout(Duration::from_secs(limit) + SLACK, socket.ended())
        .await
        .expect("it ends in time");
    let took = started.elapsed();
    // The parser's clock ticks twice a second.
    assert!(
        took > Duration::from_secs(limit - 1),
        "after {took:?} of {limit} s"
    );
}

/// Sends a byte now and then, until the service answers or ends the connection.
async fn trickle(socket: &mut Socket) {
    let mut next = tokio::time::interval(TRICKLE);
    loop {
        next.tick().await;
        if socket.send("a").await.is_err() || socket.has_more() {
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
    socket.ended().await;
}

async fn further_head_trickles(url: String) {
    let mut socket = Socket::connect(&url).await.expect("connected");
    assert_eq!(socket.ask(ALIVE).await.expect("an answer").status, 200);
    let started = Instant::now();
    trickle(&mut socket).await;
    socket.ended().await;
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
    while !socket.has_more() {
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
    socket.ended().await;
}

/// Refused before its body was there, which never ends.
async fn unwanted_body_trickles(url: String) {
    let mut socket = Socket::connect(&url).await.expect("connected");
    let head =
        "POST /api/v1/tasks HTTP/1.1\r\nhost: taskhold\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = socket.ask(head).await.expect("an answer");
    assert_eq!(answer.status, 401);
    let started = Instant::now();
    let mut next = tokio::time::interval(TRICKLE);
    while socket.send("1\r\na\r\n").await.is_ok() && !socket.has_more() {
        next.tick().await;
    }
    socket.ended().await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5) + SLACK, "{took:?}");
}

async fn answer_is_not_read(url: String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address = url
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    let mut socket = Socket::of(socket.connect(address).await.expect("connected"));
    // More than the system keeps for those who do not read.
    socket
        .send(request("GET", "/api/v1/tasks", "big", None).repeat(8))
        .await
        .expect("sent");
    let started = Instant::now();
    // The limit counts from when the buffers between the two are full, which nobody here can see.
    tokio::time::timeout(Duration::from_mins(1), socket.breaks())
        .await
        .expect("it ends in time");
    let took = started.elapsed();
    println!("an answer was not read for {took:?}");
    assert!(took > Duration::from_secs(29), "{took:?}");
}

async fn of_each(count: usize, clients: impl AsyncFn(String), url: &str) {
    let all = join_all((0..count).map(|_| clients(url.to_owned())));
    // Longer than every limit: a client that is never ended fails the test instead of hanging it.
    tokio::time::timeout(Duration::from_secs(75), all)
        .await
        .expect("each of them is ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hundreds_of_slow_clients_are_ended_and_the_others_do_not_notice() {
    let service = Service::start(&Database::postgres().await).await;
    let big = service.client("big");
    let large = json!({"title": "\u{1F600}".repeat(100), "description": "\u{1F600}".repeat(500)});
    for _ in 0..20 {
        join_all((0..20).map(|_| big.created(large.clone()))).await;
    }
    let load = Load::start(&service.url, 8);
    let url = &service.url;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(Socket::connect(url).await.expect("connected"));
    }
    for socket in &mut idle {
        assert_eq!(socket.ask(ALIVE).await.expect("an answer").status, 200);
    }
    tokio::join!(
        of_each(100, first_head_trickles, url),
        of_each(100, further_head_trickles, url),
        of_each(100, body_trickles, url),
        of_each(100, unwanted_body_trickles, url),
        of_each(5, answer_is_not_read, url),
    );
    // To idle is no fault, for a while.
    for socket in &mut idle {
        assert_eq!(socket.ask(ALIVE).await.expect("an answer").status, 200);
    }
    load.goes_on(100).await;
    let (usual, slowest) = load.ends_well(&service).await;
    assert!(usual < Duration::from_millis(500), "{usual:?}");
    // Behind a worker or a connection to the store that a slow client held, it would be more.
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    assert_eq!(
        service.client("slow").tasks().await,
        [] as [serde_json::Value; 0]
    );
    if is_soak() {
        join_all(idle.iter_mut().map(|socket| ends_after(socket, 75))).await;
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_one_to_end() {
    let limit = [("TASKHOLD__SERVER__MAX_CONNECTIONS", "4")];
    let service = Service::start_with(&Database::sqlite(), &limit).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        assert_eq!(socket.ask(ALIVE).await.expect("an answer").status, 200);
        sockets.push(socket);
    }
    let mut fifth = Socket::connect(&service.url).await.expect("connected");
    fifth.send(ALIVE).await.expect("sent");
    let early = tokio::time::timeout(Duration::from_millis(500), fifth.answer()).await;
    assert!(early.is_err(), "it has to wait");
    drop(sockets.pop());
    assert_eq!(fifth.answer().await.expect("an answer").status, 200);
}

/// What was begun is finished, as if its client were still there.
#[tokio::test]
async fn a_client_that_goes_away_during_a_write_does_not_stop_it_half_way() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.created(json!({"title": "before"})).await;
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
    // The wait for the lock has an end, after which the call is one that nobody waits for.
    eventually("the write is made again", async || {
        service.log().contains("retrying it").then_some(())
    })
    .await;
    assert_eq!(alice.get(&path).await.body["task"]["title"], "before");
    lock.rollback().await.expect("released");
    eventually("the change is there", async || {
        (alice.get(&path).await.body["task"]["title"] == "after").then_some(())
    })
    .await;
}
