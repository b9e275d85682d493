//! The users port.

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, UpdateMany};
use taskhold_domain::account::{Email, PasswordHash};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::Session;
use taskhold_domain::user::{User, UserId};
use taskhold_repository::error::StoreError;
use taskhold_repository::users::UserRepository;

use crate::db::Database;
use crate::db::retry::Idempotence;
use crate::db::transaction::TransactionOutcome;
use crate::entities::user::{self, Column, Entity};
use crate::entities::{personal_token, revocation, session};

impl Database {
    /// Changes the user of the revocation, deletes the user's sessions and stores the revocation. If it
    /// `ends_everything`, it replaces an earlier one even if that has a later time, and deletes the user's personal
    /// access tokens.
    async fn change_and_revoke(
        &self,
        operation: &'static str,
        change: UpdateMany<Entity>,
        revocation: &Revocation,
        ends_everything: bool,
    ) -> Result<bool, StoreError> {
        let change = change.filter(Column::Id.eq(revocation.user.as_str()));
        let revocation = revocation.clone();
        self.transact(
            operation,
            Idempotence::IdempotentWrite,
            move |connection, _| {
                let (change, revocation) = (change.clone(), revocation.clone());
                async move {
                    user::lock_unmoved(&connection, revocation.user.as_str()).await?;
                    if change.exec(&connection).await?.rows_affected == 0 {
                        return Ok(TransactionOutcome::Rollback(false));
                    }
                    let ended = session::delete_all(&connection, &revocation.user).await?;
                    let revocation = session::covering(revocation, &ended);
                    if ends_everything {
                        personal_token::delete_all(&connection, &revocation.user).await?;
                        revocation::replace(&connection, &revocation).await?;
                    } else {
                        revocation::add(&connection, &revocation).await?;
                    }
                    Ok(TransactionOutcome::Commit(true))
                }
            },
        )
        .await
    }
}

#[async_trait]
impl UserRepository for Database {
    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let id = id.clone();
        self.execute("users.find", Idempotence::Read, move |connection, _| {
            let id = id.clone();
            async move { user::find(&connection, id.as_str()).await }
        })
        .await
    }

    async fn has_moved(&self, id: &UserId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.execute(
            "users.has_moved",
            Idempotence::Read,
            move |connection, _| {
                let id = id.clone();
                async move { user::has_moved(&connection, id.as_str()).await }
            },
        )
        .await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError> {
        let select = Entity::find().filter(Column::EmailKey.eq(email.key()));
        let found = self.execute(
            "users.find_by_email",
            Idempotence::Read,
            move |connection, _| {
                let select = select.clone();
                async move { select.one(&connection).await }
            },
        );
        found.await?.map(user::parse_user).transpose()
    }

    async fn list(&self, after: Option<&UserId>, most: u32) -> Result<Vec<User>, StoreError> {
        let mut select = Entity::find()
            .order_by_asc(Column::Id)
            .limit(u64::from(most));
        if let Some(after) = after {
            select = select.filter(Column::Id.gt(after.as_str()));
        }
        let rows = self.execute("users.list", Idempotence::Read, move |connection, _| {
            let select = select.clone();
            async move { select.all(&connection).await }
        });
        rows.await?.into_iter().map(user::parse_user).collect()
    }

    async fn register(&self, user: &User, session: &Session) -> Result<(), StoreError> {
        let (row, session) = (user::row(user), session.clone());
        self.transact(
            "users.register",
            Idempotence::IdempotentWrite,
            move |connection, attempt| {
                let (row, session) = (row.clone(), session.clone());
                async move {
                    let mut insert = Entity::insert(row);
                    if attempt.may_have_applied {
                        // Ids are unique, so an existing row is this user's. Unlike a query, the
                        // insert waits for an earlier attempt that is committing.
                        insert = insert
                            .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned());
                    }
                    if insert.exec_without_returning(&connection).await? == 0 {
                        return Ok(TransactionOutcome::Rollback(()));
                    }
                    session::insert(&connection, &session).await?;
                    Ok(TransactionOutcome::Commit(()))
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
        self.change_and_revoke("users.set_password", change, revocation, false)
            .await
    }

    async fn change_password(
        &self,
        verified: &PasswordHash,
        password: &PasswordHash,
        revocation: &Revocation,
        session: &Session,
        revoke_tokens: bool,
    ) -> Result<Option<Revocation>, StoreError> {
        let change = Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(password.as_str()))
            .filter(user::can_log_in(&revocation.user, verified));
        let (revocation, session) = (revocation.clone(), session.clone());
        self.transact(
            "users.change_password",
            Idempotence::IdempotentWrite,
            move |connection, attempt| {
                let change = change.clone();
                let (revocation, session) = (revocation.clone(), session.clone());
                async move {
                    if attempt.may_have_applied && session::exists(&connection, &session).await? {
                        return Ok(TransactionOutcome::Rollback(Some(revocation)));
                    }
                    user::lock_unmoved(&connection, revocation.user.as_str()).await?;
                    if change.exec(&connection).await?.rows_affected == 0 {
                        return Ok(TransactionOutcome::Rollback(None));
                    }
                    let ended = session::delete_all(&connection, &revocation.user).await?;
                    let revocation = session::covering(revocation, &ended);
                    revocation::add(&connection, &revocation).await?;
                    if revoke_tokens {
                        personal_token::delete_all(&connection, &revocation.user).await?;
                    }
                    session::insert(&connection, &session).await?;
                    Ok(TransactionOutcome::Commit(Some(revocation)))
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
        let updated = self.execute(
            "users.rehash",
            Idempotence::IdempotentWrite,
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
        self.change_and_revoke("users.set_active", change, revocation, true)
            .await
    }

    async fn remove(&self, revocation: &Revocation) -> Result<bool, StoreError> {
        self.delete_user(revocation, false).await
    }

    async fn remove_moved(&self, revocation: &Revocation) -> Result<bool, StoreError> {
        self.delete_user(revocation, true).await
    }
}

impl Database {
    /// Deletes a user, also one who was moved if `may_have_moved`.
    async fn delete_user(
        &self,
        revocation: &Revocation,
        may_have_moved: bool,
    ) -> Result<bool, StoreError> {
        // ON DELETE CASCADE deletes everything that the user owns.
        let delete = Entity::delete_by_id(revocation.user.as_str());
        let revocation = revocation.clone();
        self.transact(
            "users.remove",
            Idempotence::IdempotentWrite,
            move |connection, attempt| {
                let (delete, revocation) = (delete.clone(), revocation.clone());
                async move {
                    if !may_have_moved {
                        user::lock_unmoved(&connection, revocation.user.as_str()).await?;
                    }
                    let outcome = delete.exec(&connection).await?;
                    revocation::replace(&connection, &revocation).await?;
                    revocation::forget_move(&connection, &revocation.user).await?;
                    let removed = outcome.rows_affected > 0 || attempt.may_have_applied;
                    Ok(TransactionOutcome::Commit(removed))
                }
            },
        )
        .await
    }
}
