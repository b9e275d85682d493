//! Changes of tasks, as the original command-line app (the *console*) makes them.

use super::{Description, Title};

/// A change of a task as a value: [`Task::apply`](super::Task::apply) applies it in memory, and a store can
/// turn it into one statement. Parts that are `None` stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskChange {
    /// The new title.
    pub title: Option<Title>,
    /// The new description.
    pub description: Option<Description>,
    /// The change of the `completed` flag.
    pub completion: Option<Completion>,
}

/// A change of the `completed` flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Sets the flag.
    Set(bool),
    /// Inverts the flag.
    Toggle,
}

impl TaskChange {
    /// Replaces title **and** description (the console's `update`).
    #[must_use]
    pub fn update(title: Title, description: Description) -> Self {
        Self {
            title: Some(title),
            description: Some(description),
            completion: None,
        }
    }

    /// Sets the flag (the console's `complete` and `incomplete`).
    #[must_use]
    pub fn complete(completed: bool) -> Self {
        Self {
            completion: Some(Completion::Set(completed)),
            ..Self::default()
        }
    }

    /// Inverts the flag (the console's `toggle`).
    #[must_use]
    pub fn toggle() -> Self {
        Self {
            completion: Some(Completion::Toggle),
            ..Self::default()
        }
    }
}
