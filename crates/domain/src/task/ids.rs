//! Lists of tasks that are written at once.

use std::collections::BTreeSet;

use super::TaskId;

/// The ids of tasks that are written at once: 1 to [`MAX`](Self::MAX), each of them once.
///
/// ```
/// use taskhold_domain::task::{TaskId, TaskIds};
/// use uuid::Uuid;
///
/// let [first, second] = [1, 2].map(|number| TaskId::from_uuid(Uuid::from_u128(number)));
/// let ids = TaskIds::parse([second, first, second])?;
/// assert_eq!(ids.as_slice(), [second, first]);
/// assert!(TaskIds::parse([]).is_err());
/// # Ok::<(), taskhold_domain::task::TaskIdsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskIds(Vec<TaskId>);

/// The error of a list that is not a [`TaskIds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a list of tasks has 1 to {} ids", TaskIds::MAX)]
pub struct TaskIdsError;

impl TaskIds {
    /// The greatest number of ids.
    pub const MAX: usize = 100;

    /// Takes each id once, where it is first. Duplicates do not count.
    ///
    /// # Errors
    /// [`TaskIdsError`] for no ids, and for more than [`MAX`](Self::MAX).
    pub fn parse(ids: impl IntoIterator<Item = TaskId>) -> Result<Self, TaskIdsError> {
        let mut seen = BTreeSet::new();
        let ids = ids.into_iter().filter(|id| seen.insert(*id));
        // One more than allowed is enough to refuse the list.
        let ids: Vec<_> = ids.take(Self::MAX + 1).collect();
        if ids.is_empty() || ids.len() > Self::MAX {
            return Err(TaskIdsError);
        }
        Ok(Self(ids))
    }

    /// Returns the ids, in the order in which they were given.
    #[must_use]
    pub fn as_slice(&self) -> &[TaskId] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<TaskId> {
        let uuid = |number: usize| Uuid::from_u128(number as u128);
        let ids = numbers
            .into_iter()
            .map(|number| TaskId::from_uuid(uuid(number)));
        ids.collect()
    }

    #[test]
    fn one_to_a_hundred_ids_are_a_list() {
        for (count, is_valid) in [(0, false), (1, true), (100, true), (101, false)] {
            let parsed = TaskIds::parse(ids(0..count));
            assert_eq!(parsed.is_ok(), is_valid, "{count}");
        }
    }

    #[test]
    fn duplicates_are_taken_once_and_do_not_count() {
        let twice = ids((0..100).rev().chain(0..100));
        let parsed = TaskIds::parse(twice).unwrap();
        assert_eq!(parsed.as_slice(), ids((0..100).rev()));
    }
}
