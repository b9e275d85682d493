//! A row as JSON. Of a member that is given twice, the last counts.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use taskhold_application::import::{Row, RowContent};
use taskhold_domain::import::{ConsoleRow, NativeRow, RowError, RowInput};
use taskhold_domain::input::{Member, TaskInput};

use super::source::message;
use crate::Format;

/// How much of an id is shown, in code points.
const SHOWN_ID_CHARS: usize = 64;

/// Reads a row from `json`, which is known to be JSON.
pub(super) fn read(position: u64, format: Format, json: &str) -> Row {
    let (id, content) = match Members::parse(json) {
        Ok(members) => (members.shown_id(), members.content(format)),
        Err(error) => (None, Err(error)),
    };
    Row {
        position,
        id,
        content,
    }
}

/// Returns whether `json` is an object whose id can be that of a task.
pub(super) fn has_task_id(json: &str) -> bool {
    Members::parse(json).is_ok_and(|members| matches!(members.id, Some(Value::String(_))))
}

/// The members of a row that mean something; others are ignored, whatever their values.
#[derive(Default)]
struct Members {
    id: Option<Value>,
    title: Option<Value>,
    content: Option<Value>,
    description: Option<Value>,
    completed: Option<Value>,
    user_id: Option<Value>,
    created_at: Option<Value>,
    updated_at: Option<Value>,
    version: Option<Value>,
}

impl Members {
    fn parse(json: &str) -> Result<Self, RowError> {
        let unreadable = |error: serde_json::Error| RowError::Unreadable(message(&error));
        if !json.starts_with('{') {
            return Err(RowError::NotObject);
        }
        let given: BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(unreadable)?;
        let member = |name: &str| {
            let value = given.get(name).map(|value| match value.get() {
                // Of the wrong type, whatever it contains.
                nested if nested.starts_with(['[', '{']) => Ok(Value::Array(Vec::new())),
                scalar => serde_json::from_str(scalar),
            });
            value.transpose().map_err(unreadable)
        };
        Ok(Self {
            id: member("id")?,
            title: member("title")?,
            content: member("content")?,
            description: member("description")?,
            completed: member("completed")?,
            user_id: member("user_id")?,
            created_at: member("created_at")?,
            updated_at: member("updated_at")?,
            version: member("version")?,
        })
    }

    fn shown_id(&self) -> Option<String> {
        match self.id.as_ref()? {
            Value::String(id) => Some(id.chars().take(SHOWN_ID_CHARS).collect()),
            id => id.as_i64().map(|id| id.to_string()),
        }
    }

    fn content(self, format: Format) -> Result<RowContent, RowError> {
        let rest = RowInput {
            task: TaskInput {
                title: text(self.title),
                description: text(self.description),
                completed: typed(self.completed, |value| value.as_bool()),
            },
            content: match format {
                Format::Console => text(self.content),
                Format::Ndjson => Member::Absent,
            },
            owner: text(self.user_id),
            created_at: text(self.created_at),
            updated_at: text(self.updated_at),
        };
        match format {
            Format::Console => {
                let id = typed(self.id, |id| id.as_i64());
                let (id, task) = ConsoleRow { id, rest }.into_task()?;
                Ok(RowContent::Console(id, task))
            }
            Format::Ndjson => {
                let row = NativeRow {
                    id: text(self.id),
                    version: typed(self.version, |version| version.as_i64()),
                    rest,
                };
                let (id, version, task) = row.into_task()?;
                Ok(RowContent::Native(id, version, task))
            }
        }
    }
}

fn text(value: Option<Value>) -> Member<String> {
    typed(value, |value| match value {
        Value::String(text) => Some(text),
        _ => None,
    })
}

fn typed<T>(value: Option<Value>, read: impl FnOnce(Value) -> Option<T>) -> Member<T> {
    match value {
        None => Member::Absent,
        Some(Value::Null) => Member::Null,
        Some(value) => read(value).map_or(Member::WrongType, Member::Given),
    }
}
