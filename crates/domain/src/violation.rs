//! The rules that an input broke.

use std::fmt;

use crate::account::{DisplayNameError, EmailError, PasswordError};
use crate::task::{DescriptionError, TitleError};

/// One broken rule. Its text is a sentence for people, the console's own where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A rule of titles.
    #[error(transparent)]
    Title(#[from] TitleError),
    /// A rule of descriptions.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// `completed` was given and is no boolean.
    #[error("Task completed status must be a boolean")]
    CompletedNotBoolean,
    /// A rule of e-mail addresses.
    #[error(transparent)]
    Email(EmailError),
    /// A rule of passwords.
    #[error(transparent)]
    Password(PasswordError),
    /// The same, of a new password.
    #[error(transparent)]
    NewPassword(PasswordError),
    /// No password was given to log in with.
    #[error("Password must be a string")]
    PasswordMissing,
    /// The password until now was not given.
    #[error("Current password must be a string")]
    CurrentPasswordMissing,
    /// No refresh token was given.
    #[error("Refresh token must be a string")]
    RefreshTokenMissing,
    /// A rule of names.
    #[error(transparent)]
    Name(DisplayNameError),
    /// A merge patch names nothing that it could change.
    #[error("Task patch must have at least one of title, description and completed")]
    EmptyPatch,
}

impl Violation {
    /// The member of the input that broke the rule; `None` where it is the input as a whole.
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

/// Every rule that an input broke, at least one, in the order of the console's checks: title,
/// description, completed. Its text is that of the first, which is all that the console says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations {
    first: Violation,
    rest: Vec<Violation>,
}

impl Violations {
    /// Passes where nothing is broken.
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

    /// The rule that the console would name.
    #[must_use]
    pub fn first(&self) -> Violation {
        self.first
    }

    /// All of them, in the order of the checks.
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

/// Both, or everything that is wrong with either, in their order.
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
