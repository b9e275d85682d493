//! `POST /api/v1/tasks/{id}/move`: another place in the order by hand.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use taskhold_application::tasks::TaskService;
use taskhold_domain::input::{Member, MoveInput};
use utoipa::ToSchema;

use super::{OneTask, changed_example, task_id, written};
use crate::body::{Body, JSON, member};
use crate::caller::{Caller, Write};
use crate::conditional::if_match;
use crate::idempotency::keyed;
use crate::problem::Problem;
use crate::schema::{object_of, schema_type};

const MOVE: &str = "/api/v1/tasks/{id}/move";

// Other members are ignored.
#[derive(Default, Deserialize, ToSchema)]
struct MoveMembers {
    /// The id of the task before which the moved one comes; null for the end of the list.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>, format = "uuid")]
    before: Member<String>,
    /// The id of the task after which the moved one comes; null for the start of the list.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>, format = "uuid")]
    after: Member<String>,
}

schema_type!(
    TaskMove = {
        object_of::<MoveMembers>()
            .description(Some("Exactly one of the members."))
            .extensions(Some([("minProperties", json!(1))].into_iter().collect()))
    }
);

/// Move a task
///
/// Puts the task at another place in the order by hand, which `sort=position` lists. Writes this task only, except if
/// there is no room at the place: then all of the caller's tasks get new positions in their order. A task that is moved
/// next to itself stays where it is.
#[utoipa::path(
    post,
    path = MOVE,
    operation_id = "moveTask",
    params(("id", Path), ("If-Match", Header), ("Idempotency-Key", Header)),
    request_body(content = TaskMove, example = json!({"after": null})),
    responses((
        status = 200,
        description = "The task as it is now.",
        body = OneTask,
        headers(("ETag"), ("Change-Seq"), ("Idempotent-Replayed")),
        example = moved_example,
    )),
)]
pub(super) async fn move_to(
    caller: Caller<Write>,
    id: web::Path<String>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = task_id(&id)?;
    let precondition = if_match(&request)?;
    let body = body.read(&[JSON]).await?;
    let keyed = keyed(&request, body.as_bytes())?;
    let MoveMembers { before, after } = body.object()?;
    let to = MoveInput { before, after }.into_destination()?;
    let moved = tasks
        .move_to(&caller.actor(), id, to, &precondition, keyed.as_ref())
        .await?;
    written(&mut HttpResponse::Ok(), &moved)
}

fn moved_example() -> Value {
    changed_example([("position", json!("089820474076769991683"))])
}
