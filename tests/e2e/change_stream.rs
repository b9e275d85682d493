//! The stream of changes, as clients read it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::service::{
    Answer, Client, Database, SECRET, Service, WAIT_TIMEOUT, eventually, signed, tomorrow,
};
use crate::slow_clients::connect_small;
use crate::socket::request as raw_request;

on_both_stores! {
    stream_tells_of_each_write
    cursor_is_checked_before_the_stream_begins
    user_has_eight_streams_until_one_is_closed
    stream_ends_when_its_token_expires
    stream_of_a_revoked_token_ends
    client_that_does_not_read_its_stream_delays_nobody
    shutdown_ends_a_thousand_streams_at_once
}

const STREAM: &str = "/api/v1/changes/stream";
const CHANGES: &str = "/api/v1/changes";

/// A client of the stream.
pub struct Events {
    response: Response,
    text: String,
}

impl Events {
    /// Opens a stream.
    pub async fn open(client: &Client) -> Self {
        Self::open_after(client, None).await
    }

    pub async fn open_after(client: &Client, last_event: Option<&str>) -> Self {
        let mut request = client.request(Method::GET, STREAM);
        if let Some(id) = last_event {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().expect("ASCII").to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    /// Returns the next event or comment; `None` at the end.
    async fn next_part(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let part = self.text.drain(..end + 2).collect::<String>();
                return Some(part.trim_end().to_owned());
            }
            let chunk = tokio::time::timeout(WAIT_TIMEOUT, self.response.chunk()).await;
            let chunk = chunk.expect("something comes in time").expect("readable")?;
            self.text.push_str(str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    /// Returns the cursor of the next event.
    pub async fn next(&mut self) -> String {
        loop {
            let part = self.next_part().await.expect("the stream goes on");
            if part == ":" {
                continue;
            }
            let lines: Vec<_> = part.lines().collect();
            let [id, "event: change", data] = lines[..] else {
                panic!("{part}");
            };
            let data = data.strip_prefix("data: ").expect("data");
            let data: Value = serde_json::from_str(data).expect("JSON");
            let cursor = data["cursor"].as_str().expect("a cursor");
            assert!(data["seq"].is_u64(), "{data}");
            assert_eq!(id, format!("id: {cursor}"));
            return cursor.to_owned();
        }
    }

    /// Waits for the end of the stream, and returns its last part.
    async fn wait_until_over(mut self) -> String {
        let mut last = String::new();
        while let Some(part) = self.next_part().await {
            last = part;
        }
        last
    }
}

async fn changed_since(client: &Client, cursor: &str) -> Vec<Value> {
    let page = client.get(&format!("{CHANGES}?cursor={cursor}")).await;
    assert_eq!(page.status, 200, "{page:?}");
    page.body["changed"].as_array().expect("tasks").clone()
}

async fn stream_tells_of_each_write(database: Database) {
    let service = Service::start(&database).await;
    let (anna, bob) = (service.client("anna"), service.client("bob"));
    let mut events = Events::open(&anna).await;
    let mut cursor = events.next().await;
    assert_eq!(changed_since(&anna, &cursor).await, [] as [Value; 0]);
    for title in ["first", "second", "third"] {
        bob.create(json!({"title": "not Anna's"})).await;
        let task = anna.create(json!({"title": title})).await;
        let after = events.next().await;
        assert_eq!(changed_since(&anna, &cursor).await, [task]);
        assert_eq!(changed_since(&anna, &after).await, [] as [Value; 0]);
        cursor = after;
    }
    // What came while the client was away is told in the first event.
    drop(events);
    let task = anna.create(json!({"title": "meanwhile"})).await;
    let mut events = Events::open_after(&anna, Some(&cursor)).await;
    let after = events.next().await;
    assert_eq!(changed_since(&anna, &cursor).await, [task]);
    assert_eq!(changed_since(&anna, &after).await, [] as [Value; 0]);
    eventually("the stream that was dropped is not counted", async || {
        let metrics = service.text("/metrics").await;
        assert!(
            metrics.contains("taskhold_changes_appended_total 7"),
            "{metrics}"
        );
        metrics
            .contains("taskhold_change_streams_open 1")
            .then_some(())
    })
    .await;
    let head = anna.request(Method::HEAD, STREAM).send().await;
    let head = head.expect("an answer");
    assert_eq!(head.status(), 200);
    // Or nginx, which hides the header from clients, would hold the events back.
    assert_eq!(head.headers()["x-accel-buffering"], "no");
}

/// PostgreSQL only: one process serves a SQLite file.
#[tokio::test(flavor = "multi_thread")]
async fn stream_tells_of_writes_of_other_instances() {
    let database = Database::postgres().await;
    let (one, other) = tokio::join!(Service::start(&database), Service::start(&database));
    let anna = one.client("anna");
    let mut events = Events::open(&anna).await;
    let mut cursor = events.next().await;
    for title in ["first", "second", "third"] {
        let task = other.client("anna").create(json!({"title": title})).await;
        let after = events.next().await;
        assert_eq!(changed_since(&anna, &cursor).await, [task]);
        cursor = after;
    }
}

async fn cursor_is_checked_before_the_stream_begins(database: Database) {
    let service = Service::start(&database).await;
    let (anna, bob) = (service.client("anna"), service.client("bob"));
    bob.create(json!({"title": "Bob's"})).await;
    let page = bob.get(CHANGES).await;
    let strangers = page.body["cursor"].as_str().expect("a cursor").to_owned();
    for (query, header) in [
        ("?cursor=forged", None),
        ("", Some("forged")),
        ("?cursor=forged", Some(strangers.as_str())),
    ] {
        let mut request = anna.request(Method::GET, &format!("{STREAM}{query}"));
        if let Some(id) = header {
            request = request.header("last-event-id", id);
        }
        let answer = Answer::of(request).await;
        answer.assert_problem(400, "MALFORMED_REQUEST");
    }
    let unknown = anna.get(&format!("{STREAM}?since=1")).await;
    unknown.assert_problem(400, "MALFORMED_REQUEST");
    let nobody = service.client_with(None).get(STREAM).await;
    nobody.assert_problem(401, "UNAUTHORIZED");
}

async fn user_has_eight_streams_until_one_is_closed(database: Database) {
    let service = Service::start(&database).await;
    let (anna, bob) = (service.client("anna"), service.client("bob"));
    let mut streams = join_all((0..8).map(|_| Events::open(&anna))).await;
    let ninth = anna.get(STREAM).await;
    ninth.assert_problem(429, "RATE_LIMITED");
    assert_eq!(ninth.header("retry-after"), "1");
    // Streams neither take the places of requests nor those of others.
    anna.get(CHANGES).await;
    Events::open(&bob).await.next().await;
    drop(streams.pop());
    eventually("a place is free again", async || {
        let response = anna.request(Method::GET, STREAM).send().await;
        (response.expect("an answer").status() == 200).then_some(())
    })
    .await;
}

async fn stream_ends_when_its_token_expires(database: Database) {
    let service = Service::start(&database).await;
    let claims = json!({"sub": "anna", "exp": tomorrow() - 86_400 + 3});
    let token = signed(&claims, SECRET);
    let mut events = Events::open(&service.client_with(Some(token))).await;
    events.next().await;
    assert_eq!(events.wait_until_over().await, "");
}

async fn stream_of_a_revoked_token_ends(database: Database) {
    let service = Service::start(&database).await;
    let nobody = service.client_with(None);
    let register = json!({"email": "anna@example.org", "password": "correct horse"});
    let grant = nobody.post("/api/auth/register", register).await;
    assert_eq!(grant.status, 201, "{grant:?}");
    let token = grant.body["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let mut events = Events::open(&service.client_with(Some(token))).await;
    events.next().await;
    let refresh = json!({"refresh_token": grant.body["refresh_token"]});
    let logged_out = nobody.post("/api/auth/logout", refresh).await;
    assert_eq!(logged_out.status, 204, "{logged_out:?}");
    assert_eq!(events.wait_until_over().await, "");
}

async fn client_that_does_not_read_its_stream_delays_nobody(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let mut unread = connect_small(&service.url).await;
    let open = raw_request("GET", STREAM, "anna", None);
    unread.send(open).await.expect("sent");
    let mut events = Events::open(&anna).await;
    events.next().await;
    for round in 0..50 {
        let created =
            (0..8).map(|number| anna.create(json!({"title": format!("{round} {number}")})));
        join_all(created).await;
        events.next().await;
    }
    drop(unread);
    eventually("it is not counted once it is gone", async || {
        let metrics = service.text("/metrics").await;
        metrics
            .contains("taskhold_change_streams_open 1")
            .then_some(())
    })
    .await;
}

async fn shutdown_ends_a_thousand_streams_at_once(database: Database) {
    let delay = ("TASKHOLD__SERVER__DRAIN_DELAY_SECONDS", "1");
    let service = Service::start_with(&database, &[delay]).await;
    let clients: Vec<_> = (0..125)
        .map(|number| service.client(&format!("user {number}")))
        .collect();
    let mut streams = Vec::new();
    for client in &clients {
        streams.extend(join_all((0..8).map(|_| Events::open(client))).await);
    }
    assert_eq!(streams.len(), 1000);
    for events in &mut streams {
        events.next().await;
    }
    let told = Instant::now();
    let (status, lasts) = tokio::join!(
        service.stop(),
        join_all(streams.into_iter().map(Events::wait_until_over))
    );
    assert!(status.success());
    let taken = told.elapsed();
    println!("1,000 streams ended and the service stopped in {taken:?}");
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    for last in lasts {
        let pause = last
            .strip_prefix("retry: ")
            .expect("a time to connect again");
        let pause: u32 = pause.parse().expect("milliseconds");
        assert!((1000..5000).contains(&pause), "{pause}");
    }
}
