//! The rate limits port.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, OnConflict, Query};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder as _, QuerySelect as _};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::rate_limits::{Count, RateLimitKey, RateLimitRepository};

use crate::db::Database;
use crate::db::retry::Idempotence;
use crate::db::transaction::TransactionOutcome;
use crate::entities::rate_limit::{ActiveModel, Column, Entity};

#[async_trait]
impl RateLimitRepository for Database {
    async fn count(
        &self,
        key: RateLimitKey,
        window: Duration,
        now: Timestamp,
    ) -> Result<Count, StoreError> {
        let is_over =
            Expr::col((Entity, Column::Since)).lte(now.saturating_sub(window).as_micros());
        let count = CaseStatement::new()
            .case(is_over.clone(), 1_i32)
            // The counter saturates.
            .case(Expr::col((Entity, Column::Count)).eq(i32::MAX), i32::MAX)
            .finally(Expr::col((Entity, Column::Count)).add(1_i32));
        let since = CaseStatement::new()
            .case(is_over, now.as_micros())
            .finally(Expr::col((Entity, Column::Since)));
        let increment = OnConflict::column(Column::Bucket)
            .value(Column::Count, count)
            .value(Column::Since, since)
            .to_owned();
        let first = ActiveModel {
            bucket: Set(key.as_bytes().to_vec()),
            count: Set(1),
            since: Set(now.as_micros()),
        };
        // A retry may count twice, which errs on the safe side.
        let counted = self.execute(
            "attempts.count",
            Idempotence::IdempotentWrite,
            move |connection, _| {
                let insert = Entity::insert(first.clone()).on_conflict(increment.clone());
                async move { insert.exec_with_returning(&connection).await }
            },
        );
        let row = counted.await?;
        Ok(Count {
            count: row.count.unsigned_abs(),
            since: Timestamp::from_micros(row.since)
                .map_err(|error| StoreError::Defect(error.into()))?,
        })
    }

    async fn mark(&self, key: RateLimitKey, until: Timestamp) -> Result<(), StoreError> {
        // The end of a mark stands where a counter has the beginning of its window.
        let mark = ActiveModel {
            bucket: Set(key.as_bytes().to_vec()),
            count: Set(1),
            since: Set(until.as_micros()),
        };
        let replace = OnConflict::column(Column::Bucket)
            .update_column(Column::Since)
            .to_owned();
        let marked = self.execute(
            "attempts.mark",
            Idempotence::IdempotentWrite,
            move |connection, _| {
                let insert = Entity::insert(mark.clone()).on_conflict(replace.clone());
                async move { insert.exec_without_returning(&connection).await }
            },
        );
        marked.await.map(drop)
    }

    async fn is_marked(&self, key: RateLimitKey, now: Timestamp) -> Result<bool, StoreError> {
        let select =
            Entity::find_by_id(key.as_bytes().to_vec()).filter(Column::Since.gt(now.as_micros()));
        let found = self.execute(
            "attempts.is_marked",
            Idempotence::Read,
            move |connection, _| {
                let select = select.clone();
                async move { select.one(&connection).await }
            },
        );
        Ok(found.await?.is_some())
    }

    async fn refund(&self, keys: &[RateLimitKey]) -> Result<(), StoreError> {
        // The rows are locked in key order, so that two transactions cannot deadlock.
        let lock = Entity::find()
            .filter(is_one_of(keys))
            .order_by_asc(Column::Bucket)
            .lock_exclusive();
        let delete = Entity::delete_many()
            .filter(is_one_of(keys))
            .filter(Column::Count.lte(1));
        let decrement = Entity::update_many()
            .col_expr(Column::Count, Expr::col(Column::Count).sub(1_i32))
            .filter(is_one_of(keys))
            .filter(Column::Count.gt(1));
        self.transact(
            "attempts.take_back",
            Idempotence::NonIdempotentWrite,
            move |connection, _| {
                let (lock, delete, decrement) = (lock.clone(), delete.clone(), decrement.clone());
                async move {
                    lock.all(&connection).await?;
                    delete.exec(&connection).await?;
                    decrement.exec(&connection).await?;
                    Ok(TransactionOutcome::Commit(()))
                }
            },
        )
        .await
    }

    async fn clear(&self, keys: &[RateLimitKey]) -> Result<(), StoreError> {
        let delete = Entity::delete_many().filter(is_one_of(keys));
        self.delete("attempts.clear", delete).await.map(drop)
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let oldest = Query::select()
            .column(Column::Bucket)
            .from(Entity)
            .and_where(Column::Since.lt(time.as_micros()))
            .order_by(Column::Since, Order::Asc)
            .limit(most.into())
            .to_owned();
        let delete = Entity::delete_many().filter(Column::Bucket.in_subquery(oldest));
        self.delete("attempts.forget", delete).await
    }
}

fn is_one_of(keys: &[RateLimitKey]) -> Expr {
    Column::Bucket.is_in(keys.iter().map(|key| key.as_bytes().to_vec()))
}
