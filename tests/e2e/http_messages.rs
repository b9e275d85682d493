//! Messages of HTTP/1.0, offers of other protocols, and malformed messages.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::service::{Database, Service, eventually};
use crate::socket::{Socket, request};

/// How long an answer at most takes on a busy machine, less than any time-out of the service.
const SOON: Duration = Duration::from_secs(4);

/// Formats a request of a client that does not know HTTP/1.1.
fn old_request(path: &str, headers: &str) -> String {
    request("GET", path, "alice", None)
        .replace("HTTP/1.1", "HTTP/1.0")
        .replacen("\r\n\r\n", &format!("\r\n{headers}\r\n"), 1)
}

/// Creates more tasks than the buffers of a connection hold.
async fn create_many(service: &Service) {
    let alice = service.client("alice");
    let large = json!({"title": "\u{1F600}".repeat(100), "description": "\u{1F600}".repeat(500)});
    for _ in 0..100 {
        join_all((0..20).map(|_| alice.create(large.clone()))).await;
    }
}

#[tokio::test]
async fn http_1_0_gets_no_chunks() {
    let service = Service::start(&Database::sqlite()).await;
    let alice = service.client("alice");
    for title in ["one", "two"] {
        alice.create(json!({"title": title})).await;
    }
    for headers in ["", "connection: keep-alive\r\n"] {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        let export = old_request("/api/v1/export", headers);
        socket.send(export).await.expect("sent");
        let answer = socket.rest().await.expect("ends without a reset");
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let head = head.to_lowercase();
        assert!(head.starts_with("http/1.0 200 ok"), "{head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
        assert!(!head.contains("keep-alive"), "{head}");
        let tasks: Vec<Value> = serde_json::from_str(body).expect("JSON");
        assert_eq!(tasks.len(), 2, "{body}");
    }
    // An answer of known length leaves the connection open, if the client asks for it.
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    let page = old_request("/api/v1/tasks?limit=1", "connection: keep-alive\r\n");
    for _ in 0..2 {
        let answer = socket.exchange(&page).await.expect("an answer");
        assert!(answer.head.contains("\r\nconnection: keep-alive\r\n"));
        assert_eq!(answer.body["tasks"].as_array().expect("tasks").len(), 1);
    }
}

#[tokio::test]
async fn http_1_0_answer_that_breaks_off_resets_the_connection() {
    let service = Service::start(&Database::sqlite()).await;
    create_many(&service).await;
    let mut sockets = Vec::new();
    for path in ["/api/v1/tasks", "/api/v1/export"] {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let address = service.url.trim_start_matches("http://");
        let address = address.parse().expect("an address");
        let mut socket = Socket::of(socket.connect(address).await.expect("connected"));
        socket.send(old_request(path, "")).await.expect("sent");
        eventually("the answer begins", async || {
            socket.has_data().then_some(())
        })
        .await;
        sockets.push(socket);
    }
    service.kill();
    for mut socket in sockets {
        assert!(socket.rest().await.is_err(), "a reset and no end");
    }
}

#[tokio::test]
async fn offers_of_another_protocol_are_ignored() {
    let service = Service::start(&Database::sqlite()).await;
    let mut offers = 0;
    for offer in [
        "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n",
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
        "upgrade: websocket\r\n",
        "upgrade: h2c\r\n",
        "connection: upgrade\r\n",
        "connection: upgrade\r\nupgrade: TLS/1.0, foo/2\r\n",
    ] {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        let creation = request(
            "POST",
            "/api/v1/tasks",
            "alice",
            Some(&json!({"title": offer})),
        );
        let list = request("GET", "/api/v1/tasks", "alice", None);
        // The connection stays usable.
        for (request, status) in [(&creation, 201), (&list, 200), (&creation, 201)] {
            let request = request.replacen("\r\n\r\n", &format!("\r\n{offer}\r\n"), 1);
            socket.send(request).await.expect("sent");
            let answer = tokio::time::timeout(SOON, socket.answer()).await;
            let answer = answer.expect("in time").expect("an answer");
            assert_eq!(answer.status, status, "{offer} {answer:?}");
            assert!(!answer.head.contains("\r\nconnection:"), "{answer:?}");
            assert!(!answer.head.contains("\r\nupgrade:"), "{answer:?}");
        }
        offers += 2;
    }
    assert_eq!(service.client("alice").tasks().await.len(), offers);
    // A tunnel is refused, and what follows is no request.
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    let second = request("POST", "/api/v1/tasks", "bob", Some(&json!({"title": "x"})));
    let tunnel = "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n".to_owned();
    let answer = socket
        .exchange(&(tunnel + &second))
        .await
        .expect("an answer");
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert!(
        answer.head.contains("\r\nconnection: close\r\n"),
        "{answer:?}"
    );
    socket.wait_until_closed().await;
    assert_eq!(service.client("bob").tasks().await.len(), 0);
}

#[tokio::test]
async fn answer_to_a_body_that_breaks_off_says_that_the_connection_ends() {
    let service = Service::start(&Database::sqlite()).await;
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    let creation = request(
        "POST",
        "/api/v1/tasks",
        "alice",
        Some(&json!({"title": "x"})),
    );
    let (start, _) = creation.split_at(creation.len() - 1);
    socket.send(start).await.expect("sent");
    socket.end().await.expect("ended");
    assert_broke_off(socket).await;
    let chunked = creation.replace("content-length: 13", "transfer-encoding: chunked");
    let (head, _) = chunked.split_once('{').expect("a body");
    for chunks in [
        "no size\r\n",
        "2\r\n{}\r\nz\r\n{}\r\n0\r\n\r\n",
        "1\r\n{}\r\n0\r\n\r\n",
    ] {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        let all = format!("{head}{chunks}{creation}");
        socket.send(all).await.expect("sent");
        assert_broke_off(socket).await;
    }
    // The body begins to arrive when the head is read.
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    let head = head.replacen("\r\n", "\r\nexpect: 100-continue\r\n", 1);
    let answer = socket.exchange(&head).await.expect("an answer");
    assert_eq!(answer.status, 100, "{answer:?}");
    socket.send("no size\r\n").await.expect("sent");
    assert_broke_off(socket).await;
    assert_eq!(service.client("alice").tasks().await.len(), 0);
}

async fn assert_broke_off(mut socket: Socket) {
    let answer = socket.answer().await.expect("an answer");
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.body["error_code"], "MALFORMED_REQUEST", "{answer:?}");
    assert!(
        answer.head.contains("\r\nconnection: close\r\n"),
        "{answer:?}"
    );
    socket.wait_until_closed().await;
}

#[tokio::test]
async fn malformed_requests_are_logged_once_and_not_as_errors() {
    let service = Service::start(&Database::sqlite()).await;
    for malformed in [
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/3.0\r\nhost: a\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03\r\n\r\n",
    ]
    .repeat(10)
    {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        let answer = socket.exchange(malformed).await.expect("an answer");
        assert_eq!(answer.status, 400, "{malformed} {answer:?}");
        assert!(
            answer.head.contains("\r\nconnection: close\r\n"),
            "{answer:?}"
        );
        socket.wait_until_closed().await;
    }
    // On a connection that was in use, too.
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    let alive = "GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_eq!(socket.exchange(alive).await.expect("an answer").status, 200);
    let answer = socket
        .exchange("nonsense\r\n\r\n")
        .await
        .expect("an answer");
    assert!(
        answer.head.contains("\r\nconnection: close\r\n"),
        "{answer:?}"
    );
    // A client that goes away is no error either.
    let mut gone = Socket::connect(&service.url).await.expect("connected");
    gone.send("GET / HT").await.expect("sent");
    gone.reset().expect("reset");
    let log = service.log();
    assert_eq!(log.matches("a malformed request").count(), 1, "{log}");
    assert_eq!(log.matches("ERROR").count(), 0, "{log}");
    assert_eq!(log.matches("WARN").count(), 0, "{log}");
}
