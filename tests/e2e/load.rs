//! Clients that work, each for a user of its own and on one connection: nothing is asked twice, and
//! whatever goes wrong is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::service::{Service, eventually, path};
use crate::socket::{Socket, request};

/// How long a client thinks between two tasks.
const PAUSE: Duration = Duration::from_millis(5);

/// What a client did on its one connection.
#[derive(Default)]
struct History {
    acknowledged: BTreeSet<String>,
    durations: Vec<Duration>,
    failures: Vec<String>,
}

impl History {
    /// Creates tasks and reads them, until told to stop. Asks nothing twice and connects once.
    async fn of(
        user: String,
        url: String,
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
            let creation = request("POST", "/api/v1/tasks", &user, Some(&task));
            let Some(created) = history.ask(&mut socket, &creation, 201).await else {
                break;
            };
            history.acknowledged.insert(title);
            let read = request("GET", &path(&created["task"]), &user, None);
            history.ask(&mut socket, &read, 200).await;
            succeeded.fetch_add(2, Ordering::Relaxed);
            // A client's pause, not a wait for anything.
            tokio::time::sleep(PAUSE).await;
        }
        history
    }

    async fn ask(&mut self, socket: &mut Socket, request: &str, expected: u16) -> Option<Value> {
        let started = Instant::now();
        let answer = socket.ask(request).await;
        self.durations.push(started.elapsed());
        match answer {
            Ok(answer) if answer.status == expected => return Some(answer.body),
            Ok(answer) => self.failures.push(format!("{answer:?}")),
            Err(error) => self.failures.push(format!("{error:?}")),
        }
        None
    }
}

/// Clients, each with a user of its own.
pub struct Load {
    stop: Arc<AtomicBool>,
    succeeded: Arc<AtomicUsize>,
    clients: Vec<(String, JoinHandle<History>)>,
}

impl Load {
    pub fn start(url: &str, clients: usize) -> Self {
        let (stop, succeeded) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let clients = (0..clients)
            .map(|number| {
                let user = format!("client {number}");
                let history = History::of(
                    user.clone(),
                    url.to_owned(),
                    stop.clone(),
                    succeeded.clone(),
                );
                (user, tokio::spawn(history))
            })
            .collect();
        Self {
            stop,
            succeeded,
            clients,
        }
    }

    /// Waits until so many more requests have succeeded.
    pub async fn goes_on(&self, requests: usize) {
        let goal = self.succeeded.load(Ordering::Relaxed) + requests;
        eventually("the load goes on", async || {
            let ended = self.clients.iter().any(|(_, client)| client.is_finished());
            (ended || self.succeeded.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    /// Ends it: no request has failed, and what is stored is what was acknowledged. Gives what 99 of
    /// 100 requests took at most, and the slowest.
    pub async fn ends_well(self, service: &Service) -> (Duration, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut durations, mut failures, mut acknowledged) = (Vec::new(), Vec::new(), Vec::new());
        for (user, client) in self.clients {
            let history = client.await.expect("the client ran");
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
            assert_eq!(stored, acknowledged, "{user}: all that was acknowledged");
        }
        (usual, slowest)
    }
}
