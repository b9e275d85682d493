//! Broken rules of an input.

use std::fmt;

use crate::account::{DisplayNameError, EmailError, PasswordError};
use crate::personal_token::{LifetimeDaysError, ScopesError, TokenNameError};
use crate::quick_add::FieldError;
use crate::task::{
    DescriptionError, DueError, PriorityError, RepeatError, RepeatFromError, TagsError, TitleError,
};
use crate::zone::ZoneError;

/// A broken rule. It is displayed as a message for people: that of the original command-line app (the
/// *console*) if it has the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// The due date breaks a rule.
    #[error(transparent)]
    Due(#[from] DueError),
    /// The priority is none.
    #[error(transparent)]
    Priority(#[from] PriorityError),
    /// The tags break a rule.
    #[error(transparent)]
    Tags(#[from] TagsError),
    /// The rule by which the task repeats breaks one of its own.
    #[error(transparent)]
    Repeat(#[from] RepeatError),
    /// The task would repeat, but has no due date.
    #[error("Task repeat needs a due date")]
    RepeatWithoutDue,
    /// What the rule counts from is none of the known.
    #[error(transparent)]
    RepeatFrom(#[from] RepeatFromError),
    /// The text of a quick add is missing, or it is no string, or it has nothing but white space.
    #[error("Text must be a non-empty string")]
    QuickTextMissing,
    /// There is no such time zone.
    #[error("Time zone must be a known one: {0}")]
    TimeZone(#[from] ZoneError),
    /// The time zone is not a string.
    #[error("Time zone must be a string")]
    TimeZoneNotText,
    /// The fields that a quick add is not to set are not a list of such fields.
    #[error(transparent)]
    Except(#[from] FieldError),
    /// `dry_run` is not a boolean.
    #[error("Dry run must be a boolean")]
    DryRunNotBoolean,
    /// A move names no destination, or two.
    #[error("Task move must have exactly one of the members before and after")]
    NotOneDestination,
    /// The member of a move is not the id of a task.
    #[error("Task {0} must be the id of a task or null")]
    NotNeighbour(&'static str),
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
    /// The name of a personal access token breaks a rule.
    #[error(transparent)]
    TokenName(#[from] TokenNameError),
    /// The scopes of a personal access token break a rule.
    #[error(transparent)]
    Scopes(#[from] ScopesError),
    /// The lifetime of a personal access token is out of range, or no whole number.
    #[error(transparent)]
    LifetimeDays(#[from] LifetimeDaysError),
    /// The member that has a change of the password revoke the personal access tokens is not a boolean.
    #[error("Revoke tokens must be a boolean")]
    RevokeTokensNotBoolean,
    /// A merge patch names no member of a task.
    #[error("Task patch must have at least one member, such as title, description or completed")]
    EmptyPatch,
}

impl Violation {
    /// Returns the member that breaks the rule, or `None` if the input as a whole does.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Title(_) => Some("title"),
            Self::Description(_) => Some("description"),
            Self::CompletedNotBoolean => Some("completed"),
            Self::Due(_) => Some("due"),
            Self::Priority(_) => Some("priority"),
            Self::Tags(_) => Some("tags"),
            Self::Repeat(_) | Self::RepeatWithoutDue => Some("repeat"),
            Self::RepeatFrom(_) => Some("repeat_from"),
            Self::QuickTextMissing => Some("text"),
            Self::TimeZone(_) | Self::TimeZoneNotText => Some("timezone"),
            Self::Except(_) => Some("except"),
            Self::DryRunNotBoolean => Some("dry_run"),
            Self::Email(_) => Some("email"),
            Self::Password(_) | Self::PasswordMissing => Some("password"),
            Self::NewPassword(_) => Some("new_password"),
            Self::CurrentPasswordMissing => Some("current_password"),
            Self::RefreshTokenMissing => Some("refresh_token"),
            Self::Name(_) | Self::TokenName(_) => Some("name"),
            Self::Scopes(_) => Some("scopes"),
            Self::LifetimeDays(_) => Some("expires_in_days"),
            Self::RevokeTokensNotBoolean => Some("revoke_tokens"),
            Self::NotNeighbour(field) => Some(field),
            Self::EmptyPatch | Self::NotOneDestination => None,
        }
    }
}

/// All rules that an input breaks, at least one, in the order of the checks: title, description,
/// completed, and then the details. It is displayed as the first.
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
        self.rest.extend(later.iter().cloned());
        self
    }

    /// Returns the first broken rule.
    #[must_use]
    pub fn first(&self) -> &Violation {
        &self.first
    }

    /// Returns the broken rules in the order of the checks.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        std::iter::once(&self.first).chain(&self.rest)
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
