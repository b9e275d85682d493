//! Descriptions. The rules are those of the original command-line app (the *console*) unless noted.

use crate::length::exceeds;
use crate::text::text_traits;

/// The description of a task: up to [`MAX_CHARS`](Self::MAX_CHARS) code points, kept exactly as given;
/// empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Description(String);

/// A broken rule of descriptions, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// The description is not a string. (Null and missing mean empty.)
    #[error("Task description must be a string")]
    NotText,
    /// The description is longer than [`Description::MAX_CHARS`].
    #[error(
        "Task description must not exceed {} characters",
        Description::MAX_CHARS
    )]
    TooLong,
    /// The description contains U+0000, which PostgreSQL cannot store. The console has no such rule.
    #[error("Task description must not contain NUL characters")]
    Nul,
}

impl Description {
    /// The greatest length, in code points (Unicode scalar values, not bytes or graphemes).
    pub const MAX_CHARS: usize = 500;

    /// Checks the rules and keeps the string as it is.
    ///
    /// # Errors
    /// [`DescriptionError`]: the first broken rule.
    pub fn parse(raw: impl Into<String>) -> Result<Self, DescriptionError> {
        let raw = raw.into();
        match Self::broken_rules(&raw).next() {
            Some(broken) => Err(broken),
            None => Ok(Self(raw)),
        }
    }

    /// Returns every rule that `raw` breaks, in the order of the checks.
    pub fn broken_rules(raw: &str) -> impl Iterator<Item = DescriptionError> + use<> {
        [
            (exceeds(raw, Self::MAX_CHARS), DescriptionError::TooLong),
            (raw.contains('\0'), DescriptionError::Nul),
        ]
        .into_iter()
        .filter_map(|(broken, rule)| broken.then_some(rule))
    }

    /// Returns the description as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_traits!(Description, DescriptionError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_code_points_and_messages_are_those_of_the_console() {
        let message = |raw: String| {
            Description::parse(raw)
                .map_err(|e| e.to_string())
                .map(|_| ())
        };
        assert_eq!(message(String::new()), Ok(()));
        assert_eq!(message("\u{1F600}".repeat(500)), Ok(()));
        assert_eq!(
            message("a".repeat(501)),
            Err("Task description must not exceed 500 characters".into()),
        );
        assert_eq!(
            message("\0".into()),
            Err("Task description must not contain NUL characters".into())
        );
    }
}
