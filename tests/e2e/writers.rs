//! Clients that create tasks during faults, and a record of the tasks that must be stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::service::{Client, Service, eventually};

/// The owner of all tasks.
const OWNER: &str = "writer";

/// The pause of a client after a failed request.
const PAUSE: Duration = Duration::from_millis(20);

/// How a client handles a request without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Continues with the next task: this one may have been created.
    Plain,
    /// Retries with the same idempotency key until the task is acknowledged.
    Keyed,
}

/// Running clients, until [`finish`](Self::finish).
pub struct Writers {
    service: watch::Sender<Client>,
    record: Arc<Mutex<Record>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// A record of all attempts, by title, and of their outcomes.
#[derive(Debug, Default, Clone)]
pub struct Record {
    attempted: BTreeSet<String>,
    /// The id of each acknowledged task.
    acknowledged: BTreeMap<String, String>,
    /// Attempts without an effect that were not retried.
    refused: BTreeSet<String>,
    /// The number of requests without an answer, or with the answer that the outcome is unknown.
    pub unknown: usize,
    /// The number of requests that the service rejected, without any effect.
    pub rejected: usize,
    /// The number of requests for which no connection could be opened.
    pub unreachable: usize,
    unexpected: Vec<String>,
}

impl Writers {
    /// Starts `each` clients that do not retry, and as many that do.
    pub fn start(service: &Service, each: usize) -> Self {
        let (sender, receiver) = watch::channel(service.client(OWNER));
        let mut writers = Self {
            service: sender,
            record: Arc::default(),
            stop: Arc::default(),
            tasks: JoinSet::new(),
        };
        for kind in [Kind::Plain, Kind::Keyed] {
            for number in 0..each {
                let writer = Writer {
                    kind,
                    service: receiver.clone(),
                    record: Arc::clone(&writers.record),
                };
                let stop = Arc::clone(&writers.stop);
                writers.tasks.spawn(async move {
                    for round in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        writer.create(&format!("{kind:?}-{number}-{round}")).await;
                    }
                });
            }
        }
        writers
    }

    /// Sends further requests to another service.
    pub fn switch_to(&self, service: &Service) {
        self.service.send_replace(service.client(OWNER));
    }

    /// Waits until this many more tasks are acknowledged.
    pub async fn wait_for_progress(&self, tasks: usize) {
        let goal = lock(&self.record).acknowledged.len() + tasks;
        eventually("the writers make progress", async || {
            let record = lock(&self.record);
            assert_eq!(record.unexpected, [] as [String; 0]);
            (record.acknowledged.len() >= goal).then_some(())
        })
        .await;
    }

    /// Stops the clients after their current requests. Asserts that every acknowledged task is stored once, and
    /// no task that was not attempted.
    pub async fn finish(mut self, service: &Service) -> Record {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("the writer ran");
        }
        let record = lock(&self.record).clone();
        let stored = stored(service).await;
        record.assert_matches(&stored);
        let keyed = |title: &&String| title.starts_with("Keyed");
        let keyed = record.attempted.iter().filter(keyed).count();
        println!(
            "{} attempted ({keyed} with a key), {} acknowledged, {} stored, {} outcomes unknown, {} rejected, {} not connected",
            record.attempted.len(),
            record.acknowledged.len(),
            stored.len(),
            record.unknown,
            record.rejected,
            record.unreachable,
        );
        record
    }
}

/// Returns the ids of the stored tasks by title, and asserts that no title occurs twice.
async fn stored(service: &Service) -> BTreeMap<String, String> {
    let tasks = service.client(OWNER).tasks().await;
    let text = |task: &Value, member: &str| task[member].as_str().expect("a text").to_owned();
    let stored: BTreeMap<_, _> = tasks
        .iter()
        .map(|task| (text(task, "title"), text(task, "id")))
        .collect();
    assert_eq!(stored.len(), tasks.len(), "no task twice");
    stored
}

fn lock(record: &Mutex<Record>) -> std::sync::MutexGuard<'_, Record> {
    record.lock().expect("unpoisoned")
}

impl Record {
    /// Records an attempt without an effect, unless it is retried.
    fn refuse(&mut self, kind: Kind, title: &str) {
        if kind == Kind::Plain {
            self.refused.insert(title.to_owned());
        }
    }

    fn assert_matches(&self, stored: &BTreeMap<String, String>) {
        let lost: Vec<_> = self
            .acknowledged
            .iter()
            .filter(|(title, id)| stored.get(*title) != Some(id))
            .collect();
        assert!(
            lost.is_empty(),
            "{} of {} acknowledged are lost, such as {:?}",
            lost.len(),
            self.acknowledged.len(),
            lost.first(),
        );
        let unexpected: Vec<_> = stored
            .keys()
            .filter(|title| self.refused.contains(*title) || !self.attempted.contains(*title))
            .collect();
        assert!(unexpected.is_empty(), "must not be stored: {unexpected:?}");
    }
}

struct Writer {
    kind: Kind,
    service: watch::Receiver<Client>,
    record: Arc<Mutex<Record>>,
}

/// The outcome of a request.
enum Outcome {
    Created { id: String },
    Rejected,
    Unreachable,
    Unknown,
    Unexpected(String),
}

impl Writer {
    async fn create(&self, title: &str) {
        lock(&self.record).attempted.insert(title.to_owned());
        while !self.try_create(title).await {
            tokio::time::sleep(PAUSE).await;
            if self.kind == Kind::Plain {
                break;
            }
        }
    }

    /// Sends a request for the task, and returns whether its outcome is final.
    async fn try_create(&self, title: &str) -> bool {
        let client = self.service.borrow().clone();
        let mut request = client
            .request(Method::POST, "/api/v1/tasks")
            .json(&json!({"title": title}));
        if self.kind == Kind::Keyed {
            request = request.header("Idempotency-Key", title);
        }
        let outcome = Outcome::of(request).await;
        let mut record = lock(&self.record);
        match outcome {
            Outcome::Created { id } => {
                record.acknowledged.insert(title.to_owned(), id);
                return true;
            }
            Outcome::Rejected => {
                record.rejected += 1;
                record.refuse(self.kind, title);
            }
            Outcome::Unreachable => {
                record.unreachable += 1;
                record.refuse(self.kind, title);
            }
            Outcome::Unknown => record.unknown += 1,
            Outcome::Unexpected(answer) => {
                record.unexpected.push(answer);
                return true;
            }
        }
        false
    }
}

impl Outcome {
    async fn of(request: RequestBuilder) -> Self {
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Self::Unreachable,
            Err(_) => return Self::Unknown,
        };
        let status = response.status();
        let Ok(body) = response.json::<Value>().await else {
            return Self::Unknown;
        };
        match status {
            StatusCode::CREATED => Self::Created {
                id: body["task"]["id"].as_str().expect("an id").to_owned(),
            },
            // A conflict means that an earlier request with this key is still in flight.
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT => Self::Rejected,
            StatusCode::GATEWAY_TIMEOUT => Self::Unknown,
            _ => Self::Unexpected(format!("{status} {body}")),
        }
    }
}
