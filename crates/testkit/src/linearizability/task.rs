//! The model of one task of the service.

use super::Model;

/// The state of a task from its creation to its deletion, which is final.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum TaskState {
    /// Not created yet.
    #[default]
    NotCreated,
    /// Existing, with these values.
    Present(Shown),
    /// Deleted.
    Deleted,
}

/// A task as an answer shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shown {
    /// Its title.
    pub title: String,
    /// Whether it is completed.
    pub completed: bool,
    /// The number in its entity tag: 1 at first, incremented by each change.
    pub version: u64,
}

/// A client's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Creates the task, not completed.
    Create {
        /// Its title.
        title: String,
    },
    /// Reads the task.
    Read,
    /// Lists all tasks, which may include this one.
    List,
    /// Changes the task.
    Change {
        /// The change.
        change: Change,
        /// The version required by `If-Match`.
        if_match: Option<u64>,
    },
    /// Deletes the task.
    Delete {
        /// The version required by `If-Match`.
        if_match: Option<u64>,
    },
}

/// A change of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Sets the title.
    Title(String),
    /// Flips the completion flag.
    Toggle,
}

/// The service's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// 200 or 201: the current task.
    Shown(Shown),
    /// The task is in the list, which shows no versions.
    Listed {
        /// Its title.
        title: String,
        /// Whether it is completed.
        completed: bool,
    },
    /// 204: the task was deleted.
    Deleted,
    /// 404, or the task is not in the list.
    Missing,
    /// 412: the current task, whose version is not the required one.
    Stale(Shown),
}

/// The sequential specification of one task.
#[derive(Debug)]
pub enum TaskModel {}

impl Model for TaskModel {
    type State = TaskState;
    type Action = Action;
    type Outcome = Outcome;

    fn apply(state: &TaskState, action: &Action) -> Option<(TaskState, Outcome)> {
        Some(match (state, action) {
            (TaskState::NotCreated, Action::Create { title }) => {
                let task = Shown {
                    title: title.clone(),
                    completed: false,
                    version: 1,
                };
                (TaskState::Present(task.clone()), Outcome::Shown(task))
            }
            // Every creation creates another task.
            (_, Action::Create { .. }) => return None,
            (TaskState::NotCreated | TaskState::Deleted, _) => (state.clone(), Outcome::Missing),
            (TaskState::Present(task), Action::Read) => {
                (state.clone(), Outcome::Shown(task.clone()))
            }
            (TaskState::Present(task), Action::List) => {
                let listed = Outcome::Listed {
                    title: task.title.clone(),
                    completed: task.completed,
                };
                (state.clone(), listed)
            }
            (
                TaskState::Present(task),
                Action::Change {
                    if_match: Some(version),
                    ..
                }
                | Action::Delete {
                    if_match: Some(version),
                },
            ) if *version != task.version => (state.clone(), Outcome::Stale(task.clone())),
            (TaskState::Present(task), Action::Change { change, .. }) => {
                let task = task.after(change);
                (TaskState::Present(task.clone()), Outcome::Shown(task))
            }
            (TaskState::Present(_), Action::Delete { .. }) => {
                (TaskState::Deleted, Outcome::Deleted)
            }
        })
    }

    /// Versions never decrease, and a deletion is final.
    fn rules_out(state: &TaskState, outcome: &Outcome) -> bool {
        match (state, outcome) {
            (TaskState::Present(task), Outcome::Shown(shown) | Outcome::Stale(shown)) => {
                shown.version < task.version
            }
            (TaskState::Deleted, outcome) => *outcome != Outcome::Missing,
            _ => false,
        }
    }
}

impl Shown {
    fn after(&self, change: &Change) -> Self {
        let mut task = self.clone();
        task.version += 1;
        match change {
            Change::Title(title) => title.clone_into(&mut task.title),
            Change::Toggle => task.completed = !task.completed,
        }
        task
    }
}
