//! The arguments of a call.

use serde_json::{Map, Value};
use taskhold_api::body::whole_number;
use taskhold_api::idempotency::fingerprint;
use taskhold_api::problem::{Kind, Problem};
use taskhold_api::tasks::{task_id, zone_named};
use taskhold_application::tasks::{ChangeSeq, IdempotencyKey, KeyedRequest};
use taskhold_domain::task::{TaskId, TaskIds};
use taskhold_domain::zone::Zone;
use url::form_urlencoded::Serializer;

use super::Tool;

/// Arguments that the tool knows, of the types of its schema.
pub(super) struct Arguments {
    tool: Tool,
    given: Map<String, Value>,
}

impl Arguments {
    /// Checks the arguments of a call. The rules of each value are checked where it is used.
    ///
    /// # Errors
    /// A problem that names every argument that is unknown, missing, or of another type.
    pub(super) fn check(tool: Tool, given: &Map<String, Value>) -> Result<Self, Problem> {
        let given = with_whole_numbers(given);
        let schema = tool.input_schema();
        let known = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        let missing = required
            .filter(|name| !given.contains_key(*name))
            .map(|name| {
                (
                    name.to_owned(),
                    format!("The argument `{name}` is missing."),
                )
            });
        let wrong = given.iter().filter_map(|(name, value)| {
            match known.and_then(|known| known.get(name)) {
                None => {
                    let name: String = name.chars().take(50).collect();
                    let known = known.into_iter().flat_map(Map::keys).map(String::as_str);
                    let known = known.collect::<Vec<_>>().join(", ");
                    let text = format!("There is no argument `{name}`. Known are {known}.");
                    Some((name, text))
                }
                Some(schema) if !is_of_type(value, schema) => {
                    let text = format!("The argument `{name}` must be {}.", type_name(schema));
                    Some((name.clone(), text))
                }
                Some(_) => None,
            }
        });
        match invalid(missing.chain(wrong)) {
            Some(problem) => Err(problem),
            None => Ok(Self { tool, given }),
        }
    }

    /// Returns `true` if there is such an argument.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Returns the arguments with other names than these, for a check by the domain.
    pub(super) fn without(&self, names: &[&str]) -> Map<String, Value> {
        let given = self.given.iter();
        given
            .filter(|(name, _)| !names.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Refuses arguments that do not go with others. `why` completes a sentence about one of them.
    ///
    /// # Errors
    /// A problem that names those that are given.
    pub(super) fn refuse<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
        why: &str,
    ) -> Result<(), Problem> {
        let given = names.into_iter().filter(|name| self.has(name));
        let refused = given.map(|name| (name.to_owned(), format!("The argument `{name}` {why}.")));
        invalid(refused).map_or(Ok(()), Err)
    }

    /// Returns the id of the task.
    ///
    /// # Errors
    /// The problem of a task that the caller does not have.
    pub(super) fn id(&self) -> Result<TaskId, Problem> {
        task_id(self.text("id").unwrap_or_default())
    }

    /// Returns the ids of the tasks.
    ///
    /// # Errors
    /// A problem if there are none, too many, or one that is the id of no task, which the problem names.
    pub(super) fn ids(&self) -> Result<TaskIds, Problem> {
        let given = self.given.get("ids").and_then(Value::as_array);
        let ids = given.into_iter().flatten().map(|id| {
            let id = id.as_str().unwrap_or_default();
            TaskId::parse(id).map_err(|_| {
                let id: String = id.chars().take(50).collect();
                Problem::no_such_task_among(&id)
            })
        });
        let ids: Vec<_> = ids.collect::<Result<_, _>>()?;
        TaskIds::parse(ids).map_err(|_| {
            let text = format!("The argument `ids` must have 1 to {} ids.", TaskIds::MAX);
            Problem::new(Kind::ValidationError, text.clone()).with_error("ids", text)
        })
    }

    /// Returns the number of the change.
    ///
    /// # Errors
    /// The problem of a change that the caller does not have.
    pub(super) fn seq(&self) -> Result<ChangeSeq, Problem> {
        let seq = self.given.get("seq").and_then(Value::as_i64);
        let seq = seq.and_then(|seq| ChangeSeq::parse(seq).ok());
        seq.ok_or_else(Problem::no_such_change)
    }

    /// Returns the time zone of the call.
    ///
    /// # Errors
    /// A problem if there is none of this name.
    pub(super) fn zone(&self) -> Result<Zone, Problem> {
        self.text("timezone").map_or(Ok(Zone::UTC), zone_named)
    }

    /// Returns the key with a digest of the tool and the other arguments, or `None` without a key.
    ///
    /// # Errors
    /// A problem if the key is malformed.
    pub(super) fn keyed(&self) -> Result<Option<KeyedRequest>, Problem> {
        let Some(key) = self.text("key") else {
            return Ok(None);
        };
        let key = IdempotencyKey::parse(key).map_err(|_| {
            let text = format!(
                "The argument `key` must have 1 to {} visible ASCII characters.",
                IdempotencyKey::MAX_CHARS
            );
            Problem::new(Kind::ValidationError, text.clone()).with_error("key", text)
        })?;
        // Arguments have an order only on the wire.
        let mut arguments: Vec<_> = self.without(&["key"]).into_iter().collect();
        arguments.sort_by(|(one, _), (other, _)| one.cmp(other));
        let arguments = serde_json::to_vec(&arguments).map_err(Problem::internal)?;
        Ok(Some(KeyedRequest {
            key,
            fingerprint: fingerprint("tools/call", self.tool.name(), &arguments),
        }))
    }

    /// Returns the arguments as the query parameters of the same names.
    pub(super) fn to_query(&self) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in &self.given {
            let values = value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                match value {
                    Value::String(text) => query.append_pair(name, text),
                    other => query.append_pair(name, &other.to_string()),
                };
            }
        }
        query.finish()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name)?.as_str()
    }
}

/// Returns the arguments with `5` in place of `5.0`, and the like.
fn with_whole_numbers(given: &Map<String, Value>) -> Map<String, Value> {
    let whole = |value: &Value| match value {
        Value::Number(number) if number.is_f64() => whole_number(number).map(Value::from),
        _ => None,
    };
    let given = given.iter();
    let given =
        given.map(|(name, value)| (name.clone(), whole(value).unwrap_or_else(|| value.clone())));
    given.collect()
}

/// Returns the problem of these arguments, or `None` if there are none.
fn invalid(errors: impl Iterator<Item = (String, String)>) -> Option<Problem> {
    let mut errors = errors.peekable();
    let (_, first) = errors.peek()?;
    let problem = Problem::new(Kind::ValidationError, first.clone());
    Some(errors.fold(problem, |problem, (name, text)| {
        problem.with_error(name, text)
    }))
}

/// Returns the names of the types that a schema allows.
fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) => vec![name],
        _ => Vec::new(),
    }
}

fn is_of_type(value: &Value, schema: &Value) -> bool {
    types(schema).into_iter().any(|name| match (name, value) {
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | ("null", Value::Null) => true,
        ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
        ("array", Value::Array(elements)) => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            elements.iter().all(|element| is_of_type(element, items))
        }
        _ => false,
    })
}

/// Returns the types of a schema in words.
fn type_name(schema: &Value) -> String {
    let names = types(schema).into_iter().map(|name| match name {
        "array" => "a list of strings",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "null" => "null",
        _ => "a string",
    });
    names.collect::<Vec<_>>().join(" or ")
}
