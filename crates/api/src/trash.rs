//! The endpoints of the trash.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use taskhold_application::change_log::{Trash, TrashedTask};
use taskhold_application::tasks::TaskService;
use taskhold_domain::task::TaskId;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::{Caller, Read, Write};
use crate::change_seq::mark_written;
use crate::changes::{Page, PageParameters};
use crate::cursor;
use crate::idempotency::keyed;
use crate::problem::Problem;
use crate::route::{Access, Endpoint};
use crate::schema::{SOME_TIME, object_of, schema_type};
use crate::tasks::{
    OneTask, TaskBody, one_task_example, some_task_with, task_id, task_json, written,
};

const TRASH: &str = "/api/v1/trash";
const ITEM: &str = "/api/v1/trash/{id}";
const RESTORE: &str = "/api/v1/trash/{id}/restore";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new::<__path_list>(Access::Read, || web::to(list)),
        Endpoint::new::<__path_empty>(Access::Write, || web::to(empty)),
        Endpoint::new::<__path_purge>(Access::Write, || web::to(purge)),
        Endpoint::new::<__path_restore>(Access::Write, || web::to(restore)),
    ]
}

schema_type!(
    DeletedTask = {
        let deleted_at = utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::DateTime,
            )));
        object_of::<TaskBody<'_>>()
            .property("deleted_at", deleted_at)
            .required("deleted_at")
    }
);

#[derive(Serialize, ToSchema)]
#[schema(as = TrashList)]
pub(crate) struct TrashBody {
    /// The deleted tasks, newest deletion first.
    #[schema(value_type = Vec<DeletedTask>)]
    tasks: Vec<Box<RawValue>>,
    /// The `cursor` of the next page; null where there is none.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List the trash
///
/// The tasks that the caller has deleted and that are still kept, newest deletion first.
#[utoipa::path(
    get,
    path = TRASH,
    operation_id = "listTrash",
    params(PageParameters, ("Change-Seq", Header)),
    responses((
        status = 200,
        description = "The deleted tasks.",
        body = TrashBody,
        example = trash_example,
    )),
)]
async fn list(
    caller: Caller<Read>,
    request: HttpRequest,
    trash: web::Data<Trash>,
) -> Result<HttpResponse, Problem> {
    let page = Page::parse(request.query_string())?;
    let after = page.after(|text| decode(caller.id(), text))?;
    let found = trash.list(caller.id(), after, page.limit).await?;
    let tasks = found.tasks.iter().map(deleted_task);
    Ok(HttpResponse::Ok().json(TrashBody {
        tasks: tasks.collect::<Result<_, _>>().map_err(Problem::internal)?,
        next_cursor: found.next.map(|next| encode(caller.id(), next)),
    }))
}

/// Empty the trash
///
/// Deletes every task in it for good.
#[utoipa::path(
    delete,
    path = TRASH,
    operation_id = "emptyTrash",
    responses((status = 204, description = "The trash is empty.", headers(("Change-Seq")))),
)]
async fn empty(caller: Caller<Write>, trash: web::Data<Trash>) -> Result<HttpResponse, Problem> {
    let last = trash.empty(&caller.actor()).await?;
    let mut response = HttpResponse::NoContent();
    mark_written(&mut response, last, false);
    Ok(response.finish())
}

/// Delete a task for good
///
/// A task that is in the trash.
#[utoipa::path(
    delete,
    path = ITEM,
    operation_id = "purgeTask",
    params(("id", Path)),
    responses((status = 204, description = "The task is gone.", headers(("Change-Seq")))),
)]
async fn purge(
    caller: Caller<Write>,
    id: web::Path<String>,
    trash: web::Data<Trash>,
) -> Result<HttpResponse, Problem> {
    let seq = trash.purge(&caller.actor(), task_id(&id)?).await?;
    let mut response = HttpResponse::NoContent();
    mark_written(&mut response, Some(seq), false);
    Ok(response.finish())
}

/// Restore a task
///
/// Takes it out of the trash, as it was.
#[utoipa::path(
    post,
    path = RESTORE,
    operation_id = "restoreTask",
    params(("id", Path), ("Idempotency-Key", Header)),
    responses(
        (
            status = 200,
            description = "The task as it is now.",
            body = OneTask,
            headers(("ETag"), ("Change-Seq"), ("Idempotent-Replayed")),
            example = one_task_example,
        ),
        (status = 409, description = "NotCreated"),
    ),
)]
async fn restore(
    caller: Caller<Write>,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    let id = task_id(&id)?;
    let keyed = keyed(&request, &[])?;
    let restored = tasks.restore(&caller.actor(), id, keyed.as_ref()).await?;
    written(&mut HttpResponse::Ok(), &restored)
}

/// Returns the JSON of a task, with a further member that says when it was deleted.
fn deleted_task(trashed: &TrashedTask) -> serde_json::Result<Box<RawValue>> {
    let task = task_json(&trashed.task)?;
    let task = task.get();
    let members = task.strip_suffix('}').unwrap_or(task);
    let deleted_at = trashed.deleted_at;
    RawValue::from_string(format!("{members},\"deleted_at\":\"{deleted_at}\"}}"))
}

fn encode(owner: &UserId, (deleted_at, id): (Timestamp, TaskId)) -> String {
    let mut content = deleted_at.as_micros().to_be_bytes().to_vec();
    content.extend(id.as_uuid().as_bytes());
    cursor::seal(owner, "trash", &content)
}

fn decode(owner: &UserId, text: &str) -> Option<(Timestamp, TaskId)> {
    let content = cursor::open(owner, "trash", text)?;
    let (deleted_at, id) = content.split_first_chunk::<8>()?;
    let deleted_at = Timestamp::from_micros(i64::from_be_bytes(*deleted_at)).ok()?;
    let id = Uuid::from_slice(id).ok()?;
    Some((deleted_at, TaskId::from_uuid(id)))
}

fn trash_example() -> Value {
    let task = some_task_with([("deleted_at", SOME_TIME.into())]);
    json!({"tasks": [task], "next_cursor": null})
}
