//! Serialization of tasks and their parts with serde, if the feature `serde` is on.
//!
//! A text, an id and an instant are strings, and a version is a number; what breaks a rule cannot be deserialized.
//! A [`Task`](crate::task::Task) has the names of the HTTP API, so a task of the API can be read as well; its
//! version is then the first one.
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

use crate::task::{Description, TaskId, Title, Version};
use crate::timestamp::Timestamp;
use crate::user::UserId;

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

as_text!(Title Description UserId TaskId Timestamp);

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

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json, to_value};

    use crate::task::{Completion, Revision, Task, TaskChange, TaskDraft};

    fn task() -> Value {
        json!({
            "id": "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f", "title": " Молоко ", "description": "2 l",
            "completed": true, "version": 7, "created_at": "0001-01-01T00:00:00.000000Z",
            "updated_at": "2026-01-02T09:30:02.323456Z", "user_id": "anna",
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
