//! Connections that hold requests in a row, end, or are too many.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::service::{Database, Service, eventually, token};
use crate::socket::{RawAnswer, Socket, request};

const ALIVE: &str = "GET /health/live HTTP/1.1\r\nhost: taskhold\r\n\r\n";

/// How long a client at most waits for a place, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// How long clients keep all connections busy.
const BUSY: Duration = Duration::from_secs(6);

/// Formats a request of `user` that creates a task, with further header lines.
fn creation(user: &str, title: &str, headers: &str) -> String {
    let creation = request(
        "POST",
        "/api/v1/tasks",
        user,
        Some(&json!({"title": title})),
    );
    creation.replacen("\r\n\r\n", &format!("\r\n{headers}\r\n"), 1)
}

/// Sends requests at once, and returns the answers until the connection ends.
async fn answers(service: &Service, requests: &str) -> Vec<RawAnswer> {
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    socket.send(requests).await.expect("sent");
    let mut answers = Vec::new();
    while let Ok(answer) = socket.answer().await {
        answers.push(answer);
    }
    answers
}

/// Asserts that the only answer says that the connection ends.
fn assert_last(answers: &[RawAnswer], status: u16) {
    let [answer] = answers else {
        panic!("one answer: {answers:?}");
    };
    assert_eq!(answer.status, status, "{answer:?}");
    let says_close = answer.head.contains("\r\nconnection: close\r\n");
    assert!(
        says_close || answer.head.starts_with("http/1.0"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn request_after_one_that_closes_is_not_executed() {
    let service = Service::start(&Database::sqlite()).await;
    let headers = [
        "connection: close\r\n",
        "Connection: Close, TE\r\n",
        "connection: te,close\r\n",
        "connection: keep-alive, close\r\n",
        "connection: te\r\nconnection: close\r\n",
        "connection: close\r\nupgrade: websocket\r\n",
        "connection: upgrade, close\r\nupgrade: h2c\r\n",
    ];
    for headers in headers {
        let both = creation("alice", headers, headers) + &creation("bob", "second", "");
        assert_last(&answers(&service, &both).await, 201);
    }
    let old = creation("alice", "old", "").replace("HTTP/1.1", "HTTP/1.0");
    let both = old + &creation("bob", "second", "");
    assert_last(&answers(&service, &both).await, 201);
    // The body of the first request arrives in chunks, and nobody reads it.
    let refused = "POST /api/v1/tasks HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
                   2\r\n{}\r\n0\r\n\r\n";
    let both = refused.to_owned() + &creation("bob", "second", "");
    assert_last(&answers(&service, &both).await, 401);
    assert_eq!(
        service.client("alice").tasks().await.len(),
        headers.len() + 1
    );
    assert_eq!(service.client("bob").tasks().await.len(), 0);
}

#[tokio::test]
async fn request_after_an_answer_that_closes_is_not_executed() {
    let settings = [("TASKHOLD__SERVER__DRAIN_DELAY_SECONDS", "20")];
    let service = Service::start_with(&Database::sqlite(), &settings).await;
    let second = creation("bob", "second", "");
    let too_large = creation("alice", &"x".repeat(70_000), "");
    assert_last(&answers(&service, &(too_large + &second)).await, 413);
    let unread = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{second}{second}",
        second.len()
    );
    assert_last(&answers(&service, &unread).await, 401);
    let malformed = "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n";
    assert_last(
        &answers(&service, &(malformed.to_owned() + &second)).await,
        400,
    );
    // A client that still sends gets the answer nevertheless.
    let endless = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(1_000_000));
    assert_last(&answers(&service, &endless).await, 431);
    let mut slow = Socket::connect(&service.url).await.expect("connected");
    let creation = creation("alice", "slow", "");
    slow.send(&creation[..creation.len() - 1])
        .await
        .expect("sent");
    assert_eq!(slow.answer().await.expect("an answer").status, 408);
    // Whether this can be sent does not matter.
    drop(slow.send("}".to_owned() + &second).await);
    slow.wait_until_closed().await;
    service.terminate();
    eventually("the service drains", async || {
        (service.readiness().await == 503).then_some(())
    })
    .await;
    assert_last(&answers(&service, &(ALIVE.to_owned() + &second)).await, 200);
    assert_eq!(service.client("bob").tasks().await.len(), 0);
    assert_eq!(service.client("alice").tasks().await.len(), 0);
}

/// Answers depend on their own request, not on one that follows closely.
#[tokio::test]
async fn pipelined_requests_get_the_answers_that_they_get_alone() {
    let service = Service::start(&Database::sqlite()).await;
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    let list = request("GET", "/api/v1/tasks?limit=1", "alice", None);
    let head = list.replace("GET", "HEAD");
    let chunked = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n6\r\n{{\"titl\r\n9\r\ne\":\"one\"}}\r\n0\r\n\r\n",
        token("alice")
    );
    let old = list.replace("HTTP/1.1", "HTTP/1.0");
    let second = creation("alice", "two", "");
    let all = [&chunked, &list, &second, &list, &head].map(String::as_str);
    socket.send(all.concat()).await.expect("sent");
    for (status, title) in [(201, "one"), (200, "one"), (201, "two"), (200, "two")] {
        let answer = socket.answer().await.expect("an answer");
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!answer.head.contains("\r\nconnection:"), "{answer:?}");
        let task = answer.body["tasks"].get(0).unwrap_or(&answer.body["task"]);
        assert_eq!(task["title"], title, "{answer:?}");
    }
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    socket
        .send([list.as_str(), &head, &old, ALIVE].concat())
        .await
        .expect("sent");
    let rest = socket.rest().await.expect("no reset");
    let rest = String::from_utf8(rest).expect("text").to_lowercase();
    assert_eq!(rest.matches("\r\n\r\n{\"tasks\"").count(), 2, "{rest}");
    assert_eq!(rest.matches("http/1.1 200 ok").count(), 2, "{rest}");
    assert_eq!(rest.matches("http/1.0 200 ok").count(), 1, "{rest}");
}

/// Asserts that a new client is served soon.
async fn assert_has_room(service: &Service) {
    let started = Instant::now();
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    let answer = tokio::time::timeout(SOON, socket.exchange(ALIVE)).await;
    let answer = answer.unwrap_or_else(|_| panic!("no answer for {:?}", started.elapsed()));
    assert_eq!(answer.expect("an answer").status, 200);
}

#[tokio::test]
async fn idle_connections_make_room_at_capacity() {
    let limit = [("TASKHOLD__SERVER__MAX_CONNECTIONS", "50")];
    for first in [ALIVE, "", "GET /health/live HTTP/1.1\r\nhost: tas"] {
        let service = Service::start_with(&Database::sqlite(), &limit).await;
        let mut sockets = Vec::new();
        for _ in 0..60 {
            let mut socket = Socket::connect(&service.url).await.expect("connected");
            socket.send(first).await.expect("sent");
            if first == ALIVE {
                let answer = tokio::time::timeout(SOON, socket.answer()).await;
                let answer = answer.expect("in time").expect("an answer");
                assert_eq!(answer.status, 200);
            }
            sockets.push(socket);
        }
        assert_has_room(&service).await;
        if first == ALIVE {
            // Those that idled longest were closed, and most of the others were not.
            assert!(sockets[0].exchange(ALIVE).await.is_err());
            for socket in &mut sockets[20..] {
                assert_eq!(socket.exchange(ALIVE).await.expect("an answer").status, 200);
            }
        }
    }
}

#[tokio::test]
async fn busy_connections_make_room_without_losing_a_request() {
    let limit = [("TASKHOLD__SERVER__MAX_CONNECTIONS", "4")];
    let service = Service::start_with(&Database::sqlite(), &limit).await;
    let clients = join_all((0..8).map(async |_| {
        let started = Instant::now();
        let mut answers = 0;
        while started.elapsed() < BUSY {
            let mut socket = Socket::connect(&service.url).await.expect("connected");
            loop {
                let answer = socket.exchange(ALIVE).await.expect("an answer");
                assert_eq!(answer.status, 200);
                if started.elapsed() > BUSY {
                    return answers;
                }
                answers += 1;
                if answer.head.contains("\r\nconnection: close\r\n") {
                    break;
                }
            }
        }
        answers
    }));
    for answers in clients.await {
        assert!(answers > 0, "every client had its turn");
    }
}

#[tokio::test]
async fn address_with_too_many_connections_is_refused() {
    let settings = [("TASKHOLD__SERVER__MAX_CONNECTIONS_PER_ADDRESS", "3")];
    let service = Service::start_with(&Database::sqlite(), &settings).await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        assert_eq!(socket.exchange(ALIVE).await.expect("an answer").status, 200);
        sockets.push(socket);
    }
    for _ in 0..5 {
        let mut fourth = Socket::connect(&service.url).await.expect("connected");
        assert!(fourth.exchange(ALIVE).await.is_err(), "it is closed");
    }
    let log = service.log();
    let refusals = log.matches("server.max_connections_per_address");
    assert_eq!(refusals.count(), 1, "{log}");
    drop(sockets.pop());
    eventually("a place is free", async || {
        let mut socket = Socket::connect(&service.url).await.ok()?;
        let answer = socket.exchange(ALIVE).await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
    let behind_a_proxy = [
        settings[0],
        ("TASKHOLD__SERVER__TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    let service = Service::start_with(&Database::sqlite(), &behind_a_proxy).await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        assert_eq!(socket.exchange(ALIVE).await.expect("an answer").status, 200);
        sockets.push(socket);
    }
}
