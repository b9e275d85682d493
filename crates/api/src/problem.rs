//! The one error type of the API, and its form on the wire: RFC 9457 with the members that
//! existing clients know.

mod kind;
mod use_cases;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use actix_cors::CorsError;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use taskhold_domain::task::Task;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::violation::Violations;

pub use self::kind::Kind;
use crate::body::{ARRIVAL_TIMEOUT, MAX_BYTES};
use crate::tasks::TaskBody;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

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
                r#type: self.kind.uri(),
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
