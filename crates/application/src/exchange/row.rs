//! A row as JSON: members of any type, in any order, of a name the last.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use taskhold_domain::import::{ConsoleRow, NativeRow, RowError, RowInput};
use taskhold_domain::input::{Member, TaskInput};

use super::{Content, Row};

/// A value, as far as a row can mean something by it.
#[derive(Debug, Default)]
enum Value {
    #[default]
    Absent,
    Null,
    Boolean(bool),
    Integer(i64),
    Text(String),
    Other,
}

#[derive(Debug, Default)]
struct Members {
    is_object: bool,
    id: Value,
    title: Value,
    content: Value,
    description: Value,
    completed: Value,
    user_id: Value,
    created_at: Value,
    updated_at: Value,
    version: Value,
}

/// Reads what is known to be JSON.
pub(super) fn read(position: u64, is_console: bool, json: &[u8]) -> Row {
    let members = match serde_json::from_slice::<Members>(json) {
        Ok(members) => members,
        Err(error) => {
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or_default();
            return Row {
                position,
                id: None,
                content: Err(RowError::Unreadable(what.to_owned())),
            };
        }
    };
    let id = match &members.id {
        Value::Integer(id) => Some(id.to_string()),
        Value::Text(id) => Some(id.chars().take(64).collect()),
        Value::Absent | Value::Null | Value::Boolean(_) | Value::Other => None,
    };
    let content = if !members.is_object {
        Err(RowError::NotObject)
    } else if is_console {
        members
            .into_console()
            .into_task()
            .map(|(id, task)| Content::Console(id, task))
    } else {
        members
            .into_kept()
            .into_task()
            .map(|(id, version, task)| Content::Kept(id, version, task))
    };
    Row {
        position,
        id,
        content,
    }
}

/// Whether the line is an object that a task's id is in.
pub(super) fn has_id(line: &[u8]) -> bool {
    let members = serde_json::from_slice::<Members>(line);
    members.is_ok_and(|members| matches!(members.id, Value::Text(_)))
}

impl Members {
    fn into_console(self) -> ConsoleRow {
        ConsoleRow {
            id: self.id.integer(),
            rest: RowInput {
                task: TaskInput {
                    title: self.title.text(),
                    description: self.description.text(),
                    completed: self.completed.boolean(),
                },
                content: self.content.text(),
                owner: self.user_id.text(),
                created_at: self.created_at.text(),
                updated_at: self.updated_at.text(),
            },
        }
    }

    fn into_kept(mut self) -> NativeRow {
        let (id, version) = (
            std::mem::take(&mut self.id),
            std::mem::take(&mut self.version),
        );
        let mut rest = self.into_console().rest;
        rest.content = Member::Absent;
        NativeRow {
            id: id.text(),
            version: version.integer(),
            rest,
        }
    }

    fn named(&mut self, name: &str) -> Option<&mut Value> {
        Some(match name {
            "id" => &mut self.id,
            "title" => &mut self.title,
            "content" => &mut self.content,
            "description" => &mut self.description,
            "completed" => &mut self.completed,
            "user_id" => &mut self.user_id,
            "created_at" => &mut self.created_at,
            "updated_at" => &mut self.updated_at,
            "version" => &mut self.version,
            _ => return None,
        })
    }
}

impl Value {
    fn text(self) -> Member<String> {
        match self {
            Self::Absent => Member::Absent,
            Self::Null => Member::Null,
            Self::Text(text) => Member::Given(text),
            Self::Boolean(_) | Self::Integer(_) | Self::Other => Member::WrongType,
        }
    }

    fn boolean(self) -> Member<bool> {
        match self {
            Self::Absent => Member::Absent,
            Self::Null => Member::Null,
            Self::Boolean(boolean) => Member::Given(boolean),
            Self::Text(_) | Self::Integer(_) | Self::Other => Member::WrongType,
        }
    }

    fn integer(self) -> Member<i64> {
        match self {
            Self::Absent => Member::Absent,
            Self::Null => Member::Null,
            Self::Integer(integer) => Member::Given(integer),
            Self::Text(_) | Self::Boolean(_) | Self::Other => Member::WrongType,
        }
    }
}

/// Takes whatever there is.
struct Anything;

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members {
                    is_object: true,
                    ..Members::default()
                };
                while let Some(name) = map.next_key::<String>()? {
                    match members.named(&name) {
                        Some(member) => *member = map.next_value()?,
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(members)
            }

            fn visit_unit<E>(self) -> Result<Members, E> {
                Ok(Members::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Members, E> {
                Ok(Members::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<Members, E> {
                Ok(Members::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<Members, E> {
                Ok(Members::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<Members, E> {
                Ok(Members::default())
            }

            fn visit_str<E>(self, _: &str) -> Result<Members, E> {
                Ok(Members::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Members, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Members::default())
            }
        }
        deserializer.deserialize_any(Object)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

impl<'de> Visitor<'de> for Anything {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Value, E> {
        Ok(Value::Boolean(boolean))
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Value, E> {
        Ok(Value::Integer(integer))
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Value, E> {
        Ok(i64::try_from(integer).map_or(Value::Other, Value::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}
