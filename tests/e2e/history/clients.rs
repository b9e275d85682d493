//! Clients that send random concurrent requests for a few tasks and record the answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use reqwest::Method;
use taskhold_testkit::linearizability::Operation;
use taskhold_testkit::linearizability::task::{Action, Change, Outcome};

use super::wire::{Reply, Task, attempt, outcome, request};
use crate::service::{Answer, Client, TASKS, WAIT_TIMEOUT};

/// A user moves a minute after the command has begun. Until shortly before, clients who are sent from one instance to
/// another leave the processors to other tests.
const CALM: Duration = Duration::from_secs(45);
const CALM_PAUSE: Duration = Duration::from_millis(25);

/// The approximate number of tasks at a time.
const SLOTS: usize = 20;

/// The operations on one task.
pub type TaskHistory = Vec<Operation<Action, Outcome>>;

/// The state that the clients share.
pub struct SharedState {
    /// A client of each running instance of the service.
    instances: Vec<Mutex<Option<Client>>>,
    slots: Vec<Mutex<Slot>>,
    moment: AtomicU64,
    answers: AtomicU64,
    over: AtomicBool,
    /// Each request goes to the first instance, and from there to the next while it is told that the user lives
    /// elsewhere: a router that remembers nothing.
    is_routed: bool,
    began: Instant,
    /// When the last write was answered, and the longest time between two such answers with its end.
    writes: Mutex<(Instant, Duration, Instant)>,
}

/// A slot for a task.
#[derive(Clone)]
enum Slot {
    Free,
    /// A client is creating the task.
    Claimed,
    Taken(Arc<Task>),
}

impl SharedState {
    pub fn new(instances: usize, is_routed: bool) -> Self {
        Self {
            is_routed,
            began: Instant::now(),
            writes: Mutex::new((Instant::now(), Duration::ZERO, Instant::now())),
            instances: (0..instances).map(|_| Mutex::default()).collect(),
            slots: (0..SLOTS).map(|_| Mutex::new(Slot::Free)).collect(),
            moment: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Directs requests to this client of the instance, or to none.
    pub fn set_instance(&self, index: usize, client: Option<Client>) {
        *self.instances[index].lock().expect("unpoisoned") = client;
    }

    /// Returns the number of answered requests.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Returns the longest time in which no write was answered, and its end.
    pub fn longest_pause(&self) -> (Duration, Instant) {
        let (_, pause, end) = *self.writes.lock().expect("unpoisoned");
        (pause, end)
    }

    fn wrote(&self) {
        let mut writes = self.writes.lock().expect("unpoisoned");
        let now = Instant::now();
        let (last, longest, end) = *writes;
        let pause = now - last;
        *writes = if pause > longest {
            (now, pause, now)
        } else {
            (now, longest, end)
        };
    }

    /// Sends a request to an instance, or to one after the other until one has the user.
    async fn ask(
        &self,
        random: &mut Rng,
        request: impl Fn(&Client) -> reqwest::RequestBuilder,
        keyed: bool,
    ) -> Reply {
        if !self.is_routed {
            return attempt(request(&self.instance(random).await), keyed).await;
        }
        if self.began.elapsed() < CALM {
            tokio::time::sleep(CALM_PAUSE).await;
        }
        for instance in &self.instances {
            let instance = instance.lock().expect("unpoisoned").clone();
            let instance = instance.expect("it runs");
            match attempt(request(&instance), keyed).await {
                Reply::Elsewhere => {}
                reply => return reply,
            }
        }
        // The user is between them. Whoever asks without a pause takes the processor from the move.
        tokio::time::sleep(Duration::from_millis(10)).await;
        Reply::Refused
    }

    /// Stops the clients.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Returns a moment later than all earlier ones.
    fn now(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::SeqCst)
    }

    /// Returns a client of a running instance.
    async fn instance(&self, random: &mut Rng) -> Client {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        loop {
            let index = random.usize(..self.instances.len());
            let instance = self.instances[index].lock().expect("unpoisoned").clone();
            if let Some(client) = instance {
                return client;
            }
            assert!(Instant::now() < deadline, "no instance runs");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The recorded observations of clients.
#[derive(Default)]
pub struct Observations {
    histories: BTreeMap<u64, TaskHistory>,
    lists: Vec<List>,
    known: Vec<Arc<Task>>,
    /// The number of requests that certainly had no effect.
    pub refused: usize,
    /// The number of writes with an unknown outcome.
    pub unknown: usize,
    /// The number of writes whose outcome became known by a repetition.
    pub learned: usize,
}

/// A list of all tasks at some moment between its call and its answer.
struct List {
    called: u64,
    answered: u64,
    tasks: HashMap<u64, Outcome>,
}

impl Observations {
    /// Adds the observations of another client.
    pub fn add(&mut self, other: Self) {
        for (number, history) in other.histories {
            self.histories.entry(number).or_default().extend(history);
        }
        self.lists.extend(other.lists);
        self.known.extend(other.known);
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.learned += other.learned;
    }

    /// Returns the history of each task. A list is an operation on every task.
    pub fn histories(mut self) -> Vec<TaskHistory> {
        for list in &mut self.lists {
            for (number, history) in &mut self.histories {
                // A list before the creation says nothing about the task.
                if history
                    .iter()
                    .all(|operation| operation.called > list.answered)
                {
                    continue;
                }
                let outcome = list.tasks.remove(number).unwrap_or(Outcome::Missing);
                history.push(Operation {
                    action: Action::List,
                    called: list.called,
                    answered: Some((list.answered, outcome)),
                });
            }
            assert!(list.tasks.is_empty(), "nobody created {:?}", list.tasks);
        }
        self.histories.into_values().collect()
    }
}

/// A client that sends random requests.
pub struct RandomClient {
    shared: Arc<SharedState>,
    random: Rng,
    /// The last seen version of each task, by the task's number.
    versions: HashMap<u64, u64>,
    /// The entity tags of seen versions, by the task's number and the version.
    tags: HashMap<(u64, u64), String>,
    observations: Observations,
}

impl RandomClient {
    pub fn new(shared: Arc<SharedState>) -> Self {
        Self {
            shared,
            random: Rng::new(),
            versions: HashMap::new(),
            tags: HashMap::new(),
            observations: Observations::default(),
        }
    }

    /// Sends requests until the run is over. Returns the observations.
    pub async fn run(mut self) -> Observations {
        while !self.shared.over.load(Ordering::Relaxed) {
            if self.random.u8(..50) == 0 {
                self.list().await;
            } else {
                self.act_on_random_slot().await;
            }
        }
        self.observations
    }

    /// Reads every task that was ever created.
    pub async fn read_every_task(mut self, observations: &Observations) -> Observations {
        self.list().await;
        for task in &observations.known {
            self.request_and_record(task, Action::Read).await;
        }
        self.observations
    }

    async fn act_on_random_slot(&mut self) {
        let slot = self.random.usize(..SLOTS);
        let found = {
            let mut slot = self.shared.slots[slot].lock().expect("unpoisoned");
            let found = slot.clone();
            if matches!(found, Slot::Free) {
                *slot = Slot::Claimed;
            }
            found
        };
        let left = match found {
            Slot::Free => self.create().await,
            Slot::Claimed => return,
            Slot::Taken(task) => {
                let action = self.random_action(&task);
                let answer = self.request_and_record(&task, action).await;
                // A deleted task stays in its slot for a while, because it must not reappear.
                if answer.is_none_or(|answer| answer.status != 404) || self.random.u8(..4) > 0 {
                    return;
                }
                Slot::Free
            }
        };
        *self.shared.slots[slot].lock().expect("unpoisoned") = left;
    }

    async fn create(&mut self) -> Slot {
        let task = Task {
            number: self.shared.now(),
            path: TASKS.to_owned(),
        };
        let title = self.title();
        let Some(created) = self
            .request_and_record(&task, Action::Create { title })
            .await
        else {
            return Slot::Free;
        };
        let id = created.body["task"]["id"].as_str().expect("an id");
        let task = Arc::new(Task {
            path: format!("{TASKS}/{id}"),
            ..task
        });
        self.observations.known.push(Arc::clone(&task));
        Slot::Taken(task)
    }

    fn title(&mut self) -> String {
        format!("{:08x}", self.random.u32(..))
    }

    /// Returns a random action for a task.
    fn random_action(&mut self, task: &Task) -> Action {
        let seen = self.versions.get(&task.number).copied();
        let if_match = seen.filter(|_| self.random.bool());
        match self.random.u8(..20) {
            0..7 => Action::Read,
            7..13 => Action::Change {
                change: Change::Toggle,
                if_match,
            },
            13..19 => Action::Change {
                change: Change::Title(self.title()),
                if_match,
            },
            _ => Action::Delete { if_match },
        }
    }

    /// Sends the request and records its outcome. Returns `None` if the outcome is unknown.
    async fn request_and_record(&mut self, task: &Task, action: Action) -> Option<Answer> {
        // The service may retry a deletion internally, in which case an unkeyed one reports that it
        // deleted a task that was already gone.
        let keyed = match action {
            Action::Read => false,
            Action::Delete { if_match: None } => true,
            _ => self.random.bool(),
        };
        let key = keyed.then(|| format!("key-{}", self.shared.now()));
        let called = self.shared.now();
        let reply = self.send(task, &action, key.as_deref()).await;
        let (answered, answer) = match reply {
            Reply::Answered(answer) => {
                let outcome = outcome(&answer, task.number);
                if let Outcome::Shown(shown) | Outcome::Stale(shown) = &outcome {
                    self.versions.insert(task.number, shown.version);
                    let tag = answer.header("etag").to_owned();
                    self.tags.insert((task.number, shown.version), tag);
                }
                (Some((self.shared.now(), outcome)), Some(answer))
            }
            Reply::Refused | Reply::Elsewhere => {
                self.observations.refused += 1;
                return None;
            }
            Reply::Unknown if matches!(action, Action::Read) => return None,
            Reply::Unknown => {
                self.observations.unknown += 1;
                (None, None)
            }
        };
        let history = self.observations.histories.entry(task.number).or_default();
        history.push(Operation {
            action,
            called,
            answered,
        });
        answer
    }

    async fn list(&mut self) {
        let called = self.shared.now();
        let list = |instance: &Client| instance.request(Method::GET, TASKS);
        let reply = self.shared.ask(&mut self.random, list, false).await;
        let Reply::Answered(answer) = reply else {
            return;
        };
        let answered = self.shared.now();
        let mut tasks = HashMap::new();
        for task in answer.body["tasks"].as_array().expect("a list") {
            let number = task["description"].as_str().expect("text");
            let listed = Outcome::Listed {
                title: task["title"].as_str().expect("text").to_owned(),
                completed: task["completed"].as_bool().expect("a boolean"),
            };
            let twice = tasks.insert(number.parse().expect("its number"), listed);
            assert!(twice.is_none(), "created twice: {task}");
        }
        self.shared.answers.fetch_add(1, Ordering::Relaxed);
        self.observations.lists.push(List {
            called,
            answered,
            tasks,
        });
    }

    /// Sends a request. A keyed request is repeated until its outcome is known or, at random, given
    /// up.
    async fn send(&mut self, task: &Task, action: &Action, key: Option<&str>) -> Reply {
        let mut may_be_done = false;
        loop {
            let tags = &self.tags;
            let request = |instance: &Client| {
                let request = request(instance, task, action, |version| {
                    &tags[&(task.number, version)]
                });
                match key {
                    Some(key) => request.header("idempotency-key", key),
                    None => request,
                }
            };
            let asked = self.shared.ask(&mut self.random, request, key.is_some());
            match asked.await {
                Reply::Answered(answer) => {
                    self.shared.answers.fetch_add(1, Ordering::Relaxed);
                    if !matches!(action, Action::Read) && answer.status < 300 {
                        self.shared.wrote();
                    }
                    self.observations.learned += usize::from(may_be_done);
                    return Reply::Answered(answer);
                }
                Reply::Refused | Reply::Elsewhere if !may_be_done => return Reply::Refused,
                Reply::Refused | Reply::Elsewhere => (),
                Reply::Unknown => may_be_done = true,
            }
            if key.is_none() || self.random.u8(..5) == 0 {
                return Reply::Unknown;
            }
        }
    }
}
