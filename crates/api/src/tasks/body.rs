//! The bodies of requests and responses about tasks.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use taskhold_domain::input::{DetailsInput, Member, TaskInput};
use taskhold_domain::task::{Due, Priority, Repeat, RepeatFrom, Tag, Tags, Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use utoipa::ToSchema;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{Array, ArrayBuilder, Object, ObjectBuilder, RefOr, Schema};

use crate::body::{self, ReadBody, member};
use crate::conditional::ETag;
use crate::json::{WriteJson as _, json_object, to_raw};
use crate::problem::Problem;
use crate::schema::{SOME_ETAG, SOME_ID, SOME_TIME, object_of, one_of, schema_type};

json_object! {
    // A task in a response. Existing clients read the first seven members; more may be added.
    #[derive(ToSchema)]
    #[schema(as = Task)]
    pub(crate) struct TaskBody<'a> {
        /// Never changes, and is never used again.
        #[schema(value_type = String, format = "uuid")]
        id: TaskId,
        /// The thing to do; kept exactly as given.
        #[schema(min_length = 1, max_length = 100, pattern = r"^[^\x00]*$")]
        title: &'a str,
        /// More about the thing to do; often empty.
        #[schema(max_length = 500, pattern = r"^[^\x00]*$")]
        description: &'a str,
        /// `true` if the task is done.
        completed: bool,
        /// The time at which the task was created.
        #[schema(value_type = String, format = DateTime)]
        created_at: Timestamp,
        /// The time of the last change: later with every change.
        #[schema(value_type = String, format = DateTime)]
        updated_at: Timestamp,
        /// The owner: the `sub` of the token.
        #[schema(value_type = String, min_length = 1, max_length = 255, pattern = r"^[^\x00]*$")]
        user_id: &'a RawValue,
        /// The entity tag, for `If-Match` and `If-None-Match`. Each change gives the task a new one.
        #[schema(value_type = String)]
        etag: ETag,
        /// The day on which the task is due, or the time with its offset from UTC and its zone; null without one.
        #[schema(required, value_type = Option<String>)]
        due: Option<&'a Due>,
        /// The priority: how much the task matters.
        #[schema(schema_with = priority_schema)]
        priority: Priority,
        /// The tags: a set without regard to case, in the order in which they were given.
        #[schema(value_type = Vec<String>, max_items = 20)]
        tags: &'a Tags,
        /// The rule by which the task repeats, as the value of an RRULE (RFC 5545); null without one.
        #[schema(required, value_type = Option<String>, max_length = 255)]
        repeat: Option<&'a Repeat>,
        /// The date that the due date of the follow-up is counted from: `due`, the due date, or `completion`, the day
        /// of the completion.
        #[schema(schema_with = repeat_from_schema)]
        repeat_from: RepeatFrom,
        /// The place in the order by hand: positions are compared code point by code point, and equal ones by id.
        #[schema(value_type = String, max_length = 63, pattern = "^[0-9A-Za-z]+$")]
        position: &'a str,
        /// The time at which the task was completed; null if the task is open, or was completed before this time was
        /// recorded.
        #[schema(required, value_type = Option<String>, format = DateTime)]
        completed_at: Option<Timestamp>,
    }
}

impl<'a> TaskBody<'a> {
    /// Returns the body of a task. The owner is JSON already, so that a list of tasks escapes it once.
    pub(crate) fn new(task: &'a Task, owner: &'a RawValue) -> Self {
        Self {
            id: task.id,
            title: task.title.as_str(),
            description: task.description.as_str(),
            completed: task.completed,
            created_at: task.created_at,
            updated_at: task.updated_at,
            user_id: owner,
            etag: ETag::of(task),
            due: task.details.due.as_ref(),
            priority: task.details.priority,
            tags: &task.details.tags,
            repeat: task.details.repeat.as_ref(),
            repeat_from: task.details.repeat_from,
            position: task.position.as_str(),
            completed_at: task.completed_at,
        }
    }
}

/// Returns a task for examples.
pub(crate) fn some_task() -> Value {
    json!({
        "id": SOME_ID,
        "title": "Buy milk",
        "description": "2 litres",
        "completed": false,
        "created_at": SOME_TIME,
        "updated_at": SOME_TIME,
        "user_id": "anna",
        "etag": SOME_ETAG,
        "due": "2026-12-01T09:00:00+01:00[Europe/Berlin]",
        "priority": "medium",
        "tags": ["home"],
        "repeat": null,
        "repeat_from": "due",
        "position": "089820474091375870643",
        "completed_at": null,
    })
}

/// Returns that task with these members.
pub(crate) fn some_task_with<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut task = some_task();
    if let Some(task) = task.as_object_mut() {
        let members = members.into_iter();
        task.extend(members.map(|(name, value)| (name.to_owned(), value)));
    }
    task
}

json_object! {
    #[derive(ToSchema)]
    #[schema(as = TaskAnswer)]
    pub(crate) struct OneTask<'a> {
        task: TaskBody<'a>,
    }
}

// The follow-up is left out where there is none: existing clients read what they always did, and generators make an
// optional member of it.
json_object! {
    #[derive(ToSchema)]
    #[schema(as = ChangedTaskAnswer)]
    pub(crate) struct ChangedTask<'a> {
        task: TaskBody<'a>,
        /// The follow-up of a repeating task that this request has completed; left out if there is none.
        #[schema(required = false)]
        next: TaskBody<'a>,
    }
}

/// Returns the body of a response with one task, and with the follow-up that its completion has added.
pub(super) fn one_task(task: &Task, next: Option<&Task>) -> serde_json::Result<Vec<u8>> {
    let owner = owner_json(&task.owner)?;
    let task = TaskBody::new(task, &owner);
    let mut body = Vec::new();
    match next {
        None => OneTask { task }.write_json(&mut body)?,
        Some(next) => {
            let next = TaskBody::new(next, &owner);
            ChangedTask { task, next }.write_json(&mut body)?;
        }
    }
    Ok(body)
}

/// Returns a task as JSON.
///
/// # Errors
/// None that is known: a task can always be written as JSON.
pub fn task_json(task: &Task) -> serde_json::Result<Box<RawValue>> {
    to_raw(&TaskBody::new(task, &owner_json(&task.owner)?))
}

pub(super) fn owner_json(owner: &UserId) -> serde_json::Result<Box<RawValue>> {
    to_raw_value(owner.as_str())
}

#[derive(Serialize, ToSchema)]
#[schema(as = TaskStats)]
pub(crate) struct Stats {
    /// The number of the caller's tasks.
    pub(super) total: u64,
    /// The number of tasks that are done.
    pub(super) completed: u64,
    /// The number of tasks that are not done.
    pub(super) pending: u64,
    /// The number of tasks that are not done and were due before today, or at a time that is past.
    pub(super) overdue: u64,
    /// The number of tasks that are not done and due today.
    pub(super) due_today: u64,
}

// The members of a request that describe a task. Others are ignored, so that an `id`, a `user_id` or a time in a body
// never has an effect.
#[derive(Default, Deserialize, ToSchema)]
struct TaskMembers {
    /// The thing to do; kept exactly as given.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = String, min_length = 1, max_length = 100, pattern = r"^[^\x00]*$")]
    title: Member<String>,
    /// More about the thing to do; left out or null it is empty.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>, max_length = 500, pattern = r"^[^\x00]*$")]
    description: Member<String>,
    /// `true` if the task is done.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = bool)]
    completed: Member<bool>,
    /// A date such as `2026-12-01`, or a time of RFC 9557 such as `2026-12-01T09:00:00+01:00[Europe/Berlin]`. Null
    /// means none.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt].+)?$")]
    due: Member<String>,
    /// The priority; null means `none`.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>, pattern = "^(none|low|medium|high)$")]
    priority: Member<String>,
    #[serde(default, deserialize_with = "member")]
    #[schema(schema_with = tags_schema)]
    tags: Member<Vec<String>>,
    /// The rule by which the task repeats: the value of an RRULE (RFC 5545) of FREQ, INTERVAL, BYDAY, BYMONTHDAY, and
    /// COUNT or UNTIL. A task with a rule needs a `due`. Null means none.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>, max_length = 255, pattern = "^[A-Za-z]+=[^;=]+(;[A-Za-z]+=[^;=]+)*$")]
    repeat: Member<String>,
    /// The date that the due date of the follow-up is counted from: `due`, the due date, or `completion`, the day of
    /// the completion. Null means `due`.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>, pattern = "^(due|completion)$")]
    repeat_from: Member<String>,
}

/// The pattern of a tag.
const TAG: &str = r"^[^,\x00-\x1f\x7f-\x9f\s]([^,\x00-\x1f\x7f-\x9f]*[^,\x00-\x1f\x7f-\x9f\s])?$";

/// A list may have tags that mean the same, of which the first counts.
fn tags_schema() -> Array {
    let tag = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(Tag::MAX_CHARS))
        .pattern(Some(TAG));
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(tag)
        .max_items(Some(Tags::MAX_GIVEN))
        .description(Some(
            "The tags: a set without regard to case. Null means none.",
        ))
        .build()
}

fn priority_schema() -> ObjectBuilder {
    one_of(Priority::ALL.map(Priority::as_str))
}

fn repeat_from_schema() -> ObjectBuilder {
    one_of(RepeatFrom::ALL.map(RepeatFrom::as_str))
}

impl From<TaskMembers> for TaskInput {
    fn from(members: TaskMembers) -> Self {
        Self {
            title: members.title,
            description: members.description,
            completed: members.completed,
            details: DetailsInput {
                due: members.due,
                priority: members.priority,
                tags: members.tags,
                repeat: members.repeat,
                repeat_from: members.repeat_from,
            },
        }
    }
}

/// Reads what a request says of a task.
pub(super) fn task_input(body: &ReadBody) -> Result<TaskInput, Problem> {
    task_input_of(body.json()?)
}

/// Reads what a JSON object says of a task.
///
/// # Errors
/// A problem if the value is not an object.
pub fn task_input_of(value: Value) -> Result<TaskInput, Problem> {
    Ok(body::object::<TaskMembers>(value)?.into())
}

/// Returns the schemas of the members that a request may set, by their names, as in the OpenAPI document.
#[must_use]
pub fn task_member_schemas() -> Vec<(String, RefOr<Schema>)> {
    let members = Object::from(object_of::<TaskMembers>()).properties;
    members.into_iter().collect()
}

/// Reads what a request to complete a task says, where null means the same as an empty object.
pub(super) fn completion_input(body: &ReadBody) -> Result<TaskInput, Problem> {
    let members: TaskMembers = match body.json()? {
        Value::Null => TaskMembers::default(),
        value => body::object(value)?,
    };
    Ok(members.into())
}

// A `default` would make generators for TypeScript require the member `completed`.
schema_type!(
    TaskDraft = {
        let completed = member_schema("completed");
        titled().property(
            "completed",
            completed.description(Some("`true` if the task is done; left out it is `false`.")),
        )
    }
);

schema_type!(
    TaskUpdate = {
        let completed = SchemaType::from_iter([Type::Boolean, Type::Null]);
        let completed = ObjectBuilder::new().schema_type(completed);
        titled().property(
            "completed",
            completed.description(Some(
                "`true` if the task is done; left out or null it stays.",
            )),
        )
    }
);

// Generators make no type of an `anyOf` of required members, so only the text says that one must be known.
schema_type!(
    TaskPatch = {
        let description = member_schema("description");
        object_of::<TaskMembers>()
            .property(
                "description",
                description.description(Some("More about the thing to do; null makes it empty.")),
            )
            .description(Some(
                "The members to be changed, at least one; those that are left out stay.",
            ))
            .extensions(Some([("minProperties", json!(1))].into_iter().collect()))
    }
);

schema_type!(
    Completion = {
        ObjectBuilder::new()
            .property("completed", member_schema("completed"))
            .required("completed")
    }
);

/// Returns the schema of a body in which `title` is required.
fn titled() -> ObjectBuilder {
    object_of::<TaskMembers>().required("title")
}

fn member_schema(name: &str) -> ObjectBuilder {
    let mut members = Object::from(object_of::<TaskMembers>()).properties;
    match members.swap_remove(name) {
        Some(RefOr::T(Schema::Object(member))) => member.into(),
        _ => ObjectBuilder::new(),
    }
}

#[cfg(test)]
mod tests {
    use taskhold_domain::task::{Description, Details, TaskDraft, Title};

    use super::*;

    #[test]
    fn task_is_written_as_serde_json_writes_its_values() {
        let created = Timestamp::from_micros(1_767_346_202_323_456).expect("in range");
        for (text, completed) in [
            ("Buy milk", false),
            ("\"quoted\", \\ and \u{1}\n\t\u{7f}\u{2028}", true),
            ("牛乳 🥛 </script>", false),
        ] {
            let owner = UserId::parse(text).expect("a user");
            let id = TaskId::parse("0199a3b0-1111-7000-8000-00000000000f").expect("an id");
            let draft = TaskDraft {
                title: Title::parse(text).expect("a title"),
                description: Description::parse(text).expect("a description"),
                completed,
                details: Details {
                    due: Some(Due::parse("2026-12-01").expect("a date")),
                    priority: Priority::High,
                    tags: Tags::parse(["\"\\ 🥛", "home"]).expect("tags"),
                    repeat: Some(Repeat::parse("FREQ=DAILY;COUNT=2").expect("a rule")),
                    repeat_from: RepeatFrom::Completion,
                },
            };
            let mut task = Task::create(id, owner, draft, created);
            task.updated_at = Timestamp::LAST;
            let written = task_json(&task).expect("written");
            let text = serde_json::to_string(text).expect("serialized");
            let completed_at = if completed {
                "\"2026-01-02T09:30:02.323456Z\""
            } else {
                "null"
            };
            let expected = format!(
                "{{\"id\":\"0199a3b0-1111-7000-8000-00000000000f\",\"title\":{text},\
                 \"description\":{text},\"completed\":{completed},\
                 \"created_at\":\"2026-01-02T09:30:02.323456Z\",\
                 \"updated_at\":\"9999-12-31T23:59:59.999999Z\",\"user_id\":{text},\
                 \"etag\":\"\\\"1-384440ccc735fff\\\"\",\"due\":\"2026-12-01\",\"priority\":\"high\",\
                 \"tags\":[\"\\\"\\\\ 🥛\",\"home\"],\"repeat\":\"FREQ=DAILY;COUNT=2\",\"repeat_from\":\"completion\",\
                 \"position\":\"089823265037976765644\",\"completed_at\":{completed_at}}}"
            );
            assert_eq!(written.get(), expected);
        }
    }
}
