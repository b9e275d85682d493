//! Priorities.

use crate::text::name_traits;

/// The importance of a task, in ascending order.
///
/// ```
/// use taskhold_domain::task::Priority;
///
/// assert_eq!(Priority::parse("high"), Ok(Priority::High));
/// assert!(Priority::High > Priority::Medium);
/// assert_eq!(Priority::default().as_str(), "none");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// No priority; that of a new task unless it is given.
    #[default]
    None,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
}

/// The error of a value that is no [`Priority`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Task priority must be none, low, medium or high")]
pub struct PriorityError;

impl Priority {
    /// Every priority, in ascending order.
    pub const ALL: [Self; 4] = [Self::None, Self::Low, Self::Medium, Self::High];

    /// Returns the name, as it is stored and sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Parses a name, which is in lower case.
    ///
    /// # Errors
    /// [`PriorityError`] for anything else.
    pub fn parse(raw: &str) -> Result<Self, PriorityError> {
        let priority = Self::ALL.into_iter().find(|known| known.as_str() == raw);
        priority.ok_or(PriorityError)
    }
}

name_traits!(Priority, PriorityError, as_str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_shown() {
        for (priority, name) in Priority::ALL
            .into_iter()
            .zip(["none", "low", "medium", "high"])
        {
            assert_eq!(priority.to_string(), name);
            assert_eq!(name.parse(), Ok(priority));
        }
    }

    #[test]
    fn other_names_are_refused() {
        for raw in [
            "", "None", "HIGH", "high ", "urgent", "1", "null", "medium\0",
        ] {
            assert_eq!(Priority::parse(raw), Err(PriorityError), "{raw:?}");
        }
        assert_eq!(
            PriorityError.to_string(),
            "Task priority must be none, low, medium or high"
        );
    }

    #[test]
    fn priorities_are_listed_in_ascending_order() {
        assert!(Priority::ALL.is_sorted());
        assert_eq!(Priority::default(), Priority::None);
    }
}
