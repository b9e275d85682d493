//! The recorded behaviour of the original command-line app (the *console*), and its replay against
//! implementations that must behave alike.
//!
//! Each line of `tests/fixtures/console-cases.jsonl` is a case: the operations performed at the
//! console and the console's answers. The console's ids are small numbers; a replay maps each of
//! them to the id that the implementation assigned.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

/// A recorded case.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    /// The subject of the case.
    pub name: String,
    /// The user of every step that names no other user.
    pub user_id: String,
    /// The operations, in order.
    pub steps: Vec<Step>,
}

/// One operation performed at the console.
#[derive(Debug, Clone, Deserialize)]
pub struct Step {
    op: String,
    args: Args,
    expect: Expect,
}

#[derive(Debug, Clone, Deserialize)]
struct Args {
    id: Option<i64>,
    title: Option<String>,
    description: Option<String>,
    user_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Expect {
    error: Option<String>,
    not_found: bool,
    task: Option<Recorded>,
    tasks: Option<Vec<Recorded>>,
    updated_at_advanced: Option<bool>,
    created_at_unchanged: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Recorded {
    id: i64,
    title: String,
    description: String,
    completed: bool,
}

/// An operation on the tasks of one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Creates a task.
    Add {
        /// Its title.
        title: String,
        /// Its description, if one was given.
        description: Option<String>,
    },
    /// Replaces the title and description.
    Update {
        /// The task's id.
        id: String,
        /// The new title.
        title: String,
        /// The new description, if one was given.
        description: Option<String>,
    },
    /// Sets the completion flag.
    Complete {
        /// The task's id.
        id: String,
        /// Whether the task is completed.
        completed: bool,
    },
    /// Flips the completion flag.
    Toggle {
        /// The task's id.
        id: String,
    },
    /// Removes a task.
    Delete {
        /// The task's id.
        id: String,
    },
    /// Reads a task.
    Get {
        /// The task's id.
        id: String,
    },
    /// Reads all tasks.
    List,
}

/// The outcome of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// One task in its current state.
    Task(Seen),
    /// All tasks, newest first.
    Tasks(Vec<Seen>),
    /// The task was deleted.
    Deleted,
    /// The message of a broken rule.
    Refused(String),
    /// The owner has no such task.
    NotFound,
}

/// A task as an answer shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Whether it is completed.
    pub completed: bool,
    /// Its creation time, as text that sorts chronologically.
    pub created_at: String,
    /// The time of its last change, as text that sorts chronologically.
    pub updated_at: String,
}

/// An implementation that must behave as the console does.
pub trait Console {
    /// Runs the operation for `owner`.
    fn run(&self, owner: &str, operation: Operation) -> impl Future<Output = Outcome>;
}

/// Returns every recorded case.
#[must_use]
pub fn recorded_cases() -> Vec<Case> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/console-cases.jsonl");
    let text = std::fs::read_to_string(path).expect("the fixture is there");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a case a line"))
        .collect()
}

/// Replays a case and compares every answer with the console's. Returns the number of steps.
pub async fn replay(case: &Case, console: &impl Console) -> usize {
    let mut replay = Replay::default();
    for (number, step) in case.steps.iter().enumerate() {
        let place = format!("{}, step {number}: {} {:?}", case.name, step.op, step.args);
        let owner = step.args.user_id.as_ref().unwrap_or(&case.user_id);
        let outcome = console.run(owner, replay.operation(owner, step)).await;
        replay.compare(owner, step, outcome, &place);
    }
    case.steps.len()
}

#[derive(Default)]
struct Replay {
    ids: HashMap<(String, i64), String>,
    last_seen: HashMap<String, Seen>,
}

impl Replay {
    fn operation(&self, owner: &str, step: &Step) -> Operation {
        /// A well-formed id that no task has.
        const UNKNOWN_ID: &str = "00000000-0000-7000-8000-000000000000";
        let Args {
            id,
            title,
            description,
            ..
        } = step.args.clone();
        let id = || {
            let number = id.expect("a step that is about one task names it");
            let known = self.ids.get(&(owner.to_owned(), number));
            known.map_or(UNKNOWN_ID, String::as_str).to_owned()
        };
        let given_title = || title.clone().expect("the step gives a title");
        match step.op.as_str() {
            "add" => Operation::Add {
                title: given_title(),
                description,
            },
            "update" => Operation::Update {
                id: id(),
                title: given_title(),
                description,
            },
            "complete" => Operation::Complete {
                id: id(),
                completed: true,
            },
            "incomplete" => Operation::Complete {
                id: id(),
                completed: false,
            },
            "toggle" => Operation::Toggle { id: id() },
            "delete" => Operation::Delete { id: id() },
            "get" => Operation::Get { id: id() },
            "list" => Operation::List,
            unknown => unreachable!("no such operation: {unknown}"),
        }
    }

    fn compare(&mut self, owner: &str, step: &Step, outcome: Outcome, place: &str) {
        let expect = &step.expect;
        match outcome {
            Outcome::Refused(message) => {
                // The console looks up the task first; a service validates the body first.
                let not_looked_up = expect.not_found && step.op == "update";
                assert!(
                    not_looked_up || expect.error.as_ref() == Some(&message),
                    "{place}: {message}"
                );
            }
            Outcome::NotFound => assert!(expect.not_found, "{place}: not found"),
            Outcome::Deleted => {
                assert!(
                    step.op == "delete" && expect.error.is_none() && !expect.not_found,
                    "{place}"
                );
            }
            Outcome::Task(seen) => {
                let recorded = expect.task.as_ref();
                let recorded =
                    recorded.unwrap_or_else(|| panic!("{place}: should fail, not give {seen:?}"));
                if step.op == "add" {
                    assert_eq!(seen.created_at, seen.updated_at, "{place}");
                    self.ids
                        .insert((owner.to_owned(), recorded.id), seen.id.clone());
                }
                self.compare_task(owner, recorded, &seen, place);
                if let Some(before) = self.last_seen.insert(seen.id.clone(), seen.clone()) {
                    let advanced = seen.updated_at > before.updated_at;
                    assert_eq!(
                        advanced,
                        expect.updated_at_advanced.unwrap_or(false),
                        "{place}: updated_at"
                    );
                    assert_ne!(expect.created_at_unchanged, Some(false));
                    assert_eq!(seen.created_at, before.created_at, "{place}: created_at");
                }
            }
            Outcome::Tasks(seen) => {
                let recorded = expect.tasks.as_ref();
                let recorded = recorded.unwrap_or_else(|| panic!("{place}: should not be a list"));
                assert_eq!(seen.len(), recorded.len(), "{place}: {seen:?}");
                // The console lists tasks in the order of their creation.
                for (recorded, seen) in recorded.iter().zip(seen.iter().rev()) {
                    self.compare_task(owner, recorded, seen, place);
                    assert_eq!(
                        self.last_seen.get(&seen.id),
                        Some(seen),
                        "{place}: changed unasked"
                    );
                }
            }
        }
    }

    fn compare_task(&self, owner: &str, recorded: &Recorded, seen: &Seen, place: &str) {
        let answered = Recorded {
            id: recorded.id,
            title: seen.title.clone(),
            description: seen.description.clone(),
            completed: seen.completed,
        };
        assert_eq!(&answered, recorded, "{place}");
        let id = self.ids.get(&(owner.to_owned(), recorded.id));
        assert_eq!(
            id,
            Some(&seen.id),
            "{place}: another task than the console's"
        );
    }
}
