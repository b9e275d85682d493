//! The port for idempotency keys.

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::IdempotencyKeyRepository;

use crate::db::Database;
use crate::entities::idempotency_key::{Column, Entity};

#[async_trait]
impl IdempotencyKeyRepository for Database {
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let oldest = Query::select()
            .columns([Column::UserId, Column::Key])
            .from(Entity)
            .and_where(Column::CreatedAt.lt(time.as_micros()))
            .order_by(Column::CreatedAt, Order::Asc)
            .limit(most.into())
            .to_owned();
        let key = Expr::tuple([Expr::col(Column::UserId), Expr::col(Column::Key)]);
        let delete = Entity::delete_many().filter(key.in_subquery(oldest));
        self.delete("idempotency_keys.forget", delete).await
    }
}
