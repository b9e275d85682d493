//! Rows of the table `refresh_tokens`.

use sea_orm::ActiveValue::Set;
use sea_orm::DeleteMany;
use sea_orm::entity::prelude::*;
use taskhold_domain::session::{Session, TokenHash};
use taskhold_domain::user::UserId;

use crate::db::retry::Attempt;

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    pub family: Uuid,
    pub user_id: String,
    pub created_at: i64,
    pub expires_at: i64,
    pub used_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Returns the row of a token.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    token: TokenHash,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(token.0.to_vec()).one(connection).await
}

/// Returns whether an earlier attempt has inserted this session, and its answer was lost. Tokens are random,
/// so a row with this token is that session.
pub(crate) async fn was_inserted(
    connection: &impl ConnectionTrait,
    attempt: &Attempt,
    session: &Session,
) -> Result<bool, DbErr> {
    Ok(attempt.may_have_applied && find(connection, session.token).await?.is_some())
}

/// Inserts a new session.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    session: &Session,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        token_hash: Set(session.token.0.to_vec()),
        family: Set(session.family),
        user_id: Set(session.user.as_str().to_owned()),
        created_at: Set(session.created_at.as_micros()),
        expires_at: Set(session.expires_at.as_micros()),
        used_at: Set(None),
    };
    Entity::insert(row)
        .exec_without_returning(connection)
        .await
        .map(drop)
}

/// Deletes every session of a user.
pub(crate) async fn delete_all(
    connection: &impl ConnectionTrait,
    user: &UserId,
) -> Result<(), DbErr> {
    let theirs = Entity::delete_many().filter(Column::UserId.eq(user.as_str()));
    delete(connection, theirs).await
}

/// Deletes the sessions of a family.
pub(crate) async fn delete_family(
    connection: &impl ConnectionTrait,
    family: Uuid,
) -> Result<(), DbErr> {
    let theirs = Entity::delete_many().filter(Column::Family.eq(family));
    delete(connection, theirs).await
}

/// Deletes until no row is left. PostgreSQL's statement waits for a token that is being rotated and deletes
/// it, but does not see its successor; the next statement does.
async fn delete(
    connection: &impl ConnectionTrait,
    sessions: DeleteMany<Entity>,
) -> Result<(), DbErr> {
    while sessions.clone().exec(connection).await?.rows_affected > 0 {}
    Ok(())
}
