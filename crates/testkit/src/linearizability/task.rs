//! One task, as clients of the service know it.

use super::Model;

/// A task on its way from its creation to its deletion, which is for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Life {
    /// Not created yet.
    #[default]
    Unborn,
    /// There, and like this.
    Present(Shown),
    /// Deleted.
    Deleted,
}

/// A task as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shown {
    /// Its title.
    pub title: String,
    /// Whether it is completed.
    pub completed: bool,
    /// The number in its entity tag: 1 at first, and one more with each change.
    pub version: u64,
}

/// What clients ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// That it be there, not completed.
    Create {
        /// Its title.
        title: String,
    },
    /// How it is.
    Read,
    /// For all tasks, where it is one of them or is not.
    List,
    /// That it change.
    Change {
        /// What it is to become.
        change: Change,
        /// The version that it must have, with `If-Match`.
        if_match: Option<u64>,
    },
    /// That it be gone.
    Delete {
        /// The version that it must have, with `If-Match`.
        if_match: Option<u64>,
    },
}

/// A change of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Another title.
    Title(String),
    /// Completed if it was not, and the other way round.
    Toggle,
}

/// What they are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// 200 or 201: the task as it is now.
    Shown(Shown),
    /// It is in the list, which does not tell versions.
    Listed {
        /// Its title.
        title: String,
        /// Whether it is completed.
        completed: bool,
    },
    /// 204: it was there and is no more.
    Deleted,
    /// 404, or it is not in the list.
    Missing,
    /// 412: the task as it is, of another version than was asked for.
    Stale(Shown),
}

/// The rules of one task.
#[derive(Debug)]
pub enum TaskModel {}

impl Model for TaskModel {
    type State = Life;
    type Action = Action;
    type Outcome = Outcome;

    fn apply(life: &Life, action: &Action) -> Option<(Life, Outcome)> {
        Some(match (life, action) {
            (Life::Unborn, Action::Create { title }) => {
                let task = Shown {
                    title: title.clone(),
                    completed: false,
                    version: 1,
                };
                (Life::Present(task.clone()), Outcome::Shown(task))
            }
            // Every creation makes a task of its own.
            (_, Action::Create { .. }) => return None,
            (Life::Unborn | Life::Deleted, _) => (life.clone(), Outcome::Missing),
            (Life::Present(task), Action::Read) => (life.clone(), Outcome::Shown(task.clone())),
            (Life::Present(task), Action::List) => {
                let listed = Outcome::Listed {
                    title: task.title.clone(),
                    completed: task.completed,
                };
                (life.clone(), listed)
            }
            (
                Life::Present(task),
                Action::Change {
                    if_match: Some(version),
                    ..
                }
                | Action::Delete {
                    if_match: Some(version),
                },
            ) if *version != task.version => (life.clone(), Outcome::Stale(task.clone())),
            (Life::Present(task), Action::Change { change, .. }) => {
                let task = task.after(change);
                (Life::Present(task.clone()), Outcome::Shown(task))
            }
            (Life::Present(_), Action::Delete { .. }) => (Life::Deleted, Outcome::Deleted),
        })
    }

    /// Versions never go back, and nothing comes after a deletion.
    fn rules_out(life: &Life, outcome: &Outcome) -> bool {
        match (life, outcome) {
            (Life::Present(task), Outcome::Shown(shown) | Outcome::Stale(shown)) => {
                shown.version < task.version
            }
            (Life::Deleted, outcome) => *outcome != Outcome::Missing,
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
