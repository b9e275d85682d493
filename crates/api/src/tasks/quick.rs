//! `POST /api/v1/tasks/quick`: a task out of one line of text.

use actix_web::http::header::{ETAG, LOCATION};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use taskhold_application::tasks::TaskService;
use taskhold_domain::input::{Member, QuickText, QuickTextInput};
use taskhold_domain::quick_add::{Field, Understood};
use taskhold_domain::task::Task;
use utoipa::ToSchema;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{Array, ArrayBuilder, Object, ObjectBuilder, RefOr, Schema};

use super::body::{TaskBody, some_task_with, task_json};
use super::location;
use crate::body::{self, Body, JSON, MAX_BYTES, member};
use crate::caller::{Caller, Write};
use crate::change_seq::mark_written;
use crate::conditional::ETag;
use crate::idempotency::keyed;
use crate::problem::Problem;
use crate::schema::{integer, object_of, one_of};

const QUICK: &str = "/api/v1/tasks/quick";

// Other members are ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = QuickAdd)]
pub(crate) struct QuickAddMembers {
    /// The task in one line of English, such as `Pay rent tomorrow 9am every month #home !high`.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = String, required, min_length = 1, pattern = r"[^\s]")]
    text: Member<String>,
    /// The IANA name of the zone in which the text is meant; left out or null it is `UTC`.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z][A-Za-z0-9_+/-]*$")]
    timezone: Member<String>,
    #[serde(default, deserialize_with = "member")]
    #[schema(schema_with = except_schema)]
    except: Member<Vec<String>>,
    /// `true` to see the task without creating it; left out or null it is `false`.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<bool>)]
    dry_run: Member<bool>,
}

fn except_schema() -> Array {
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        // Generators would name a type for an enumeration.
        .items(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some(format!(
                    "^({})$",
                    Field::ALL.map(Field::as_str).join("|")
                ))),
        )
        .description(Some(
            "The fields that are not set: their words stay in the title.",
        ))
        .build()
}

fn field_schema() -> ObjectBuilder {
    one_of(Field::ALL.map(Field::as_str))
}

#[derive(Serialize, ToSchema)]
#[schema(as = QuickTask)]
pub(crate) struct QuickTaskBody {
    #[schema(value_type = TaskBody<'_>)]
    task: Box<RawValue>,
    /// The parts of the text that are not in the title, in their order.
    understood: Vec<UnderstoodBody>,
}

/// A part of the text that sets a field.
#[derive(Serialize, ToSchema)]
#[schema(as = Understood)]
pub struct UnderstoodBody {
    /// The field that the part sets.
    #[schema(schema_with = field_schema)]
    field: &'static str,
    /// The part as it was given.
    text: String,
    /// The place of the first character of the part, in Unicode code points of the text.
    #[schema(schema_with = place_schema)]
    start: usize,
    /// The place after the last character of the part.
    #[schema(schema_with = place_schema)]
    end: usize,
}

fn place_schema() -> ObjectBuilder {
    integer(0, MAX_BYTES as u64)
}

/// Add a task by one line of text
///
/// Finds a due date, a repeat, tags and a priority in the text; the rest is the title. With `dry_run` nothing is created.
#[utoipa::path(
    post,
    path = QUICK,
    operation_id = "quickAddTask",
    params(("Idempotency-Key", Header)),
    request_body(content = QuickAddMembers, example = json!({"text": "Call mum tomorrow 9am #home !medium", "timezone": "Europe/Berlin"})),
    responses(
        (
            status = 200,
            description = "The task as it would be created; no task has its `id`.",
            body = QuickTaskBody,
            example = quick_task_example,
        ),
        (
            status = 201,
            description = "The new task.",
            body = QuickTaskBody,
            headers(("ETag"), ("Location"), ("Change-Seq"), ("Idempotent-Replayed")),
            example = quick_task_example,
        ),
        (status = 409, description = "NotCreated"),
    ),
)]
pub(super) async fn quick_add(
    caller: Caller<Write>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let body = body.read(&[JSON]).await?;
    let keyed = keyed(&request, body.as_bytes())?;
    let text = quick_text_of(body.json()?)?;
    if text.dry_run {
        let (task, understood) = tasks.preview(caller.id(), &text)?;
        return answer(&mut HttpResponse::Ok(), &task, understood);
    }
    let added = tasks
        .quick_add(&caller.actor(), &text, keyed.as_ref())
        .await?;
    let (task, understood) = added.outcome;
    let mut response = HttpResponse::Created();
    mark_written(&mut response, added.seq, added.replayed);
    response
        .insert_header((LOCATION, location(&request, task.id)))
        .insert_header((ETAG, ETag::of(&task)));
    answer(&mut response, &task, understood)
}

fn answer(
    response: &mut HttpResponseBuilder,
    task: &Task,
    understood: Vec<Understood>,
) -> Result<HttpResponse, Problem> {
    let task = task_json(task).map_err(Problem::internal)?;
    Ok(response.json(QuickTaskBody {
        task,
        understood: understood_bodies(understood),
    }))
}

/// Returns the parts of a text as they stand in a response.
#[must_use]
pub fn understood_bodies(understood: Vec<Understood>) -> Vec<UnderstoodBody> {
    let understood = understood.into_iter().map(|part| UnderstoodBody {
        field: part.field.as_str(),
        text: part.text,
        start: part.start,
        end: part.end,
    });
    understood.collect()
}

/// Reads a line of text, and how it is meant, from a JSON object.
///
/// # Errors
/// A problem if the value is not an object, or breaks rules.
pub fn quick_text_of(value: Value) -> Result<QuickText, Problem> {
    let members: QuickAddMembers = body::object(value)?;
    Ok(QuickTextInput::from(members).into_quick_text()?)
}

/// Returns the schemas of the members of a request, by their names, as in the OpenAPI document.
#[must_use]
pub fn quick_member_schemas() -> Vec<(String, RefOr<Schema>)> {
    let members = Object::from(object_of::<QuickAddMembers>()).properties;
    members.into_iter().collect()
}

impl From<QuickAddMembers> for QuickTextInput {
    fn from(members: QuickAddMembers) -> Self {
        Self {
            text: members.text,
            timezone: members.timezone,
            except: members.except,
            dry_run: members.dry_run,
        }
    }
}

fn quick_task_example() -> Value {
    let members = [
        ("title", "Call mum"),
        ("description", ""),
        ("due", "2026-11-22T09:00:00+01:00[Europe/Berlin]"),
    ];
    json!({
        "task": some_task_with(members.map(|(name, value)| (name, value.into()))),
        "understood": [
            {"field": "due", "text": "tomorrow 9am", "start": 9, "end": 21},
            {"field": "tags", "text": "#home", "start": 22, "end": 27},
            {"field": "priority", "text": "!medium", "start": 28, "end": 35},
        ],
    })
}
