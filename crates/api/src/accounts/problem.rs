//! The problems that the use cases of accounts end in.

use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use taskhold_application::accounts::{AccountError, MAX_FRESH_AGE};
use taskhold_domain::personal_token::MAX_PER_USER;
use taskhold_domain::violation::{Violation, Violations};

use super::rate_limit::{rate_limit_headers, whole_seconds};
use crate::problem::{CHALLENGE, INVALID_TOKEN_CHALLENGE, Kind, Problem};

const WRONG_PASSWORD: &str = "The password is wrong";
const PASSWORD_REQUIRED: &str =
    "The password of the account is required, as the member `password` of the body";

impl Problem {
    /// Returns the problem that an error of accounts is. `field` names the member that held the
    /// password.
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
            .with_header(WWW_AUTHENTICATE, CHALLENGE),
            AccountError::WrongPassword => {
                Self::new(Kind::ValidationError, WRONG_PASSWORD).with_error(field, WRONG_PASSWORD)
            }
            AccountError::PasswordRequired => Self::new(Kind::ValidationError, PASSWORD_REQUIRED)
                .with_error(field, PASSWORD_REQUIRED),
            AccountError::UnsuitablePassword(broken) => {
                Violations::from(Violation::NewPassword(broken)).into()
            }
            AccountError::RegistrationDisabled => Self::new(
                Kind::Forbidden,
                "Registration is switched off: ask who runs this service for an account.",
            ),
            AccountError::NoPassword => Self::new(
                Kind::Conflict,
                "This account has no password: another service lets its user in.",
            ),
            AccountError::TooManyTokens => Self::new(
                Kind::QuotaExceeded,
                format!(
                    "You have as many tokens as one user may have: {MAX_PER_USER}. Revoke some to make others."
                ),
            ),
            AccountError::InvalidRefreshToken => Self::new(
                Kind::Unauthorized,
                "The refresh token is not valid, or not any more.",
            )
            .with_header(WWW_AUTHENTICATE, INVALID_TOKEN_CHALLENGE),
            AccountError::FreshTokenRequired => {
                let seconds = MAX_FRESH_AGE.as_secs();
                Self::new(
                    Kind::Unauthorized,
                    format!("This needs a token that was issued within the last {seconds} s."),
                )
                .with_header(
                    WWW_AUTHENTICATE,
                    format!(
                        "{CHALLENGE}, error=\"insufficient_user_authentication\", \
                         max_age=\"{seconds}\""
                    ),
                )
            }
            AccountError::RateLimited(allowance) => {
                let wait = whole_seconds(allowance.reset_in).max(1);
                let problem = Self::new(
                    Kind::RateLimited,
                    format!("That was tried too often. Try again in {wait} s."),
                )
                .with_header(RETRY_AFTER, wait.to_string());
                rate_limit_headers(&allowance)
                    .into_iter()
                    .fold(problem, |problem, (name, value)| {
                        problem.with_header(name, value)
                    })
            }
            AccountError::NotFound => Self::invalid_token(),
            AccountError::Moved => Self::user_moved(),
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

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        Self::of_account(error, "password")
    }
}
