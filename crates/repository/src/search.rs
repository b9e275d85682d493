//! The port for the texts that a search compares.

use async_trait::async_trait;
use taskhold_domain::task::TaskId;

use crate::error::StoreError;

/// The texts of all tasks as a search compares them ([`fold`](taskhold_domain::search::fold)). The other ports
/// keep them; only those of tasks that an earlier version of the program has written are out of date. A search
/// finds such tasks as that version would.
#[async_trait]
pub trait SearchRepository: Send + Sync {
    /// Rebuilds the texts of at most `most` tasks whose texts are out of date, in the order of their ids and
    /// after the id `after`. Returns the ids of these tasks, in order. Leaves out a task that is just being
    /// changed.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn rebuild(&self, after: Option<TaskId>, most: u32) -> Result<Vec<TaskId>, StoreError>;
}
