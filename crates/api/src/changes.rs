//! The endpoints of the change log: what changed, the history of a task, and undo.

mod cursor;
mod stream;

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use taskhold_application::actor::Actor;
use taskhold_application::change_log::{ChangeLog, CursorError, FeedError, HistoryEntry};
use taskhold_application::tasks::{ChangeSeq, KeyedRequest, TaskError, TaskService, WriteResult};
use taskhold_domain::task::change_log::FieldValues;
use taskhold_domain::task::{DetailsChange, Tag, Task};
use taskhold_domain::user::UserId;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{Array, ArrayBuilder, ObjectBuilder, SchemaFormat};
use utoipa::{IntoParams, ToSchema};

use crate::caller::{Caller, Read, Write};
use crate::change_seq::CHANGE_SEQ;
use crate::idempotency::keyed;
use crate::parameters::{self, bad_value};
use crate::problem::{Kind, Problem};
use crate::route::{Access, Endpoint};
use crate::schema::{SOME_TIME, integer, query_parameter};
use crate::tasks::{OneTask, TaskBody, one_task_example, some_task, task_id, task_json, written};

/// The greatest number of entries on a page, and the usual one.
pub(crate) const MAX_LIMIT: u32 = 1000;
const USUAL_LIMIT: u32 = 100;

const CHANGES: &str = "/api/v1/changes";
const UNDO: &str = "/api/v1/changes/{seq}/undo";
const HISTORY: &str = "/api/v1/tasks/{id}/history";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new::<__path_changes>(Access::Read, || web::to(changes)),
        Endpoint::new::<stream::__path_stream>(Access::Read, || web::to(stream::stream)),
        Endpoint::new::<__path_undo>(Access::Write, || web::to(undo)),
        Endpoint::new::<__path_history>(Access::Read, || web::to(history)),
    ]
}

/// The query parameters of a page.
pub(crate) struct PageParameters;

impl IntoParams for PageParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = integer(1, MAX_LIMIT.into());
        let cursor = ObjectBuilder::new().schema_type(Type::String);
        vec![
            query_parameter("limit", limit, "At most so many; 100 unless given."),
            query_parameter("cursor", cursor, "The cursor of the page before."),
        ]
    }
}

/// A page that a request asks for.
pub(crate) struct Page {
    pub(crate) limit: u32,
    pub(crate) cursor: Option<String>,
}

impl Page {
    pub(crate) fn parse(query_string: &str) -> Result<Self, Problem> {
        let mut given = parameters::read(query_string, &["limit", "cursor"])?;
        let limit = match given.remove("limit").map(|limit| limit.parse::<u32>()) {
            None => USUAL_LIMIT,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
            Some(_) => {
                let expected = format!("a whole number from 1 to {MAX_LIMIT}");
                return Err(bad_value("limit", &expected));
            }
        };
        Ok(Self {
            limit,
            cursor: given.remove("cursor"),
        })
    }

    /// Returns what the cursor stands for.
    pub(crate) fn after<T>(
        &self,
        decode: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        match decode(cursor) {
            Some(after) => Ok(Some(after)),
            None => Err(bad_cursor()),
        }
    }
}

fn bad_cursor() -> Problem {
    Problem::malformed("The cursor is malformed, or belongs to another user or list.")
}

impl From<CursorError> for Problem {
    fn from(error: CursorError) -> Self {
        match error {
            CursorError::Unknown => bad_cursor(),
            CursorError::Expired => {
                metrics::counter!("taskhold_cursors_expired_total").increment(1);
                expired_cursor()
            }
        }
    }
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Cursor(error) => error.into(),
            FeedError::Task(error) => error.into(),
        }
    }
}

/// Returns the problem of a cursor whose changes are not known any more.
pub(crate) fn expired_cursor() -> Problem {
    Problem::new(
        Kind::CursorExpired,
        "The changes after this cursor are no longer kept. Start over without a cursor.",
    )
}

/// The changes since a cursor.
#[derive(Serialize, ToSchema)]
#[schema(as = Changes)]
pub struct ChangesBody {
    /// The tasks that changed, as they are now.
    #[schema(value_type = Vec<TaskBody>)]
    changed: Vec<Box<RawValue>>,
    /// The ids of tasks that were deleted.
    #[schema(schema_with = ids)]
    removed: Vec<String>,
    /// The cursor to send with the next request.
    cursor: String,
    /// `true` if further changes can be read at once.
    has_more: bool,
    /// The last change before the cursor, for the header.
    #[serde(skip)]
    #[schema(ignore)]
    last: ChangeSeq,
}

fn ids() -> Array {
    let id = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom("uuid".to_owned())));
    ArrayBuilder::new().items(id).build()
}

/// Read what changed
///
/// Each task that changed since `cursor`, once and as it is now. Without a cursor all tasks, and then what changed
/// meanwhile. Send each `cursor` with the next request: no change is left out, also of those that are written at
/// the same time.
#[utoipa::path(
    get,
    path = CHANGES,
    operation_id = "readChanges",
    params(PageParameters, ("Change-Seq", Header)),
    responses(
        (
            status = 200,
            description = "What changed.",
            body = ChangesBody,
            headers(("Change-Seq")),
            example = json!({"changed": [some_task()], "removed": [], "cursor": "q3Yx", "has_more": false}),
        ),
        (status = 410, description = "CursorExpired"),
    ),
)]
async fn changes(
    caller: Caller<Read>,
    request: HttpRequest,
    log: web::Data<ChangeLog>,
) -> Result<HttpResponse, Problem> {
    let changes = read_changes(caller.id(), request.query_string(), &log).await?;
    let mut response = HttpResponse::Ok();
    if changes.last > ChangeSeq::ZERO {
        response.insert_header((CHANGE_SEQ.clone(), changes.last.get()));
    }
    Ok(response.json(changes))
}

/// Returns what changed since the cursor in a query.
///
/// # Errors
/// The problem of the query, or of the change log.
pub async fn read_changes(
    owner: &UserId,
    query_string: &str,
    log: &ChangeLog,
) -> Result<ChangesBody, Problem> {
    let page = Page::parse(query_string)?;
    let after = page.after(|text| cursor::decode(owner, text))?;
    let read = log.changes(owner, after.as_ref(), page.limit).await?;
    let changed = read.changed.iter().map(task_json);
    Ok(ChangesBody {
        changed: changed
            .collect::<Result<_, _>>()
            .map_err(Problem::internal)?,
        removed: read.removed.iter().map(ToString::to_string).collect(),
        cursor: cursor::encode(owner, &read.cursor),
        has_more: read.has_more,
        last: read.cursor.seq,
    })
}

/// Returns the query parameters of the changes, as in the OpenAPI document.
#[must_use]
pub fn changes_parameters() -> Vec<Parameter> {
    PageParameters::into_params(|| None)
}

/// Undo a change
///
/// Takes the write of the change back by a new one, whatever it was, with all of its tasks; the answer has the first of
/// them. Only what was deleted for good stays so. The number of a change is in the header `Change-Seq` of its answer.
/// Undoing an undo is a redo.
#[utoipa::path(
    post,
    path = UNDO,
    operation_id = "undoChange",
    params(("seq", Path), ("Idempotency-Key", Header)),
    responses(
        (
            status = 200,
            description = "The task as it is now, or as it was when it moved to the trash.",
            body = OneTask,
            headers(("ETag"), ("Change-Seq"), ("Idempotent-Replayed")),
            example = one_task_example,
        ),
        (status = 404, description = "NoSuchChange"),
        (status = 409, description = "NotUndone"),
    ),
)]
async fn undo(
    caller: Caller<Write>,
    seq: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    // A number has one form: neither a sign nor leading zeros.
    let number = seq.parse().ok().and_then(|raw| ChangeSeq::parse(raw).ok());
    let seq = number
        .filter(|number| number.to_string() == *seq)
        .ok_or_else(Problem::no_such_change)?;
    let keyed = keyed(&request, &[])?;
    let undone = undo_change(&caller.actor(), seq, &tasks, keyed.as_ref()).await?;
    written(&mut HttpResponse::Ok(), &undone)
}

/// Takes a change back.
///
/// # Errors
/// The problem of the use case.
pub async fn undo_change(
    actor: &Actor,
    seq: ChangeSeq,
    tasks: &TaskService,
    keyed: Option<&KeyedRequest>,
) -> Result<WriteResult<Task>, Problem> {
    let undone = tasks.undo(actor, seq, keyed).await;
    undone.map_err(|error| match error {
        TaskError::NotFound => Problem::no_such_change(),
        other => other.into(),
    })
}

#[derive(Serialize, ToSchema)]
#[schema(as = History)]
pub(crate) struct HistoryBody {
    /// The changes, newest first.
    history: Vec<ChangeBody>,
    /// The `cursor` of the next page; null where there is none.
    #[schema(required)]
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
pub(crate) struct ChangeBody {
    /// The number, which `undo` takes.
    #[schema(minimum = 1)]
    seq: i64,
    /// The time of the change.
    #[schema(value_type = String, format = DateTime)]
    at: String,
    /// `created`, `updated`, `completed`, `reopened`, `moved`, `deleted` or `restored`.
    kind: &'static str,
    /// The name of the token, or `session`.
    by: String,
    /// The fields that changed, each with its old and its new value.
    fields: HashMap<&'static str, FieldChange>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FieldChange {
    /// The value before the change, as a task has it.
    from: Value,
    /// The value after the change.
    to: Value,
}

/// Read the history of a task
///
/// The changes of a task that are still kept, each with its time, its author, and the old and new values.
#[utoipa::path(
    get,
    path = HISTORY,
    operation_id = "readHistory",
    params(("id", Path), PageParameters, ("Change-Seq", Header)),
    responses((
        status = 200,
        description = "The changes, newest first.",
        body = HistoryBody,
        example = history_example,
    )),
)]
async fn history(
    caller: Caller<Read>,
    id: web::Path<String>,
    request: HttpRequest,
    log: web::Data<ChangeLog>,
) -> Result<HttpResponse, Problem> {
    let page = Page::parse(request.query_string())?;
    let before = page.after(|text| cursor::decode_seq(caller.id(), text))?;
    let history = log
        .history(caller.id(), task_id(&id)?, before, page.limit)
        .await?;
    let next = history
        .next
        .map(|next| cursor::encode_seq(caller.id(), next));
    Ok(HttpResponse::Ok().json(HistoryBody {
        history: history.entries.into_iter().map(change_body).collect(),
        next_cursor: next,
    }))
}

fn change_body(entry: HistoryEntry) -> ChangeBody {
    let mut new = field_values(entry.to);
    let fields = field_values(entry.from).into_iter().map(|(name, from)| {
        let to = new.remove(name).unwrap_or_default();
        (name, FieldChange { from, to })
    });
    ChangeBody {
        seq: entry.seq.get(),
        at: entry.stamp.at.to_string(),
        kind: entry.kind.as_str(),
        by: entry.stamp.by.as_str().to_owned(),
        fields: fields.collect(),
    }
}

/// Returns those fields that have a value, with the names and values of a task in a response.
fn field_values(values: FieldValues) -> HashMap<&'static str, Value> {
    let FieldValues {
        title,
        description,
        completed,
        // The time of a completion is that of its change.
        completed_at: _,
        position,
        details:
            DetailsChange {
                due,
                priority,
                tags,
                repeat,
                repeat_from,
            },
    } = values;
    let due = due.map(|due| due.map_or(Value::Null, |due| due.to_string().into()));
    let repeat = repeat.map(|rule| rule.map_or(Value::Null, |rule| rule.to_string().into()));
    let fields = [
        ("title", title.map(|title| title.as_str().into())),
        ("description", description.map(|text| text.as_str().into())),
        ("completed", completed.map(Value::from)),
        ("due", due),
        (
            "priority",
            priority.map(|priority| priority.as_str().into()),
        ),
        (
            "tags",
            tags.map(|tags| tags.iter().map(Tag::as_str).collect()),
        ),
        ("repeat", repeat),
        ("repeat_from", repeat_from.map(|from| from.as_str().into())),
        (
            "position",
            position.map(|position| position.as_str().into()),
        ),
    ];
    let fields = fields.into_iter();
    fields
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn history_example() -> Value {
    json!({
        "history": [{
            "seq": 7,
            "at": SOME_TIME,
            "kind": "updated",
            "by": "session",
            "fields": {"title": {"from": "Buy milk", "to": "Buy oat milk"}},
        }],
        "next_cursor": null,
    })
}
