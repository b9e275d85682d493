//! Titles.

use crate::length::exceeds;

/// What is to be done: 1 to [`MAX_CHARS`](Self::MAX_CHARS) code points, kept exactly as given.
/// Nothing is trimmed, and a title of blanks only is a title: so does the console.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Title(String);

/// A rule of titles, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TitleError {
    /// It is empty, missing, or no string at all: the console says the same of all three.
    #[error("Task title must be a non-empty string")]
    Empty,
    /// It is longer than [`Title::MAX_CHARS`]. The console's message.
    #[error("Task title must not exceed {} characters", Title::MAX_CHARS)]
    TooLong,
    /// It holds U+0000, which PostgreSQL cannot keep. The console has no such rule.
    #[error("Task title must not contain NUL characters")]
    Nul,
}

impl Title {
    /// The longest title, in code points (Unicode scalar values, neither bytes nor graphemes).
    pub const MAX_CHARS: usize = 100;

    /// Takes a string that is a title as it is.
    ///
    /// # Errors
    /// [`TitleError`], the first rule that is broken.
    pub fn parse(raw: impl Into<String>) -> Result<Self, TitleError> {
        let raw = raw.into();
        match Self::broken_rules(&raw).next() {
            Some(broken) => Err(broken),
            None => Ok(Self(raw)),
        }
    }

    /// Every rule that `raw` breaks, in the order of the checks; none for a title.
    pub fn broken_rules(raw: &str) -> impl Iterator<Item = TitleError> + use<> {
        [
            (raw.is_empty(), TitleError::Empty),
            (exceeds(raw, Self::MAX_CHARS), TitleError::TooLong),
            (raw.contains('\0'), TitleError::Nul),
        ]
        .into_iter()
        .filter_map(|(broken, rule)| broken.then_some(rule))
    }

    /// The title as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_the_consoles() {
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
    fn every_broken_rule_is_named_in_order() {
        let broken: Vec<_> = Title::broken_rules(&"\0".repeat(101)).collect();
        assert_eq!(broken, [TitleError::TooLong, TitleError::Nul]);
    }

    proptest! {
        #[test]
        fn what_is_taken_is_kept_to_the_letter_and_the_limit_counts_code_points(raw in any::<String>()) {
            let chars = raw.chars().count();
            let sound = (1..=100).contains(&chars) && !raw.contains('\0');
            match Title::parse(raw.clone()) {
                Ok(title) => {
                    prop_assert!(sound);
                    prop_assert_eq!(title.as_str(), raw);
                }
                Err(_) => prop_assert!(!sound),
            }
        }

        #[test]
        fn long_text_of_any_script_is_refused_from_101_on(unit in any::<char>(), length in 95_usize..106) {
            prop_assume!(unit != '\0');
            let raw: String = std::iter::repeat_n(unit, length).collect();
            prop_assert_eq!(Title::parse(raw).is_ok(), length <= 100);
        }
    }
}
