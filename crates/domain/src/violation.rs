//! Broken rules of an input.

use std::fmt;

use crate::account::{DisplayNameError, EmailError, PasswordError};
use crate::task::{DescriptionError, TitleError};

/// A broken rule. It is displayed as a message for people: that of the original command-line app (the
/// *console*) if it has the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The title breaks a rule.
    #[error(transparent)]
    Title(#[from] TitleError),
    /// The description breaks a rule.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// `completed` is not a boolean.
    #[error("Task completed status must be a boolean")]
    CompletedNotBoolean,
    /// The e-mail address breaks a rule.
    #[error(transparent)]
    Email(EmailError),
    /// The password breaks a rule.
    #[error(transparent)]
    Password(PasswordError),
    /// The new password breaks a rule.
    #[error(transparent)]
    NewPassword(PasswordError),
    /// The password of a login is missing.
    #[error("Password must be a string")]
    PasswordMissing,
    /// The current password is missing.
    #[error("Current password must be a string")]
    CurrentPasswordMissing,
    /// The refresh token is missing.
    #[error("Refresh token must be a string")]
    RefreshTokenMissing,
    /// The name breaks a rule.
    #[error(transparent)]
    Name(DisplayNameError),
    /// A merge patch names no member of a task.
    #[error("Task patch must have at least one of title, description and completed")]
    EmptyPatch,
}

impl Violation {
    /// Returns the member that breaks the rule, or `None` if the input as a whole does.
    #[must_use]
    pub fn field(self) -> Option<&'static str> {
        match self {
            Self::Title(_) => Some("title"),
            Self::Description(_) => Some("description"),
            Self::CompletedNotBoolean => Some("completed"),
            Self::Email(_) => Some("email"),
            Self::Password(_) | Self::PasswordMissing => Some("password"),
            Self::NewPassword(_) => Some("new_password"),
            Self::CurrentPasswordMissing => Some("current_password"),
            Self::RefreshTokenMissing => Some("refresh_token"),
            Self::Name(_) => Some("name"),
            Self::EmptyPatch => None,
        }
    }
}

/// All rules that an input breaks, at least one, in the order of the checks: title, description,
/// completed. It is displayed as the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations {
    first: Violation,
    rest: Vec<Violation>,
}

impl Violations {
    /// Returns an error if any rule is broken.
    pub(crate) fn check(broken: impl Iterator<Item = impl Into<Violation>>) -> Result<(), Self> {
        let mut broken = broken.map(Into::into);
        match broken.next() {
            Some(first) => Err(Self {
                first,
                rest: broken.collect(),
            }),
            None => Ok(()),
        }
    }

    pub(crate) fn followed_by(mut self, later: &Self) -> Self {
        self.rest.extend(later.iter());
        self
    }

    /// Returns the first broken rule.
    #[must_use]
    pub fn first(&self) -> Violation {
        self.first
    }

    /// Returns the broken rules in the order of the checks.
    pub fn iter(&self) -> impl Iterator<Item = Violation> {
        std::iter::once(self.first).chain(self.rest.iter().copied())
    }
}

impl From<Violation> for Violations {
    fn from(first: Violation) -> Self {
        Self {
            first,
            rest: Vec::new(),
        }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)
    }
}

impl std::error::Error for Violations {}

/// Returns both values, or the violations of both in order.
pub(crate) fn both<A, B>(
    first: Result<A, Violations>,
    second: Result<B, Violations>,
) -> Result<(A, B), Violations> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(first), Err(second)) => Err(first.followed_by(&second)),
        (Err(violations), Ok(_)) | (Ok(_), Err(violations)) => Err(violations),
    }
}
