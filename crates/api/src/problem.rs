//! The one error type of the API, and its form on the wire: RFC 9457 with the members that
//! existing clients know.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use actix_cors::CorsError;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CONTENT_TYPE, ETAG, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use taskhold_application::accounts::{AccountError, FRESH_FOR};
use taskhold_application::tasks::TaskError;
use taskhold_domain::task::Task;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::violation::Violations;

use crate::accounts::{rate_limit, seconds};
use crate::body::{ARRIVAL_TIMEOUT, MAX_BYTES};
use crate::conditional::etag;
use crate::tasks::TaskBody;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// How many seconds to wait before asking a store again that is away.
const RETRY_AFTER_SECONDS: &str = "5";

/// How many seconds to wait where only too many others were asking.
const BUSY_RETRY_AFTER_SECONDS: &str = "1";

/// What is said of a password that is another one.
const WRONG_PASSWORD: &str = "The password is wrong";

/// The cause of an error, for the log alone.
type Source = Box<dyn Error + Send + Sync>;

/// What kind of error it is. Fixes its status and its `error_code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not JSON, not UTF-8, no object, a bad query parameter.
    MalformedRequest,
    /// No sound token.
    Unauthorized,
    /// A change of another's task.
    Forbidden,
    /// No such task, no such route.
    NotFound,
    /// The route has no such method.
    MethodNotAllowed,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The task has changed since it was read.
    PreconditionFailed,
    /// The body is too large.
    PayloadTooLarge,
    /// The body is of a type that the route does not take.
    UnsupportedMediaType,
    /// A request under the same key is under way.
    Conflict,
    /// The caller has as many tasks as anybody may have.
    QuotaExceeded,
    /// It was tried too often.
    RateLimited,
    /// A rule of the domain is broken.
    ValidationError,
    /// A defect of ours.
    InternalError,
    /// The store is away.
    ServiceUnavailable,
    /// A write may or may not have happened.
    OutcomeUnknown,
}

impl Kind {
    /// Its HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Conflict | Self::QuotaExceeded => StatusCode::CONFLICT,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::ValidationError => StatusCode::UNPROCESSABLE_ENTITY,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The `error_code` that programs compare, and the sentence that names the kind for people.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::MalformedRequest => ("MALFORMED_REQUEST", "The request is malformed"),
            Self::Unauthorized => ("UNAUTHORIZED", "A valid token is required"),
            Self::Forbidden => ("FORBIDDEN", "Not yours to change"),
            Self::NotFound => ("NOT_FOUND", "Not found"),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", "The method is not allowed here"),
            Self::RequestTimeout => ("REQUEST_TIMEOUT", "The request took too long to arrive"),
            Self::PreconditionFailed => ("PRECONDITION_FAILED", "It has changed in the meantime"),
            Self::PayloadTooLarge => ("PAYLOAD_TOO_LARGE", "The request body is too large"),
            Self::UnsupportedMediaType => {
                ("UNSUPPORTED_MEDIA_TYPE", "The media type is not supported")
            }
            Self::Conflict => ("CONFLICT", "In conflict with what is there or under way"),
            Self::QuotaExceeded => ("QUOTA_EXCEEDED", "The quota is used up"),
            Self::RateLimited => ("RATE_LIMITED", "Too many attempts"),
            Self::ValidationError => ("VALIDATION_ERROR", "A rule is broken"),
            Self::InternalError => ("INTERNAL_ERROR", "There is a defect in this service"),
            Self::ServiceUnavailable => ("SERVICE_UNAVAILABLE", "The service is not available"),
            Self::OutcomeUnknown => ("OUTCOME_UNKNOWN", "The outcome is unknown"),
        }
    }
}

/// Why a request failed: what its sender is told, and beside it the cause, which only the log is.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    errors: Option<Vec<FieldError>>,
    current: Option<Box<Task>>,
    headers: Vec<(HeaderName, Cow<'static, str>)>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: None,
            current: None,
            headers: Vec::new(),
            cause: None,
        }
    }

    fn with_header(mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = Some(errors);
        self
    }

    fn with_current(mut self, current: Box<Task>) -> Self {
        self.current = Some(current);
        self
    }

    fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::MalformedRequest, detail)
    }

    pub(crate) fn no_token() -> Self {
        Self::new(
            Kind::Unauthorized,
            "A bearer token is required in the Authorization header.",
        )
        .with_header(WWW_AUTHENTICATE, "Bearer realm=\"taskhold\"")
    }

    /// Says nothing of why: who forges tokens should not learn how close they came.
    pub(crate) fn invalid_token() -> Self {
        Self::new(
            Kind::Unauthorized,
            "The token is not valid, or not any more.",
        )
        .with_header(
            WWW_AUTHENTICATE,
            "Bearer realm=\"taskhold\", error=\"invalid_token\"",
        )
    }

    pub(crate) fn no_such_task() -> Self {
        Self::new(Kind::NotFound, "Task not found")
    }

    pub(crate) fn no_such_route() -> Self {
        Self::new(Kind::NotFound, "There is nothing at this path.")
    }

    pub(crate) fn method_not_allowed(allow: String) -> Self {
        Self::new(Kind::MethodNotAllowed, format!("This path takes {allow}."))
            .with_header(ALLOW, allow)
    }

    pub(crate) fn request_timeout() -> Self {
        let seconds = ARRIVAL_TIMEOUT.as_secs();
        Self::new(
            Kind::RequestTimeout,
            format!("The request body did not arrive within {seconds} s."),
        )
    }

    pub(crate) fn payload_too_large() -> Self {
        Self::new(
            Kind::PayloadTooLarge,
            format!("A request body has at most {MAX_BYTES} bytes."),
        )
    }

    pub(crate) fn unsupported_media_type(supported: &[&str]) -> Self {
        let supported = supported.join(" or ");
        Self::new(
            Kind::UnsupportedMediaType,
            format!("The content type must be {supported}."),
        )
    }

    fn busy() -> Self {
        Self::new(
            Kind::ServiceUnavailable,
            "Too many requests are waiting. Nothing was changed; try again in a second.",
        )
        .with_header(RETRY_AFTER, BUSY_RETRY_AFTER_SECONDS)
    }

    fn unavailable(cause: Source) -> Self {
        Self::new(
            Kind::ServiceUnavailable,
            "The service cannot reach its store right now. Nothing was changed; try again shortly.",
        )
        .with_header(RETRY_AFTER, RETRY_AFTER_SECONDS)
        .caused_by(cause)
    }

    fn outcome_unknown(detail: &'static str, cause: Source) -> Self {
        Self::new(Kind::OutcomeUnknown, detail).caused_by(cause)
    }

    /// What an error of accounts becomes. `field` is the member that the password came in, where one
    /// did.
    pub(crate) fn of_account(error: AccountError, field: &'static str) -> Self {
        match error {
            AccountError::EmailTaken => Self::new(
                Kind::Conflict,
                "There is an account with this e-mail address.",
            ),
            AccountError::WrongCredentials => Self::new(
                Kind::Unauthorized,
                "The e-mail address or the password is wrong.",
            )
            .with_header(WWW_AUTHENTICATE, "Bearer realm=\"taskhold\""),
            AccountError::WrongPassword => Self::new(Kind::ValidationError, WRONG_PASSWORD)
                .with_errors(vec![FieldError {
                    field,
                    message: WRONG_PASSWORD.to_owned(),
                }]),
            AccountError::NoPassword => Self::new(
                Kind::Conflict,
                "This account has no password: another service lets its user in.",
            ),
            AccountError::InvalidRefreshToken => Self::new(
                Kind::Unauthorized,
                "The refresh token is not valid, or not any more.",
            )
            .with_header(
                WWW_AUTHENTICATE,
                "Bearer realm=\"taskhold\", error=\"invalid_token\"",
            ),
            AccountError::StaleToken => {
                let seconds = FRESH_FOR.as_secs();
                Self::new(
                    Kind::Unauthorized,
                    format!("This needs a token that was issued within the last {seconds} s."),
                )
                .with_header(
                    WWW_AUTHENTICATE,
                    format!(
                        "Bearer realm=\"taskhold\", error=\"insufficient_user_authentication\", \
                         max_age=\"{seconds}\""
                    ),
                )
            }
            AccountError::TooOften(allowance) => {
                let wait = seconds(allowance.renewed_in).max(1);
                let problem = Self::new(
                    Kind::RateLimited,
                    format!("That was tried too often. Try again in {wait} s."),
                )
                .with_header(RETRY_AFTER, wait.to_string());
                rate_limit(&allowance)
                    .into_iter()
                    .fold(problem, |problem, (name, value)| {
                        problem.with_header(name, value)
                    })
            }
            AccountError::NotFound => Self::invalid_token(),
            AccountError::Busy => Self::busy(),
            AccountError::Unavailable(cause) => Self::unavailable(cause),
            AccountError::OutcomeUnknown(cause) => Self::outcome_unknown(
                "The store was lost while it wrote. Try again to see what came of it.",
                cause,
            ),
            AccountError::Defect(cause) => Self::internal(cause),
        }
    }

    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            Kind::InternalError,
            "Something went wrong here. Tell the operator the request_id if it happens again.",
        )
        .caused_by(cause)
    }

    /// What an error of the framework becomes, by the status that it chose.
    pub(crate) fn of_framework(error: &actix_web::Error) -> Self {
        if let Some(refused) = error.as_error::<CorsError>() {
            return Self::malformed(format!("{refused}."));
        }
        match error.as_response_error().status_code() {
            StatusCode::NOT_FOUND => Self::no_such_route(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::payload_too_large(),
            StatusCode::REQUEST_TIMEOUT => Self::request_timeout(),
            status if status.is_client_error() => Self::malformed("The request is malformed."),
            _ => Self::internal(error.to_string()),
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What went wrong underneath, where something did: for the log alone.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }

    /// The answer to the request that it happened in.
    #[must_use]
    pub fn render(&self, occurrence: &Occurrence) -> HttpResponse {
        let (error_code, title) = self.kind.names();
        let mut response = HttpResponse::build(self.kind.status());
        for (name, value) in &self.headers {
            response.insert_header((name, value.as_ref()));
        }
        if matches!(self.kind, Kind::RequestTimeout | Kind::PayloadTooLarge) {
            // The rest of the body is not wanted.
            response.force_close();
        }
        response
            .insert_header((CONTENT_TYPE, PROBLEM_JSON))
            .json(Wire {
                r#type: format!(
                    "urn:taskhold:problem:{}",
                    error_code.to_ascii_lowercase().replace('_', "-")
                ),
                title,
                status: self.kind.status().as_u16(),
                detail: &self.detail,
                instance: &occurrence.path,
                error_code,
                timestamp: occurrence.timestamp.to_string(),
                request_id: &occurrence.request_id,
                errors: self.errors.as_deref(),
                task: self.current.as_deref().map(TaskBody::from),
            })
    }
}

/// The request that a problem happened in.
#[derive(Debug, Clone)]
pub struct Occurrence {
    /// The path of the request.
    pub path: String,
    /// Its id.
    pub request_id: String,
    /// When it happened.
    pub timestamp: Timestamp,
}

#[derive(Serialize)]
struct Wire<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    error_code: &'static str,
    timestamp: String,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a [FieldError]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskBody<'a>>,
}

#[derive(Debug, Serialize)]
struct FieldError {
    field: &'static str,
    message: String,
}

impl From<TaskError> for Problem {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::NotFound => Self::no_such_task(),
            TaskError::Forbidden => Self::new(Kind::Forbidden, "The task belongs to another user."),
            TaskError::Stale(current) => Self::new(
                Kind::PreconditionFailed,
                "The task has changed since it was read; nothing was done. This is what it is now.",
            )
            .with_header(ETAG, etag(&current))
            .with_current(current),
            TaskError::QuotaExceeded { quota } => Self::new(
                Kind::QuotaExceeded,
                format!("You have as many tasks as one user may have: {quota}. Delete some to create others."),
            ),
            TaskError::KeyReused => {
                let detail = "This Idempotency-Key was used for another request; nothing was done.";
                Self::new(Kind::ValidationError, detail).with_errors(vec![FieldError {
                    field: "Idempotency-Key",
                    message: detail.to_owned(),
                }])
            }
            TaskError::KeyInFlight => Self::new(
                Kind::Conflict,
                "A request with this Idempotency-Key is still running. Repeat it in a second.",
            )
            .with_header(RETRY_AFTER, BUSY_RETRY_AFTER_SECONDS),
            TaskError::UnknownCaller => Self::invalid_token(),
            TaskError::Busy => Self::busy(),
            TaskError::Unavailable(cause) => Self::unavailable(cause),
            TaskError::OutcomeUnknown(cause) => Self::outcome_unknown(
                "The store was lost while it wrote. Read the task again to see what came of it.",
                cause,
            ),
            TaskError::Repeatable(cause) => Self::new(
                Kind::ServiceUnavailable,
                "The store was lost while it wrote. Repeat the request with the same Idempotency-Key: \
                 it is done once, and the answer tells what came of it.",
            )
            .with_header(RETRY_AFTER, RETRY_AFTER_SECONDS)
            .caused_by(cause),
            TaskError::Defect(cause) => Self::internal(cause),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        Self::of_account(error, "password")
    }
}

impl From<Violations> for Problem {
    fn from(violations: Violations) -> Self {
        let errors = violations.iter().map(|broken| FieldError {
            field: broken.field().unwrap_or("body"),
            message: broken.to_string(),
        });
        let errors = errors.collect();
        Self::new(Kind::ValidationError, violations.to_string()).with_errors(errors)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.names().0, self.detail)
    }
}

impl Error for Problem {}

/// A handler returns a problem as its error; the boundary, which knows the request, renders it.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.kind.status())
    }
}
