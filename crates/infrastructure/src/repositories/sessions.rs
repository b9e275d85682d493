//! The sessions port.

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter};
use taskhold_domain::account::PasswordHash;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Rotation, Session, Successor, TokenHash};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::User;
use taskhold_repository::error::StoreError;
use taskhold_repository::sessions::SessionRepository;

use crate::db::Database;
use crate::db::connection::Connection;
use crate::db::retry::{Attempt, Idempotence};
use crate::db::transaction::TransactionOutcome;
use crate::entities::session::{self, ActiveModel, Column, Entity, Model};
use crate::entities::{revocation, user};

#[async_trait]
impl SessionRepository for Database {
    async fn start(&self, session: &Session, verified: &PasswordHash) -> Result<bool, StoreError> {
        let (session, verified) = (session.clone(), verified.clone());
        self.transact(
            "sessions.start",
            Idempotence::IdempotentWrite,
            move |connection, attempt| {
                let (session, verified) = (session.clone(), verified.clone());
                async move {
                    if session::was_inserted(&connection, &attempt, &session).await? {
                        return Ok(TransactionOutcome::Rollback(true));
                    }
                    if !user::verify_password(&connection, &session.user, &verified).await? {
                        return Ok(TransactionOutcome::Rollback(false));
                    }
                    session::insert(&connection, &session).await?;
                    Ok(TransactionOutcome::Commit(true))
                }
            },
        )
        .await
    }

    async fn rotate(
        &self,
        token: TokenHash,
        successor: &Successor,
    ) -> Result<Rotation, StoreError> {
        let successor = successor.clone();
        self.transact(
            "sessions.rotate",
            Idempotence::IdempotentWrite,
            move |connection, attempt| {
                let successor = successor.clone();
                async move { rotate(&connection, attempt, token, &successor).await }
            },
        )
        .await
    }

    async fn end(
        &self,
        token: Option<TokenHash>,
        revocation: &Revocation,
    ) -> Result<(), StoreError> {
        let revocation = revocation.clone();
        self.transact(
            "sessions.end",
            Idempotence::IdempotentWrite,
            move |connection, _| {
                let revocation = revocation.clone();
                async move {
                    match token {
                        None => session::delete_all(&connection, &revocation.user).await?,
                        Some(token) => {
                            let shown = session::find(&connection, token).await?;
                            let theirs =
                                shown.filter(|row| row.user_id == revocation.user.as_str());
                            if let Some(row) = theirs {
                                session::delete_family(&connection, row.family).await?;
                            }
                        }
                    }
                    revocation::add(&connection, &revocation).await?;
                    Ok(TransactionOutcome::Commit(()))
                }
            },
        )
        .await
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let oldest = Query::select()
            .column(Column::TokenHash)
            .from(Entity)
            .and_where(Column::ExpiresAt.lt(time.as_micros()))
            .order_by(Column::ExpiresAt, Order::Asc)
            .limit(most.into())
            .to_owned();
        let delete = Entity::delete_many().filter(Column::TokenHash.in_subquery(oldest));
        self.delete("sessions.forget", delete).await
    }
}

/// Exchanges an unused token for its successor. A token that was used already ends its family.
async fn rotate(
    connection: &Connection,
    attempt: Attempt,
    token: TokenHash,
    successor: &Successor,
) -> Result<TransactionOutcome<Rotation>, DbErr> {
    let now = successor.created_at.as_micros();
    // Only one of several concurrent rotations finds the token unused.
    let used = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .filter(Column::TokenHash.eq(token.0.to_vec()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec_with_returning(connection)
        .await?;
    if let Some(row) = used.into_iter().next() {
        let Some(owner) = active_owner(connection, &row).await? else {
            return Ok(TransactionOutcome::Rollback(Rotation::Refused));
        };
        let next = ActiveModel {
            token_hash: Set(successor.token.0.to_vec()),
            family: Set(row.family),
            user_id: Set(row.user_id),
            created_at: Set(now),
            expires_at: Set(successor.expires_at.as_micros()),
            used_at: Set(None),
        };
        Entity::insert(next)
            .exec_without_returning(connection)
            .await?;
        return Ok(TransactionOutcome::Commit(Rotation::Rotated(owner)));
    }
    if attempt.may_have_applied
        && let Some(row) = session::find(connection, successor.token).await?
        && let Some(owner) = active_owner(connection, &row).await?
    {
        // An earlier attempt rotated the token, and its answer was lost.
        return Ok(TransactionOutcome::Rollback(Rotation::Rotated(owner)));
    }
    match session::find(connection, token).await? {
        Some(row) if row.used_at.is_some() => {
            session::delete_family(connection, row.family).await?;
            Ok(TransactionOutcome::Commit(Rotation::Reused))
        }
        _ => Ok(TransactionOutcome::Rollback(Rotation::Refused)),
    }
}

/// Returns the owner of a session, unless the owner is deactivated.
async fn active_owner(
    connection: &impl ConnectionTrait,
    row: &Model,
) -> Result<Option<User>, DbErr> {
    let owner = user::find(connection, &row.user_id).await?;
    Ok(owner.filter(|owner| owner.is_active))
}
