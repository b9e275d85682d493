//! `GET /api/v1/export`: all tasks of a person as a file.

use std::collections::HashMap;

use actix_web::body;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use taskhold_application::tasks::{TaskPage, TaskService};
use taskhold_domain::user::UserId;
use taskhold_transfer::Format;
use taskhold_transfer::writer::Writer;
use taskhold_transfer::zone::Zone;

use crate::caller::Caller;
use crate::endpoint::{Access, Endpoint};
use crate::problem::Problem;

pub(crate) const EXPORT: &str = "/api/v1/export";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::new(Method::GET, EXPORT, Access::Owner, || {
        web::to(export)
    })]
}

/// A file on its way: what was read, and what comes after it.
struct Sending {
    tasks: web::Data<TaskService>,
    owner: UserId,
    writer: Writer,
    page: Option<TaskPage>,
}

async fn export(
    caller: Caller,
    request: HttpRequest,
    tasks: web::Data<TaskService>,
) -> Result<HttpResponse, Problem> {
    let (format, zone) = parameters(request.query_string())?;
    // A store that is away is told before the answer begins.
    let page = tasks.oldest_first(&caller.id, None).await?;
    let sending = Sending {
        tasks,
        owner: caller.id,
        writer: Writer::new(format, zone),
        page: Some(page),
    };
    let name = match format {
        Format::Console => "attachment; filename=\"tasks.json\"",
        Format::Ndjson => "attachment; filename=\"tasks.ndjson\"",
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, media_type(format)))
        .insert_header((CONTENT_DISPOSITION, name));
    if request.method() == Method::HEAD {
        // A stream would be read to its end, although nobody sees it.
        return Ok(response.body(body::None::new()));
    }
    Ok(response.streaming(stream::try_unfold(sending, Sending::next)))
}

impl Sending {
    /// The next part. An error ends the connection within the answer, so that nobody takes what came
    /// for all.
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
                let next = self.tasks.oldest_first(&self.owner, Some(position));
                self.page = Some(next.await?);
            }
            None => part.push_str(self.writer.end()),
        }
        Ok(Some((part.into(), self)))
    }
}

/// The parameters. Those that are unknown are ignored.
fn parameters(query_string: &str) -> Result<(Format, Zone), Problem> {
    let given: HashMap<_, _> = url::form_urlencoded::parse(query_string.as_bytes()).collect();
    let zone = match given.get("timezone").map(|name| name.parse::<Zone>()) {
        None => Zone::UTC,
        Some(Ok(zone)) => zone,
        Some(Err(_)) => {
            return Err(Problem::malformed(
                "timezone must be a name of the IANA database, such as Europe/Berlin.",
            ));
        }
    };
    match given.get("format").map(AsRef::as_ref) {
        None | Some("console") => Ok((Format::Console, zone)),
        Some("ndjson") => Ok((Format::Ndjson, zone)),
        Some(_) => Err(Problem::malformed("format must be console or ndjson.")),
    }
}

fn media_type(format: Format) -> &'static str {
    match format {
        Format::Console => "application/json",
        Format::Ndjson => "application/x-ndjson",
    }
}
