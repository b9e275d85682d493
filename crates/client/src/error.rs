//! The errors of requests and of the set-up of a client.

use std::time::Duration;

use serde::Deserialize;

use crate::task::Task;

/// An error in the set-up of a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not a URL.
    #[error(
        "{address:?} is not the address of a service, such as https://todo.example.org: {reason}"
    )]
    Address {
        /// The text that was given.
        address: String,
        /// The reason why it is refused.
        reason: String,
    },
    /// There is no certificate in a text in PEM.
    #[error("there is no certificate in it (a text in PEM is expected)")]
    NoCertificate,
    /// A certificate cannot be read or used.
    #[error("a certificate cannot be used: {0}")]
    Certificate(String),
    /// The HTTP client cannot be built.
    #[error("cannot set up the HTTP client")]
    Http(#[source] reqwest::Error),
}

/// An error of a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer came: the service cannot be reached, or the connection broke or timed out. A write may have taken
    /// effect; send it again with the same key.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// The address of the service.
        url: String,
        /// The reason in a few words.
        reason: String,
        /// The error of the connection; `None` if nothing came in time.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// A rule is broken, or the request cannot be understood (400, 413, 415, 422).
    #[error("{0}")]
    Invalid(Box<Problem>),
    /// The token is missing, expired or revoked, or the password is wrong (401).
    #[error("{0}")]
    Unauthorized(Box<Problem>),
    /// The token does not allow the request, or the task belongs to another user (403).
    #[error("{0}")]
    Forbidden(Box<Problem>),
    /// There is no such thing (404).
    #[error("{0}")]
    NotFound(Box<Problem>),
    /// The task has changed since the tag of `If-Match`; this is what it is now (412).
    #[error("{0}")]
    Changed(Box<Problem>, Box<Task>),
    /// The state of things does not allow the request (409), such as an undo of what has changed since.
    #[error("{0}")]
    Conflict(Box<Problem>),
    /// The changes after the cursor are no longer kept: start over without a cursor (410).
    #[error("{0}")]
    CursorExpired(Box<Problem>),
    /// Too many requests (429), or the service is busy or its database away (503, 504), longer than the client waits.
    #[error("{problem}")]
    Busy {
        /// The description by the service.
        problem: Box<Problem>,
        /// The time that the service asks to wait.
        retry_after: Option<Duration>,
    },
    /// A defect of the service (500).
    #[error("{0}")]
    Failed(Box<Problem>),
    /// The answer is not one of Taskhold, or of a version that this client does not know.
    #[error("{url} answers {status} with what is not an answer of Taskhold: {reason}")]
    NotTaskhold {
        /// The address that was asked.
        url: String,
        /// The status of the answer.
        status: u16,
        /// The reason why the answer is refused.
        reason: String,
    },
    /// The tokens cannot be read, sent or kept.
    #[error("the tokens of the login cannot be used")]
    Session(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Returns the description by the service, if it answered.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Invalid(problem)
            | Self::Unauthorized(problem)
            | Self::Forbidden(problem)
            | Self::NotFound(problem)
            | Self::Changed(problem, _)
            | Self::Conflict(problem)
            | Self::CursorExpired(problem)
            | Self::Busy { problem, .. }
            | Self::Failed(problem) => Some(problem),
            Self::Unreachable { .. } | Self::NotTaskhold { .. } | Self::Session(_) => None,
        }
    }

    /// Returns whether this attempt or an earlier one with the same key may have taken effect, or may still be sent
    /// after a new log-in: keep the key, and send the write again with it. A refused write leaves its key free.
    #[must_use]
    pub fn leaves_outcome_unknown(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::NotFound(_)
            | Self::Changed(..)
            | Self::Conflict(_)
            | Self::CursorExpired(_) => false,
            Self::Unreachable { .. }
            | Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::Busy { .. }
            | Self::Failed(_)
            | Self::NotTaskhold { .. }
            | Self::Session(_) => true,
        }
    }
}

/// An error as the service describes it (RFC 9457). Displayed as its sentence for people.
#[derive(Debug, Clone, PartialEq, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// The status of the answer.
    pub status: u16,
    /// The kind of error, for programs: it does not change.
    pub error_code: String,
    /// A sentence for people.
    pub detail: String,
    /// The rules that an input breaks, by the member that does.
    #[serde(default)]
    pub errors: Vec<BrokenRule>,
    /// The present state of the task that the request is about, if the error is about its state.
    #[serde(default)]
    pub task: Option<Box<Task>>,
    /// The id to name when the error is reported to the operator of the service.
    #[serde(default)]
    pub request_id: String,
}

/// A rule that an input breaks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BrokenRule {
    /// The member that breaks it; empty if the input as a whole does.
    #[serde(default)]
    pub field: String,
    /// The rule, in a sentence for people.
    pub message: String,
}
