//! The endpoints of tasks.

mod cursor;
pub(crate) mod list;

use actix_web::http::Method;
use actix_web::http::header::{ETAG, LOCATION};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use taskhold_application::tasks::{TaskService, Written};
use taskhold_domain::input::{Member, TaskInput};
use taskhold_domain::task::{Task, TaskChange, TaskId};

use crate::body::{self, Body, ReadBody, text};
use crate::caller::Caller;
use crate::conditional::{etag, if_match, is_known};
use crate::endpoint::{Access, Endpoint};
use crate::idempotency::{IDEMPOTENT_REPLAYED, keyed};
use crate::problem::Problem;

pub(crate) const COLLECTION: &str = "/api/v1/tasks";
pub(crate) const STATS: &str = "/api/v1/tasks/stats";
pub(crate) const ITEM: &str = "/api/v1/tasks/{id}";
pub(crate) const COMPLETION: &str = "/api/v1/tasks/{id}/complete";

/// The type of a merge patch (RFC 7396).
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::POST, COLLECTION, Access::Owner, || web::to(create)),
        Endpoint::new(Method::GET, COLLECTION, Access::Owner, || {
            web::to(list::list)
        }),
        // Before the route of one task, whose id could be anything.
        Endpoint::new(Method::GET, STATS, Access::Owner, || web::to(stats)),
        Endpoint::new(Method::GET, ITEM, Access::Owner, || web::to(read)),
        Endpoint::new(Method::PUT, ITEM, Access::Owner, || web::to(update)),
        Endpoint::new(Method::PATCH, ITEM, Access::Owner, || web::to(patch)),
        Endpoint::new(Method::DELETE, ITEM, Access::Owner, || web::to(delete)),
        Endpoint::new(Method::PATCH, COMPLETION, Access::Owner, || {
            web::to(complete)
        }),
    ]
}

/// A task on the wire. Existing clients know these seven names; more may be added.
#[derive(Debug, Serialize)]
pub struct TaskBody<'a> {
    #[serde(serialize_with = "as_text")]
    id: TaskId,
    title: &'a str,
    description: &'a str,
    completed: bool,
    #[serde(serialize_with = "as_text")]
    created_at: taskhold_domain::timestamp::Timestamp,
    #[serde(serialize_with = "as_text")]
    updated_at: taskhold_domain::timestamp::Timestamp,
    user_id: &'a str,
}

impl<'a> From<&'a Task> for TaskBody<'a> {
    fn from(task: &'a Task) -> Self {
        Self {
            id: task.id,
            title: task.title.as_str(),
            description: task.description.as_str(),
            completed: task.completed,
            created_at: task.created_at,
            updated_at: task.updated_at,
            user_id: task.owner.as_str(),
        }
    }
}

#[derive(Serialize)]
struct One<'a> {
    task: TaskBody<'a>,
}

#[derive(Serialize)]
struct Stats {
    total: u64,
    completed: u64,
    pending: u64,
}

fn as_text<S: Serializer>(
    value: &impl std::fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

async fn create(
    caller: Caller,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let body = body.read(&[body::JSON]).await?;
    let keyed = keyed(&request, body.as_bytes())?;
    let draft = task_input(body.json_object()?).into_draft()?;
    let created = tasks.create(&caller.id, draft, keyed.as_ref()).await?;
    let location = format!("{COLLECTION}/{}", created.outcome.id);
    let mut response = HttpResponse::Created();
    Ok(written(
        response.insert_header((LOCATION, location)),
        &created,
    ))
}

async fn stats(caller: Caller, tasks: web::Data<TaskService>) -> Result<HttpResponse, Problem> {
    let counts = tasks.count(&caller.id).await?;
    Ok(HttpResponse::Ok().json(Stats {
        total: counts.total,
        completed: counts.completed,
        pending: counts.total.saturating_sub(counts.completed),
    }))
}

async fn read(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    let task = tasks.find(&caller.id, task_id(&id)?).await?;
    if is_known(request.headers(), task.version)? {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, etag(&task)))
            .finish());
    }
    Ok(one(&mut HttpResponse::Ok(), &task))
}

async fn update(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = task_id(&id)?;
    let precondition = if_match(request.headers())?;
    let body = body.read(&[body::JSON]).await?;
    let keyed = keyed(&request, body.as_bytes())?;
    let change = task_input(body.json_object()?).into_update()?;
    let changed = tasks
        .change(&caller.id, id, &change, &precondition, keyed.as_ref())
        .await?;
    Ok(written(&mut HttpResponse::Ok(), &changed))
}

async fn patch(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = task_id(&id)?;
    let precondition = if_match(request.headers())?;
    let body = body.read(&[body::JSON, MERGE_PATCH]).await?;
    let keyed = keyed(&request, body.as_bytes())?;
    let change = task_input(body.json_object()?).into_patch()?;
    let changed = tasks
        .change(&caller.id, id, &change, &precondition, keyed.as_ref())
        .await?;
    Ok(written(&mut HttpResponse::Ok(), &changed))
}

async fn complete(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = task_id(&id)?;
    let precondition = if_match(request.headers())?;
    let body = body.read(&[body::JSON, MERGE_PATCH]).await?;
    let keyed = keyed(&request, body.as_bytes())?;
    let change = completion(&body)?;
    let changed = tasks
        .change(&caller.id, id, &change, &precondition, keyed.as_ref())
        .await?;
    Ok(written(&mut HttpResponse::Ok(), &changed))
}

/// A body of no bytes toggles.
fn completion(body: &ReadBody) -> Result<TaskChange, Problem> {
    if body.is_empty() {
        return Ok(TaskChange::toggle());
    }
    let members = match body.json()? {
        // As good as an object without the flag.
        Value::Null => Map::new(),
        value => body::object(value)?,
    };
    Ok(task_input(members).into_completion()?)
}

async fn delete(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    let id = task_id(&id)?;
    let precondition = if_match(request.headers())?;
    let keyed = keyed(&request, &[])?;
    let deleted = tasks
        .delete(&caller.id, id, &precondition, keyed.as_ref())
        .await?;
    let mut response = HttpResponse::NoContent();
    mark_replayed(&mut response, deleted.replayed);
    Ok(response.finish())
}

fn written(response: &mut HttpResponseBuilder, written: &Written<Task>) -> HttpResponse {
    mark_replayed(response, written.replayed);
    one(response, &written.outcome)
}

/// Tells whether it is the first answer again.
fn mark_replayed(response: &mut HttpResponseBuilder, replayed: bool) {
    if replayed {
        response.insert_header((IDEMPOTENT_REPLAYED.clone(), "true"));
    }
}

fn one(response: &mut HttpResponseBuilder, task: &Task) -> HttpResponse {
    response
        .insert_header((ETAG, etag(task)))
        .json(One { task: task.into() })
}

/// A malformed id is the id of no task.
fn task_id(raw: &str) -> Result<TaskId, Problem> {
    TaskId::parse(raw).map_err(|_| Problem::no_such_task())
}

/// What a request says of a task. All other members are ignored, so an `id`, `user_id` or time in
/// a body never has an effect.
fn task_input(mut members: Map<String, Value>) -> TaskInput {
    TaskInput {
        title: text(&mut members, "title"),
        description: text(&mut members, "description"),
        completed: members
            .remove("completed")
            .map_or(Member::Absent, |value| match value {
                Value::Bool(completed) => Member::Given(completed),
                Value::Null => Member::Null,
                _ => Member::WrongType,
            }),
    }
}
