//! Clients that create and read tasks, each as a user of its own and on one connection. They record every failure,
//! and retry nothing unless told to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::service::{Service, WAIT_TIMEOUT, eventually, path};
use crate::socket::{Socket, request};

/// The pause of a client between two tasks.
const PAUSE: Duration = Duration::from_millis(5);

/// The requests of a client on its one connection.
#[derive(Default)]
struct History {
    acknowledged: BTreeSet<String>,
    durations: Vec<Duration>,
    failures: Vec<String>,
}

impl History {
    /// Creates tasks and reads them until `stop` is set or a request fails. If `repeats`, a creation that is
    /// answered with 502 is sent again under the same key.
    async fn record(
        user: String,
        url: String,
        repeats: bool,
        stop: Arc<AtomicBool>,
        succeeded: Arc<AtomicUsize>,
    ) -> Self {
        let mut history = Self::default();
        let mut socket = Socket::connect(&url).await.expect("connected");
        for round in 0.. {
            if stop.load(Ordering::Relaxed) || !history.failures.is_empty() {
                break;
            }
            let title = format!("round {round}");
            let task = json!({"title": title});
            let mut creation = request("POST", "/api/v1/tasks", &user, Some(&task));
            if repeats {
                let key = format!("idempotency-key: {round}\r\nhost:");
                creation = creation.replacen("host:", &key, 1);
            }
            let deadline = Instant::now() + WAIT_TIMEOUT;
            let created = loop {
                let created = history.exchange(&mut socket, &creation, 201).await;
                let may_repeat = repeats && Instant::now() < deadline;
                match history.failures.last() {
                    Some(failure) if may_repeat && failure.contains("status: 502") => {
                        history.failures.pop();
                        tokio::time::sleep(PAUSE).await;
                    }
                    _ => break created,
                }
            };
            let Some(created) = created else {
                break;
            };
            history.acknowledged.insert(title);
            let read = request("GET", &path(&created["task"]), &user, None);
            history.exchange(&mut socket, &read, 200).await;
            succeeded.fetch_add(2, Ordering::Relaxed);
            // This is the pace of the client, not a wait for anything.
            tokio::time::sleep(PAUSE).await;
        }
        history
    }

    async fn exchange(
        &mut self,
        socket: &mut Socket,
        request: &str,
        expected: u16,
    ) -> Option<Value> {
        let started = Instant::now();
        let answer = socket.exchange(request).await;
        self.durations.push(started.elapsed());
        match answer {
            Ok(answer) if answer.status == expected => return Some(answer.body),
            Ok(answer) => self.failures.push(format!("{answer:?}")),
            Err(error) => self.failures.push(format!("{error:?}")),
        }
        None
    }
}

struct RunningClient {
    user: String,
    succeeded: Arc<AtomicUsize>,
    history: JoinHandle<History>,
}

/// Running clients, each with a user of its own.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<RunningClient>,
}

impl Load {
    pub fn start(url: &str, clients: usize) -> Self {
        Self::start_with(url, clients, false)
    }

    /// Starts clients that send a creation again if a proxy answers with 502.
    pub fn start_repeating(url: &str, clients: usize) -> Self {
        Self::start_with(url, clients, true)
    }

    fn start_with(url: &str, clients: usize, repeats: bool) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let clients = (0..clients)
            .map(|number| {
                let user = format!("client {number}");
                let succeeded = Arc::<AtomicUsize>::default();
                let history = History::record(
                    user.clone(),
                    url.to_owned(),
                    repeats,
                    stop.clone(),
                    succeeded.clone(),
                );
                RunningClient {
                    user,
                    succeeded,
                    history: tokio::spawn(history),
                }
            })
            .collect();
        Self { stop, clients }
    }

    /// Waits until this many more requests have succeeded, of every client an equal part and at least one that began
    /// now: a proxy tries each instance once for a request, so none may live through the end of two.
    pub async fn wait_for_progress(&self, requests: usize) {
        let part = requests.div_ceil(self.clients.len()).max(4);
        let succeeded = |client: &RunningClient| client.succeeded.load(Ordering::Relaxed);
        let goals: Vec<_> = self
            .clients
            .iter()
            .map(|client| succeeded(client) + part)
            .collect();
        for (client, goal) in self.clients.iter().zip(goals) {
            eventually("the load goes on", async || {
                (client.history.is_finished() || succeeded(client) >= goal).then_some(())
            })
            .await;
        }
    }

    /// Stops the clients, and asserts that no request has failed and that exactly the acknowledged tasks are
    /// stored. Returns the 99th percentile and the maximum of the durations.
    pub async fn finish(self, service: &Service) -> (Duration, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut durations, mut failures, mut acknowledged) = (Vec::new(), Vec::new(), Vec::new());
        for RunningClient { user, history, .. } in self.clients {
            let history = history.await.expect("the client ran");
            durations.extend(history.durations);
            failures.extend(history.failures);
            acknowledged.push((user, history.acknowledged));
        }
        durations.sort_unstable();
        let (requests, failed) = (durations.len(), failures.len());
        let (usual, slowest) = (durations[requests * 99 / 100], durations[requests - 1]);
        println!(
            "{requests} requests, {failed} failed, 99 % within {usual:?}, slowest {slowest:?}"
        );
        assert_eq!(failures, [] as [String; 0]);
        for (user, acknowledged) in acknowledged {
            let tasks = service.client(&user).tasks().await;
            let stored: BTreeSet<_> = tasks
                .iter()
                .map(|task| task["title"].as_str().expect("a title").to_owned())
                .collect();
            assert_eq!(tasks.len(), acknowledged.len(), "{user}: no task twice");
            assert_eq!(stored, acknowledged, "{user}: every acknowledged task");
        }
        (usual, slowest)
    }
}
