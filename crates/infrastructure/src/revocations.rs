//! The revocations port.

mod row;

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use taskhold_domain::revocation::{MAX_PROPAGATION, Revocation};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::{Source, StoreError};
use taskhold_repository::revocations::{RevocationRepository, SubjectHash};

use self::row::{ActiveModel, Column, Entity, Model};
use crate::policy::Effect;
use crate::store::Store;

/// Revocations in a SQL database.
#[derive(Clone)]
pub struct SqlRevocations {
    store: Store,
}

impl SqlRevocations {
    /// Revocations in this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl RevocationRepository for SqlRevocations {
    async fn current(&self, now: Timestamp) -> Result<Vec<(SubjectHash, Timestamp)>, StoreError> {
        let select = Entity::find().filter(Column::KeptUntil.gte(now.as_micros()));
        let rows = self
            .store
            .call("revocations.current", Effect::Read, move |connection, _| {
                let select = select.clone();
                async move { select.all(&connection).await }
            });
        let rows = rows.await?;
        let parsed = rows.iter().map(parse);
        parsed.collect::<Result<_, _>>().map_err(StoreError::Defect)
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let some = Query::select()
            .column(Column::SubjectHash)
            .from(Entity)
            .and_where(Column::KeptUntil.lt(time.as_micros()))
            .limit(most.into())
            .to_owned();
        let delete = Entity::delete_many().filter(Column::SubjectHash.in_subquery(some));
        self.store.delete("revocations.forget", delete).await
    }
}

fn parse(row: &Model) -> Result<(SubjectHash, Timestamp), Source> {
    let digest = <[u8; 32]>::try_from(row.subject_hash.as_slice())?;
    Ok((SubjectHash(digest), Timestamp::from_micros(row.not_before)?))
}

/// Keeps a revocation, in the place of the one before.
pub(crate) async fn replace(
    connection: &impl ConnectionTrait,
    revocation: &Revocation,
) -> Result<(), DbErr> {
    upsert(connection, revocation, in_place_of_another()).await
}

/// Keeps a revocation, unless the one before goes further.
pub(crate) async fn add(
    connection: &impl ConnectionTrait,
    revocation: &Revocation,
) -> Result<(), DbErr> {
    let before = Expr::col((Entity, Column::NotBefore));
    let goes_as_far = before.lte(revocation.not_before.as_micros());
    let mut in_place = in_place_of_another();
    in_place.action_and_where(goes_as_far);
    upsert(connection, revocation, in_place).await
}

fn in_place_of_another() -> OnConflict {
    OnConflict::column(Column::SubjectHash)
        .update_columns([Column::NotBefore, Column::KeptUntil])
        .to_owned()
}

async fn upsert(
    connection: &impl ConnectionTrait,
    revocation: &Revocation,
    on_conflict: OnConflict,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        subject_hash: Set(SubjectHash::of(&revocation.user).0.to_vec()),
        not_before: Set(revocation.not_before.as_micros()),
        kept_until: Set(revocation.kept_until.as_micros()),
    };
    Entity::insert(row)
        .on_conflict(on_conflict)
        .exec_without_returning(connection)
        .await
        .map(drop)
}

/// Whether the user's tokens were revoked so short a time ago that not every instance may know.
pub(crate) async fn is_recent(
    connection: &impl ConnectionTrait,
    user: &UserId,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let recent = Entity::find_by_id(SubjectHash::of(user).0.to_vec())
        .filter(Column::NotBefore.gt(now.saturating_sub(MAX_PROPAGATION).as_micros()))
        .one(connection)
        .await?;
    Ok(recent.is_some())
}
