//! Rows of the table `refresh_tokens`.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Query;
use sea_orm::{DeleteMany, Order};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{MAX_PER_USER, Session, TokenHash};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::{Source, StoreError};

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
    /// When the user logged in; NULL in rows of earlier versions.
    pub started_at: Option<i64>,
}

impl Model {
    /// Returns when the user logged in, or the best that an earlier version has left.
    pub(crate) fn started_at(&self) -> i64 {
        self.started_at.unwrap_or(self.created_at)
    }
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

/// Returns whether this session is stored. Tokens are random, so a row with this token is that session.
pub(crate) async fn exists(
    connection: &impl ConnectionTrait,
    session: &Session,
) -> Result<bool, DbErr> {
    Ok(find(connection, session.token).await?.is_some())
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
        started_at: Set(Some(session.started_at.as_micros())),
    };
    Entity::insert(row)
        .exec_without_returning(connection)
        .await
        .map(drop)
}

/// Deletes the families of a user beyond [`MAX_PER_USER`], those that were not refreshed for the longest time.
pub(crate) async fn delete_excess(
    connection: &impl ConnectionTrait,
    user: &UserId,
) -> Result<(), DbErr> {
    /// More than concurrent logins can add.
    const AT_ONCE: u64 = 1_000;
    let excess = Query::select()
        .column(Column::Family)
        .from(Entity)
        .and_where(Column::UserId.eq(user.as_str()))
        .and_where(Column::UsedAt.is_null())
        .order_by(Column::CreatedAt, Order::Desc)
        .order_by(Column::TokenHash, Order::Desc)
        .limit(AT_ONCE)
        .offset(MAX_PER_USER)
        .to_owned();
    let theirs = Entity::delete_many().filter(Column::Family.in_subquery(excess));
    delete(connection, theirs).await.map(drop)
}

/// Deletes the used tokens of a family but the one of this row.
pub(crate) async fn delete_superseded(
    connection: &impl ConnectionTrait,
    row: &Model,
) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::Family.eq(row.family))
        .filter(Column::UsedAt.is_not_null())
        .filter(Column::TokenHash.ne(row.token_hash.clone()))
        .exec(connection)
        .await
        .map(drop)
}

/// Returns the session of a row.
pub(crate) fn parse_session(row: &Model) -> Result<Session, StoreError> {
    parse(row).map_err(StoreError::Defect)
}

fn parse(row: &Model) -> Result<Session, Source> {
    Ok(Session {
        token: TokenHash(row.token_hash.as_slice().try_into()?),
        family: row.family,
        user: UserId::parse(row.user_id.as_str())?,
        started_at: Timestamp::from_micros(row.started_at())?,
        created_at: Timestamp::from_micros(row.created_at)?,
        expires_at: Timestamp::from_micros(row.expires_at)?,
    })
}

/// Deletes every session of a user, and returns their rows.
pub(crate) async fn delete_all(
    connection: &impl ConnectionTrait,
    user: &UserId,
) -> Result<Vec<Model>, DbErr> {
    let theirs = Entity::delete_many().filter(Column::UserId.eq(user.as_str()));
    delete(connection, theirs).await
}

/// Deletes the sessions of a family, and returns their rows.
pub(crate) async fn delete_family(
    connection: &impl ConnectionTrait,
    family: Uuid,
) -> Result<Vec<Model>, DbErr> {
    let theirs = Entity::delete_many().filter(Column::Family.eq(family));
    delete(connection, theirs).await
}

/// Deletes the sessions of a family that belongs to this user, and returns their rows.
pub(crate) async fn delete_family_of(
    connection: &impl ConnectionTrait,
    family: Uuid,
    user: &UserId,
) -> Result<Vec<Model>, DbErr> {
    let theirs = Entity::delete_many()
        .filter(Column::Family.eq(family))
        .filter(Column::UserId.eq(user.as_str()));
    delete(connection, theirs).await
}

/// Deletes until no row is left. PostgreSQL's statement waits for a token that is being rotated and deletes
/// it, but does not see its successor; the next statement does.
async fn delete(
    connection: &impl ConnectionTrait,
    sessions: DeleteMany<Entity>,
) -> Result<Vec<Model>, DbErr> {
    let mut deleted = Vec::new();
    loop {
        let rows = sessions.clone().exec_with_returning(connection).await?;
        if rows.is_empty() {
            return Ok(deleted);
        }
        deleted.extend(rows);
    }
}

/// Returns the revocation with a time that is after that of every access token that was issued with one of
/// these tokens: another instance or a concurrent request may have read a later time.
pub(crate) fn covering(revocation: Revocation, ended: &[Model]) -> Revocation {
    let latest = ended.iter().map(|row| row.created_at).max();
    match latest.map(Timestamp::from_micros) {
        Some(Ok(latest)) => revocation.covering(latest),
        _ => revocation,
    }
}
