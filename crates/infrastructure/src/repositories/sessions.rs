//! The sessions port.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter, QueryOrder};
use taskhold_domain::account::PasswordHash;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Ending, PresentedToken, Rotation, Session, Successor};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::{User, UserId};
use taskhold_repository::error::StoreError;
use taskhold_repository::sessions::SessionRepository;
use uuid::Uuid;

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
                    if attempt.may_have_applied && session::exists(&connection, &session).await? {
                        return Ok(TransactionOutcome::Rollback(true));
                    }
                    if !user::verify_password(&connection, &session.user, &verified).await? {
                        return Ok(TransactionOutcome::Rollback(false));
                    }
                    session::insert(&connection, &session).await?;
                    session::delete_excess(&connection, &session.user).await?;
                    Ok(TransactionOutcome::Commit(true))
                }
            },
        )
        .await
    }

    async fn rotate(
        &self,
        token: PresentedToken,
        successor: &Successor,
        max_token_lifetime: Duration,
    ) -> Result<Rotation, StoreError> {
        let successor = successor.clone();
        self.transact(
            "sessions.rotate",
            Idempotence::IdempotentWrite,
            move |connection, attempt| {
                let successor = successor.clone();
                async move {
                    rotate(&connection, &attempt, token, &successor, max_token_lifetime).await
                }
            },
        )
        .await
    }

    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let select = Entity::find()
            .filter(Column::UserId.eq(user.as_str()))
            .filter(Column::UsedAt.is_null())
            .filter(Column::ExpiresAt.gt(now.as_micros()))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::TokenHash);
        let rows = self.execute("sessions.list", Idempotence::Read, move |connection, _| {
            let select = select.clone();
            async move { select.all(&connection).await }
        });
        rows.await?.iter().map(session::parse_session).collect()
    }

    async fn end(
        &self,
        ending: Ending,
        revocation: &Revocation,
    ) -> Result<Option<Revocation>, StoreError> {
        let revocation = revocation.clone();
        self.transact(
            "sessions.end",
            Idempotence::IdempotentWrite,
            move |connection, attempt| {
                let revocation = revocation.clone();
                async move {
                    let user = &revocation.user;
                    user::lock_unmoved(&connection, user.as_str()).await?;
                    let ended = match ending {
                        Ending::All => session::delete_all(&connection, user).await?,
                        Ending::OfFamily(family) => {
                            let ended =
                                session::delete_family_of(&connection, family, user).await?;
                            if ended.is_empty() && !attempt.may_have_applied {
                                return Ok(TransactionOutcome::Rollback(None));
                            }
                            ended
                        }
                    };
                    let revocation = session::covering(revocation, &ended);
                    revocation::add(&connection, &revocation).await?;
                    Ok(TransactionOutcome::Commit(Some(revocation)))
                }
            },
        )
        .await
    }

    async fn end_of_token(
        &self,
        token: PresentedToken,
        now: Timestamp,
        max_token_lifetime: Duration,
    ) -> Result<Option<Revocation>, StoreError> {
        self.transact(
            "sessions.end_of_token",
            Idempotence::IdempotentWrite,
            move |connection, _| async move {
                let row = session::find(&connection, token.hash).await?;
                let Some(family) = row.map(|row| row.family).or(token.family) else {
                    return Ok(TransactionOutcome::Rollback(None));
                };
                let revoke = |user: &UserId| {
                    Revocation::issued_before(user, now, max_token_lifetime).of_session(family)
                };
                let ended = end_family(&connection, family, revoke).await?;
                Ok(TransactionOutcome::commit_if_found(ended))
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
    attempt: &Attempt,
    token: PresentedToken,
    successor: &Successor,
    max_token_lifetime: Duration,
) -> Result<TransactionOutcome<Rotation>, DbErr> {
    let now = successor.created_at.as_micros();
    // Only one of several concurrent rotations finds the token unused.
    let used = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .filter(Column::TokenHash.eq(token.hash.0.to_vec()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec_with_returning(connection)
        .await?;
    if let Some(row) = used.into_iter().next() {
        user::lock_unmoved(connection, &row.user_id).await?;
        let started_at = Timestamp::from_micros(row.started_at()).map_err(corrupt)?;
        let (Some(owner), Some(expires_at)) = (
            active_owner(connection, &row).await?,
            successor.expiry(started_at),
        ) else {
            // The token stays unused.
            return Ok(TransactionOutcome::Rollback(Rotation::Refused));
        };
        if token.family.is_some() {
            session::delete_superseded(connection, &row).await?;
        }
        let next = ActiveModel {
            token_hash: Set(successor.token.0.to_vec()),
            family: Set(row.family),
            user_id: Set(row.user_id),
            created_at: Set(now),
            expires_at: Set(expires_at.as_micros()),
            used_at: Set(None),
            started_at: Set(Some(started_at.as_micros())),
        };
        Entity::insert(next)
            .exec_without_returning(connection)
            .await?;
        let rotated = Rotation::Rotated {
            user: owner,
            started_at,
        };
        return Ok(TransactionOutcome::Commit(rotated));
    }
    if attempt.may_have_applied
        && let Some(row) = session::find(connection, successor.token).await?
        && let Some(owner) = active_owner(connection, &row).await?
    {
        // An earlier attempt rotated the token, and its answer was lost.
        let rotated = Rotation::Rotated {
            user: owner,
            started_at: Timestamp::from_micros(row.started_at()).map_err(corrupt)?,
        };
        return Ok(TransactionOutcome::Rollback(rotated));
    }
    end_if_reused(connection, token, successor, max_token_lifetime).await
}

/// Ends the family of a token that was used before, and revokes its user's access tokens.
async fn end_if_reused(
    connection: &Connection,
    token: PresentedToken,
    successor: &Successor,
    max_token_lifetime: Duration,
) -> Result<TransactionOutcome<Rotation>, DbErr> {
    let refused = Ok(TransactionOutcome::Rollback(Rotation::Refused));
    let family = match session::find(connection, token.hash).await? {
        Some(row) if row.used_at.is_some() => row.family,
        Some(_) => return refused,
        None => match token.family {
            Some(family) => family,
            None => return refused,
        },
    };
    let revoke =
        |user: &UserId| Revocation::issued_before(user, successor.created_at, max_token_lifetime);
    match end_family(connection, family, revoke).await? {
        Some(revocation) => Ok(TransactionOutcome::Commit(Rotation::Reused(revocation))),
        None => refused,
    }
}

/// Deletes a family, and stores what `revoke` returns for its user. Returns it as it was stored; `None` if there is
/// no such family.
async fn end_family(
    connection: &Connection,
    family: Uuid,
    revoke: impl FnOnce(&UserId) -> Revocation,
) -> Result<Option<Revocation>, DbErr> {
    let ended = session::delete_family(connection, family).await?;
    let Some(first) = ended.first() else {
        return Ok(None);
    };
    let user = UserId::parse(first.user_id.as_str()).map_err(corrupt)?;
    user::lock_unmoved(connection, user.as_str()).await?;
    let revocation = session::covering(revoke(&user), &ended);
    revocation::add(connection, &revocation).await?;
    Ok(Some(revocation))
}

fn corrupt(error: impl std::error::Error) -> DbErr {
    DbErr::Custom(format!("a row of the table refresh_tokens: {error}"))
}

/// Returns the owner of a session, unless the owner is deactivated.
async fn active_owner(
    connection: &impl ConnectionTrait,
    row: &Model,
) -> Result<Option<User>, DbErr> {
    let owner = user::find(connection, &row.user_id).await?;
    Ok(owner.filter(|owner| owner.is_active))
}
