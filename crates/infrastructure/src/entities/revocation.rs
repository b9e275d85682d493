//! Rows of the table `revocations`.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait as _, OnConflict};
use taskhold_domain::revocation::{MAX_PROPAGATION, Revocation};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::revocations::SubjectHash;

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "revocations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_hash: Vec<u8>,
    pub not_before: i64,
    pub kept_until: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Inserts a revocation, or replaces the earlier one of the same tokens.
pub(crate) async fn replace(
    connection: &impl ConnectionTrait,
    revocation: &Revocation,
) -> Result<(), DbErr> {
    for row in rows(revocation) {
        upsert(connection, row, replace_on_conflict()).await?;
    }
    Ok(())
}

/// Inserts a revocation, or replaces the earlier one of the same tokens unless that has a later time.
pub(crate) async fn add(
    connection: &impl ConnectionTrait,
    revocation: &Revocation,
) -> Result<(), DbErr> {
    for row in rows(revocation) {
        add_row(connection, row).await?;
    }
    Ok(())
}

/// Inserts a revocation of everybody's tokens, or replaces the earlier one unless that has a later time.
pub(crate) async fn add_for_everybody(
    connection: &impl ConnectionTrait,
    not_before: Timestamp,
) -> Result<(), DbErr> {
    let row = Model {
        subject_hash: SubjectHash::EVERYBODY.0.to_vec(),
        not_before: not_before.as_micros(),
        kept_until: Timestamp::LAST.as_micros(),
    };
    add_row(connection, row).await
}

async fn add_row(connection: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    let before = Expr::col((Entity, Column::NotBefore));
    let is_not_later = before.lte(row.not_before);
    let mut on_conflict = replace_on_conflict();
    on_conflict.action_and_where(is_not_later);
    upsert(connection, row, on_conflict).await
}

fn replace_on_conflict() -> OnConflict {
    OnConflict::column(Column::SubjectHash)
        .update_columns([Column::NotBefore, Column::KeptUntil])
        .to_owned()
}

/// Forgets that the user was moved.
pub(crate) async fn forget_move(
    connection: &impl ConnectionTrait,
    user: &UserId,
) -> Result<(), DbErr> {
    let moved = Entity::delete_by_id(SubjectHash::elsewhere(user).0.to_vec());
    moved.exec(connection).await.map(drop)
}

fn rows(revocation: &Revocation) -> impl Iterator<Item = Model> {
    let subjects = SubjectHash::all_of(revocation).into_iter();
    subjects.map(|subject| Model {
        subject_hash: subject.0.to_vec(),
        not_before: revocation.not_before.as_micros(),
        kept_until: revocation.kept_until.as_micros(),
    })
}

async fn upsert(
    connection: &impl ConnectionTrait,
    row: Model,
    on_conflict: OnConflict,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        subject_hash: Set(row.subject_hash),
        not_before: Set(row.not_before),
        kept_until: Set(row.kept_until),
    };
    Entity::insert(row)
        .on_conflict(on_conflict)
        .exec_without_returning(connection)
        .await
        .map(drop)
}

/// Returns whether the user's tokens were revoked so recently that some instance may not know yet.
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
