//! Users: the owners of tasks.

use std::sync::Arc;

use crate::account::{DisplayName, Email, PasswordHash};
use crate::length::exceeds;
use crate::text::text_traits;
use crate::timestamp::Timestamp;

/// A user. A user who is known only by the tokens of another service has neither an e-mail address
/// nor a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id, which is the `sub` of the user's tokens.
    pub id: UserId,
    /// The e-mail address that the user logs in with.
    pub email: Option<Email>,
    /// The name that the user chose.
    pub name: Option<DisplayName>,
    /// The hash of the user's password.
    pub password: Option<PasswordHash>,
    /// `true` unless the user was deactivated and may do nothing.
    pub is_active: bool,
    /// When the user was first stored.
    pub created_at: Timestamp,
}

/// The id of a user: an opaque string of 1 to [`MAX_CHARS`](Self::MAX_CHARS) code points, kept exactly as
/// given. Cloning is cheap, since every task of a list holds the id of its owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

/// The error of a string that is not a [`UserId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserIdError {
    /// The id is empty.
    #[error("Task user_id must be a non-empty string")]
    Empty,
    /// The id is longer than [`UserId::MAX_CHARS`].
    #[error("Task user_id must not exceed {} characters", UserId::MAX_CHARS)]
    TooLong,
    /// The id contains U+0000, which PostgreSQL cannot store.
    #[error("Task user_id must not contain NUL characters")]
    Nul,
}

impl UserId {
    /// The greatest length, in code points.
    pub const MAX_CHARS: usize = 255;

    /// Checks the rules and keeps the string as it is.
    ///
    /// # Errors
    /// [`UserIdError`]: the first broken rule.
    pub fn parse(raw: impl Into<Arc<str>>) -> Result<Self, UserIdError> {
        let raw = raw.into();
        if raw.is_empty() {
            Err(UserIdError::Empty)
        } else if exceeds(&raw, Self::MAX_CHARS) {
            Err(UserIdError::TooLong)
        } else if raw.contains('\0') {
            Err(UserIdError::Nul)
        } else {
            Ok(Self(raw))
        }
    }

    /// Returns the id as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_traits!(UserId, UserIdError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_code_points() {
        assert_eq!(UserId::parse("").map(|_| ()), Err(UserIdError::Empty));
        assert!(UserId::parse("\u{1F600}".repeat(255)).is_ok());
        assert_eq!(
            UserId::parse("u".repeat(256)).map(|_| ()),
            Err(UserIdError::TooLong)
        );
        assert_eq!(UserId::parse("a\0b").map(|_| ()), Err(UserIdError::Nul));
        assert_eq!(
            UserId::parse("  spaces stay  ")
                .as_ref()
                .map(UserId::as_str),
            Ok("  spaces stay  ")
        );
    }
}
