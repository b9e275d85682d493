//! Titles. The rules are those of the original command-line app (the *console*) unless noted.

use crate::length::exceeds;
use crate::text::text_traits;

/// The title of a task: 1 to [`MAX_CHARS`](Self::MAX_CHARS) code points, kept exactly as given. Nothing is
/// trimmed, and a title may consist of blanks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Title(String);

/// A broken rule of titles, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TitleError {
    /// The title is empty, missing or not a string.
    #[error("Task title must be a non-empty string")]
    Empty,
    /// The title is longer than [`Title::MAX_CHARS`].
    #[error("Task title must not exceed {} characters", Title::MAX_CHARS)]
    TooLong,
    /// The title contains U+0000, which PostgreSQL cannot store. The console has no such rule.
    #[error("Task title must not contain NUL characters")]
    Nul,
}

impl Title {
    /// The greatest length, in code points (Unicode scalar values, not bytes or graphemes).
    pub const MAX_CHARS: usize = 100;

    /// Checks the rules and keeps the string as it is.
    ///
    /// # Errors
    /// [`TitleError`]: the first broken rule.
    pub fn parse(raw: impl Into<String>) -> Result<Self, TitleError> {
        let raw = raw.into();
        match Self::broken_rules(&raw).next() {
            Some(broken) => Err(broken),
            None => Ok(Self(raw)),
        }
    }

    /// Returns every rule that `raw` breaks, in the order of the checks.
    pub fn broken_rules(raw: &str) -> impl Iterator<Item = TitleError> + use<> {
        [
            (raw.is_empty(), TitleError::Empty),
            (exceeds(raw, Self::MAX_CHARS), TitleError::TooLong),
            (raw.contains('\0'), TitleError::Nul),
        ]
        .into_iter()
        .filter_map(|(broken, rule)| broken.then_some(rule))
    }

    /// Returns the title as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_traits!(Title, TitleError);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_those_of_the_console() {
        let message = |raw: &str| Title::parse(raw).map_err(|e| e.to_string()).map(|_| ());
        assert_eq!(
            message(""),
            Err("Task title must be a non-empty string".into())
        );
        assert_eq!(
            message(&"a".repeat(101)),
            Err("Task title must not exceed 100 characters".into())
        );
        assert_eq!(
            message("a\0"),
            Err("Task title must not contain NUL characters".into())
        );
    }

    #[test]
    fn every_broken_rule_is_reported_in_order() {
        let broken: Vec<_> = Title::broken_rules(&"\0".repeat(101)).collect();
        assert_eq!(broken, [TitleError::TooLong, TitleError::Nul]);
    }

    proptest! {
        #[test]
        fn valid_titles_are_kept_to_the_letter(raw in any::<String>()) {
            let chars = raw.chars().count();
            let is_valid = (1..=100).contains(&chars) && !raw.contains('\0');
            match Title::parse(raw.clone()) {
                Ok(title) => {
                    prop_assert!(is_valid);
                    prop_assert_eq!(title.as_str(), raw);
                }
                Err(_) => prop_assert!(!is_valid),
            }
        }

        #[test]
        fn limit_is_100_code_points_of_any_script(unit in any::<char>(), length in 95_usize..106) {
            prop_assume!(unit != '\0');
            let raw: String = std::iter::repeat_n(unit, length).collect();
            prop_assert_eq!(Title::parse(raw).is_ok(), length <= 100);
        }
    }
}
