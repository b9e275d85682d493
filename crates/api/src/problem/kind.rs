//! The kinds of problems, each with its status and its `error_code`.

use actix_web::http::StatusCode;

/// The kind of a problem, which determines its status and its `error_code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The body is not a JSON object in UTF-8, or a parameter or header is malformed.
    MalformedRequest,
    /// There is no valid token, or the credentials are wrong.
    Unauthorized,
    /// The task to be changed belongs to another user.
    Forbidden,
    /// The token lacks a scope.
    InsufficientScope,
    /// There is no such task or route.
    NotFound,
    /// The route does not support the method.
    MethodNotAllowed,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The task has changed since it was read.
    PreconditionFailed,
    /// The body is too large.
    PayloadTooLarge,
    /// The route does not accept the media type of the body.
    UnsupportedMediaType,
    /// The e-mail address is taken, the account has no password, or a request with the same
    /// idempotency key is running.
    Conflict,
    /// The caller has as many tasks as one user may have.
    QuotaExceeded,
    /// A field that an undo would set was changed again.
    UndoConflict,
    /// The changes after a cursor are no longer kept.
    CursorExpired,
    /// There were too many attempts.
    RateLimited,
    /// The input breaks a rule of the domain.
    ValidationError,
    /// The user lives in another store.
    UserMoved,
    /// The service has a defect.
    InternalError,
    /// The store is unavailable, or the service is overloaded.
    ServiceUnavailable,
    /// The connection to the store was lost during a write, which may or may not have happened.
    OutcomeUnknown,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 20] = [
        Self::MalformedRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::InsufficientScope,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Conflict,
        Self::QuotaExceeded,
        Self::UndoConflict,
        Self::CursorExpired,
        Self::RateLimited,
        Self::UserMoved,
        Self::ValidationError,
        Self::InternalError,
        Self::ServiceUnavailable,
        Self::OutcomeUnknown,
    ];

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Conflict | Self::QuotaExceeded | Self::UndoConflict => StatusCode::CONFLICT,
            Self::CursorExpired => StatusCode::GONE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::ValidationError => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UserMoved => StatusCode::MISDIRECTED_REQUEST,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Returns the `error_code` that programs compare.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.names().0
    }

    /// Returns the `error_code` that programs compare, and the title for people.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::MalformedRequest => ("MALFORMED_REQUEST", "The request is malformed"),
            Self::Unauthorized => ("UNAUTHORIZED", "Not authenticated"),
            Self::Forbidden => ("FORBIDDEN", "Not yours to change"),
            Self::InsufficientScope => ("INSUFFICIENT_SCOPE", "The token does not allow this"),
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
            Self::UndoConflict => ("UNDO_CONFLICT", "It has changed since"),
            Self::CursorExpired => ("CURSOR_EXPIRED", "The cursor has expired"),
            Self::RateLimited => ("RATE_LIMITED", "Too many attempts"),
            Self::ValidationError => ("VALIDATION_ERROR", "A rule is broken"),
            Self::UserMoved => ("USER_MOVED", "The user lives elsewhere"),
            Self::InternalError => ("INTERNAL_ERROR", "There is a defect in this service"),
            Self::ServiceUnavailable => ("SERVICE_UNAVAILABLE", "The service is not available"),
            Self::OutcomeUnknown => ("OUTCOME_UNKNOWN", "The outcome is unknown"),
        }
    }

    /// Returns the URI of the kind.
    pub(crate) fn uri(self) -> String {
        let code = self.names().0.to_ascii_lowercase().replace('_', "-");
        format!("urn:taskhold:problem:{code}")
    }
}
