//! Tasks, as the service tells them, and what it is told about them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use taskhold_domain::task::{Priority, RepeatFrom, TaskId};
use taskhold_domain::timestamp::Timestamp;

/// A task, as the service tells it. A member that a later version adds is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The id, which never changes.
    pub id: TaskId,
    /// The title.
    pub title: String,
    /// The description; often empty.
    pub description: String,
    /// `true` if it is done.
    pub completed: bool,
    /// The time of the creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The owner: the `sub` of the token.
    pub user_id: String,
    /// The tag of this state, for [`Client::patch`](crate::Client::patch) and others.
    pub etag: String,
    /// The day, or the time with its offset and zone; as [`Due`](taskhold_domain::task::Due) writes it.
    #[serde(default)]
    pub due: Option<String>,
    /// The priority.
    #[serde(default)]
    pub priority: Priority,
    /// The tags, in the order in which they were given.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The rule by which it repeats: the value of an RRULE.
    #[serde(default)]
    pub repeat: Option<String>,
    /// The date from which the rule counts.
    #[serde(default)]
    pub repeat_from: RepeatFrom,
    /// The place in the order by hand.
    #[serde(default)]
    pub position: String,
    /// The time of the completion; `None` for an open task, and where it is not known.
    #[serde(default)]
    pub completed_at: Option<Timestamp>,
}

/// A task in the trash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeletedTask {
    /// The task as it was.
    #[serde(flatten)]
    pub task: Task,
    /// The time of the deletion.
    pub deleted_at: Timestamp,
}

/// The result of a write.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<T> {
    /// The result.
    pub value: T,
    /// The number of the change, which [`Client::undo`](crate::Client::undo) takes; `None` if the service did not tell it.
    pub seq: Option<i64>,
}

impl<T> Written<T> {
    /// Converts the result.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Written<U> {
        Written {
            value: convert(self.value),
            seq: self.seq,
        }
    }
}

/// A task to be made.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NewTask {
    /// The title.
    pub title: String,
    /// The description.
    pub description: String,
    /// The day, or the time with its offset or zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// The priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The rule by which it repeats; needs a due date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<String>,
}

impl NewTask {
    /// Returns a task with a title and nothing else.
    pub fn titled(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }
}

/// A change of some members of a task. `None` leaves a member as it is; `Some(None)` takes it away.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TaskPatch {
    /// A new title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A new description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    /// `true` if it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<bool>,
    /// A new due date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Option<String>>,
    /// A new priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// New tags in place of all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// A new rule by which it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Option<String>>,
}

/// A task after a change, and its follow-up if the change completed it and it repeats.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ChangedTask {
    /// The task as it is now.
    pub task: Task,
    /// The next task of the rule, which the completion made.
    #[serde(default)]
    pub next: Option<Task>,
}

impl From<Task> for ChangedTask {
    fn from(task: Task) -> Self {
        Self { task, next: None }
    }
}

/// A task out of a line of text, and what was understood of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Understood {
    /// The task.
    pub task: Task,
    /// The parts of the text that set a member.
    pub understood: Vec<UnderstoodPart>,
}

/// A part of a text that sets a member of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderstoodPart {
    /// The member: `due`, `repeat`, `tags` or `priority`.
    pub field: String,
    /// The part as it was given.
    pub text: String,
}

/// Which tasks, in which order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Only done or only open ones.
    pub completed: Option<bool>,
    /// Only those with this text in the title or the description.
    pub search: Option<String>,
    /// Only those with all of these tags.
    pub tags: Vec<String>,
    /// Only those that are `overdue`, due `today`, or have `any` or `none` due date.
    pub due: Option<String>,
    /// The order, such as `due` or `-created_at`, which is the default.
    pub sort: Option<String>,
    /// The name of the time zone in which days are meant; UTC unless given.
    pub timezone: Option<String>,
}

impl Filter {
    /// Returns the filter of open tasks.
    #[must_use]
    pub fn open() -> Self {
        Self {
            completed: Some(false),
            ..Self::default()
        }
    }

    /// Returns the parameters of the query.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        let optional = [
            (
                "completed",
                self.completed.map(|completed| completed.to_string()),
            ),
            ("q", self.search.clone()),
            ("due", self.due.clone()),
            ("sort", self.sort.clone()),
            ("timezone", self.timezone.clone()),
        ];
        for (name, value) in optional {
            pairs.extend(value.map(|value| (name, value)));
        }
        pairs.extend(self.tags.iter().map(|tag| ("tag", tag.clone())));
        pairs
    }
}

/// A change in the history of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The number, which [`Client::undo`](crate::Client::undo) takes.
    pub seq: i64,
    /// The time.
    pub at: Timestamp,
    /// `created`, `updated`, `completed`, `reopened`, `moved`, `deleted` or `restored`.
    pub kind: String,
    /// The name of the token that made it, or `session`.
    pub by: String,
    /// The members that changed.
    pub fields: BTreeMap<String, FieldChange>,
}

/// The old and the new value of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The value before.
    pub from: Value,
    /// The value after.
    pub to: Value,
}
