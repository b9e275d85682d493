//! `GET /api/v1/tasks`: the caller's tasks, all of them or by pages.

use actix_web::body;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, LINK};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Serialize;
use serde_json::value::RawValue;
use taskhold_application::clock::Clock;
use taskhold_application::tasks::{Position, Start, TaskPage, TaskQuery, TaskService};
use taskhold_domain::task::Task;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use utoipa::openapi::path::Parameter;
use utoipa::{IntoParams as _, ToSchema};

use super::body::{TaskBody, owner_json, some_task, task_json};
use super::query::{self, ListParameters};
use super::{COLLECTION, cursor};
use crate::base_path::BasePath;
use crate::body::JSON;
use crate::caller::{Caller, Read};
use crate::json::WriteJson as _;
use crate::problem::Problem;

/// The number of bytes that are encoded before they are sent.
const CHUNK_BYTES: usize = 32 * 1024;

/// The number of bytes that most tasks take at most as JSON.
const USUAL_BYTES: usize = 320;

/// List the caller's tasks
///
/// All of them, newest first, unless a `limit` is given; then by pages.
#[utoipa::path(
    get,
    path = COLLECTION,
    operation_id = "listTasks",
    params(ListParameters, ("Change-Seq", Header)),
    responses((
        status = 200,
        description = "The tasks.",
        body = TaskList,
        headers(("Link")),
        example = json!({"tasks": [some_task()], "next_cursor": null}),
    )),
)]
pub(super) async fn list(
    caller: Caller<Read>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
    clock: web::Data<dyn Clock>,
) -> Result<HttpResponse, Problem> {
    let query = query::parse(request.query_string(), caller.id(), clock.now())?;
    // The first page is read before the response begins, so that a failure has its own status.
    let page = tasks.list(caller.id(), &query).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, JSON));
    let mut sending = Sending::new(caller, tasks, query, page).map_err(Problem::internal)?;
    if let Some(next) = &sending.next_cursor {
        let next = query::next_page(&sending.query, next);
        let base_path = BasePath::of(&request);
        response.insert_header((LINK, format!("<{base_path}{next}>; rel=\"next\"")));
    }
    let first = sending.encode().map_err(Problem::internal)?;
    if sending.is_complete {
        return Ok(response.body(first));
    }
    if request.method() == Method::HEAD {
        // The server would read a stream to its end and throw it away.
        return Ok(response.body(body::None::new()));
    }
    sending.encoded = first;
    Ok(response.streaming(stream::try_unfold(sending, Sending::next)))
}

/// A list of tasks in a response.
// A response over HTTP is written task by task instead.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskList)]
pub struct TaskList {
    #[schema(value_type = Vec<TaskBody>)]
    tasks: Vec<Box<RawValue>>,
    /// The `cursor` of the next page; null where there is none.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Returns the page of a list that a query selects.
///
/// # Errors
/// The problem of the query, or of the use case.
pub async fn read_page(
    owner: &UserId,
    query_string: &str,
    now: Timestamp,
    service: &TaskService,
) -> Result<TaskList, Problem> {
    let query = query::parse(query_string, owner, now)?;
    let page = service.list(owner, &query).await?;
    let next = page.next.as_ref();
    let tasks = page.tasks.iter().map(task_json);
    Ok(TaskList {
        tasks: tasks.collect::<Result<_, _>>().map_err(Problem::internal)?,
        next_cursor: next.map(|next| cursor::encode(owner, &query, next)),
    })
}

/// Returns the query parameters of a list, as in the OpenAPI document.
#[must_use]
pub fn list_parameters() -> Vec<Parameter> {
    ListParameters::into_params(|| None)
}

/// A list that is being sent: the tasks of a page, and where the next page begins. It is encoded while it is
/// sent, and each page is read when the client has taken what came before, so that a long list is never held
/// whole.
struct Sending {
    caller: Caller<Read>,
    service: web::Data<TaskService>,
    query: TaskQuery,
    tasks: std::vec::IntoIter<Task>,
    /// The start of the next page, if the page belongs to the same response.
    next: Option<Position>,
    /// The cursor of the next response.
    next_cursor: Option<String>,
    owner: Box<RawValue>,
    /// The part of the response that is encoded and not sent yet.
    encoded: Vec<u8>,
    separator: &'static str,
    is_complete: bool,
}

impl Sending {
    fn new(
        caller: Caller<Read>,
        service: web::Data<TaskService>,
        query: TaskQuery,
        page: TaskPage,
    ) -> serde_json::Result<Self> {
        let (next, next_cursor) = match (page.next, query.limit) {
            (Some(next), Some(_)) => (None, Some(cursor::encode(caller.id(), &query, &next))),
            (next, _) => (next, None),
        };
        Ok(Self {
            owner: owner_json(caller.id())?,
            caller,
            service,
            query,
            tasks: page.tasks.into_iter(),
            next,
            next_cursor,
            encoded: b"{\"tasks\":[".to_vec(),
            separator: "",
            is_complete: false,
        })
    }

    /// Returns the next part of the list. An error breaks off the connection, so that no client takes an
    /// incomplete list for the whole.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Box<dyn std::error::Error>> {
        if self.tasks.len() == 0
            && let Some(position) = self.next.take()
        {
            self.query.start = Start::After(position);
            let page = self.service.list(self.caller.id(), &self.query).await?;
            self.tasks = page.tasks.into_iter();
            self.next = page.next;
        }
        let chunk = self.encode()?;
        Ok((!chunk.is_empty()).then(|| (chunk.into(), self)))
    }

    /// Returns the next chunk of what was read, which is empty after the last one.
    fn encode(&mut self) -> serde_json::Result<Vec<u8>> {
        let mut chunk = std::mem::take(&mut self.encoded);
        chunk.reserve(CHUNK_BYTES.min(self.tasks.len() * USUAL_BYTES));
        while chunk.len() < CHUNK_BYTES && !self.is_complete {
            if let Some(task) = self.tasks.next() {
                chunk.extend_from_slice(self.separator.as_bytes());
                self.separator = ",";
                TaskBody::new(&task, &self.owner).write_json(&mut chunk)?;
            } else if self.next.is_some() {
                break;
            } else {
                chunk.extend_from_slice(b"],\"next_cursor\":");
                self.next_cursor.as_deref().write_json(&mut chunk)?;
                chunk.push(b'}');
                self.is_complete = true;
            }
        }
        Ok(chunk)
    }
}
