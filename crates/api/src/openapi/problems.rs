//! The responses that are problems: a schema for each form, and a response for each status.

use std::time::Duration;

use serde_json::value::to_raw_value;
use taskhold_application::accounts::{AccountError, Allowance};
use taskhold_application::tasks::TaskError;
use taskhold_domain::task::TitleError;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::violation::{Violation, Violations};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ArrayBuilder, ContentBuilder, Ref, RefOr};

use super::shared::header_reference;
use crate::body::{self, JSON};
use crate::problem::{Kind, PROBLEM_JSON, Problem, ProblemBody, RequestContext};
use crate::schema::{SOME_ID, object_of, schema_type};
use crate::tasks;

schema_type!(
    BrokenRules = {
        let errors = ArrayBuilder::new()
            .items(Ref::from_schema_name("BrokenRule"))
            .description(Some(
                "Every broken rule, in the order of the checks; `detail` is the first.",
            ));
        object_of::<ProblemBody>()
            .description(Some("A broken rule, or several."))
            .property("errors", errors)
            .required("errors")
    }
);

schema_type!(
    Stale = {
        object_of::<ProblemBody>()
            .description(Some("The task has changed in the meantime."))
            .property("task", Ref::from_schema_name("Task"))
            .required("task")
    }
);

/// Returns a response for each status, by name.
pub(super) fn responses() -> impl Iterator<Item = (String, RefOr<Response>)> {
    examples().into_iter().map(|(problem, explanation)| {
        let response = response(&problem, explanation);
        (format!("{:?}", problem.kind()), RefOr::T(response))
    })
}

/// Returns the first kind of this status, which names its response.
pub(super) fn kind_of(status: &str) -> Option<Kind> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.status().as_str() == status)
}

/// Returns a reference to the response of the status of this kind.
pub(super) fn reference(kind: Kind) -> Ref {
    let named = kind_of(kind.status().as_str()).unwrap_or(kind);
    Ref::from_response_name(format!("{named:?}"))
}

fn response(problem: &Problem, explanation: &str) -> Response {
    let kind = problem.kind();
    let schema = match kind {
        Kind::ValidationError => "BrokenRules",
        Kind::PreconditionFailed => "Stale",
        _ => "Problem",
    };
    let request = RequestContext {
        path: "/api/v1/tasks".to_owned(),
        request_id: SOME_ID.to_owned(),
        timestamp: Timestamp::from_micros(1_795_250_862_412_957).unwrap_or(Timestamp::FIRST),
    };
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .example(serde_json::to_value(problem.body(&request)).ok());
    let codes: Vec<_> = Kind::ALL
        .into_iter()
        .filter(|other| other.status() == kind.status())
        .map(|kind| format!("`{}`", kind.names().0))
        .collect();
    let response = ResponseBuilder::new()
        .description(format!("{}: {explanation}", codes.join(" or ")))
        .content(PROBLEM_JSON, content.build());
    headers(kind)
        .iter()
        .fold(response, |response, name| {
            response.header_ref(*name, header_reference(name))
        })
        .build()
}

/// Returns the names of the headers that a problem of this kind always has.
fn headers(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Unauthorized => &["X-Request-Id", "WWW-Authenticate"],
        Kind::PreconditionFailed => &["X-Request-Id", "ETag"],
        Kind::RateLimited => &[
            "X-Request-Id",
            "Retry-After",
            "RateLimit",
            "RateLimit-Policy",
        ],
        Kind::ServiceUnavailable => &["X-Request-Id", "Retry-After"],
        _ => &["X-Request-Id"],
    }
}

/// Returns a problem of each status, as the service sends it, and when the status is sent.
fn examples() -> [(Problem, &'static str); 15] {
    let allowance = Allowance {
        quota: 30,
        window: Duration::from_mins(1),
        remaining: 0,
        reset_in: Duration::from_secs(42),
    };
    [
        (
            body::not_an_object(),
            "the body is no JSON object in UTF-8; a bad query parameter, cursor, condition or key.",
        ),
        (
            Problem::invalid_token(),
            "no token, or one that is not valid, or not any more; a login that is wrong.",
        ),
        (
            TaskError::Forbidden.into(),
            "a change of another user's task; a registration where they are switched off.",
        ),
        (
            Problem::no_such_task(),
            "the caller has no such task; a malformed id; nothing at this path.",
        ),
        (
            Problem::method_not_allowed("GET, HEAD, OPTIONS".to_owned()),
            "the path takes other methods, which `Allow` lists.",
        ),
        (body::request_timeout(), "the body took too long to arrive."),
        (
            tasks::stale(to_raw_value(&tasks::some_task()).ok()),
            "the task has changed since it was read; `task` is what it is now.",
        ),
        (body::payload_too_large(), "the body is too large."),
        (
            body::unsupported_media_type(&[JSON]),
            "the body is not of a type that the path takes.",
        ),
        (
            TaskError::KeyInFlight.into(),
            "a request under this key is still running, the e-mail address is taken or the account has no \
             password; the caller has as many tasks as one user may have. With `Retry-After` where waiting helps.",
        ),
        (
            AccountError::RateLimited(allowance).into(),
            "too many registrations, logins or wrong passwords.",
        ),
        (
            Violations::from(Violation::Title(TitleError::Empty)).into(),
            "a rule is broken, or the key was used for another request.",
        ),
        (Problem::internal(""), "a defect of the service."),
        (
            Problem::unavailable("".into()),
            "the store is away, or too many requests wait. Nothing was changed; under a key it may have been \
             done, and is to be repeated under the same.",
        ),
        (
            TaskError::OutcomeUnknown("".into()).into(),
            "the store was lost while it wrote. Never under a key.",
        ),
    ]
}
