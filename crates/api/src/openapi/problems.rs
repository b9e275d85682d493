//! The responses that are problems: a schema for each form, and a response for each status.

use std::time::Duration;

use actix_web::http::header::ETAG;
use serde_json::value::to_raw_value;
use taskhold_application::accounts::{AccountError, Allowance};
use taskhold_application::tasks::TaskError;
use taskhold_application::user_limit::TooManyInProgress;
use taskhold_domain::personal_token::Scope;
use taskhold_domain::task::TitleError;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::violation::{Violation, Violations};
use taskhold_transfer::reader::{FileError, Invalid, Location};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ArrayBuilder, ContentBuilder, Ref, RefOr};

use super::shared::header_reference;
use crate::body::{self, JSON};
use crate::problem::{Kind, PROBLEM_JSON, Problem, ProblemBody, RequestContext};
use crate::schema::{SOME_ETAG, SOME_ID, object_of, schema_type};
use crate::{accounts, changes, import, personal_tokens, tasks};

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

schema_type!(
    UndoFailure = {
        object_of::<ProblemBody>()
            .description(Some("The change could not be undone."))
            .property("task", Ref::from_schema_name("Task"))
    }
);

/// Returns the responses, by name.
pub(super) fn responses() -> impl Iterator<Item = (String, RefOr<Response>)> {
    shared().map(|(name, problem, explanation)| {
        let response = response(&problem, explanation);
        (name.to_owned(), RefOr::T(response))
    })
}

/// Returns a reference to the response of this name, or `None` if there is none.
pub(super) fn named(name: &str) -> Option<Ref> {
    let is_shared = shared().any(|(shared, ..)| shared == name);
    is_shared.then(|| Ref::from_response_name(name))
}

/// Returns a reference to the usual response of problems of this kind.
pub(super) fn reference(kind: Kind) -> Ref {
    Ref::from_response_name(format!("{kind:?}"))
}

fn response(problem: &Problem, explanation: &str) -> Response {
    let kind = problem.kind();
    let schema = match kind {
        Kind::ValidationError => "BrokenRules",
        Kind::PreconditionFailed => "Stale",
        // A `CONFLICT` and a `QUOTA_EXCEEDED` of the same status have no task.
        Kind::UndoConflict => "UndoFailure",
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
    let response = ResponseBuilder::new()
        .description(format!("`{}`: {explanation}", kind.names().0))
        .content(PROBLEM_JSON, content.build());
    headers(problem)
        .into_iter()
        .fold(response, |response, name| {
            let reference = header_reference(&name);
            response.header_ref(name, reference)
        })
        .build()
}

/// Returns the names of the headers that a problem always has.
fn headers(problem: &Problem) -> Vec<String> {
    [
        "X-Request-Id",
        "WWW-Authenticate",
        "ETag",
        "Retry-After",
        "RateLimit",
        "RateLimit-Policy",
    ]
    .into_iter()
    .filter(|name| *name == "X-Request-Id" || problem.has_header(name))
    .map(str::to_owned)
    .collect()
}

/// A shared problem as the service sends it: the name of its response, an example, and when it is sent.
type Shared = (&'static str, Problem, &'static str);

/// Returns the problems that operations share. The usual problem of a kind has the name of the kind. An operation that
/// names another problem of this kind has that one instead.
fn shared() -> impl Iterator<Item = Shared> {
    [usual(), of_changes(), of_files(), of_accounts()]
        .into_iter()
        .flatten()
}

fn usual() -> Vec<Shared> {
    let some_task = to_raw_value(&tasks::some_task()).ok();
    vec![
        (
            "MalformedRequest",
            body::not_an_object(),
            "the body, a parameter or a header is malformed, or a parameter is unknown; `detail` says how.",
        ),
        (
            "Unauthorized",
            Problem::invalid_token(),
            "there is no token, or it is not valid, or not any more.",
        ),
        (
            "Forbidden",
            TaskError::Forbidden.into(),
            "the task belongs to another user; or `INSUFFICIENT_SCOPE`: the token lacks the scope.",
        ),
        (
            "InsufficientScope",
            Problem::insufficient_scope(Some(Scope::Write)),
            "the token is a personal access token and does not allow this.",
        ),
        (
            "NotFound",
            Problem::no_such_task(),
            "the caller has no such task, or the id is malformed.",
        ),
        (
            "NothingHere",
            Problem::no_such_route(),
            "there is nothing at this path.",
        ),
        (
            "RequestTimeout",
            body::request_timeout(),
            "the body took too long to arrive.",
        ),
        (
            "Conflict",
            TaskError::KeyInFlight.into(),
            "a request with this `Idempotency-Key` is still running.",
        ),
        (
            "NotCreated",
            TaskError::QuotaExceeded { quota: 100_000 }.into(),
            "the caller has as many tasks as one user may have; or `CONFLICT`: a request with this \
             `Idempotency-Key` is still running.",
        ),
        (
            "PreconditionFailed",
            tasks::stale(some_task).with_header(ETAG, SOME_ETAG),
            "the task has changed since it was read; `task` is what it is now.",
        ),
        (
            "PayloadTooLarge",
            body::payload_too_large(body::MAX_BYTES),
            "the body is too large.",
        ),
        (
            "UnsupportedMediaType",
            body::unsupported_media_type(&[JSON], "has the media type `text/plain`"),
            "the body has a media type, a charset or an encoding that the operation does not take.",
        ),
        (
            "UserMoved",
            Problem::user_moved(),
            "the user was moved to another address of the service: send the request there.",
        ),
        (
            "ValidationError",
            Violations::from(Violation::Title(TitleError::Empty)).into(),
            "a rule is broken; `errors` lists each with its member or header.",
        ),
        (
            "RateLimited",
            TooManyInProgress.into(),
            "the caller sends too many requests; `Retry-After` says how long to wait.",
        ),
        (
            "InternalError",
            Problem::internal(""),
            "a defect of the service.",
        ),
        (
            "ServiceUnavailable",
            Problem::unavailable("".into()),
            "the store is away, or too many requests wait. Nothing was changed, unless the request had an \
             `Idempotency-Key`.",
        ),
        (
            "OutcomeUnknown",
            TaskError::OutcomeUnknown("".into()).into(),
            "the store was lost while it wrote, and what was asked may have been done.",
        ),
    ]
}

fn of_changes() -> Vec<Shared> {
    vec![
        (
            "NotUndone",
            tasks::undo_conflict(to_raw_value(&tasks::some_task()).ok()),
            "what the undo would set has changed since, and `task` is what it is now; or `QUOTA_EXCEEDED`: the \
             caller has as many tasks as one user may have; or `CONFLICT`: a request with this `Idempotency-Key` is \
             still running.",
        ),
        (
            "NoSuchChange",
            Problem::no_such_change(),
            "the caller has no such change, it is no longer kept, or its task is gone.",
        ),
        (
            "CursorExpired",
            changes::expired_cursor(),
            "the changes after the cursor are no longer kept: start over without one.",
        ),
    ]
}

fn of_files() -> Vec<Shared> {
    vec![
        (
            "QuotaExceeded",
            TaskError::ImportExceedsQuota {
                imported: 12,
                quota: 100_000,
            }
            .into(),
            "the caller would have more tasks than one user may have. Nothing was imported.",
        ),
        (
            "NotImported",
            import::not_imported(FileError::Invalid {
                location: Location {
                    line: 3,
                    column: 14,
                },
                reason: Invalid::CutShort,
            }),
            "the file is not one of tasks, or a parameter is malformed or unknown; `detail` says how. Nothing was \
             imported.",
        ),
    ]
}

fn of_accounts() -> Vec<Shared> {
    let allowance = Allowance {
        quota: 30,
        window: Duration::from_mins(1),
        remaining: 0,
        reset_in: Duration::from_secs(42),
    };
    vec![
        (
            "WrongCredentials",
            AccountError::WrongCredentials.into(),
            "the e-mail address or the password is wrong.",
        ),
        (
            "InvalidRefreshToken",
            AccountError::InvalidRefreshToken.into(),
            "the refresh token is not valid, or not any more.",
        ),
        (
            "RegistrationRefused",
            AccountError::RegistrationDisabled.into(),
            "registration is switched off; or a page of another origin sends `Taskhold-Page`.",
        ),
        (
            "OtherOrigin",
            accounts::other_origin(),
            "a page of another origin sends `Taskhold-Page`.",
        ),
        (
            "NotForTheAccount",
            Problem::insufficient_scope(None),
            "the token is a personal access token; or `FORBIDDEN`: a page of another origin sends `Taskhold-Page`.",
        ),
        (
            "NoSuchSession",
            accounts::no_such_session(),
            "the caller has no such session, or the id is malformed.",
        ),
        (
            "EmailTaken",
            AccountError::EmailTaken.into(),
            "there is an account with this e-mail address.",
        ),
        (
            "NoSuchToken",
            personal_tokens::no_such_token(),
            "the caller has no such token, or the id is malformed.",
        ),
        (
            "TooManyTokens",
            AccountError::TooManyTokens.into(),
            "the caller has as many tokens as one user may have.",
        ),
        (
            "NoPassword",
            AccountError::NoPassword.into(),
            "the account has no password that could be changed.",
        ),
        (
            "TooManyAttempts",
            AccountError::RateLimited(allowance).into(),
            "there were too many attempts; `Retry-After` says how long to wait.",
        ),
    ]
}
