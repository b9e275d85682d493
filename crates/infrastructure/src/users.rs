//! The users port.

mod row;

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, UpdateMany,
};
use taskhold_domain::account::{DisplayName, Email, PasswordHash};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::Session;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::{User, UserId};
use taskhold_repository::error::StoreError;
use taskhold_repository::users::UserRepository;

use self::row::{ActiveModel, Column, Entity, Model};
use crate::policy::Effect;
use crate::store::Store;
use crate::transaction::Verdict;
use crate::{revocations, sessions};

/// Users in a SQL database.
#[derive(Clone)]
pub struct SqlUsers {
    store: Store,
}

impl SqlUsers {
    /// Users in this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Changes the user of the revocation, ends the sessions and keeps the revocation: in the place of
    /// the one before, where it `replaces` that.
    async fn revoke(
        &self,
        operation: &'static str,
        change: UpdateMany<Entity>,
        revocation: &Revocation,
        replaces: bool,
    ) -> Result<bool, StoreError> {
        let change = change.filter(Column::Id.eq(revocation.user.as_str()));
        let revocation = revocation.clone();
        self.store
            .transact(operation, Effect::RepeatableWrite, move |connection, _| {
                let (change, revocation) = (change.clone(), revocation.clone());
                async move {
                    if change.exec(&connection).await?.rows_affected == 0 {
                        return Ok(Verdict::Undo(false));
                    }
                    sessions::end_all(&connection, &revocation.user).await?;
                    if replaces {
                        revocations::replace(&connection, &revocation).await?;
                    } else {
                        revocations::add(&connection, &revocation).await?;
                    }
                    Ok(Verdict::Keep(true))
                }
            })
            .await
    }
}

#[async_trait]
impl UserRepository for SqlUsers {
    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let id = id.clone();
        self.store
            .call("users.find", Effect::Read, move |connection, _| {
                let id = id.clone();
                async move { find(&connection, id.as_str()).await }
            })
            .await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError> {
        let select = Entity::find().filter(Column::EmailKey.eq(email.key()));
        let found = self
            .store
            .call("users.find_by_email", Effect::Read, move |connection, _| {
                let select = select.clone();
                async move { select.one(&connection).await }
            });
        found.await?.map(user).transpose()
    }

    async fn list(&self, after: Option<&UserId>, most: u32) -> Result<Vec<User>, StoreError> {
        let mut select = Entity::find()
            .order_by_asc(Column::Id)
            .limit(u64::from(most));
        if let Some(after) = after {
            select = select.filter(Column::Id.gt(after.as_str()));
        }
        let rows = self
            .store
            .call("users.list", Effect::Read, move |connection, _| {
                let select = select.clone();
                async move { select.all(&connection).await }
            });
        rows.await?.into_iter().map(user).collect()
    }

    async fn register(&self, user: &User, session: &Session) -> Result<(), StoreError> {
        let (user, session) = (user.clone(), session.clone());
        self.store
            .transact(
                "users.register",
                Effect::RepeatableWrite,
                move |connection, attempt| {
                    let (row, session) = (row(&user), session.clone());
                    async move {
                        let mut insert = Entity::insert(row);
                        if attempt.may_be_done {
                            // Ids are made once: a user of this one is who was to be kept. Unlike a
                            // look, this waits for an attempt whose commit is under way.
                            insert = insert.on_conflict(
                                OnConflict::column(Column::Id).do_nothing().to_owned(),
                            );
                        }
                        if insert.exec_without_returning(&connection).await? == 0 {
                            return Ok(Verdict::Undo(()));
                        }
                        sessions::keep(&connection, &session).await?;
                        Ok(Verdict::Keep(()))
                    }
                },
            )
            .await
    }

    async fn set_password(
        &self,
        password: &PasswordHash,
        revocation: &Revocation,
    ) -> Result<bool, StoreError> {
        let change =
            Entity::update_many().col_expr(Column::PasswordHash, Expr::value(password.as_str()));
        self.revoke("users.set_password", change, revocation, false)
            .await
    }

    async fn change_password(
        &self,
        verified: &PasswordHash,
        password: &PasswordHash,
        revocation: &Revocation,
        session: &Session,
    ) -> Result<bool, StoreError> {
        let change = Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(password.as_str()))
            .filter(lets_in(&revocation.user, verified));
        let (revocation, session) = (revocation.clone(), session.clone());
        self.store
            .transact(
                "users.change_password",
                Effect::RepeatableWrite,
                move |connection, attempt| {
                    let change = change.clone();
                    let (revocation, session) = (revocation.clone(), session.clone());
                    async move {
                        if sessions::is_kept(&connection, &attempt, &session).await? {
                            return Ok(Verdict::Undo(true));
                        }
                        if change.exec(&connection).await?.rows_affected == 0 {
                            return Ok(Verdict::Undo(false));
                        }
                        sessions::end_all(&connection, &revocation.user).await?;
                        revocations::add(&connection, &revocation).await?;
                        sessions::keep(&connection, &session).await?;
                        Ok(Verdict::Keep(true))
                    }
                },
            )
            .await
    }

    async fn rehash(
        &self,
        id: &UserId,
        outdated: &PasswordHash,
        password: &PasswordHash,
    ) -> Result<(), StoreError> {
        let update = Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(password.as_str()))
            .filter(Column::Id.eq(id.as_str()))
            .filter(Column::PasswordHash.eq(outdated.as_str()));
        let updated = self.store.call(
            "users.rehash",
            Effect::RepeatableWrite,
            move |connection, _| {
                let update = update.clone();
                async move { update.exec(&connection).await }
            },
        );
        updated.await.map(drop)
    }

    async fn set_active(
        &self,
        is_active: bool,
        revocation: &Revocation,
    ) -> Result<bool, StoreError> {
        let change = Entity::update_many().col_expr(Column::IsActive, Expr::value(is_active));
        self.revoke("users.set_active", change, revocation, true)
            .await
    }

    async fn remove(&self, revocation: &Revocation) -> Result<bool, StoreError> {
        // What is theirs goes with them by the foreign keys' ON DELETE CASCADE.
        let delete = Entity::delete_by_id(revocation.user.as_str());
        let revocation = revocation.clone();
        self.store
            .transact(
                "users.remove",
                Effect::RepeatableWrite,
                move |connection, attempt| {
                    let (delete, revocation) = (delete.clone(), revocation.clone());
                    async move {
                        let outcome = delete.exec(&connection).await?;
                        revocations::replace(&connection, &revocation).await?;
                        let removed = outcome.rows_affected > 0 || attempt.may_be_done;
                        Ok(Verdict::Keep(removed))
                    }
                },
            )
            .await
    }
}

/// The user of this id.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    id: &str,
) -> Result<Option<User>, DbErr> {
    let row = Entity::find_by_id(id).one(connection).await?;
    row.map(parse)
        .transpose()
        .map_err(|error| DbErr::Custom(format!("a row of the table users: {error}")))
}

/// Whether this password still lets the user in; it does so until the transaction ends.
pub(crate) async fn still_has(
    connection: &impl ConnectionTrait,
    id: &UserId,
    password: &PasswordHash,
) -> Result<bool, DbErr> {
    let select = Entity::find().filter(lets_in(id, password));
    Ok(select.lock_shared().one(connection).await?.is_some())
}

fn lets_in(id: &UserId, password: &PasswordHash) -> Condition {
    Condition::all()
        .add(Column::Id.eq(id.as_str()))
        .add(Column::PasswordHash.eq(password.as_str()))
        .add(Column::IsActive.eq(true))
}

fn user(row: Model) -> Result<User, StoreError> {
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

fn row(user: &User) -> ActiveModel {
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

/// Makes a user whom the store knows by a token only: no e-mail, no password. Does nothing where
/// the user is known, or becomes known at this very moment. To be called in a transaction, which an
/// error undoes.
///
/// # Errors
/// [`DbErr::RecordNotInserted`] where the user was removed a moment ago: other instances may not have
/// heard of it yet, and take a token from before.
pub(crate) async fn make_known(
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
    let made = Entity::insert(user)
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    // Only now: a removal that was under way is over, and so its revocation is seen.
    if made > 0 && revocations::is_recent(connection, id, now).await? {
        return Err(DbErr::RecordNotInserted);
    }
    Ok(())
}
