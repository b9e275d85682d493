//! Rows of the table `idempotency_keys`.

use sea_orm::ActiveValue::Set;
use sea_orm::QuerySelect as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait as _, OnConflict};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::idempotency::{KeyedRequest, retention_start};

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub fingerprint: Vec<u8>,
    /// The rows of the tasks after the request and of their follow-ups, as [JSON](super::task::to_json); `None` after a
    /// removal.
    pub outcome: Option<String>,
    pub created_at: i64,
    /// The number of the change that the request made; `None` if an earlier version made it.
    pub seq: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The record of an earlier request with the same key.
pub(crate) enum Recalled {
    /// The earlier request was the same. Contains its [`outcome`](Model::outcome) and its number.
    Same(Option<String>, Option<i64>),
    /// The earlier request was a different one.
    Other,
}

/// Takes the key of a request if it is free or has expired, and returns whether it did. If another
/// transaction is taking the key, waits for the end of that transaction.
pub(crate) async fn take(
    connection: &impl ConnectionTrait,
    owner: &UserId,
    request: &KeyedRequest,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let row = ActiveModel {
        user_id: Set(owner.as_str().to_owned()),
        key: Set(request.key.as_str().to_owned()),
        fingerprint: Set(request.fingerprint.0.to_vec()),
        outcome: Set(None),
        created_at: Set(now.as_micros()),
        seq: Set(None),
    };
    let replace_expired = OnConflict::columns([Column::UserId, Column::Key])
        .update_columns([
            Column::Fingerprint,
            Column::Outcome,
            Column::CreatedAt,
            Column::Seq,
        ])
        .action_and_where(
            Expr::col((Entity, Column::CreatedAt)).lte(retention_start(now).as_micros()),
        )
        .to_owned();
    let inserted = Entity::insert(row)
        .on_conflict(replace_expired)
        .exec_without_returning(connection)
        .await?;
    Ok(inserted > 0)
}

/// Records the outcome of the request that has just taken its key.
pub(crate) async fn record_outcome(
    connection: &impl ConnectionTrait,
    owner: &UserId,
    request: &KeyedRequest,
    outcome: Option<String>,
    seq: i64,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Outcome, Expr::value(outcome))
        .col_expr(Column::Seq, Expr::value(seq))
        .filter(Column::UserId.eq(owner.as_str()))
        .filter(Column::Key.eq(request.key.as_str()))
        .exec(connection)
        .await
        .map(drop)
}

/// Returns the record of an earlier request with the same key; `None` if the key is free or has expired.
pub(crate) async fn recall(
    connection: &impl ConnectionTrait,
    owner: &UserId,
    request: &KeyedRequest,
    now: Timestamp,
) -> Result<Option<Recalled>, DbErr> {
    let row = Entity::find_by_id((owner.as_str().to_owned(), request.key.as_str().to_owned()))
        .filter(Column::CreatedAt.gt(retention_start(now).as_micros()))
        .one(connection)
        .await?;
    Ok(row.map(|row| {
        if row.fingerprint == request.fingerprint.0 {
            Recalled::Same(row.outcome, row.seq)
        } else {
            Recalled::Other
        }
    }))
}

/// Returns the query for the number of the owner's keys that have not expired at `now`.
pub(crate) fn count(owner: &UserId, now: Timestamp) -> Select<Entity> {
    Entity::find()
        .select_only()
        .expr(Expr::cust("count(*)"))
        .filter(Column::UserId.eq(owner.as_str()))
        .filter(Column::CreatedAt.gt(retention_start(now).as_micros()))
}
