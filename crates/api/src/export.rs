//! `GET /api/v1/export`: all tasks of the caller as a file.

use actix_web::body;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde_json::{Value, json};
use taskhold_application::tasks::{TaskPage, TaskService};
use taskhold_domain::task::{Description, Title};
use taskhold_domain::zone::Zone;
use taskhold_transfer::Format;
use taskhold_transfer::writer::Writer;
use utoipa::IntoParams;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::Type;

use crate::body::{JSON, NDJSON};
use crate::caller::{Caller, Read};
use crate::parameters::{self, bad_value, not_one_of};
use crate::problem::Problem;
use crate::route::{Access, Endpoint};
use crate::schema::{
    MAX_EXACT_INTEGER, WITHOUT_NUL, integer, one_of, query_parameter, schema_type, zone_name,
};
use crate::tasks::some_task;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::new::<__path_export>(Access::Read, || {
        web::to(export)
    })]
}

/// A file that is being sent: the page of tasks to be written next, and how the next one is read.
struct Sending {
    tasks: web::Data<TaskService>,
    caller: Caller<Read>,
    writer: Writer,
    page: Option<TaskPage>,
}

/// All of the caller's tasks as a file
///
/// `console` is a JSON array in the format of the original command-line app, and `ndjson` a JSON object on each line
/// with everything that another Taskhold imports.
#[utoipa::path(
    get,
    path = "/api/v1/export",
    operation_id = "exportTasks",
    params(ExportParameters, ("Change-Seq", Header)),
    responses((
        status = 200,
        description = "The file.",
        content(
            (Vec<ExportedTask> = JSON, example = exported_tasks_example),
            (String = NDJSON, example = lines_example),
        ),
        headers(("Content-Disposition")),
    )),
)]
async fn export(
    caller: Caller<Read>,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    let (format, zone) = parse(request.query_string())?;
    // The first page is read before the response begins, so that a failure has its own status.
    let page = tasks.export_page(caller.id(), None).await?;
    let sending = Sending {
        tasks,
        caller,
        writer: Writer::new(format, zone),
        page: Some(page),
    };
    let (media_type, disposition) = file_headers(format);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CONTENT_DISPOSITION, disposition));
    if request.method() == Method::HEAD {
        // The server would read a stream to its end and throw it away.
        return Ok(response.body(body::None::new()));
    }
    Ok(response.streaming(stream::try_unfold(sending, Sending::next)))
}

impl Sending {
    /// Returns the next part of the file. An error breaks off the connection, so that no client
    /// takes the incomplete file for the whole.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Box<dyn std::error::Error>> {
        let Some(page) = self.page.take() else {
            return Ok(None);
        };
        let mut part = String::new();
        for task in &page.tasks {
            part.push_str(&self.writer.task(task)?);
        }
        match page.next {
            Some(position) => {
                let next = self.tasks.export_page(self.caller.id(), Some(position));
                self.page = Some(next.await?);
            }
            None => part.push_str(self.writer.end()),
        }
        Ok(Some((part.into(), self)))
    }
}

/// Parses the query parameters.
fn parse(query_string: &str) -> Result<(Format, Zone), Problem> {
    let given = parameters::read(query_string, &["format", "timezone"])?;
    let zone = match given.get("timezone").map(|name| name.parse::<Zone>()) {
        None => Zone::UTC,
        Some(Ok(zone)) => zone,
        Some(Err(_)) => {
            let expected = "a name of the IANA database, such as Europe/Berlin";
            return Err(bad_value("timezone", expected));
        }
    };
    match given.get("format").map(String::as_str) {
        None | Some("console") => Ok((Format::Console, zone)),
        Some("ndjson") => Ok((Format::Ndjson, zone)),
        Some(other) => Err(not_one_of("format", other, &["console", "ndjson"])),
    }
}

/// Returns the media type and the disposition of a file.
fn file_headers(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Console => (JSON, "attachment; filename=\"tasks.json\""),
        Format::Ndjson => (NDJSON, "attachment; filename=\"tasks.ndjson\""),
    }
}

/// The query parameters, for their description.
struct ExportParameters;

impl IntoParams for ExportParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query_parameter(
                "format",
                one_of(["console", "ndjson"]),
                "The format of the file; left out it is `console`.",
            ),
            query_parameter(
                "timezone",
                zone_name(),
                "The IANA name of the zone of the times in the format `console`, which tell none; left out it is \
                 `UTC`.",
            ),
        ]
    }
}

schema_type!(
    /// A task in the console's file format, which another crate writes.
    ExportedTask = {
        let id = integer(1, MAX_EXACT_INTEGER);
        let title = text()
            .min_length(Some(1))
            .max_length(Some(Title::MAX_CHARS))
            .pattern(Some(WITHOUT_NUL))
            .description(Some("The thing to do; kept exactly as given."));
        let description = text()
            .max_length(Some(Description::MAX_CHARS))
            .pattern(Some(WITHOUT_NUL));
        let completed = ObjectBuilder::new().schema_type(Type::Boolean);
        let local_time = || text().description(Some("The time on clocks of the zone."));
        [
            ("id", id),
            ("title", title),
            ("description", description),
            ("completed", completed),
            ("user_id", text()),
            ("created_at", local_time()),
            ("updated_at", local_time()),
        ]
        .into_iter()
        .fold(ObjectBuilder::new(), |object, (name, schema)| {
            object.property(name, schema).required(name)
        })
    }
);

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn exported_tasks_example() -> Value {
    json!([{
        "id": 1,
        "title": "Buy milk",
        "description": "2 litres",
        "completed": false,
        "user_id": "anna",
        "created_at": "2026-11-21T08:47:42.412957",
        "updated_at": "2026-11-21T08:47:42.412957",
    }])
}

fn lines_example() -> Value {
    let mut task = some_task();
    if let Some(members) = task.as_object_mut() {
        members.remove("etag");
        members.insert("version".to_owned(), json!(1));
    }
    json!(format!("{task}\n"))
}
