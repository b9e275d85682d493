//! The attempts port: one statement counts.

mod row;

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, OnConflict, Query};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder as _, QuerySelect as _};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::rate_limits::{Count, RateLimitKey, RateLimitRepository};

use self::row::{ActiveModel, Column, Entity};
use crate::policy::Effect;
use crate::store::Store;
use crate::transaction::Verdict;

/// Counters in a SQL database.
#[derive(Clone)]
pub struct SqlRateLimits {
    store: Store,
}

impl SqlRateLimits {
    /// Counters in this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl RateLimitRepository for SqlRateLimits {
    async fn count(
        &self,
        bucket: RateLimitKey,
        window: Duration,
        now: Timestamp,
    ) -> Result<Count, StoreError> {
        let is_over =
            Expr::col((Entity, Column::Since)).lte(now.saturating_sub(window).as_micros());
        let count = CaseStatement::new()
            .case(is_over.clone(), 1_i32)
            // Enough is enough: no counter runs over.
            .case(Expr::col((Entity, Column::Count)).eq(i32::MAX), i32::MAX)
            .finally(Expr::col((Entity, Column::Count)).add(1_i32));
        let since = CaseStatement::new()
            .case(is_over, now.as_micros())
            .finally(Expr::col((Entity, Column::Since)));
        let once_more = OnConflict::column(Column::Bucket)
            .value(Column::Count, count)
            .value(Column::Since, since)
            .to_owned();
        let first = ActiveModel {
            bucket: Set(bucket.as_bytes().to_vec()),
            count: Set(1),
            since: Set(now.as_micros()),
        };
        // Counting twice after a fault is on the safe side.
        let counted = self.store.call(
            "attempts.count",
            Effect::RepeatableWrite,
            move |connection, _| {
                let insert = Entity::insert(first.clone()).on_conflict(once_more.clone());
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

    async fn refund(&self, buckets: &[RateLimitKey]) -> Result<(), StoreError> {
        // Nobody counts in between; in order, so that nobody waits for who waits for them.
        let these = Entity::find()
            .filter(is_one_of(buckets))
            .order_by_asc(Column::Bucket)
            .lock_exclusive();
        let none = Entity::delete_many()
            .filter(is_one_of(buckets))
            .filter(Column::Count.lte(1));
        let less = Entity::update_many()
            .col_expr(Column::Count, Expr::col(Column::Count).sub(1_i32))
            .filter(is_one_of(buckets))
            .filter(Column::Count.gt(1));
        self.store
            .transact("attempts.refund", Effect::Write, move |connection, _| {
                let (these, none, less) = (these.clone(), none.clone(), less.clone());
                async move {
                    these.all(&connection).await?;
                    none.exec(&connection).await?;
                    less.exec(&connection).await?;
                    Ok(Verdict::Keep(()))
                }
            })
            .await
    }

    async fn clear(&self, buckets: &[RateLimitKey]) -> Result<(), StoreError> {
        let delete = Entity::delete_many().filter(is_one_of(buckets));
        self.store.delete("attempts.clear", delete).await.map(drop)
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
        self.store.delete("attempts.forget", delete).await
    }
}

fn is_one_of(buckets: &[RateLimitKey]) -> Expr {
    Column::Bucket.is_in(buckets.iter().map(|bucket| bucket.as_bytes().to_vec()))
}
