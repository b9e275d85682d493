//! The arrival of the file: too large, too slow, broken off, too many at once.

use std::time::Duration;

use reqwest::Method;

use super::{IMPORT, JSON, assert_report, send, thousand_rows};
use crate::service::{Answer, Database, Service, eventually, token};
use crate::socket::Socket;

/// Returns the head of a request with a file of this length.
fn head(user: &str, length: usize) -> String {
    let token = token(user);
    format!(
        "POST {IMPORT} HTTP/1.1\r\nhost: taskhold\r\nauthorization: Bearer {token}\r\n\
         content-type: {JSON}\r\ncontent-length: {length}\r\n\r\n"
    )
}

async fn file_that_is_too_large_returns_413(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let mut large = br#"[{"id": 1, "title": "t"}"#.to_vec();
    large.resize(16 << 20, b' ');
    large.push(b']');
    let announced = send(&anna, "", JSON, large.clone()).await;
    announced.assert_problem(413, "PAYLOAD_TOO_LARGE");
    let parts = large
        .chunks(1 << 20)
        .map(|part| Ok::<_, std::io::Error>(part.to_vec()));
    let parts: Vec<_> = parts.collect();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(parts));
    let request = anna
        .request(Method::POST, IMPORT)
        .header("content-type", JSON);
    // The service may close the connection before the client has sent all.
    if let Ok(answer) = Answer::try_of(request.body(stream)).await {
        answer.assert_problem(413, "PAYLOAD_TOO_LARGE");
    }
    // Rows that are no tasks count, too.
    let many = format!("[{}0]", "0,".repeat(100_000));
    let many = send(&anna, "", JSON, many).await;
    many.assert_problem(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(database.lines_of("anna"), "");
}

/// The connection ends in the middle of the file.
async fn interrupted_upload_changes_nothing(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let file = thousand_rows();
    let head = head("anna", file.len());
    for sent in [0, file.len() / 2, file.len() - 1] {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        socket.send(&head).await.expect("sent");
        socket.send(&file[..sent]).await.expect("sent");
        drop(socket);
    }
    // The next import of the user waits until the service has noticed.
    let answer = eventually("the imports have ended", async || {
        let answer = send(&anna, "?dry_run=true", JSON, "[]").await;
        (answer.status != 429).then_some(answer)
    })
    .await;
    assert_report(&answer, [0; 6]);
    assert_eq!(database.lines_of("anna"), "");
    let answer = send(&anna, "", JSON, file).await;
    assert_report(&answer, [1_000, 0, 0, 0, 0, 1_000]);
}

/// Eight users send the begin of a file and no more.
async fn ninth_upload_at_once_returns_503(database: Database) {
    let service = Service::start(&database).await;
    let mut sockets = Vec::new();
    for number in 0..8 {
        let begin = head(&format!("user-{number}"), 1_000) + "[";
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        socket.send(&begin).await.expect("sent");
        sockets.push(socket);
    }
    let anna = service.client("anna");
    let refused = eventually("all places are taken", async || {
        let answer = send(&anna, "?dry_run=true", JSON, "[]").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    refused.assert_problem(503, "SERVICE_UNAVAILABLE");
    drop(sockets);
    eventually("a place is free", async || {
        let answer = send(&anna, "?dry_run=true", JSON, "[]").await;
        (answer.status == 200).then_some(())
    })
    .await;
}

async fn upload_that_pauses_returns_408(database: Database) {
    let service = Service::start(&database).await;
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    let begin = head("anna", 1_000) + "[";
    let answer = tokio::time::timeout(Duration::from_secs(25), socket.exchange(&begin)).await;
    let answer = answer.expect("in time").expect("an answer");
    assert_eq!(answer.status, 408, "{answer:?}");
    assert_eq!(database.lines_of("anna"), "");
}

on_both_stores! {
    file_that_is_too_large_returns_413
    interrupted_upload_changes_nothing
    ninth_upload_at_once_returns_503
    upload_that_pauses_returns_408
}
