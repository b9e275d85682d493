//! The port for idempotency keys, and the rows that writes of tasks keep with their effect.

mod row;

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter};
use taskhold_domain::task::Task;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{
    IdempotencyKeyRepository, IdempotentOutcome, KeyedRequest, retention_start,
};

use self::row::{Column, Entity};
use crate::store::Store;
use crate::tasks;

/// Idempotency keys in a SQL database.
#[derive(Clone)]
pub struct SqlKeys {
    store: Store,
}

impl SqlKeys {
    /// Keys in this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl IdempotencyKeyRepository for SqlKeys {
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let oldest = Query::select()
            .columns([Column::UserId, Column::Key])
            .from(Entity)
            .and_where(Column::CreatedAt.lt(time.as_micros()))
            .order_by(Column::CreatedAt, Order::Asc)
            .limit(most.into())
            .to_owned();
        let these = Expr::tuple([Expr::col(Column::UserId), Expr::col(Column::Key)]);
        let delete = Entity::delete_many().filter(these.in_subquery(oldest));
        self.store.delete("idempotency_keys.forget", delete).await
    }
}

/// Takes the key of a request, or that of one that is forgotten by now. Whether it was free; where
/// another transaction is taking it, this waits for the end of that one.
pub(crate) async fn take(
    connection: &impl ConnectionTrait,
    owner: &UserId,
    request: &KeyedRequest,
    outcome: Option<&Task>,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let cells = [
        (Column::UserId, Expr::value(owner.as_str())),
        (Column::Key, Expr::value(request.key.as_str())),
        (
            Column::Fingerprint,
            Expr::value(request.fingerprint.0.to_vec()),
        ),
        (
            Column::Outcome,
            Expr::value(outcome.map(tasks::row::to_json).transpose()?),
        ),
        (Column::CreatedAt, Expr::value(now.as_micros())),
    ];
    let (columns, values): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
    let insert = Query::insert()
        .into_table(Entity)
        .columns(columns)
        .values_panic(values)
        .on_conflict(
            OnConflict::columns([Column::UserId, Column::Key])
                .update_columns([Column::Fingerprint, Column::Outcome, Column::CreatedAt])
                .action_and_where(
                    Expr::col((Entity, Column::CreatedAt)).lte(retention_start(now).as_micros()),
                )
                .to_owned(),
        )
        .to_owned();
    Ok(connection.execute(&insert).await?.rows_affected() > 0)
}

/// Keeps what came of the request that has just taken its key.
pub(crate) async fn keep(
    connection: &impl ConnectionTrait,
    owner: &UserId,
    request: &KeyedRequest,
    outcome: &Task,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Outcome, Expr::value(tasks::row::to_json(outcome)?))
        .filter(Column::UserId.eq(owner.as_str()))
        .filter(Column::Key.eq(request.key.as_str()))
        .exec(connection)
        .await
        .map(drop)
}

/// What a request that was made before came to; `None` where its key is free.
pub(crate) async fn recall(
    connection: &impl ConnectionTrait,
    owner: &UserId,
    request: &KeyedRequest,
    now: Timestamp,
) -> Result<Option<IdempotentOutcome>, DbErr> {
    let kept = Entity::find_by_id((owner.as_str().to_owned(), request.key.as_str().to_owned()))
        .filter(Column::CreatedAt.gt(retention_start(now).as_micros()))
        .one(connection)
        .await?;
    let Some(kept) = kept else { return Ok(None) };
    if kept.fingerprint != request.fingerprint.0 {
        return Ok(Some(IdempotentOutcome::KeyReused));
    }
    let outcome = kept
        .outcome
        .as_deref()
        .map(tasks::row::from_json)
        .transpose()?;
    Ok(Some(IdempotentOutcome::Replayed(outcome)))
}
