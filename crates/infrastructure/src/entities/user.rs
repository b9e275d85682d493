//! Rows of the table `users`.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict};
use sea_orm::{Condition, QuerySelect, Statement};
use taskhold_domain::account::{DisplayName, Email, PasswordHash};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::User;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;

use super::revocation;

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The e-mail address as it was typed.
    pub email: Option<String>,
    /// The e-mail address as it is compared.
    pub email_key: Option<String>,
    pub name: Option<String>,
    pub password_hash: Option<String>,
    pub is_active: bool,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Returns the user with this id.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    id: &str,
) -> Result<Option<User>, DbErr> {
    let row = Entity::find_by_id(id).one(connection).await?;
    row.map(parse)
        .transpose()
        .map_err(|error| DbErr::Custom(format!("a row of the table users: {error}")))
}

/// Returns whether the user is active and still has this password, and locks the row until the transaction
/// ends.
pub(crate) async fn verify_password(
    connection: &impl ConnectionTrait,
    id: &UserId,
    password: &PasswordHash,
) -> Result<bool, DbErr> {
    let select = Entity::find().filter(can_log_in(id, password));
    Ok(select.lock_shared().one(connection).await?.is_some())
}

/// Returns whether the user is active, and locks the row until the transaction ends, so that transactions which lock it
/// run one after the other.
pub(crate) async fn lock_active(
    connection: &impl ConnectionTrait,
    id: &UserId,
) -> Result<bool, DbErr> {
    let select = Entity::find_by_id(id.as_str()).filter(Column::IsActive.eq(true));
    // Unlike a stronger one, this lock lets rows be added that refer to the user.
    let select = select.lock(LockType::NoKeyUpdate);
    Ok(select.one(connection).await?.is_some())
}

/// Returns whether the user was moved to another store, or is being moved into this one: the epoch of the user's change
/// log is negative then.
pub(crate) async fn has_moved(connection: &impl ConnectionTrait, id: &str) -> Result<bool, DbErr> {
    const MOVED: &str = "SELECT 1 FROM feeds WHERE user_id = $1 AND epoch < 0";
    let backend = connection.get_database_backend();
    let moved = Statement::from_sql_and_values(backend, MOVED, [id.into()]);
    Ok(connection.query_one_raw(moved).await?.is_some())
}

/// Locks the user's row, if there is one, until the transaction ends: a move to another store waits for it, or is over
/// when this returns.
///
/// # Errors
/// [`DbErr::RecordNotUpdated`] if the user was moved.
pub(crate) async fn lock_unmoved(connection: &impl ConnectionTrait, id: &str) -> Result<(), DbErr> {
    let select = Entity::find_by_id(id).lock(LockType::NoKeyUpdate);
    let user = select.one(connection).await?;
    // A user who is about to arrive is active, so that the state of the account does not tell.
    if user.is_some() && has_moved(connection, id).await? {
        return Err(DbErr::RecordNotUpdated);
    }
    Ok(())
}

/// Locks the user's row as a row does that refers to it, or fails at once if another transaction holds it.
pub(crate) async fn lock_without_waiting(
    connection: &impl ConnectionTrait,
    id: &UserId,
) -> Result<(), DbErr> {
    let select = Entity::find_by_id(id.as_str());
    let lock = select.lock_with_behavior(LockType::KeyShare, LockBehavior::Nowait);
    lock.one(connection).await.map(drop)
}

/// Returns the condition that the user is active and has this password.
pub(crate) fn can_log_in(id: &UserId, password: &PasswordHash) -> Condition {
    Condition::all()
        .add(Column::Id.eq(id.as_str()))
        .add(Column::PasswordHash.eq(password.as_str()))
        .add(Column::IsActive.eq(true))
}

/// Returns the user of a row.
pub(crate) fn parse_user(row: Model) -> Result<User, StoreError> {
    parse(row).map_err(StoreError::Defect)
}

fn parse(row: Model) -> Result<User, taskhold_repository::error::Source> {
    Ok(User {
        id: UserId::parse(row.id)?,
        email: row.email.map(Email::parse).transpose()?,
        name: row.name.map(DisplayName::parse).transpose()?,
        password: row.password_hash.map(PasswordHash::parse).transpose()?,
        is_active: row.is_active,
        created_at: Timestamp::from_micros(row.created_at)?,
    })
}

/// Returns the row of a user.
pub(crate) fn row(user: &User) -> ActiveModel {
    ActiveModel {
        id: Set(user.id.as_str().to_owned()),
        email: Set(user.email.as_ref().map(|email| email.as_str().to_owned())),
        email_key: Set(user.email.as_ref().map(Email::key)),
        name: Set(user.name.as_ref().map(|name| name.as_str().to_owned())),
        password_hash: Set(user.password.as_ref().map(|hash| hash.as_str().to_owned())),
        is_active: Set(user.is_active),
        created_at: Set(user.created_at.as_micros()),
        updated_at: Set(user.created_at.as_micros()),
    }
}

/// Creates a user who is known by a token only, without an e-mail address or a password, unless the user
/// exists. Must run in a transaction, which an error rolls back.
///
/// # Errors
/// [`DbErr::RecordNotInserted`] if the user was removed a moment ago: an instance that has not yet read the
/// revocation still accepts the user's old token.
pub(crate) async fn ensure_user_exists(
    connection: &impl ConnectionTrait,
    id: &UserId,
    now: Timestamp,
) -> Result<(), DbErr> {
    let user = row(&User {
        id: id.clone(),
        email: None,
        name: None,
        password: None,
        is_active: true,
        created_at: now,
    });
    let created = Entity::insert(user)
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    // Checked after the insert, which waits for a concurrent removal: only then is its revocation visible.
    if created > 0 && revocation::is_recent(connection, id, now).await? {
        return Err(DbErr::RecordNotInserted);
    }
    Ok(())
}
