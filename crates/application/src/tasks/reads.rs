//! The use cases that read tasks.

use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_repository::tasks::{Position, Sort, SortKey, Start, TaskPage, TaskQuery, TaskStats};

use super::{TaskError, TaskService};
use crate::user_limit::InProgress;

/// The number of tasks in a page of an export, or of a list without a limit.
const PAGE: u32 = 1000;
/// The longest page that is not counted as a long statement: an index finds it within a millisecond or so.
const SHORT_PAGE: u32 = 100;
/// The number of long statements that the store executes for one user at a time. Further ones of the same user
/// wait, so that the store has connections and processors left for other users.
pub(super) const MAX_SCANS: usize = 2;

impl TaskService {
    /// Returns one task.
    ///
    /// # Errors
    /// [`TaskError`]: `NotFound`, `Unavailable`, `Defect`.
    pub async fn find(&self, caller: &UserId, id: TaskId) -> Result<Task, TaskError> {
        let task = self.tasks.find(caller, id).await?;
        task.ok_or(TaskError::NotFound)
    }

    /// Returns the tasks that match `query`, or a page of them: the next page begins after [`TaskPage::next`].
    /// A query without a limit has pages too, so that no list is ever held whole.
    ///
    /// # Errors
    /// [`TaskError`]: `Busy`, `Unavailable`, `Defect`.
    pub async fn list(&self, caller: &UserId, query: &TaskQuery) -> Result<TaskPage, TaskError> {
        let limit = query.limit.unwrap_or(PAGE);
        let is_short = matches!(query.sort.key, SortKey::CreatedAt | SortKey::Position)
            && limit <= SHORT_PAGE
            && !query.is_filtered()
            && !matches!(query.start, Start::Offset(_));
        let _scan = if is_short {
            None
        } else {
            Some(self.begin_scan(caller).await?)
        };
        let page = TaskQuery {
            limit: Some(limit),
            ..query.clone()
        };
        Ok(self.tasks.list(caller, &page).await?)
    }

    /// Returns a page of all tasks, oldest first, without leaving any out.
    ///
    /// # Errors
    /// [`TaskError`]: `Busy`, `Unavailable`; `Defect` also if a stored task is corrupt,
    /// since an export without it would look complete.
    pub async fn export_page(
        &self,
        caller: &UserId,
        from: Option<Position>,
    ) -> Result<TaskPage, TaskError> {
        let query = TaskQuery {
            sort: Sort {
                key: SortKey::CreatedAt,
                descending: false,
            },
            start: from.map_or(Start::First, Start::After),
            ..TaskQuery::default()
        };
        let page = self.list(caller, &query).await?;
        if page.corrupt_rows > 0 {
            return Err(TaskError::Defect(
                "a stored task is damaged; the log names it".into(),
            ));
        }
        Ok(page)
    }

    /// Returns the numbers of tasks, today's being those of the day in `zone`.
    ///
    /// # Errors
    /// [`TaskError`]: `Busy`, `Unavailable`, `Defect`.
    pub async fn stats(&self, caller: &UserId, zone: &Zone) -> Result<TaskStats, TaskError> {
        let _scan = self.begin_scan(caller).await?;
        Ok(self.tasks.stats(caller, self.clock.now(), zone).await?)
    }

    /// Waits until the store may execute a long statement for the caller. While the store is away the caller's
    /// earlier ones do not end, so the error is that of a store that is away.
    async fn begin_scan(&self, caller: &UserId) -> Result<InProgress, TaskError> {
        let scan = self.scans.begin(caller).await;
        scan.map_err(|error| TaskError::Unavailable(error.into()))
    }
}
