//! The endpoints of tasks.

mod body;
mod cursor;
mod due;
mod list;
mod move_to;
mod problem;
mod query;
mod quick;

use actix_web::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde_json::{Value, json};
use taskhold_application::tasks::{TaskCounts, TaskService, WriteResult};
use taskhold_domain::task::{Task, TaskChange, TaskId};

pub(crate) use self::body::{
    ChangedTask, Completion, OneTask, Stats, TaskBody, TaskDraft, TaskPatch, TaskUpdate, some_task,
    some_task_with,
};
use self::body::{completion_input, task_input};
pub use self::body::{task_input_of, task_json, task_member_schemas};
pub use self::due::zone_named;
use self::due::{TimezoneParameter, zone};
pub use self::list::{TaskList, list_parameters, read_page};
pub(crate) use self::move_to::TaskMove;
pub(crate) use self::problem::{stale, undo_conflict};
#[cfg(test)]
pub(crate) use self::query::MAX_LIMIT;
pub(crate) use self::quick::{QuickAddMembers, QuickTaskBody};
pub use self::quick::{UnderstoodBody, quick_member_schemas, quick_text_of, understood_bodies};
use crate::base_path::BasePath;
use crate::body::{Body, JSON, ReadBody};
use crate::caller::{Caller, Read, Write};
use crate::change_seq::mark_written;
use crate::conditional::{ETag, if_match, is_known};
use crate::idempotency::keyed;
use crate::problem::Problem;
use crate::route::{Access, Endpoint};
use crate::schema::{LATER, LATER_ETAG};

const COLLECTION: &str = "/api/v1/tasks";
const STATS: &str = "/api/v1/tasks/stats";
const ITEM: &str = "/api/v1/tasks/{id}";
const COMPLETION: &str = "/api/v1/tasks/{id}/complete";

/// The media type of a merge patch (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new::<__path_create>(Access::Write, || web::to(create)),
        Endpoint::new::<list::__path_list>(Access::Read, || web::to(list::list)),
        // Before the route of one task, whose id matches anything.
        Endpoint::new::<__path_stats>(Access::Read, || web::to(stats)),
        Endpoint::new::<quick::__path_quick_add>(Access::Write, || web::to(quick::quick_add)),
        Endpoint::new::<__path_read>(Access::Read, || web::to(read)),
        Endpoint::new::<__path_update>(Access::Write, || web::to(update)),
        Endpoint::new::<__path_patch>(Access::Write, || web::to(patch)),
        Endpoint::new::<__path_delete>(Access::Write, || web::to(delete)),
        Endpoint::new::<__path_complete>(Access::Write, || web::to(complete)),
        Endpoint::new::<move_to::__path_move_to>(Access::Write, || web::to(move_to::move_to)),
    ]
}

/// Create a task
///
/// The owner is the caller. A task may be created as done.
#[utoipa::path(
    post,
    path = COLLECTION,
    operation_id = "createTask",
    params(("Idempotency-Key", Header)),
    request_body(content = TaskDraft, example = json!({"title": "Buy milk", "description": "2 litres"})),
    responses(
        (
            status = 201,
            description = "The new task.",
            body = OneTask,
            headers(("ETag"), ("Location"), ("Change-Seq"), ("Idempotent-Replayed")),
            example = one_task_example,
        ),
        (status = 409, description = "NotCreated"),
    ),
)]
async fn create(
    caller: Caller<Write>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let body = body.read(&[JSON]).await?;
    let keyed = keyed(&request, body.as_bytes())?;
    let draft = task_input(&body)?.into_draft()?;
    let created = tasks.create(&caller.actor(), draft, keyed.as_ref()).await?;
    let location = location(&request, created.outcome.id);
    let mut response = HttpResponse::Created();
    written(response.insert_header((LOCATION, location)), &created)
}

/// Returns the path of a task.
fn location(request: &HttpRequest, id: TaskId) -> String {
    format!("{}{COLLECTION}/{id}", BasePath::of(request))
}

/// Count the caller's tasks
///
/// Counts all tasks, those that are done, those that are not, and of the latter those that are overdue or due today.
#[utoipa::path(
    get,
    path = STATS,
    operation_id = "countTasks",
    params(TimezoneParameter, ("Change-Seq", Header)),
    responses((
        status = 200,
        description = "The numbers of tasks.",
        body = Stats,
        example = json!({"total": 3, "completed": 1, "pending": 2, "overdue": 0, "due_today": 1}),
    )),
)]
async fn stats(
    caller: Caller<Read>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    let zone = zone(&request)?;
    let stats = tasks.stats(caller.id(), &zone).await?;
    let TaskCounts { total, completed } = stats.counts;
    Ok(HttpResponse::Ok().json(Stats {
        total,
        completed,
        pending: total.saturating_sub(completed),
        overdue: stats.overdue,
        due_today: stats.due_today,
    }))
}

/// Read a task
///
/// A task of another user is 404, like one that does not exist.
#[utoipa::path(
    get,
    path = ITEM,
    operation_id = "readTask",
    params(("id", Path), ("If-None-Match", Header), ("Change-Seq", Header)),
    responses(
        (status = 200, description = "The task.", body = OneTask, headers(("ETag")), example = one_task_example),
        (status = 304, description = "The task is what `If-None-Match` names.", headers(("ETag"))),
    ),
)]
async fn read(
    caller: Caller<Read>,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    let task = tasks.find(caller.id(), task_id(&id)?).await?;
    if is_known(request.headers(), task.revision())? {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, ETag::of(&task)))
            .finish());
    }
    one(&mut HttpResponse::Ok(), &task, None)
}

/// Replace title and description
///
/// A description that is left out becomes empty. `completed` stays as it is if it is left out or null, and every other
/// member if it is left out.
#[utoipa::path(
    put,
    path = ITEM,
    operation_id = "updateTask",
    params(("id", Path), TimezoneParameter, ("If-Match", Header), ("Idempotency-Key", Header)),
    request_body(content = TaskUpdate, example = json!({"title": "Buy oat milk"})),
    responses((
        status = 200,
        description = "The task as it is now.",
        body = ChangedTask,
        headers(("ETag"), ("Change-Seq"), ("Idempotent-Replayed")),
        example = updated_example,
    )),
)]
async fn update(
    caller: Caller<Write>,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    change(&caller, &id, &request, &tasks, body, &[JSON], |body| {
        Ok(task_input(body)?.into_update()?)
    })
    .await
}

/// Change what is given
///
/// A merge patch (RFC 7396): what is left out stays, and a null description becomes empty.
#[utoipa::path(
    patch,
    path = ITEM,
    operation_id = "patchTask",
    params(("id", Path), TimezoneParameter, ("If-Match", Header), ("Idempotency-Key", Header)),
    request_body(content(
        (TaskPatch = JSON, example = json!({"description": "after lunch"})),
        (TaskPatch = MERGE_PATCH, example = json!({"description": "after lunch"})),
    )),
    responses((
        status = 200,
        description = "The task as it is now.",
        body = ChangedTask,
        headers(("ETag"), ("Change-Seq"), ("Idempotent-Replayed")),
        example = patched_example,
    )),
)]
async fn patch(
    caller: Caller<Write>,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    change(
        &caller,
        &id,
        &request,
        &tasks,
        body,
        &[JSON, MERGE_PATCH],
        |body| Ok(task_input(body)?.into_patch()?),
    )
    .await
}

/// Complete or reopen a task
///
/// A request without a body flips the flag. Completing an open task that repeats takes its `repeat` off and creates its
/// follow-up, `next`.
#[utoipa::path(
    patch,
    path = COMPLETION,
    operation_id = "completeTask",
    params(("id", Path), TimezoneParameter, ("If-Match", Header), ("Idempotency-Key", Header)),
    request_body(content(
        (ref("#/components/schemas/Completion") = JSON, example = json!({"completed": true})),
        (ref("#/components/schemas/Completion") = MERGE_PATCH, example = json!({"completed": true})),
    )),
    responses((
        status = 200,
        description = "The task as it is now.",
        body = ChangedTask,
        headers(("ETag"), ("Change-Seq"), ("Idempotent-Replayed")),
        example = completed_example,
    )),
)]
async fn complete(
    caller: Caller<Write>,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    change(
        &caller,
        &id,
        &request,
        &tasks,
        body,
        &[JSON, MERGE_PATCH],
        |body| {
            if body.is_empty() {
                Ok(TaskChange::toggle())
            } else {
                Ok(completion_input(body)?.into_completion()?)
            }
        },
    )
    .await
}

/// Delete a task
///
/// Moves it to the trash.
#[utoipa::path(
    delete,
    path = ITEM,
    operation_id = "deleteTask",
    params(("id", Path), ("If-Match", Header), ("Idempotency-Key", Header)),
    responses((
        status = 204,
        description = "The task is in the trash.",
        headers(("Change-Seq"), ("Idempotent-Replayed")),
    )),
)]
async fn delete(
    caller: Caller<Write>,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    let id = task_id(&id)?;
    let precondition = if_match(&request)?;
    let keyed = keyed(&request, &[])?;
    let deleted = tasks
        .delete(&caller.actor(), id, &precondition, keyed.as_ref())
        .await?;
    let mut response = HttpResponse::NoContent();
    mark_written(&mut response, deleted.seq, deleted.replayed);
    Ok(response.finish())
}

/// Changes a task as the body says.
async fn change(
    caller: &Caller<Write>,
    id: &str,
    request: &HttpRequest,
    tasks: &TaskService,
    body: Body,
    media_types: &[&str],
    read: impl FnOnce(&ReadBody) -> Result<TaskChange, Problem>,
) -> Result<HttpResponse, Problem> {
    let id = task_id(id)?;
    let zone = zone(request)?;
    let precondition = if_match(request)?;
    let body = body.read(media_types).await?;
    let keyed = keyed(request, body.as_bytes())?;
    let change = read(&body)?;
    let changed = tasks
        .change(
            &caller.actor(),
            id,
            &change,
            &precondition,
            zone,
            keyed.as_ref(),
        )
        .await?;
    written(&mut HttpResponse::Ok(), &changed)
}

pub(crate) fn written(
    response: &mut HttpResponseBuilder,
    written: &WriteResult<Task>,
) -> Result<HttpResponse, Problem> {
    mark_written(response, written.seq, written.replayed);
    one(response, &written.outcome, written.next.first())
}

fn one(
    response: &mut HttpResponseBuilder,
    task: &Task,
    next: Option<&Task>,
) -> Result<HttpResponse, Problem> {
    let body = body::one_task(task, next).map_err(Problem::internal)?;
    Ok(response
        .insert_header((ETAG, ETag::of(task)))
        .insert_header((CONTENT_TYPE, JSON))
        .body(body))
}

/// Parses an id. A malformed one is the id of no task.
///
/// # Errors
/// The problem of a task that the caller does not have.
pub fn task_id(raw: &str) -> Result<TaskId, Problem> {
    TaskId::parse(raw).map_err(|_| Problem::no_such_task())
}

pub(crate) fn one_task_example() -> Value {
    json!({"task": some_task()})
}

fn updated_example() -> Value {
    changed_example([("title", json!("Buy oat milk")), ("description", json!(""))])
}

fn patched_example() -> Value {
    changed_example([("description", json!("after lunch"))])
}

fn completed_example() -> Value {
    changed_example([("completed", json!(true))])
}

/// Returns the answer to a change of the example's task to these members.
fn changed_example<const N: usize>(changes: [(&str, Value); N]) -> Value {
    let implied = [("updated_at", json!(LATER)), ("etag", json!(LATER_ETAG))];
    json!({"task": some_task_with(implied.into_iter().chain(changes))})
}
