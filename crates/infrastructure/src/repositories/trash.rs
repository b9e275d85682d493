//! The trash port.

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query};
use sea_orm::{ConnectionTrait as _, DbErr};
use taskhold_domain::task::change_log::{ChangeSeq, ChangeStamp};
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::trash::{TrashPage, TrashRepository, TrashedTask};
use taskhold_repository::written::Written;

use crate::db::Database;
use crate::db::connection::Connection;
use crate::db::retry::Idempotence;
use crate::db::transaction::TransactionOutcome;
use crate::entities::task::{Column, TaskRow};
use crate::repositories::tasks::logged::{LoggedRow, Purged, purge, restoration, written};

/// The table, which has the columns of `tasks`.
const TRASH: &str = "trash";
/// The column that only the trash has.
const DELETED_AT: &str = "deleted_at";

#[async_trait]
impl TrashRepository for Database {
    async fn list(
        &self,
        owner: &UserId,
        after: Option<(Timestamp, TaskId)>,
        limit: u32,
    ) -> Result<TrashPage, StoreError> {
        let mut select = Query::select();
        select
            .columns(TaskRow::COLUMNS)
            .column(DELETED_AT)
            .from(TRASH)
            .and_where(Expr::col(Column::UserId).eq(owner.as_str()))
            .order_by(DELETED_AT, Order::Desc)
            .order_by(Column::Id, Order::Desc)
            .limit(u64::from(limit) + 1);
        if let Some((deleted_at, id)) = after {
            let row = Expr::tuple([Expr::col(DELETED_AT), Expr::col(Column::Id)]);
            let place = Expr::tuple([
                Expr::value(deleted_at.as_micros()),
                Expr::value(id.as_uuid()),
            ]);
            select.and_where(row.lt(place));
        }
        let select = self.backend().build(&select);
        let read = move |connection: Connection, _| {
            let select = select.clone();
            async move {
                let rows = connection.query_all_raw(select).await?;
                rows.iter()
                    .map(|row| {
                        let deleted_at: i64 = row.try_get_by_index(TaskRow::COLUMNS.len())?;
                        Ok((TaskRow::read(row)?, deleted_at))
                    })
                    .collect::<Result<Vec<_>, DbErr>>()
            }
        };
        let rows = self.execute("trash.list", Idempotence::Read, read).await?;
        let has_more = rows.len() > limit as usize;
        let mut tasks = Vec::with_capacity(rows.len());
        for (row, deleted_at) in rows.into_iter().take(limit as usize) {
            tasks.push(TrashedTask {
                task: row.into_task(owner.clone())?,
                deleted_at: Timestamp::from_micros(deleted_at)
                    .map_err(|error| StoreError::Defect(error.into()))?,
            });
        }
        let next = tasks.last().filter(|_| has_more);
        let next = next.map(|last| (last.deleted_at, last.task.id));
        Ok(TrashPage { tasks, next })
    }

    async fn restore(
        &self,
        owner: &UserId,
        id: TaskId,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        let restoration = restoration(self.backend(), owner, id, stamp);
        let restore = move |connection, _| {
            let restoration = restoration.clone();
            async move { LoggedRow::read_one(&connection, restoration).await }
        };
        let row = self.execute("trash.restore", Idempotence::NonIdempotentWrite, restore);
        written(row.await?, owner)
    }

    async fn purge(
        &self,
        owner: &UserId,
        id: Option<TaskId>,
        stamp: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError> {
        let (owner, stamp) = (owner.clone(), stamp.clone());
        let purge = move |connection, _| {
            let (owner, stamp) = (owner.clone(), stamp.clone());
            async move {
                let purged = match id {
                    Some(id) => Purged::One(&owner, id),
                    None => Purged::All(&owner),
                };
                let changes = purge(&connection, &purged, &stamp).await?;
                Ok(TransactionOutcome::Commit(changes.into_iter().max()))
            }
        };
        self.transact("trash.purge", Idempotence::NonIdempotentWrite, purge)
            .await
    }

    async fn purge_expired(
        &self,
        time: Timestamp,
        most: u32,
        stamp: &ChangeStamp,
    ) -> Result<u64, StoreError> {
        let stamp = stamp.clone();
        let purge = move |connection, _| {
            let stamp = stamp.clone();
            async move {
                let purged = Purged::Expired(time.as_micros(), most);
                let changes = purge(&connection, &purged, &stamp).await?;
                Ok(TransactionOutcome::Commit(changes.len() as u64))
            }
        };
        self.transact("trash.purge_expired", Idempotence::IdempotentWrite, purge)
            .await
    }
}
