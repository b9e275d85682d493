//! A task as JSON: a row of a file, as it is read and as it is written.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::DateTime;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use taskhold_application::import::{Row, RowContent};
use taskhold_domain::import::{ConsoleRow, NativeRow, RowError, RowInput};
use taskhold_domain::input::{DetailsInput, Member, TaskInput};
use taskhold_domain::task::{Due, Repeat, Tag, Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::zone::Zone;

use crate::Format;
use crate::unknown::UnknownMembers;

/// How much of an id is shown, in code points.
const SHOWN_ID_CHARS: usize = 64;

/// Reads a row from `json`, which is known to be JSON. Of a member that is given twice, the last counts.
pub(crate) fn read(position: u64, format: Format, json: &str, unknown: &mut UnknownMembers) -> Row {
    let (id, content) = match Members::parse(json, format) {
        Ok((members, others)) => {
            for name in &others {
                unknown.add(name);
            }
            (members.shown_id(), members.content(format))
        }
        Err(error) => (None, Err(error)),
    };
    Row {
        position,
        id,
        content,
    }
}

/// Returns whether `json` is an object whose id can be that of a task.
pub(crate) fn has_task_id(json: &str) -> bool {
    Members::parse(json, Format::Ndjson)
        .is_ok_and(|(members, _)| matches!(members.id, Some(Value::String(_))))
}

/// The members of a row that mean something.
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
    completed_at: Option<Value>,
    position: Option<Value>,
    due: Option<Value>,
    priority: Option<Value>,
    tags: Option<Value>,
    repeat: Option<Value>,
    repeat_from: Option<Value>,
}

impl Members {
    /// Reads the members. Also returns the names of all others, which are left out, whatever their values.
    fn parse(json: &str, format: Format) -> Result<(Self, Vec<String>), RowError> {
        let unreadable = |error: serde_json::Error| RowError::Unreadable(message(&error));
        if !json.starts_with('{') {
            return Err(RowError::NotObject);
        }
        let mut given: BTreeMap<String, &RawValue> =
            serde_json::from_str(json).map_err(unreadable)?;
        // The title of the console's old format, which a title replaces.
        let has_content = format == Format::Console && !given.contains_key("title");
        let mut member = |name: &str| {
            let value = given.remove(name).map(|value| match value.get() {
                // Of the wrong type, whatever it contains.
                nested if nested.starts_with(['[', '{']) => Ok(Value::Array(Vec::new())),
                scalar => serde_json::from_str(scalar),
            });
            value.transpose().map_err(unreadable)
        };
        let mut members = Self {
            id: member("id")?,
            title: member("title")?,
            description: member("description")?,
            completed: member("completed")?,
            user_id: member("user_id")?,
            created_at: member("created_at")?,
            updated_at: member("updated_at")?,
            ..Self::default()
        };
        if has_content {
            members.content = member("content")?;
        }
        if format == Format::Ndjson {
            members.version = member("version")?;
            members.completed_at = member("completed_at")?;
            members.position = member("position")?;
            members.due = member("due")?;
            members.priority = member("priority")?;
            members.repeat = member("repeat")?;
            members.repeat_from = member("repeat_from")?;
            let tags = given
                .remove("tags")
                .map(|tags| serde_json::from_str(tags.get()));
            members.tags = tags.transpose().map_err(unreadable)?;
        }
        Ok((members, given.into_keys().collect()))
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
                details: DetailsInput {
                    due: text(self.due),
                    priority: text(self.priority),
                    tags: typed(self.tags, |tags| serde_json::from_value(tags).ok()),
                    repeat: text(self.repeat),
                    repeat_from: text(self.repeat_from),
                },
            },
            content: text(self.content),
            owner: text(self.user_id),
            created_at: text(self.created_at),
            updated_at: text(self.updated_at),
            completed_at: text(self.completed_at),
            position: text(self.position),
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

/// Returns the text of `error` without its location.
pub(crate) fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next();
    message.unwrap_or_default().to_owned()
}

/// A task as the console writes it.
#[derive(Serialize)]
pub(crate) struct ConsoleTask<'a> {
    id: u64,
    title: &'a str,
    description: &'a str,
    completed: bool,
    user_id: &'a str,
    #[serde(serialize_with = "as_text")]
    created_at: IsoFormat,
    #[serde(serialize_with = "as_text")]
    updated_at: IsoFormat,
}

impl<'a> ConsoleTask<'a> {
    /// Takes the console's id and the zone of its times.
    pub(crate) fn new(id: u64, task: &'a Task, zone: &Zone) -> Self {
        Self {
            id,
            title: task.title.as_str(),
            description: task.description.as_str(),
            completed: task.completed,
            user_id: task.owner.as_str(),
            created_at: IsoFormat(zone.local(task.created_at)),
            updated_at: IsoFormat(zone.local(task.updated_at)),
        }
    }
}

/// A task as a line of NDJSON.
#[derive(Serialize)]
pub(crate) struct NativeTask<'a> {
    #[serde(serialize_with = "as_text")]
    id: TaskId,
    title: &'a str,
    description: &'a str,
    completed: bool,
    #[serde(serialize_with = "as_text")]
    created_at: Timestamp,
    #[serde(serialize_with = "as_text")]
    updated_at: Timestamp,
    user_id: &'a str,
    version: i64,
    completed_at: Option<String>,
    due: Option<String>,
    priority: &'a str,
    tags: Vec<&'a str>,
    repeat: Option<String>,
    repeat_from: &'a str,
    position: &'a str,
}

impl<'a> From<&'a Task> for NativeTask<'a> {
    fn from(task: &'a Task) -> Self {
        Self {
            id: task.id,
            title: task.title.as_str(),
            description: task.description.as_str(),
            completed: task.completed,
            created_at: task.created_at,
            updated_at: task.updated_at,
            user_id: task.owner.as_str(),
            version: task.version.get(),
            completed_at: task.completed_at.map(|time| time.to_string()),
            due: task.details.due.as_ref().map(Due::to_stored),
            priority: task.details.priority.as_str(),
            tags: task.details.tags.iter().map(Tag::as_str).collect(),
            repeat: task.details.repeat.as_ref().map(Repeat::to_string),
            repeat_from: task.details.repeat_from.as_str(),
            position: task.position.as_str(),
        }
    }
}

/// A local time that is displayed as Python's `datetime.isoformat` does.
struct IsoFormat(DateTime);

impl fmt::Display for IsoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_nanosecond() == 0 {
            self.0.fmt(f)
        } else {
            write!(f, "{:.6}", self.0)
        }
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
