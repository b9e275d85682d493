//! The answers that are problems: a schema for each form, and an answer for each status.

use serde_json::{Value, json};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, Ref};

use super::fields::{SOME_ID, ref_to};
use super::operation::{answer, content};
use super::schema::{Named, instant, list_of, of_type, reference, text, whole};
use super::tasks::{SOME_TIME, some_task};
use crate::problem::{Kind, PROBLEM_JSON};

pub(super) fn schemas() -> Vec<Named> {
    let codes = Kind::ALL.map(|kind| kind.names().0);
    let code = || {
        text()
            .description(Some(
                "What programs compare. There may be more of them one day.",
            ))
            .examples(codes)
    };
    let errors = list_of("BrokenRule").description(Some(
        "Every broken rule, in the order of the checks; `detail` is the first.",
    ));
    let problem = || {
        whole([
            (
                "type",
                text().description(Some("A URI of the kind.")).into(),
            ),
            (
                "title",
                text().description(Some("The kind, for people.")).into(),
            ),
            ("status", of_type(Type::Integer).into()),
            (
                "detail",
                text()
                    .description(Some("What happened, for people."))
                    .into(),
            ),
            (
                "instance",
                text().description(Some("The path of the request.")).into(),
            ),
            ("error_code", code().into()),
            ("timestamp", instant(text()).into()),
            ("request_id", text().into()),
        ])
    };
    vec![
        (
            "Problem",
            described(problem(), "An error (RFC 9457).").into(),
        ),
        (
            "BrokenRules",
            described(problem(), "A broken rule, or several.")
                .property("errors", errors)
                .required("errors")
                .into(),
        ),
        (
            "BrokenRule",
            whole([
                (
                    "field",
                    text().description(Some("The member or header.")).into(),
                ),
                (
                    "message",
                    text().description(Some("The rule, for people.")).into(),
                ),
            ])
            .into(),
        ),
        (
            "Stale",
            described(problem(), "The task has changed in the meantime.")
                .property("task", reference("Task"))
                .required("task")
                .into(),
        ),
    ]
}

fn described(object: ObjectBuilder, text: &str) -> ObjectBuilder {
    object.description(Some(text))
}

/// The answers by their names.
pub(super) fn responses() -> impl Iterator<Item = (String, Response)> {
    let named = Kind::ALL.into_iter().filter(|kind| named(*kind) == *kind);
    named.map(|kind| (format!("{kind:?}"), described_response(kind)))
}

/// The answer that a problem of this kind is.
pub(super) fn response(kind: Kind) -> Ref {
    Ref::from_response_name(format!("{:?}", named(kind)))
}

/// The first kind of the same status: an answer has one description for each status.
fn named(kind: Kind) -> Kind {
    let mut kinds = Kind::ALL.into_iter();
    let first = kinds.find(|other| other.status() == kind.status());
    first.unwrap_or(kind)
}

fn described_response(kind: Kind) -> Response {
    let (text, detail) = explained(kind);
    let (schema, example) = match kind {
        Kind::ValidationError => {
            let errors = json!([{"field": "title", "message": detail}]);
            ("BrokenRules", with(example(kind, detail), "errors", errors))
        }
        Kind::PreconditionFailed => ("Stale", with(example(kind, detail), "task", some_task())),
        _ => ("Problem", example(kind, detail)),
    };
    let codes: Vec<_> = Kind::ALL
        .into_iter()
        .filter(|other| other.status() == kind.status())
        .map(|kind| format!("`{}`", kind.names().0))
        .collect();
    let answer = answer(&format!("{}: {text}", codes.join(" or ")))
        .content(PROBLEM_JSON, content(reference(schema), example));
    headers(kind)
        .iter()
        .fold(answer, |answer: ResponseBuilder, name| {
            answer.header_ref(*name, ref_to(name))
        })
        .build()
}

/// When it happens, and the sentence of an example.
fn explained(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::MalformedRequest => (
            "the body is no JSON object in UTF-8; a bad query parameter, cursor, condition or key.",
            "The request body is JSON, but no object.",
        ),
        Kind::Unauthorized => (
            "no token, or one that is not valid, or not any more; a login that is wrong.",
            "The token is not valid, or not any more.",
        ),
        Kind::Forbidden => (
            "a change of another user's task.",
            "The task belongs to another user.",
        ),
        Kind::NotFound => (
            "the caller has no such task; a malformed id; nothing at this path.",
            "Task not found",
        ),
        Kind::MethodNotAllowed => (
            "the path takes other methods, which `Allow` lists.",
            "This path takes GET, HEAD, OPTIONS.",
        ),
        Kind::RequestTimeout => (
            "the body took too long to arrive.",
            "The request body did not arrive within 10 s.",
        ),
        Kind::PreconditionFailed => (
            "the task has changed since it was read; `task` is what it is now.",
            "The task has changed since it was read; nothing was done. This is what it is now.",
        ),
        Kind::PayloadTooLarge => (
            "the body is too large.",
            "A request body has at most 65536 bytes.",
        ),
        Kind::UnsupportedMediaType => (
            "the body is not of a type that the path takes.",
            "The content type must be application/json.",
        ),
        Kind::Conflict | Kind::QuotaExceeded => (
            "a request under this key is still running, the e-mail address is taken or the account has no \
             password; the caller has as many tasks as one user may have. With `Retry-After` where waiting helps.",
            "A request with this Idempotency-Key is still running. Repeat it in a second.",
        ),
        Kind::RateLimited => (
            "too many registrations, logins or wrong passwords.",
            "That was tried too often. Try again in 42 s.",
        ),
        Kind::ValidationError => (
            "a rule is broken, or the key was used for another request.",
            "Task title must be a non-empty string",
        ),
        Kind::InternalError => (
            "a defect of the service.",
            "Something went wrong here. Tell the operator the request_id if it happens again.",
        ),
        Kind::ServiceUnavailable => (
            "the store is away, or too many requests wait. Nothing was changed; under a key it may have been \
             done, and is to be repeated under the same.",
            "The service cannot reach its store right now. Nothing was changed; try again shortly.",
        ),
        Kind::OutcomeUnknown => (
            "the store was lost while it wrote. Never under a key.",
            "The store was lost while it wrote. Read the task again to see what came of it.",
        ),
    }
}

/// What its answer always carries.
fn headers(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Unauthorized => &["WWW-Authenticate"],
        Kind::PreconditionFailed => &["ETag"],
        Kind::RateLimited => &["Retry-After", "RateLimit", "RateLimit-Policy"],
        Kind::ServiceUnavailable => &["Retry-After"],
        _ => &[],
    }
}

fn example(kind: Kind, detail: &str) -> Value {
    let (error_code, title) = kind.names();
    json!({
        "type": kind.uri(),
        "title": title,
        "status": kind.status().as_u16(),
        "detail": detail,
        "instance": "/api/v1/tasks",
        "error_code": error_code,
        "timestamp": SOME_TIME,
        "request_id": SOME_ID,
    })
}

fn with(mut example: Value, name: &str, member: Value) -> Value {
    if let Some(members) = example.as_object_mut() {
        members.insert(name.to_owned(), member);
    }
    example
}
