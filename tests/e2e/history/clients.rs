//! Clients that do what they like to a few tasks, all at once, and write down what they saw.

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

/// How many tasks there are at a time, about.
const PLACES: usize = 20;

/// What one task went through.
pub type TaskHistory = Vec<Operation<Action, Outcome>>;

/// What the clients share.
pub struct Board {
    /// A client of each instance of the service that runs.
    instances: Vec<Mutex<Option<Client>>>,
    places: Vec<Mutex<Place>>,
    moment: AtomicU64,
    answers: AtomicU64,
    over: AtomicBool,
}

/// Room for a task.
#[derive(Clone)]
enum Place {
    Free,
    /// Somebody creates one.
    Claimed,
    Taken(Arc<Task>),
}

impl Board {
    pub fn new(instances: usize) -> Self {
        Self {
            instances: (0..instances).map(|_| Mutex::default()).collect(),
            places: (0..PLACES).map(|_| Mutex::new(Place::Free)).collect(),
            moment: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Sends requests to this instance from now on, or none.
    pub fn set_instance(&self, index: usize, client: Option<Client>) {
        *self.instances[index].lock().expect("unpoisoned") = client;
    }

    /// How many requests have been answered.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Lets the clients end.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// A moment after all that were asked for before.
    fn now(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::SeqCst)
    }

    /// One of those that run.
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

/// What clients saw.
#[derive(Default)]
pub struct Notes {
    histories: BTreeMap<u64, TaskHistory>,
    lists: Vec<List>,
    known: Vec<Arc<Task>>,
    /// Writes that had surely no effect.
    pub refused: usize,
    /// Writes of which it stayed unknown.
    pub unknown: usize,
    /// Writes of which it was unknown until they were repeated.
    pub learned: usize,
}

/// All tasks, as they were at some moment between two.
struct List {
    called: u64,
    answered: u64,
    tasks: HashMap<u64, Outcome>,
}

impl Notes {
    /// Takes what another one saw.
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

    /// What each task went through; a list tells something of all of them.
    pub fn histories(mut self) -> Vec<TaskHistory> {
        for list in &mut self.lists {
            for (number, history) in &mut self.histories {
                // Before its creation there is nothing to tell.
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

/// One that does what it likes.
pub struct Player {
    board: Arc<Board>,
    random: Rng,
    /// The last version that it saw, by the number of the task.
    versions: HashMap<u64, u64>,
    notes: Notes,
}

impl Player {
    pub fn new(board: Arc<Board>) -> Self {
        Self {
            board,
            random: Rng::new(),
            versions: HashMap::new(),
            notes: Notes::default(),
        }
    }

    /// Plays until the end; what it saw.
    pub async fn play(mut self) -> Notes {
        while !self.board.over.load(Ordering::Relaxed) {
            if self.random.u8(..50) == 0 {
                self.list().await;
            } else {
                self.visit().await;
            }
        }
        self.notes
    }

    /// Looks at everything that was ever created.
    pub async fn look_at_all(mut self, notes: &Notes) -> Notes {
        self.list().await;
        for task in &notes.known {
            self.ask(task, Action::Read).await;
        }
        self.notes
    }

    async fn visit(&mut self) {
        let place = self.random.usize(..PLACES);
        let found = {
            let mut place = self.board.places[place].lock().expect("unpoisoned");
            let found = place.clone();
            if matches!(found, Place::Free) {
                *place = Place::Claimed;
            }
            found
        };
        let left = match found {
            Place::Free => self.create().await,
            Place::Claimed => return,
            Place::Taken(task) => {
                let action = self.choose(&task);
                let answer = self.ask(&task, action).await;
                // What is gone is asked for a little longer: it must not come back.
                if answer.is_none_or(|answer| answer.status != 404) || self.random.u8(..4) > 0 {
                    return;
                }
                Place::Free
            }
        };
        *self.board.places[place].lock().expect("unpoisoned") = left;
    }

    async fn create(&mut self) -> Place {
        let task = Task {
            number: self.board.now(),
            path: TASKS.to_owned(),
        };
        let title = self.title();
        let Some(created) = self.ask(&task, Action::Create { title }).await else {
            return Place::Free;
        };
        let id = created.body["task"]["id"].as_str().expect("an id");
        let task = Arc::new(Task {
            path: format!("{TASKS}/{id}"),
            ..task
        });
        self.notes.known.push(Arc::clone(&task));
        Place::Taken(task)
    }

    fn title(&mut self) -> String {
        format!("{:08x}", self.random.u32(..))
    }

    /// Something that can be done to a task.
    fn choose(&mut self, task: &Task) -> Action {
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

    /// Asks, and notes what came of it. Nothing where that is not known.
    async fn ask(&mut self, task: &Task, action: Action) -> Option<Answer> {
        // A deletion that is made again inside the service says that it deleted what was gone before;
        // not so under a key.
        let keyed = match action {
            Action::Read => false,
            Action::Delete { if_match: None } => true,
            _ => self.random.bool(),
        };
        let key = keyed.then(|| format!("key-{}", self.board.now()));
        let called = self.board.now();
        let reply = self.send(task, &action, key.as_deref()).await;
        let (answered, answer) = match reply {
            Reply::Answered(answer) => {
                let outcome = outcome(&answer, task.number);
                if let Outcome::Shown(shown) | Outcome::Stale(shown) = &outcome {
                    self.versions.insert(task.number, shown.version);
                }
                (Some((self.board.now(), outcome)), Some(answer))
            }
            Reply::Refused => {
                self.notes.refused += 1;
                return None;
            }
            Reply::Unknown if matches!(action, Action::Read) => return None,
            Reply::Unknown => {
                self.notes.unknown += 1;
                (None, None)
            }
        };
        let history = self.notes.histories.entry(task.number).or_default();
        history.push(Operation {
            action,
            called,
            answered,
        });
        answer
    }

    async fn list(&mut self) {
        let called = self.board.now();
        let instance = self.board.instance(&mut self.random).await;
        let Reply::Answered(answer) = attempt(instance.request(Method::GET, TASKS), false).await
        else {
            return;
        };
        let answered = self.board.now();
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
        self.board.answers.fetch_add(1, Ordering::Relaxed);
        self.notes.lists.push(List {
            called,
            answered,
            tasks,
        });
    }

    /// Sends a request; under a key again and again, until its outcome is known or it has had enough.
    async fn send(&mut self, task: &Task, action: &Action, key: Option<&str>) -> Reply {
        let mut may_be_done = false;
        loop {
            let instance = self.board.instance(&mut self.random).await;
            let mut request = request(&instance, task, action);
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            match attempt(request, key.is_some()).await {
                Reply::Answered(answer) => {
                    self.board.answers.fetch_add(1, Ordering::Relaxed);
                    self.notes.learned += usize::from(may_be_done);
                    return Reply::Answered(answer);
                }
                Reply::Refused if !may_be_done => return Reply::Refused,
                Reply::Refused => (),
                Reply::Unknown => may_be_done = true,
            }
            if key.is_none() || self.random.u8(..5) == 0 {
                return Reply::Unknown;
            }
        }
    }
}
