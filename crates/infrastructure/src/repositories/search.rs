//! The search port.

use async_trait::async_trait;
use taskhold_domain::task::TaskId;
use taskhold_repository::error::StoreError;
use taskhold_repository::search::SearchRepository;

use crate::db::Database;
use crate::db::retry::Idempotence;
use crate::db::search::rebuild;
use crate::db::transaction::TransactionOutcome;

#[async_trait]
impl SearchRepository for Database {
    async fn rebuild(&self, after: Option<TaskId>, most: u32) -> Result<Vec<TaskId>, StoreError> {
        let after = after.map(TaskId::as_uuid);
        let rebuilt = self.transact(
            "tasks.rebuild_search",
            Idempotence::IdempotentWrite,
            move |connection, _| async move {
                let rebuilt = rebuild(&connection, after, most).await?;
                Ok(TransactionOutcome::Commit(rebuilt))
            },
        );
        Ok(rebuilt.await?.into_iter().map(TaskId::from_uuid).collect())
    }
}
