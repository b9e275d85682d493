//! Rows of the table `personal_tokens`.

use std::error::Error;

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use taskhold_domain::personal_token::{PersonalToken, Scope, Scopes, TokenName};
use taskhold_domain::session::TokenHash;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;

/// Separates the names of the scopes.
const SEPARATOR: &str = " ";

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "personal_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub token_hash: Vec<u8>,
    pub user_id: String,
    pub name: String,
    pub scopes: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub last_used_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Returns the row of a token.
pub(crate) fn row(token: &PersonalToken) -> ActiveModel {
    let scopes: Vec<_> = token.scopes.iter().map(Scope::as_str).collect();
    ActiveModel {
        id: Set(token.id),
        token_hash: Set(token.hash.0.to_vec()),
        user_id: Set(token.user.as_str().to_owned()),
        name: Set(token.name.as_str().to_owned()),
        scopes: Set(scopes.join(SEPARATOR)),
        created_at: Set(token.created_at.as_micros()),
        expires_at: Set(token.expires_at.map(Timestamp::as_micros)),
        last_used_at: Set(token.last_used_at.map(Timestamp::as_micros)),
    }
}

/// Returns the token of a row.
pub(crate) fn parse_token(row: Model) -> Result<PersonalToken, StoreError> {
    let id = row.id;
    parse(row).map_err(|source| {
        StoreError::Defect(format!("the row {id} of the table personal_tokens: {source}").into())
    })
}

fn parse(row: Model) -> Result<PersonalToken, Box<dyn Error + Send + Sync>> {
    let time = |micros: Option<i64>| micros.map(Timestamp::from_micros).transpose();
    Ok(PersonalToken {
        id: row.id,
        user: UserId::parse(row.user_id)?,
        hash: TokenHash(row.token_hash.as_slice().try_into()?),
        name: TokenName::parse(row.name)?,
        scopes: Scopes::parse(row.scopes.split(SEPARATOR))?,
        created_at: Timestamp::from_micros(row.created_at)?,
        expires_at: time(row.expires_at)?,
        last_used_at: time(row.last_used_at)?,
    })
}

/// Deletes all tokens of a user.
pub(crate) async fn delete_all(
    connection: &impl ConnectionTrait,
    user: &UserId,
) -> Result<(), DbErr> {
    let theirs = Entity::delete_many().filter(Column::UserId.eq(user.as_str()));
    theirs.exec(connection).await.map(drop)
}
