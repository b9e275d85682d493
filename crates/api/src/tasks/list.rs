//! `GET /api/v1/tasks`: a person's tasks, all or by pages.

use std::collections::HashMap;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CONTENT_TYPE, LINK};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use taskhold_application::tasks::{Position, Sort, SortKey, Start, TaskQuery, TaskService};
use taskhold_domain::task::Task;
use taskhold_domain::user::UserId;
use url::form_urlencoded;

use super::{COLLECTION, cursor};
use crate::body::JSON;
use crate::caller::Caller;
use crate::problem::Problem;

/// The longest page.
pub(crate) const MAX_LIMIT: u32 = 1000;

/// How much of a list is encoded before it is sent on.
const CHUNK_BYTES: usize = 32 * 1024;

/// What a task takes as JSON, mostly.
const USUAL_BYTES: usize = 320;

const PARAMETERS: [&str; 6] = ["limit", "cursor", "offset", "completed", "q", "sort"];

/// The orders by their names; a minus puts the highest first.
pub(crate) const SORTS: [(&str, SortKey); 3] = [
    ("created_at", SortKey::CreatedAt),
    ("updated_at", SortKey::UpdatedAt),
    ("title", SortKey::Title),
];

pub(super) async fn list(
    caller: Caller,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    let query = parse(request.query_string(), &caller.id)?;
    let page = tasks.list(&caller.id, &query).await?;
    let next = page
        .next
        .map(|position| cursor::encode(&caller.id, &query, &position));
    let mut response = HttpResponse::Ok();
    if let Some(next) = &next {
        response.insert_header((LINK, format!("<{}>; rel=\"next\"", next_page(&query, next))));
    }
    response.insert_header((CONTENT_TYPE, JSON));
    let mut list = ListBody::new(&caller.id, page.tasks, next).map_err(Problem::internal)?;
    let beginning = list.encode().map_err(Problem::internal)?;
    if list.end.is_none() {
        // All of it: a page is sent at once and with its length.
        return Ok(response.body(beginning));
    }
    list.encoded = beginning;
    Ok(response.body(list))
}

/// The parameters of a list. Those that are unknown are ignored.
fn parse(query_string: &str, owner: &UserId) -> Result<TaskQuery, Problem> {
    let mut given = parameters(query_string)?;
    let mut query = TaskQuery {
        completed: match given.remove("completed").as_deref() {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => return Err(bad("completed", "true or false")),
        },
        text: given.remove("q"),
        sort: given
            .remove("sort")
            .map_or(Ok(Sort::default()), |sort| parse_sort(&sort))?,
        start: Start::First,
        limit: match given.remove("limit").map(|limit| limit.parse::<u32>()) {
            None => None,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => Some(limit),
            Some(_) => {
                return Err(bad(
                    "limit",
                    &format!("a whole number from 1 to {MAX_LIMIT}"),
                ));
            }
        },
    };
    if query.text.as_ref().is_some_and(|text| text.contains('\0')) {
        return Err(bad("q", "text without NUL characters"));
    }
    query.start = match (given.remove("cursor"), given.remove("offset")) {
        (None, None) => Start::First,
        (Some(_), Some(_)) => {
            return Err(Problem::malformed("cursor and offset exclude each other."));
        }
        _ if query.limit.is_none() => {
            return Err(Problem::malformed("cursor and offset go with a limit."));
        }
        (Some(cursor), None) => Start::After(place(&cursor, owner, &query)?),
        (None, Some(offset)) => Start::Offset(parse_offset(&offset)?),
    };
    Ok(query)
}

fn place(cursor: &str, owner: &UserId, query: &TaskQuery) -> Result<Position, Problem> {
    cursor::decode(cursor, owner, query).map_err(|error| Problem::malformed(error.to_string()))
}

fn parse_sort(raw: &str) -> Result<Sort, Problem> {
    let (descending, name) = match raw.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, raw),
    };
    match SORTS.iter().find(|(known, _)| *known == name) {
        Some((_, key)) => Ok(Sort {
            key: *key,
            descending,
        }),
        None => Err(bad(
            "sort",
            "created_at, updated_at or title, or one of them after a minus",
        )),
    }
}

/// Whatever is past the last task is as good as any other number past it.
fn parse_offset(raw: &str) -> Result<u32, Problem> {
    match raw.parse::<u64>() {
        Ok(offset) => Ok(u32::try_from(offset).unwrap_or(u32::MAX)),
        Err(_) => Err(bad("offset", "a whole number from 0")),
    }
}

/// The values of the parameters that a list knows.
fn parameters(query_string: &str) -> Result<HashMap<&'static str, String>, Problem> {
    if percent_encoding::percent_decode_str(query_string)
        .decode_utf8()
        .is_err()
    {
        return Err(Problem::malformed("The query is not UTF-8."));
    }
    let mut parameters = HashMap::new();
    for (name, value) in form_urlencoded::parse(query_string.as_bytes()) {
        let Some(known) = PARAMETERS.into_iter().find(|known| *known == name) else {
            continue;
        };
        if parameters.insert(known, value.into_owned()).is_some() {
            return Err(Problem::malformed(format!(
                "The query parameter {known} is given twice."
            )));
        }
    }
    Ok(parameters)
}

fn bad(parameter: &str, expected: &str) -> Problem {
    Problem::malformed(format!(
        "The query parameter {parameter} must be {expected}."
    ))
}

/// The same list from the cursor on.
fn next_page(query: &TaskQuery, cursor: &str) -> String {
    let mut parameters = form_urlencoded::Serializer::new(String::new());
    if let Some(limit) = query.limit {
        parameters.append_pair("limit", &limit.to_string());
    }
    if let Some(completed) = query.completed {
        parameters.append_pair("completed", if completed { "true" } else { "false" });
    }
    if let Some(text) = &query.text {
        parameters.append_pair("q", text);
    }
    if query.sort != Sort::default() {
        let name = SORTS
            .iter()
            .find(|(_, key)| *key == query.sort.key)
            .map_or("", |(name, _)| name);
        let minus = if query.sort.descending { "-" } else { "" };
        parameters.append_pair("sort", &format!("{minus}{name}"));
    }
    parameters.append_pair("cursor", cursor);
    format!("{COLLECTION}?{}", parameters.finish())
}

/// `{"tasks": […], "next_cursor": …}`, encoded while it is sent: a list of ten thousand tasks is
/// never held as tasks and as JSON at once.
struct ListBody {
    /// What is encoded and not sent.
    encoded: Vec<u8>,
    tasks: std::vec::IntoIter<Task>,
    /// Whose tasks they are, as JSON.
    owner: String,
    between: &'static str,
    /// What follows the last task, until it is encoded.
    end: Option<String>,
}

impl ListBody {
    fn new(
        owner: &UserId,
        tasks: Vec<Task>,
        next_cursor: Option<String>,
    ) -> Result<Self, serde_json::Error> {
        let next_cursor = serde_json::Value::from(next_cursor);
        Ok(Self {
            encoded: b"{\"tasks\":[".to_vec(),
            tasks: tasks.into_iter(),
            owner: serde_json::to_string(owner.as_str())?,
            between: "",
            end: Some(format!("],\"next_cursor\":{next_cursor}}}")),
        })
    }

    /// The next piece; empty after the last.
    fn encode(&mut self) -> Result<Vec<u8>, serde_json::Error> {
        let mut chunk = std::mem::take(&mut self.encoded);
        chunk.reserve(CHUNK_BYTES.min(self.tasks.len() * USUAL_BYTES));
        while chunk.len() < CHUNK_BYTES {
            let Some(task) = self.tasks.next() else {
                chunk.extend_from_slice(self.end.take().unwrap_or_default().as_bytes());
                break;
            };
            chunk.extend_from_slice(self.between.as_bytes());
            self.between = ",";
            encode(&task, &self.owner, &mut chunk)?;
        }
        Ok(chunk)
    }
}

/// Writes a task as [`TaskBody`](super::TaskBody) is serialized, the names of its members as they are and its
/// owner encoded before: that they are encoded for every task anew is a third of what a list costs.
fn encode(task: &Task, owner: &str, into: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let written = |error| serde_json::Error::io(error);
    write!(into, "{{\"id\":\"{}\",\"title\":", task.id).map_err(written)?;
    serde_json::to_writer(&mut *into, task.title.as_str())?;
    into.extend_from_slice(b",\"description\":");
    serde_json::to_writer(&mut *into, task.description.as_str())?;
    into.extend_from_slice(if task.completed {
        b",\"completed\":true"
    } else {
        b",\"completed\":false"
    });
    write!(
        into,
        ",\"created_at\":\"{}\",\"updated_at\":\"{}\",\"user_id\":",
        task.created_at, task.updated_at
    )
    .map_err(written)?;
    into.extend_from_slice(owner.as_bytes());
    into.push(b'}');
    Ok(())
}

impl MessageBody for ListBody {
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

#[cfg(test)]
mod tests {
    use taskhold_domain::task::{Description, TaskDraft, TaskId, Title};
    use taskhold_domain::timestamp::Timestamp;

    use super::*;
    use crate::tasks::TaskBody;

    #[test]
    fn a_task_is_written_as_it_is_serialized() {
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
            };
            let mut task = Task::create(id, owner.clone(), draft, created);
            task.updated_at = Timestamp::LAST;
            let mut written = Vec::new();
            let owner = serde_json::to_string(owner.as_str()).expect("encoded");
            encode(&task, &owner, &mut written).expect("written");
            let expected = serde_json::to_string(&TaskBody::from(&task)).expect("serialized");
            assert_eq!(String::from_utf8(written), Ok(expected));
        }
    }
}
