//! Serialization of tasks and their parts with serde, if the feature `serde` is on.
//!
//! A text, a priority, a position, an id, a time zone and an instant are strings, tags are an array of strings, and a
//! version is a number; a value that breaks a rule cannot be deserialized. A [`Task`](crate::task::Task) has the names
//! of the HTTP API, so a task of the API can be read as well; its version is then the first one. A due date is written
//! with the wall time that was asked for ([`Due::to_stored`]); a due date of the API can be read as well.
//!
//! ```
//! use taskhold_domain::task::Task;
//!
//! let json = r#"{
//!     "id": "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f", "title": "Buy milk", "description": "", "completed": false,
//!     "created_at": "2026-01-02T09:30:02.323456Z", "updated_at": "2026-01-02T09:30:02.323456Z", "user_id": "anna"
//! }"#;
//! let task: Task = serde_json::from_str(json)?;
//! assert_eq!(serde_json::from_str::<Task>(&serde_json::to_string(&task)?)?, task);
//!
//! let refused = serde_json::from_str::<Task>(&json.replace("Buy milk", "")).unwrap_err();
//! assert!(refused.to_string().starts_with("Task title must be a non-empty string"));
//! # Ok::<(), serde_json::Error>(())
//! ```

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::task::{
    Description, Due, Position, Priority, Repeat, RepeatFrom, Tag, Tags, TaskId, Title, Version,
};
use crate::timestamp::Timestamp;
use crate::user::UserId;
use crate::zone::Zone;

macro_rules! as_text {
    ($($type:ty)+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )+};
}

as_text!(Title Description Priority Position Repeat RepeatFrom Tag UserId TaskId Timestamp Zone);

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Vec::<String>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for Due {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_stored())
    }
}

impl<'de> Deserialize<'de> for Due {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_stored(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.get())
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(i64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Reads a member that is given, null included, so that null is told from a missing member.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json, to_value};

    use crate::task::{
        Completion, Due, Position, Priority, Revision, Tags, Task, TaskChange, TaskDraft,
    };

    fn task() -> Value {
        json!({
            "id": "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f", "title": " Молоко ", "description": "2 l",
            "completed": true, "version": 7, "created_at": "0001-01-01T00:00:00.000000Z",
            "updated_at": "2026-01-02T09:30:02.323456Z", "user_id": "anna",
            "completed_at": "2026-01-02T09:30:02.323456Z", "position": "V", "due": "2026-01-03", "priority": "high",
            "tags": ["home"],
            "repeat": "FREQ=DAILY", "repeat_from": "completion",
        })
    }

    #[test]
    fn serialized_values_are_read_back_unchanged() {
        let stored: Task = from_value(task()).unwrap();
        assert_eq!(to_value(&stored).unwrap(), task());
        let revision = to_value(stored.revision()).unwrap();
        assert_eq!(from_value::<Revision>(revision).unwrap(), stored.revision());
        let (title, description) = (stored.title, stored.description);
        for completion in [None, Some(Completion::Set(true)), Some(Completion::Toggle)] {
            let change = TaskChange {
                completion,
                ..TaskChange::update(title.clone(), description.clone())
            };
            let kept = to_value(&change).unwrap();
            assert_eq!(from_value::<TaskChange>(kept).unwrap(), change);
        }
        let draft: TaskDraft = from_value(json!({"title": "x"})).unwrap();
        assert_eq!((draft.description.as_str(), draft.completed), ("", false));
        assert_eq!(
            from_value::<TaskChange>(json!({})).unwrap(),
            TaskChange::default()
        );
    }

    #[test]
    fn priorities_positions_and_tags_are_serialized_as_texts() {
        let priority = to_value(Priority::High).unwrap();
        assert_eq!(priority, json!("high"));
        assert_eq!(from_value::<Priority>(priority).unwrap(), Priority::High);
        assert!(from_value::<Priority>(json!("High")).is_err());

        let position = to_value(Position::default()).unwrap();
        assert_eq!(
            from_value::<Position>(position).unwrap(),
            Position::default()
        );
        assert!(from_value::<Position>(json!("-")).is_err());

        let tags: Tags = from_value(json!(["Home", "garden", "HOME"])).unwrap();
        assert_eq!(to_value(tags).unwrap(), json!(["Home", "garden"]));
        let error = from_value::<Tags>(json!(["Home", ""])).unwrap_err();
        assert_eq!(error.to_string(), "Task tag must not be empty (tags[1])");
    }

    #[test]
    fn due_dates_are_read_as_stored_and_as_shown() {
        let shown = "2026-10-25T02:30:00+01:00[Europe/Berlin]";
        let due: Due = from_value(json!(shown)).unwrap();
        assert_eq!(due.to_string(), shown);
        let stored = json!("2026-10-25T02:30:00[Europe/Berlin][_fold=1]");
        assert_eq!(to_value(&due).unwrap(), stored);
        assert_eq!(from_value::<Due>(stored).unwrap(), due);
        assert!(from_value::<Due>(json!("2026-10-25T02:30:00")).is_err());
    }

    #[test]
    fn values_that_break_a_rule_are_refused() {
        for (member, value) in [
            ("id", json!("1")),
            ("title", json!("")),
            ("title", json!(null)),
            ("description", json!("a".repeat(501))),
            ("completed", json!("yes")),
            ("version", json!(0)),
            ("created_at", json!("yesterday")),
            ("updated_at", json!("10000-01-01T00:00:00Z")),
            ("user_id", json!("")),
        ] {
            let mut broken = task();
            broken[member] = value;
            assert!(from_value::<Task>(broken).is_err(), "{member}");
        }
    }
}
