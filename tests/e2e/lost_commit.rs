//! The store commits a write with an `Idempotency-Key`, but the reply is lost. The service retries the
//! write, and the key shows that it has taken effect.

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_testkit::postgres::PostgresServer;
use taskhold_testkit::proxy::FaultProxy;

use crate::service::{Answer, Client, Database, Service, TASKS, eventually, path};

/// A service that loses its connection to the store at the commit of every write.
struct LossyService {
    // Fields drop in order: the service must end before its server.
    service: Service,
    proxy: FaultProxy,
    _server: PostgresServer,
}

impl LossyService {
    async fn start() -> Self {
        let server = PostgresServer::start().expect("a server");
        let proxy = FaultProxy::start(&server.url("postgres")).await;
        let service = Service::start(&Database::at(&proxy.url(&server.url("postgres")))).await;
        Self {
            service,
            proxy,
            _server: server,
        }
    }

    fn retries(&self) -> usize {
        self.service.log().matches("retrying it").count()
    }

    async fn write(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let before = self.retries();
        self.proxy.cut_reply_with(b"COMMIT");
        let key = format!("{method}-{path}");
        let answer = client.send_keyed(&key, method, path, body).await;
        // Housekeeping may commit at the same time, shortly after the start. Then it loses its reply and retries.
        eventually("a lost reply leads to a retry", async || {
            (self.retries() > before).then_some(())
        })
        .await;
        answer
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keyed_write_with_a_lost_commit_reply_succeeds_with_one_effect() {
    let lossy = LossyService::start().await;
    let alice = lossy.service.client("alice");

    let created = json!({"title": "created"});
    let answer = lossy
        .write(&alice, Method::POST, TASKS, Some(created))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(
        alice.tasks().await,
        std::slice::from_ref(&answer.body["task"])
    );
    let item = format!(
        "{TASKS}/{}",
        answer.body["task"]["id"].as_str().expect("an id")
    );

    let completion = format!("{item}/complete");
    let answer = lossy.write(&alice, Method::PATCH, &completion, None).await;
    assert_eq!(
        (answer.status, &answer.body["task"]["completed"]),
        (200, &json!(true)),
        "toggled once"
    );
    assert_eq!(alice.get(&item).await.body, answer.body);
    assert_eq!(alice.get(&item).await.header("etag"), answer.header("etag"));

    let changed = json!({"title": "changed"});
    let answer = lossy.write(&alice, Method::PUT, &item, Some(changed)).await;
    assert_eq!(
        (answer.status, &answer.body["task"]["title"]),
        (200, &json!("changed"))
    );
    assert_eq!(alice.get(&item).await.body, answer.body);
    assert_eq!(alice.get(&item).await.header("etag"), answer.header("etag"));

    let answer = lossy.write(&alice, Method::DELETE, &item, None).await;
    assert_eq!(
        answer.status, 204,
        "the retry does not report the task as missing"
    );
    assert_eq!(alice.tasks().await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn completion_with_a_lost_commit_reply_has_one_follow_up() {
    let lossy = LossyService::start().await;
    let alice = lossy.service.client("alice");
    let repeating = json!({"title": "again", "due": "2026-12-01", "repeat": "FREQ=DAILY"});
    let task = alice.create(repeating.clone()).await;
    let completion = format!("{}/complete", path(&task));
    // With a key the service finds out what happened.
    let answer = lossy.write(&alice, Method::PATCH, &completion, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["next"]["due"], "2026-12-02");
    let tasks = alice.tasks().await;
    assert_eq!(tasks.len(), 2);
    assert!(tasks.contains(&answer.body["next"]) && tasks.contains(&answer.body["task"]));

    // Without one the client is told that nobody knows, and repeats its request.
    let completion = format!("{}/complete", path(&alice.create(repeating).await));
    let done = Some(json!({"completed": true}));
    lossy.proxy.cut_reply_with(b"COMMIT");
    let answer = alice.send(Method::PATCH, &completion, done.clone()).await;
    answer.assert_problem(504, "OUTCOME_UNKNOWN");
    let answer = alice.send(Method::PATCH, &completion, done).await;
    assert_eq!((answer.status, answer.body.get("next")), (200, None));
    assert_eq!(alice.tasks().await.len(), 4);
}
