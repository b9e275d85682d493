//! The schemas of arguments and results. Those of fields and filters are the API's, without what a model can do
//! without: patterns that no name shows, and descriptions of what the name says.

use serde_json::{Map, Value, json};
use taskhold_api::changes::changes_parameters;
use taskhold_api::tasks::{list_parameters, quick_member_schemas, task_member_schemas};
use taskhold_domain::task::TaskIds;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::{RefOr, Schema};

use super::Tool;

/// The arguments that are members of a quick text, beside `text`.
pub(super) const WITH_TEXT: [&str; 2] = ["timezone", "except"];

/// The arguments that null clears, and nothing else does. No other one has null in its schema: many models know only
/// schemas with one type.
const CLEARED_BY_NULL: [&str; 2] = ["due", "repeat"];

/// Descriptions of the arguments whose names do not say enough.
const HINTS: [(&str, &str); 6] = [
    (
        "due",
        "2026-12-01, or 2026-12-01T09:00:00+01:00[Europe/Berlin]",
    ),
    ("repeat", "RRULE such as FREQ=WEEKLY;BYDAY=MO"),
    ("timezone", "IANA name, else UTC"),
    ("except", "fields that stay words of the title"),
    ("q", "text in title or description"),
    ("key", "same key: done once"),
];

/// Returns the schema of a tool's arguments.
pub(super) fn input(tool: Tool) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    match tool {
        Tool::ListTasks => add_parameters(&mut properties, list_parameters()),
        Tool::ChangesSince => add_parameters(&mut properties, changes_parameters()),
        Tool::AddTask => {
            add(&mut properties, task_member_schemas());
            add(&mut properties, quick_member_schemas());
            properties.remove("dry_run");
        }
        Tool::UpdateTask => {
            add(&mut properties, task_member_schemas());
            allow_null(&mut properties);
            add(&mut properties, timezone());
        }
        Tool::CompleteTasks => add(&mut properties, timezone()),
        Tool::GetTask | Tool::DeleteTasks | Tool::Undo => {}
    }
    let own = match tool {
        Tool::GetTask | Tool::UpdateTask => Some(("id", json!({"type": "string"}))),
        Tool::CompleteTasks | Tool::DeleteTasks => Some((
            "ids",
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": TaskIds::MAX}),
        )),
        Tool::Undo => Some(("seq", json!({"type": "integer", "minimum": 1}))),
        Tool::ListTasks | Tool::AddTask | Tool::ChangesSince => None,
    };
    if let Some((name, schema)) = own {
        required.push(name);
        properties.insert(name.to_owned(), schema);
    }
    if tool.writes() {
        let key = json!({"type": "string"});
        properties.insert("key".to_owned(), key);
    }
    for (name, schema) in &mut properties {
        let is_filter = name == "due" && tool == Tool::ListTasks;
        let hint = HINTS.iter().find(|(hinted, _)| hinted == name);
        if let (Some((_, hint)), Some(schema)) =
            (hint.filter(|_| !is_filter), schema.as_object_mut())
        {
            schema.insert("description".to_owned(), (*hint).into());
        }
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let (false, Some(schema)) = (required.is_empty(), schema.as_object_mut()) {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

/// Returns the schema of a tool's results. A failure has a `code` in place of the members.
pub(super) fn output(tool: Tool) -> Value {
    let object = json!({"type": "object"});
    let list = json!({"type": "array"});
    let seq = json!({"type": "integer"});
    let (properties, required): (_, &[&str]) = match tool {
        Tool::ListTasks => (
            json!({"tasks": list, "next_cursor": {"type": ["string", "null"]}}),
            &["tasks", "next_cursor"],
        ),
        Tool::GetTask => (json!({"task": object}), &["task"]),
        Tool::AddTask => (
            json!({"task": object, "understood": list, "seq": seq}),
            &["task"],
        ),
        Tool::UpdateTask => (
            json!({"task": object, "next": object, "seq": seq}),
            &["task"],
        ),
        Tool::CompleteTasks => (json!({"tasks": list, "next": list, "seq": seq}), &["tasks"]),
        Tool::DeleteTasks => (json!({"removed": list, "seq": seq}), &["removed"]),
        Tool::Undo => (json!({"task": object, "seq": seq}), &["task"]),
        Tool::ChangesSince => (
            json!({
                "changed": list,
                "removed": list,
                "cursor": {"type": "string"},
                "has_more": {"type": "boolean"},
            }),
            &["changed", "removed", "cursor", "has_more"],
        ),
    };
    json!({
        "type": "object",
        "properties": properties,
        "anyOf": [{"required": required}, {"required": ["code"]}],
    })
}

/// Returns the schema of the time zone of a call.
fn timezone() -> impl Iterator<Item = (String, RefOr<Schema>)> {
    let members = quick_member_schemas().into_iter();
    members.filter(|(name, _)| name == "timezone")
}

/// Adds query parameters, but not `offset`, since there are cursors.
fn add_parameters(properties: &mut Map<String, Value>, parameters: Vec<Parameter>) {
    let parameters = parameters
        .into_iter()
        .filter(|known| known.name != "offset");
    add(
        properties,
        parameters.filter_map(|parameter| Some((parameter.name, parameter.schema?))),
    );
}

fn add(
    properties: &mut Map<String, Value>,
    schemas: impl IntoIterator<Item = (String, RefOr<Schema>)>,
) {
    for (name, schema) in schemas {
        if let Ok(schema) = serde_json::to_value(schema) {
            properties.insert(name, brief(&schema));
        }
    }
}

/// Adds null to the types of arguments that it clears.
fn allow_null(properties: &mut Map<String, Value>) {
    for name in CLEARED_BY_NULL {
        if let Some(schema) = properties.get_mut(name).and_then(Value::as_object_mut) {
            let kind = schema.remove("type");
            schema.insert("type".to_owned(), json!([kind, "null"]));
        }
    }
}

/// Returns a schema without what a model can do without, null included.
fn brief(schema: &Value) -> Value {
    let mut brief = Map::new();
    let kind = schema.get("type").map(|kind| match kind {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").unwrap_or(kind),
        kind => kind,
    });
    if let Some(kind) = kind {
        brief.insert("type".to_owned(), kind.clone());
    }
    for name in ["minimum", "maximum", "maxLength"] {
        if let Some(value) = schema.get(name) {
            brief.insert(name.to_owned(), value.clone());
        }
    }
    let pattern = schema.get("pattern").and_then(Value::as_str);
    // A list of names.
    if let Some(pattern) = pattern.filter(|pattern| pattern.starts_with("^(")) {
        brief.insert("pattern".to_owned(), pattern.into());
    }
    let names = schema.get("enum").and_then(Value::as_array);
    if let Some(names) = names {
        let (name, value) = brief_names(names);
        brief.insert(name.to_owned(), value);
    }
    if let Some(items) = schema.get("items") {
        brief.insert("items".to_owned(), self::brief(items));
    }
    brief.into()
}

/// Returns names as an `enum`, or as a `pattern` if each also stands with a minus before it.
fn brief_names(names: &[Value]) -> (&'static str, Value) {
    let plain = names.iter().filter_map(Value::as_str);
    let plain: Vec<_> = plain.filter(|name| !name.starts_with('-')).collect();
    if plain.len() < names.len() {
        ("pattern", format!("^-?({})$", plain.join("|")).into())
    } else {
        ("enum", plain.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hint_is_of_an_argument() {
        let schemas = Tool::ALL.map(input);
        for (name, hint) in HINTS {
            let is_told = schemas
                .iter()
                .any(|schema| schema["properties"][name]["description"] == hint);
            assert!(is_told, "{name}");
        }
    }

    #[test]
    fn schemas_are_valid() {
        for schema in Tool::ALL.map(input).iter().chain(&Tool::ALL.map(output)) {
            jsonschema::draft202012::meta::validate(schema).expect("a schema");
            assert_eq!(schema["type"], "object");
        }
    }
}
