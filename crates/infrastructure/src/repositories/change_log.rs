//! The change log port.

mod feed;
mod page;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait as _, DbBackend, DbErr, QueryFilter, QueryOrder, QueryTrait, Statement,
};
use taskhold_domain::task::change_log::{ChangeSeq, ChangeStamp, LoggedChange};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::{ChangeLogRepository, ChangePage, Feed, UndoOutcome};
use taskhold_repository::error::StoreError;
use taskhold_repository::written::Undo;

use crate::db::Database;
use crate::db::connection::Connection;
use crate::db::retry::Idempotence;
use crate::db::transaction::TransactionOutcome;
use crate::entities::change::{self, Column, Model};
use crate::entities::task::TaskRow;
use crate::repositories::tasks::statement::owned;
use crate::repositories::tasks::undo;

#[async_trait]
impl ChangeLogRepository for Database {
    async fn changes(
        &self,
        owner: &UserId,
        after: ChangeSeq,
        limit: u32,
    ) -> Result<ChangePage, StoreError> {
        let select = page::select(self.backend(), owner, after, limit);
        let read = move |connection, _| {
            let select = select.clone();
            async move { page::read(&connection, select).await }
        };
        let rows = self.execute("changes.list", Idempotence::Read, read);
        page::page(owner, rows.await?, limit)
    }

    async fn feeds(&self, owners: &[UserId]) -> Result<Vec<(UserId, Feed)>, StoreError> {
        let select = feed::select(self.backend(), owners)?;
        let read = move |connection: Connection, _| {
            let select = select.clone();
            async move { connection.query_all_raw(select).await }
        };
        let rows = self.execute("changes.feeds", Idempotence::Read, read);
        rows.await?.iter().map(feed::owned).collect()
    }

    async fn history(
        &self,
        owner: &UserId,
        id: TaskId,
    ) -> Result<Option<(Task, Vec<LoggedChange>)>, StoreError> {
        let task = TaskRow::select()
            .filter(owned(owner, id))
            .build(self.backend());
        let changes = change::of_task(owner, id).order_by_desc(Column::Seq);
        let read = move |connection, _| {
            let (task, changes) = (task.clone(), changes.clone());
            async move {
                // The changes first: a change in between is then part of the task only, and its fields differ.
                let changes = changes.all(&connection).await?;
                let Some(row) = TaskRow::read_one(&connection, task).await? else {
                    return Ok(None);
                };
                let changes = changes.into_iter().map(Model::parse);
                Ok(Some((row, changes.collect::<Result<Vec<_>, DbErr>>()?)))
            }
        };
        let found = self.execute("changes.history", Idempotence::Read, read);
        let Some((row, changes)) = found.await? else {
            return Ok(None);
        };
        Ok(Some((row.into_task(owner.clone())?, changes)))
    }

    async fn undo(
        &self,
        owner: &UserId,
        undo: Undo,
        stamp: &ChangeStamp,
    ) -> Result<UndoOutcome, StoreError> {
        let (owner, stamp) = (owner.clone(), stamp.clone());
        let write = move |connection, _| {
            let (owner, stamp) = (owner.clone(), stamp.clone());
            async move {
                let outcome = undo::undo(&connection, &owner, undo, &stamp).await?;
                Ok(match outcome {
                    UndoOutcome::Done(_) => TransactionOutcome::Commit(outcome),
                    _ => TransactionOutcome::Rollback(outcome),
                })
            }
        };
        self.transact("changes.undo", Idempotence::NonIdempotentWrite, write)
            .await
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let purge = purge(self.backend(), time, most);
        let purge = move |connection: Connection, _| {
            let purge = purge.clone();
            async move {
                let rows = connection.query_all_raw(purge).await?;
                Ok(TransactionOutcome::Commit(rows.len() as u64))
            }
        };
        self.transact("changes.purge", Idempotence::IdempotentWrite, purge)
            .await
    }
}

/// Returns the statement that deletes the oldest changes, and returns a row for each.
fn purge(backend: DbBackend, time: Timestamp, most: u32) -> Statement {
    let old = format!("SELECT user_id, seq FROM changes WHERE at < $1 ORDER BY at LIMIT {most}");
    let sql = match backend {
        // A counter is locked before its changes are deleted, as everywhere.
        DbBackend::Postgres => format!(
            "WITH old AS ({old}), \
             top AS (SELECT user_id, max(seq) AS seq FROM old GROUP BY user_id), \
             locked AS (SELECT feeds.user_id, top.seq FROM feeds JOIN top USING (user_id) \
                ORDER BY user_id FOR NO KEY UPDATE OF feeds), \
             raised AS (UPDATE feeds SET floor = greatest(feeds.floor, locked.seq) FROM locked \
                WHERE feeds.user_id = locked.user_id RETURNING feeds.user_id) \
             DELETE FROM changes USING old JOIN raised USING (user_id) \
             WHERE changes.user_id = old.user_id AND changes.seq = old.seq RETURNING changes.seq"
        ),
        _ => format!(
            "UPDATE feeds SET floor = max(floor, old.seq) \
             FROM (SELECT user_id, max(seq) AS seq FROM ({old}) GROUP BY user_id) AS old \
             WHERE feeds.user_id = old.user_id; \
             DELETE FROM changes WHERE (user_id, seq) IN ({old}) RETURNING seq"
        ),
    };
    Statement::from_sql_and_values(backend, sql, [time.as_micros().into()])
}
