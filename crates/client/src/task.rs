//! A task, as the service tells it.

use serde::{Deserialize, Serialize};
use taskhold_domain::task::{Priority, RepeatFrom, TaskId};
use taskhold_domain::timestamp::Timestamp;

/// A task, as the service tells it. A member that a later version adds is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The id, which never changes.
    pub id: TaskId,
    /// The thing to do.
    pub title: String,
    /// More about it; often empty.
    pub description: String,
    /// Whether it is done.
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
    /// How much it matters.
    #[serde(default)]
    pub priority: Priority,
    /// The tags, in the order in which they were given.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The rule by which it repeats: the value of an RRULE.
    #[serde(default)]
    pub repeat: Option<String>,
    /// What the rule counts from.
    #[serde(default)]
    pub repeat_from: RepeatFrom,
    /// The place in the order by hand.
    #[serde(default)]
    pub position: String,
    /// The time of the completion; `None` for an open task, and where it is not known.
    #[serde(default)]
    pub completed_at: Option<Timestamp>,
}
