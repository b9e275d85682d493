//! `GET /api/v1/tasks`: the caller's tasks, all of them or by pages.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CONTENT_TYPE, LINK};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde_json::value::RawValue;
use taskhold_application::tasks::TaskService;
use taskhold_domain::task::Task;
use taskhold_domain::user::UserId;
use utoipa::ToSchema;

use super::body::{TaskBody, owner_json, some_task};
use super::query::{self, ListParameters};
use super::{COLLECTION, cursor};
use crate::body::JSON;
use crate::caller::Caller;
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
    params(ListParameters),
    responses((
        status = 200,
        description = "The tasks.",
        body = TaskList,
        headers(("Link")),
        example = json!({"tasks": [some_task()], "next_cursor": null}),
    )),
)]
pub(super) async fn list(
    caller: Caller,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    let query = query::parse(request.query_string(), &caller.id)?;
    let page = tasks.list(&caller.id, &query).await?;
    let next = page
        .next
        .map(|position| cursor::encode(&caller.id, &query, &position));
    let mut response = HttpResponse::Ok();
    if let Some(next) = &next {
        let next = query::next_page(&query, next);
        response.insert_header((LINK, format!("<{next}>; rel=\"next\"")));
    }
    let list = TaskList::new(&caller.id, page.tasks, next).map_err(Problem::internal)?;
    list.send(&mut response)
}

// A list of tasks in a response. It is encoded while it is sent, so that a list of ten thousand
// tasks is never held as tasks and as JSON at once.
#[derive(ToSchema)]
pub(crate) struct TaskList {
    #[schema(value_type = Vec<TaskBody>)]
    tasks: std::vec::IntoIter<Task>,
    /// The `cursor` of the next page; null where there is none.
    #[schema(required)]
    next_cursor: Option<String>,
    #[schema(ignore)]
    owner: Box<RawValue>,
    /// What is encoded and not sent yet.
    #[schema(ignore)]
    encoded: Vec<u8>,
    #[schema(ignore)]
    separator: &'static str,
    #[schema(ignore)]
    is_complete: bool,
}

impl TaskList {
    fn new(
        owner: &UserId,
        tasks: Vec<Task>,
        next_cursor: Option<String>,
    ) -> serde_json::Result<Self> {
        Ok(Self {
            tasks: tasks.into_iter(),
            next_cursor,
            owner: owner_json(owner)?,
            encoded: b"{\"tasks\":[".to_vec(),
            separator: "",
            is_complete: false,
        })
    }

    /// Sends the list at once and with its length if it fits into one chunk, such as a page.
    fn send(mut self, response: &mut HttpResponseBuilder) -> Result<HttpResponse, Problem> {
        response.insert_header((CONTENT_TYPE, JSON));
        let first_chunk = self.encode().map_err(Problem::internal)?;
        if self.is_complete {
            return Ok(response.body(first_chunk));
        }
        self.encoded = first_chunk;
        Ok(response.body(self))
    }

    /// Returns the next chunk, which is empty after the last one.
    fn encode(&mut self) -> serde_json::Result<Vec<u8>> {
        let mut chunk = std::mem::take(&mut self.encoded);
        chunk.reserve(CHUNK_BYTES.min(self.tasks.len() * USUAL_BYTES));
        while chunk.len() < CHUNK_BYTES && !self.is_complete {
            if let Some(task) = self.tasks.next() {
                chunk.extend_from_slice(self.separator.as_bytes());
                self.separator = ",";
                TaskBody::new(&task, &self.owner).write_json(&mut chunk)?;
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

impl MessageBody for TaskList {
    type Error = serde_json::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, serde_json::Error>>> {
        let chunk = self.encode();
        Poll::Ready(match chunk {
            Ok(chunk) if chunk.is_empty() => None,
            chunk => Some(chunk.map(Bytes::from)),
        })
    }
}
