//! The leases port.

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter as _};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::leases::{LeaseOutcome, LeaseRepository};
use uuid::Uuid;

use crate::db::Database;
use crate::db::retry::Idempotence;
use crate::db::transaction::TransactionOutcome;
use crate::entities::lease::{ActiveModel, Column, Entity};

#[async_trait]
impl LeaseRepository for Database {
    async fn acquire(
        &self,
        name: &'static str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
        latest: Timestamp,
    ) -> Result<LeaseOutcome, StoreError> {
        let lease = ActiveModel {
            name: Set(name.to_owned()),
            holder: Set(Some(holder)),
            expires_at: Set(Some(until.as_micros())),
        };
        let is_free = Condition::any()
            .add(Expr::col((Entity, Column::Holder)).is_null())
            .add(Expr::col((Entity, Column::Holder)).eq(holder))
            .add(Expr::col((Entity, Column::ExpiresAt)).lte(now.as_micros()))
            .add(Expr::col((Entity, Column::ExpiresAt)).gt(latest.as_micros()));
        let renew = OnConflict::column(Column::Name)
            .update_columns([Column::Holder, Column::ExpiresAt])
            .action_cond_where(is_free)
            .to_owned();
        // The holder of a lease that was acquired in vain acquires it again.
        let row = self.transact(
            "leases.acquire",
            Idempotence::IdempotentWrite,
            move |connection, _| {
                let acquire = Entity::insert(lease.clone()).on_conflict(renew.clone());
                async move {
                    acquire.exec_without_returning(&connection).await?;
                    let row = Entity::find_by_id(name).one(&connection).await?;
                    Ok(TransactionOutcome::Commit(row))
                }
            },
        );
        match row.await? {
            Some(row) if row.holder != Some(holder) => {
                let until = Timestamp::from_micros(row.expires_at.unwrap_or_default());
                let until = until.map_err(|error| StoreError::Defect(error.into()))?;
                Ok(LeaseOutcome::HeldUntil(until))
            }
            _ => Ok(LeaseOutcome::Acquired),
        }
    }

    async fn release(&self, name: &'static str, holder: Uuid) -> Result<(), StoreError> {
        let lease = Entity::delete_many()
            .filter(Column::Name.eq(name))
            .filter(Column::Holder.eq(holder));
        self.delete("leases.release", lease).await.map(drop)
    }
}
