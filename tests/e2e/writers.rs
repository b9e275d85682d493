//! Clients that create tasks through whatever happens, and the account of what must be stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::service::{Client, Service, eventually};

/// Whose tasks they are.
const OWNER: &str = "writer";

/// How long a client waits after a request that failed.
const PAUSE: Duration = Duration::from_millis(20);

/// What a client does about a request without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Goes on to the next task: this one may have been created.
    Plain,
    /// Repeats it with the same key until it is acknowledged.
    Keyed,
}

/// Clients at work, until [`finish`](Self::finish).
pub struct Writers {
    service: watch::Sender<Client>,
    account: Arc<Mutex<Account>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// What they attempted, by title, and what they were told.
#[derive(Debug, Default, Clone)]
pub struct Account {
    attempted: BTreeSet<String>,
    /// With the ids of the tasks.
    acknowledged: BTreeMap<String, String>,
    /// Nothing was changed, and they were not repeated.
    refused: BTreeSet<String>,
    /// Requests that were sent and not answered, or whose outcome the service did not know.
    pub unknown: usize,
    /// Requests that were answered, and surely had no effect.
    pub turned_away: usize,
    /// Requests that nobody was there to take.
    pub unheard: usize,
    unexpected: Vec<String>,
}

impl Writers {
    /// So many that do not repeat, and as many that do.
    pub fn start(service: &Service, each: usize) -> Self {
        let (sender, receiver) = watch::channel(service.client(OWNER));
        let mut writers = Self {
            service: sender,
            account: Arc::default(),
            stop: Arc::default(),
            tasks: JoinSet::new(),
        };
        for kind in [Kind::Plain, Kind::Keyed] {
            for number in 0..each {
                let writer = Writer {
                    kind,
                    service: receiver.clone(),
                    account: Arc::clone(&writers.account),
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

    /// From now on they ask this service, which stands in for the one before.
    pub fn turn_to(&self, service: &Service) {
        self.service.send_replace(service.client(OWNER));
    }

    /// Waits until so many more tasks are acknowledged.
    pub async fn go_on(&self, tasks: usize) {
        let goal = locked(&self.account).acknowledged.len() + tasks;
        eventually("the writers go on", async || {
            let account = locked(&self.account);
            assert_eq!(account.unexpected, [] as [String; 0]);
            (account.acknowledged.len() >= goal).then_some(())
        })
        .await;
    }

    /// Has them finish what they are at. What was acknowledged at any time is stored, and nothing but
    /// what was attempted, each once.
    pub async fn finish(mut self, service: &Service) -> Account {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("the writer ran");
        }
        let account = locked(&self.account).clone();
        let stored = stored(service).await;
        account.assert_kept_in(&stored);
        let keyed = |title: &&String| title.starts_with("Keyed");
        let keyed = account.attempted.iter().filter(keyed).count();
        println!(
            "{} attempted ({keyed} with a key), {} acknowledged, {} stored, {} outcomes unknown, {} turned away, {} unheard",
            account.attempted.len(),
            account.acknowledged.len(),
            stored.len(),
            account.unknown,
            account.turned_away,
            account.unheard,
        );
        account
    }
}

/// Tasks by title, each of them once.
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

fn locked(account: &Mutex<Account>) -> std::sync::MutexGuard<'_, Account> {
    account.lock().expect("unpoisoned")
}

impl Account {
    /// It had no effect, and is not repeated if it is plain.
    fn refuse(&mut self, kind: Kind, title: &str) {
        if kind == Kind::Plain {
            self.refused.insert(title.to_owned());
        }
    }

    fn assert_kept_in(&self, stored: &BTreeMap<String, String>) {
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
        let made_up: Vec<_> = stored
            .keys()
            .filter(|title| self.refused.contains(*title) || !self.attempted.contains(*title))
            .collect();
        assert!(made_up.is_empty(), "never to be stored: {made_up:?}");
    }
}

struct Writer {
    kind: Kind,
    service: watch::Receiver<Client>,
    account: Arc<Mutex<Account>>,
}

/// What a request came to.
enum Outcome {
    Created { id: String },
    TurnedAway,
    Unheard,
    Unknown,
    Unexpected(String),
}

impl Writer {
    async fn create(&self, title: &str) {
        locked(&self.account).attempted.insert(title.to_owned());
        while !self.is_settled(title).await {
            tokio::time::sleep(PAUSE).await;
            if self.kind == Kind::Plain {
                break;
            }
        }
    }

    /// Asks for it, and whether there is no need to ask again.
    async fn is_settled(&self, title: &str) -> bool {
        let client = self.service.borrow().clone();
        let mut request = client
            .request(Method::POST, "/api/v1/tasks")
            .json(&json!({"title": title}));
        if self.kind == Kind::Keyed {
            request = request.header("Idempotency-Key", title);
        }
        let outcome = Outcome::of(request).await;
        let mut account = locked(&self.account);
        match outcome {
            Outcome::Created { id } => {
                account.acknowledged.insert(title.to_owned(), id);
                return true;
            }
            Outcome::TurnedAway => {
                account.turned_away += 1;
                account.refuse(self.kind, title);
            }
            Outcome::Unheard => {
                account.unheard += 1;
                account.refuse(self.kind, title);
            }
            Outcome::Unknown => account.unknown += 1,
            Outcome::Unexpected(answer) => {
                account.unexpected.push(answer);
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
            Err(error) if error.is_connect() => return Self::Unheard,
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
            // A request with this key may still run.
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT => Self::TurnedAway,
            StatusCode::GATEWAY_TIMEOUT => Self::Unknown,
            _ => Self::Unexpected(format!("{status} {body}")),
        }
    }
}
