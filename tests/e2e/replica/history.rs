//! A long history: users who write and read at two instances, while the replica is paused, resumed, killed and built
//! anew. Each is the only writer of the own tasks, so every read must show exactly what was written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use super::{READ_URL, Setup};
use crate::service::{Answer, Client, Service};

/// The operations of all users, and those of a soak.
const OPERATIONS: u64 = 4_000;
const SOAKED: u64 = 1_000_000;
const USERS: u64 = 16;
/// The parts of the history between the faults, and the most operations of a part.
const PARTS: u64 = 30;
const LONGEST_PART: u64 = 5_000;
/// The most tasks of a user.
const MOST_TASKS: usize = 20;

/// A user who writes and reads.
struct User {
    /// The user at both instances.
    clients: [Client; 2],
    random: fastrand::Rng,
    /// The titles of the tasks, by their ids.
    tasks: BTreeMap<String, String>,
    /// The ids of deleted tasks.
    deleted: Vec<String>,
    /// The number of the last write, and the instance that made it.
    last: Option<(String, usize)>,
}

impl User {
    /// Writes or reads once, and checks what is read.
    async fn act(&mut self) {
        let instance = self.random.usize(..2);
        match self.random.u8(..10) {
            0..4 => self.write(instance).await,
            4..6 => self.check_task(instance).await,
            6..9 => self.check_list(instance).await,
            _ => self.check_stats(instance).await,
        }
    }

    async fn write(&mut self, instance: usize) {
        let client = &self.clients[instance];
        let title = format!("title {}", self.random.u32(..));
        let known = self.random.choice(self.tasks.keys()).cloned();
        let answer = match known {
            Some(id) if self.tasks.len() >= MOST_TASKS || self.random.u8(..4) == 0 => {
                let path = format!("/api/v1/tasks/{id}");
                let answer = client.send(Method::DELETE, &path, None).await;
                self.tasks.remove(&id);
                self.deleted.push(id);
                answer
            }
            Some(id) if self.random.bool() => {
                let path = format!("/api/v1/tasks/{id}");
                let body = json!({"title": title});
                let answer = client.send(Method::PATCH, &path, Some(body)).await;
                self.tasks.insert(id, title);
                answer
            }
            _ => {
                let answer = client.post("/api/v1/tasks", json!({"title": title})).await;
                let id = answer.body["task"]["id"].as_str().expect("an id");
                self.tasks.insert(id.to_owned(), title);
                answer
            }
        };
        assert!(matches!(answer.status, 200 | 201 | 204), "{answer:?}");
        self.last = Some((answer.header("change-seq").to_owned(), instance));
    }

    /// Reads at an instance. If the last write was made at the other one, the request names it.
    async fn read(&mut self, instance: usize, path: &str) -> Answer {
        let mut request = self.clients[instance].request(Method::GET, path);
        if let Some((seq, written_at)) = &self.last
            && (*written_at != instance || self.random.bool())
        {
            request = request.header("change-seq", seq);
        }
        Answer::of(request).await
    }

    async fn check_task(&mut self, instance: usize) {
        if let Some((id, title)) = self.random.choice(self.tasks.clone()) {
            let answer = self.read(instance, &format!("/api/v1/tasks/{id}")).await;
            assert_eq!(answer.body["task"]["title"], json!(title), "{answer:?}");
        }
        if let Some(id) = self.random.choice(self.deleted.clone()) {
            let answer = self.read(instance, &format!("/api/v1/tasks/{id}")).await;
            assert_eq!(answer.status, 404, "{answer:?}");
        }
    }

    async fn check_list(&mut self, instance: usize) {
        let sort = self
            .random
            .choice(["created_at", "title", "due", "position"]);
        let path = format!("/api/v1/tasks?limit=100&sort={}", sort.expect("one"));
        let answer = self.read(instance, &path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let listed = answer.body["tasks"].as_array().expect("a list").iter();
        let listed: BTreeMap<_, _> = listed
            .map(|task| (text(&task["id"]), text(&task["title"])))
            .collect();
        assert_eq!(listed, self.tasks, "{path}");
    }

    async fn check_stats(&mut self, instance: usize) {
        let answer = self.read(instance, "/api/v1/tasks/stats").await;
        assert_eq!(answer.body["total"], self.tasks.len(), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_of_a_history_is_stale() {
    let is_soak = std::env::var_os("TASKHOLD_TEST_SOAK").is_some();
    let operations = if is_soak { SOAKED } else { OPERATIONS };
    let setup = Setup::start().await;
    let read_url = setup.replica.url("postgres");
    let another = Service::start_with(&setup.database, &[(READ_URL, &read_url)]).await;
    let done = Arc::<AtomicU64>::default();
    let started = Instant::now();
    let users: Vec<_> = (0..USERS)
        .map(|number| {
            let name = format!("user {number}");
            let mut user = User {
                clients: [&setup.service, &another].map(|service| service.client(&name)),
                random: fastrand::Rng::with_seed(number),
                tasks: BTreeMap::new(),
                deleted: Vec::new(),
                last: None,
            };
            let done = done.clone();
            tokio::spawn(async move {
                while done.fetch_add(1, Ordering::Relaxed) < operations {
                    user.act().await;
                }
            })
        })
        .collect();
    let mut faults = 0;
    while users.iter().any(|user| !user.is_finished()) {
        setup.replica.pause_replay().await;
        progress(&done, operations).await;
        setup.replica.resume_replay().await;
        progress(&done, operations).await;
        if faults % 4 == 1 {
            setup.replica.kill();
            progress(&done, operations).await;
            setup.replica.rebuild(&setup.primary);
            setup.wait_until_in_use(true).await;
        }
        faults += 1;
    }
    for user in users {
        user.await.expect("no stale read");
    }
    let [answered, stale, failed, passed_over] = [
        setup.reads("answered").await,
        setup.reads("stale").await,
        setup.reads("failed").await,
        setup.reads("passed_over").await,
    ];
    println!(
        "{operations} operations in {:.0} s, {faults} pauses, 0 stale answers; reads of the first instance at the \
         replica: {answered} answered, {stale} too stale, {failed} failed, {passed_over} passed over",
        started.elapsed().as_secs_f64()
    );
    assert!(answered > 0.0 && stale > 0.0);
}

/// Waits until a part of the operations were begun, or all.
async fn progress(done: &AtomicU64, operations: u64) {
    let goal =
        (done.load(Ordering::Relaxed) + (operations / PARTS).min(LONGEST_PART)).min(operations);
    crate::service::eventually("the history goes on", async || {
        (done.load(Ordering::Relaxed) >= goal).then_some(())
    })
    .await;
}
