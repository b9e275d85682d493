//! The port for personal access tokens.

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, Order, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use taskhold_domain::personal_token::{MAX_PER_USER, PersonalToken};
use taskhold_domain::session::TokenHash;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::personal_tokens::{PersonalTokenRepository, TokenAddition};
use uuid::Uuid;

use crate::db::Database;
use crate::db::retry::Idempotence;
use crate::db::transaction::TransactionOutcome;
use crate::entities::personal_token::{self, Column, Entity};
use crate::entities::user;

/// Returns the condition that a token has not expired.
fn is_valid(now: Timestamp) -> Condition {
    Condition::any()
        .add(Column::ExpiresAt.is_null())
        .add(Column::ExpiresAt.gt(now.as_micros()))
}

#[async_trait]
impl PersonalTokenRepository for Database {
    async fn add(&self, token: &PersonalToken) -> Result<TokenAddition, StoreError> {
        let token = token.clone();
        self.transact(
            "personal_tokens.add",
            Idempotence::IdempotentWrite,
            move |connection, attempt| {
                let token = token.clone();
                async move {
                    if attempt.may_have_applied {
                        let stored = Entity::find_by_id(token.id).one(&connection).await?;
                        if stored.is_some() {
                            return Ok(TransactionOutcome::Rollback(TokenAddition::Added));
                        }
                    }
                    user::ensure_user_exists(&connection, &token.user, token.created_at).await?;
                    user::lock_unmoved(&connection, token.user.as_str()).await?;
                    // Concurrent additions would each count without the others.
                    if !user::lock_active(&connection, &token.user).await? {
                        return Ok(TransactionOutcome::Rollback(TokenAddition::Inactive));
                    }
                    let theirs = Entity::find()
                        .filter(Column::UserId.eq(token.user.as_str()))
                        .filter(is_valid(token.created_at));
                    if theirs.count(&connection).await? >= MAX_PER_USER {
                        return Ok(TransactionOutcome::Rollback(TokenAddition::TooMany));
                    }
                    Entity::insert(personal_token::row(&token))
                        .exec_without_returning(&connection)
                        .await?;
                    Ok(TransactionOutcome::Commit(TokenAddition::Added))
                }
            },
        )
        .await
    }

    async fn find(&self, hash: TokenHash) -> Result<Option<PersonalToken>, StoreError> {
        // The token of a user who was moved still says whose it is. Bound to the user of the one token that is found: a
        // list of all users would be built for each look-up.
        const IS_KNOWN: &str = "EXISTS (SELECT 1 FROM users u WHERE u.id = personal_tokens.user_id \
            AND (u.is_active OR EXISTS (SELECT 1 FROM feeds f WHERE f.user_id = u.id AND f.epoch < 0)))";
        let select = Entity::find()
            .filter(Column::TokenHash.eq(hash.0.to_vec()))
            .filter(Expr::cust(IS_KNOWN));
        let found = self.execute(
            "personal_tokens.find",
            Idempotence::Read,
            move |connection, _| {
                let select = select.clone();
                async move { select.one(&connection).await }
            },
        );
        found.await?.map(personal_token::parse_token).transpose()
    }

    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<PersonalToken>, StoreError> {
        let select = Entity::find()
            .filter(Column::UserId.eq(user.as_str()))
            .filter(is_valid(now))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(MAX_PER_USER);
        let rows = self.execute(
            "personal_tokens.list",
            Idempotence::Read,
            move |connection, _| {
                let select = select.clone();
                async move { select.all(&connection).await }
            },
        );
        let rows = rows.await?.into_iter();
        rows.map(personal_token::parse_token).collect()
    }

    async fn record_use(&self, id: Uuid, day: Timestamp) -> Result<(), StoreError> {
        let earlier = Column::LastUsedAt
            .is_null()
            .or(Column::LastUsedAt.lt(day.as_micros()));
        let update = Entity::update_many()
            .col_expr(Column::LastUsedAt, Expr::value(day.as_micros()))
            .filter(Column::Id.eq(id))
            .filter(earlier);
        let updated = self.execute(
            "personal_tokens.record_use",
            Idempotence::IdempotentWrite,
            move |connection, _| {
                let update = update.clone();
                async move { update.exec(&connection).await }
            },
        );
        updated.await.map(drop)
    }

    async fn remove(&self, user: &UserId, id: Uuid) -> Result<bool, StoreError> {
        let delete = Entity::delete_many()
            .filter(Column::Id.eq(id))
            .filter(Column::UserId.eq(user.as_str()));
        let user = user.clone();
        let deleted = self.transact(
            "personal_tokens.remove",
            Idempotence::IdempotentWrite,
            move |connection, attempt| {
                let (delete, user) = (delete.clone(), user.clone());
                async move {
                    user::lock_unmoved(&connection, user.as_str()).await?;
                    let deleted = delete.exec(&connection).await?.rows_affected > 0;
                    // The answer of an earlier attempt may have been lost.
                    let deleted = deleted || attempt.may_have_applied;
                    Ok(TransactionOutcome::Commit(deleted))
                }
            },
        );
        deleted.await
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let oldest = Query::select()
            .column(Column::Id)
            .from(Entity)
            .and_where(Column::ExpiresAt.lt(time.as_micros()))
            .order_by(Column::ExpiresAt, Order::Asc)
            .limit(most.into())
            .to_owned();
        let delete = Entity::delete_many().filter(Column::Id.in_subquery(oldest));
        self.delete("personal_tokens.purge_expired", delete).await
    }
}
