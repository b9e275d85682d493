//! Changes of tasks.

use super::{Description, Title};

/// A change of a task, as a value: [`Task::apply`](super::Task::apply) makes it in memory, and a
/// store can turn it into one statement. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskChange {
    /// The new title.
    pub title: Option<Title>,
    /// The new description.
    pub description: Option<Description>,
    /// What happens to the flag.
    pub completion: Option<Completion>,
}

/// What a change does to the `completed` flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// It becomes this, also when it is this already.
    Set(bool),
    /// It becomes what it was not.
    Toggle,
}

impl TaskChange {
    /// The console's `update`: title **and** description are replaced (pass the empty description
    /// where none was given), all else stays.
    #[must_use]
    pub fn update(title: Title, description: Description) -> Self {
        Self {
            title: Some(title),
            description: Some(description),
            completion: None,
        }
    }

    /// The console's `complete` (`true`) and `incomplete` (`false`).
    #[must_use]
    pub fn complete(completed: bool) -> Self {
        Self {
            completion: Some(Completion::Set(completed)),
            ..Self::default()
        }
    }

    /// The console's `toggle`.
    #[must_use]
    pub fn toggle() -> Self {
        Self {
            completion: Some(Completion::Toggle),
            ..Self::default()
        }
    }
}
