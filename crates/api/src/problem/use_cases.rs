//! What the errors of the use cases become.

use std::error::Error;

use actix_web::http::header::{ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use taskhold_application::accounts::{AccountError, MAX_FRESH_AGE};
use taskhold_application::tasks::TaskError;

use super::{FieldError, Kind, Problem};
use crate::accounts::{rate_limit, seconds};
use crate::conditional::etag;

/// How many seconds to wait before asking a store again that is away.
const RETRY_AFTER_SECONDS: &str = "5";

/// How many seconds to wait where only too many others were asking.
const BUSY_RETRY_AFTER_SECONDS: &str = "1";

/// What is said of a password that is another one.
const WRONG_PASSWORD: &str = "The password is wrong";

/// The cause of an error, for the log alone.
type Source = Box<dyn Error + Send + Sync>;

impl Problem {
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
            AccountError::FreshTokenRequired => {
                let seconds = MAX_FRESH_AGE.as_secs();
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
            AccountError::RateLimited(allowance) => {
                let wait = seconds(allowance.reset_in).max(1);
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
            TaskError::RetryWithKey(cause) => Self::new(
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
