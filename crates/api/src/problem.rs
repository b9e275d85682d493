//! The error type of the API, and its representation as `application/problem+json` (RFC 9457) with
//! the additional members that existing clients read.

mod kind;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::value::RawValue;
use taskhold_domain::personal_token::Scope;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::violation::Violations;
use utoipa::ToSchema;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::schema::Type;

pub use self::kind::Kind;
use crate::schema::integer;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The challenge of `WWW-Authenticate` for a request without a valid token (RFC 6750).
pub(crate) const CHALLENGE: &str = "Bearer realm=\"taskhold\"";

/// The challenge for a request with a token that is not valid.
pub(crate) const INVALID_TOKEN_CHALLENGE: &str =
    "Bearer realm=\"taskhold\", error=\"invalid_token\"";

/// The number of seconds that a client waits before it tries again while the store is unavailable.
pub(crate) const RETRY_AFTER_SECONDS: &str = "5";

/// The number of seconds that a client waits before it tries again while the service is overloaded.
pub(crate) const BUSY_RETRY_AFTER_SECONDS: &str = "1";

/// The cause of a problem, which is logged and never sent.
pub type Source = Box<dyn Error + Send + Sync>;

/// The failure of a request: the answer to the client, and the cause, which is only logged.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    errors: Option<Vec<FieldError>>,
    task: Option<Box<RawValue>>,
    headers: Vec<(HeaderName, Cow<'static, str>)>,
    cause: Option<Source>,
}

impl Problem {
    /// Returns a problem with an explanation for people.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: None,
            task: None,
            headers: Vec::new(),
            cause: None,
        }
    }

    /// Adds a header to the response.
    #[must_use]
    pub(crate) fn with_header(
        mut self,
        name: HeaderName,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(header, _)| header == name)
    }

    /// Returns a header of the response.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(header, _)| header == name)?;
        Some(value)
    }

    /// Adds a parameter to the challenge in `WWW-Authenticate`, if there is one.
    #[must_use]
    pub fn with_challenge_parameter(mut self, name: &str, value: &str) -> Self {
        for (header, challenge) in &mut self.headers {
            if *header == WWW_AUTHENTICATE {
                *challenge = format!("{challenge}, {name}=\"{value}\"").into();
            }
        }
        self
    }

    /// Adds a rule that was broken, and the member or header that broke it.
    #[must_use]
    pub fn with_error(
        mut self,
        field: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        self.errors.get_or_insert_default().push(FieldError {
            field: field.into(),
            message: message.into(),
        });
        self
    }

    /// Adds the current state of the task, as JSON.
    pub(crate) fn with_task(mut self, task: Option<Box<RawValue>>) -> Self {
        self.task = task;
        self
    }

    pub(crate) fn caused_by(mut self, cause: impl Into<Source>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Returns the problem of a malformed request.
    #[must_use]
    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::MalformedRequest, detail)
    }

    pub(crate) fn no_token() -> Self {
        Self::new(
            Kind::Unauthorized,
            "A bearer token is required in the Authorization header.",
        )
        .with_header(WWW_AUTHENTICATE, CHALLENGE)
    }

    /// Gives no reason, so that a forger of tokens learns nothing.
    pub(crate) fn invalid_token() -> Self {
        Self::new(
            Kind::Unauthorized,
            "The token is not valid, or not any more.",
        )
        .with_header(WWW_AUTHENTICATE, INVALID_TOKEN_CHALLENGE)
    }

    /// Returns the problem of a request of a user who lives in another store, or who has not quite arrived in this one.
    pub(crate) fn user_moved() -> Self {
        Self::new(
            Kind::UserMoved,
            "You live at another address of this service. Nothing was changed; send the request there.",
        )
    }

    /// Returns the problem of a token that lacks this scope, or which no scope helps.
    #[must_use]
    pub fn insufficient_scope(required: Option<Scope>) -> Self {
        let challenge = "Bearer realm=\"taskhold\", error=\"insufficient_scope\"";
        match required.map(Scope::as_str) {
            Some(scope) => Self::new(
                Kind::InsufficientScope,
                format!("The token lacks the scope {scope}; nothing was done."),
            )
            .with_header(WWW_AUTHENTICATE, format!("{challenge}, scope=\"{scope}\"")),
            None => Self::new(
                Kind::InsufficientScope,
                "A personal access token cannot manage the account; nothing was done. Log in for that.",
            )
            .with_header(WWW_AUTHENTICATE, challenge),
        }
    }

    /// Returns the problem of a task that the caller does not have.
    #[must_use]
    pub(crate) fn no_such_task() -> Self {
        Self::new(Kind::NotFound, "Task not found")
    }

    /// Returns the problem of one of several tasks that the caller does not have.
    #[must_use]
    pub fn no_such_task_among(id: &str) -> Self {
        Self::new(
            Kind::NotFound,
            format!("You have no task {id}; none was changed."),
        )
    }

    /// Returns the problem of a change that the caller cannot undo.
    #[must_use]
    pub fn no_such_change() -> Self {
        Self::new(
            Kind::NotFound,
            "You have no such change, it is no longer kept, or its task is gone.",
        )
    }

    pub(crate) fn no_such_route() -> Self {
        Self::new(Kind::NotFound, "There is nothing at this path.")
    }

    pub(crate) fn method_not_allowed(allow: String) -> Self {
        Self::new(Kind::MethodNotAllowed, format!("This path takes {allow}."))
            .with_header(ALLOW, allow)
    }

    pub(crate) fn busy() -> Self {
        Self::new(
            Kind::ServiceUnavailable,
            "Too many requests are waiting. Nothing was changed; try again in a second.",
        )
        .with_header(RETRY_AFTER, BUSY_RETRY_AFTER_SECONDS)
    }

    pub(crate) fn unavailable(cause: Source) -> Self {
        Self::new(
            Kind::ServiceUnavailable,
            "The service cannot reach its store right now. Nothing was changed; try again shortly.",
        )
        .with_header(RETRY_AFTER, RETRY_AFTER_SECONDS)
        .caused_by(cause)
    }

    pub(crate) fn outcome_unknown(detail: &'static str, cause: Source) -> Self {
        Self::new(Kind::OutcomeUnknown, detail).caused_by(cause)
    }

    /// Returns the problem of a defect of the service.
    #[must_use]
    pub fn internal(cause: impl Into<Source>) -> Self {
        Self::new(
            Kind::InternalError,
            "Something went wrong here. Tell the operator the request_id if it happens again.",
        )
        .caused_by(cause)
    }

    /// Returns the explanation for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the rules that were broken.
    #[must_use]
    pub fn errors(&self) -> Option<&[FieldError]> {
        self.errors.as_deref()
    }

    /// Returns the current state of the task that the problem is about, as JSON.
    #[must_use]
    pub fn task(&self) -> Option<&RawValue> {
        self.task.as_deref()
    }

    /// Returns the kind of the problem.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the error that led to the problem, for the log alone.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }

    /// Returns the response to the request that failed.
    #[must_use]
    pub fn render(&self, request: &RequestContext) -> HttpResponse {
        let mut response = HttpResponse::build(self.kind.status());
        for (name, value) in &self.headers {
            response.insert_header((name, value.as_ref()));
        }
        if self.has_header(CONNECTION.as_str())
            || matches!(self.kind, Kind::RequestTimeout | Kind::PayloadTooLarge)
        {
            // The rest of the body is not read.
            response.force_close();
        }
        response
            .insert_header((CONTENT_TYPE, PROBLEM_JSON))
            .json(self.body(request))
    }

    /// Returns the problem in its JSON form.
    pub(crate) fn body<'a>(&'a self, request: &'a RequestContext) -> ProblemBody<'a> {
        let (error_code, title) = self.kind.names();
        ProblemBody {
            r#type: self.kind.uri(),
            title,
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            instance: &request.path,
            error_code,
            timestamp: request.timestamp.to_string(),
            request_id: &request.request_id,
            errors: self.errors.as_deref(),
            task: self.task.as_deref(),
        }
    }
}

/// The request that a problem is about.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The path of the request.
    pub path: String,
    /// The id of the request.
    pub request_id: String,
    /// When the request arrived.
    pub timestamp: Timestamp,
}

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// A URI of the kind.
    r#type: String,
    /// The kind, for people.
    title: &'static str,
    #[schema(schema_with = status)]
    status: u16,
    /// The explanation of this problem, for people.
    detail: &'a str,
    /// The path of the request.
    instance: &'a str,
    #[schema(schema_with = error_code)]
    error_code: &'static str,
    /// The time of the problem.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The id of the request, as in the log and in `X-Request-Id`.
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    errors: Option<&'a [FieldError]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    task: Option<&'a RawValue>,
}

fn status() -> ObjectBuilder {
    integer(400, 599).description(Some("The HTTP status."))
}

fn error_code() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "The code for programs to compare. There may be more codes one day.",
        ))
        .examples(Kind::ALL.map(|kind| kind.names().0))
}

/// A rule that a member or a header of the request broke.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BrokenRule)]
pub struct FieldError {
    /// The member or header.
    field: Cow<'static, str>,
    /// The rule, for people.
    message: String,
}

impl FieldError {
    /// Returns the name of the member or header.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl From<Violations> for Problem {
    fn from(violations: Violations) -> Self {
        let errors = violations.iter().map(|broken| FieldError {
            field: broken.field().unwrap_or("body").into(),
            message: broken.to_string(),
        });
        Self {
            errors: Some(errors.collect()),
            ..Self::new(Kind::ValidationError, violations.to_string())
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.names().0, self.detail)
    }
}

impl Error for Problem {}

/// Handlers return a problem as their error; the request middleware, which knows the request,
/// renders it.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.kind.status())
    }
}
