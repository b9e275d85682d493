//! The failures of commands, with their messages and exit statuses.

use std::fmt;
use std::io;
use std::process::ExitCode;

use serde::Serialize;
use taskhold_client::{ClientError, Error};

use crate::is_closed_pipe;
use crate::output::Output;
use crate::usage::Usage;

/// A command that did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// The command could not be executed.
    Refused {
        /// The message for people.
        message: String,
        /// The kind of failure.
        kind: Kind,
    },
    /// The command line names no task in any form.
    Usage(Usage),
    /// A failure that the output tells already; only the exit status is left.
    Told(Kind),
    /// The reader of the output has gone, such as `head`.
    ClosedPipe,
}

/// A kind of failure. The number is the exit status, and the member `error_code` of the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A rule is broken.
    BrokenRule = 1,
    /// There is no such task.
    NotFound = 2,
    /// There is no login, or it does not allow this.
    NotAllowed = 3,
    /// The service cannot be reached, or failed.
    Service = 4,
    /// The target of the change has changed since.
    Conflict = 5,
    /// A file of this computer cannot be read or written.
    Local = 6,
}

/// An error in JSON, as the console prints it.
#[derive(Serialize)]
struct ErrorBody<'a> {
    success: bool,
    error: &'a str,
    error_code: u8,
}

impl Failure {
    /// Returns a refusal.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self::Refused {
            message: message.into(),
            kind,
        }
    }

    /// Returns the failure of a command that names a task that does not exist, in the words of the console.
    pub fn no_task(id: &str) -> Self {
        Self::new(Kind::NotFound, format!("Task with ID {id} not found"))
    }

    /// Returns a failure of this computer.
    pub fn local(what: &str, error: &dyn std::error::Error) -> Self {
        Self::new(Kind::Local, format!("{what}: {}", causes(error)))
    }

    /// Prints it, and returns the exit status.
    pub fn print(self, output: &mut Output) -> ExitCode {
        match self {
            Self::Refused { message, kind } => {
                let code = kind as u8;
                let printed = if output.is_json() {
                    let body = ErrorBody {
                        success: false,
                        error: &message,
                        error_code: code,
                    };
                    output.json(&body).and_then(|()| output.finish())
                } else if matches!(kind, Kind::BrokenRule | Kind::NotFound) {
                    // The console prints its errors where its results go.
                    output
                        .line(&format!("Error: {message}"))
                        .and_then(|()| output.finish())
                } else {
                    _ = output.finish();
                    output.note(&format!("Error: {message}"));
                    Ok(())
                };
                // The exit status tells what nobody reads.
                _ = printed;
                ExitCode::from(code)
            }
            Self::Usage(usage) => usage.print(),
            Self::Told(kind) => {
                // The exit status tells what nobody reads.
                _ = output.finish();
                ExitCode::from(kind as u8)
            }
            Self::ClosedPipe => ExitCode::SUCCESS,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused { message, .. } | Self::Usage(Usage::Wrong { message, .. }) => message,
            Self::Usage(_) => "wrong usage",
            Self::Told(_) => "told already",
            Self::ClosedPipe => "the reader of the output has gone",
        })
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if is_closed_pipe(&error) {
            return Self::ClosedPipe;
        }
        Self::local("cannot write the output", &error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Invalid(_) => Kind::BrokenRule,
            Error::NotFound(_) => Kind::NotFound,
            Error::Unauthorized(_) => {
                let message = "The service does not accept the token: it has ended. Log in again: todo login URL";
                return Self::new(Kind::NotAllowed, message);
            }
            Error::Forbidden(_) => Kind::NotAllowed,
            Error::Conflict(problem) if problem.error_code == "QUOTA_EXCEEDED" => Kind::BrokenRule,
            Error::Changed(..) | Error::Conflict(_) | Error::CursorExpired(_) => Kind::Conflict,
            Error::Session(source) => {
                return Self::local("cannot use the tokens of the login", source.as_ref());
            }
            _ => Kind::Service,
        };
        let message = match &error {
            // The console names the first broken rule.
            Error::Invalid(problem) => match problem.errors.first() {
                Some(rule) => rule.message.clone(),
                None => problem.detail.clone(),
            },
            Error::Failed(problem) => {
                format!("{} (request {})", problem.detail, problem.request_id)
            }
            Error::Conflict(problem) => match &problem.task {
                Some(task) => format!("{} {}", problem.detail, task.title),
                None => problem.detail.clone(),
            },
            error => error.to_string(),
        };
        Self::new(kind, message)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(Kind::BrokenRule, causes(&error))
    }
}

/// Returns an error with its causes.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
