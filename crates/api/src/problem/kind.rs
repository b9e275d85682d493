//! The kinds of errors, each with its status and its `error_code`.

use actix_web::http::StatusCode;

/// What kind of error it is. Fixes its status and its `error_code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Not JSON, not UTF-8, no object, a bad query parameter.
    MalformedRequest,
    /// No sound token, or the wrong credentials.
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
    /// The e-mail address is taken, the account has no password, or a request under the same key is
    /// under way.
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
    /// All of them.
    pub(crate) const ALL: [Self; 16] = [
        Self::MalformedRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Conflict,
        Self::QuotaExceeded,
        Self::RateLimited,
        Self::ValidationError,
        Self::InternalError,
        Self::ServiceUnavailable,
        Self::OutcomeUnknown,
    ];

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
    pub(crate) fn names(self) -> (&'static str, &'static str) {
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

    /// The URI that names it.
    pub(crate) fn uri(self) -> String {
        let code = self.names().0.to_ascii_lowercase().replace('_', "-");
        format!("urn:taskhold:problem:{code}")
    }
}
