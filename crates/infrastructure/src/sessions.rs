//! The sessions port.

mod row;

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, DeleteMany, EntityTrait, Order, QueryFilter};
use taskhold_domain::account::PasswordHash;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Rotation, Session, Successor, TokenHash};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::{User, UserId};
use taskhold_repository::error::StoreError;
use taskhold_repository::sessions::SessionRepository;

use self::row::{ActiveModel, Column, Entity, Model};
use crate::connection::Connection;
use crate::policy::{Attempt, Effect};
use crate::store::Store;
use crate::transaction::Verdict;
use crate::{revocations, users};

/// Sessions in a SQL database.
#[derive(Clone)]
pub struct SqlSessions {
    store: Store,
}

impl SqlSessions {
    /// Sessions in this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl SessionRepository for SqlSessions {
    async fn start(&self, session: &Session, verified: &PasswordHash) -> Result<bool, StoreError> {
        let (session, verified) = (session.clone(), verified.clone());
        self.store
            .transact(
                "sessions.start",
                Effect::RepeatableWrite,
                move |connection, attempt| {
                    let (session, verified) = (session.clone(), verified.clone());
                    async move {
                        if is_kept(&connection, &attempt, &session).await? {
                            return Ok(Verdict::Undo(true));
                        }
                        if !users::still_has(&connection, &session.user, &verified).await? {
                            return Ok(Verdict::Undo(false));
                        }
                        keep(&connection, &session).await?;
                        Ok(Verdict::Keep(true))
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
        self.store
            .transact(
                "sessions.rotate",
                Effect::RepeatableWrite,
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
        self.store
            .transact(
                "sessions.end",
                Effect::RepeatableWrite,
                move |connection, _| {
                    let revocation = revocation.clone();
                    async move {
                        match token {
                            None => end_all(&connection, &revocation.user).await?,
                            Some(token) => {
                                let shown = find(&connection, token).await?;
                                let theirs =
                                    shown.filter(|row| row.user_id == revocation.user.as_str());
                                if let Some(row) = theirs {
                                    end_family(&connection, row.family).await?;
                                }
                            }
                        }
                        revocations::add(&connection, &revocation).await?;
                        Ok(Verdict::Keep(()))
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
        self.store.delete("sessions.forget", delete).await
    }
}

async fn rotate(
    connection: &Connection,
    attempt: Attempt,
    token: TokenHash,
    successor: &Successor,
) -> Result<Verdict<Rotation>, DbErr> {
    let now = successor.created_at.as_micros();
    // Of several at once, one finds it unused.
    let used = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .filter(Column::TokenHash.eq(token.0.to_vec()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec_with_returning(connection)
        .await?;
    if let Some(row) = used.into_iter().next() {
        let Some(owner) = active_owner(connection, &row).await? else {
            return Ok(Verdict::Undo(Rotation::Refused));
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
        return Ok(Verdict::Keep(Rotation::Rotated(owner)));
    }
    if attempt.may_be_done
        && let Some(row) = find(connection, successor.token).await?
        && let Some(owner) = active_owner(connection, &row).await?
    {
        // An attempt before did it, and its answer was lost.
        return Ok(Verdict::Undo(Rotation::Rotated(owner)));
    }
    match find(connection, token).await? {
        Some(row) if row.used_at.is_some() => {
            end_family(connection, row.family).await?;
            Ok(Verdict::Keep(Rotation::Reused))
        }
        _ => Ok(Verdict::Undo(Rotation::Refused)),
    }
}

/// Whose it is, unless they are kept out.
async fn active_owner(
    connection: &impl ConnectionTrait,
    row: &Model,
) -> Result<Option<User>, DbErr> {
    let owner = users::find(connection, &row.user_id).await?;
    Ok(owner.filter(|owner| owner.is_active))
}

async fn find(connection: &impl ConnectionTrait, token: TokenHash) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(token.0.to_vec()).one(connection).await
}

/// Whether an attempt before has kept this session, and its answer was lost. Tokens are random: one
/// that is there is the one that was to be kept.
pub(crate) async fn is_kept(
    connection: &impl ConnectionTrait,
    attempt: &Attempt,
    session: &Session,
) -> Result<bool, DbErr> {
    Ok(attempt.may_be_done && find(connection, session.token).await?.is_some())
}

/// Keeps a new session.
pub(crate) async fn keep(
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

/// Ends every session of a user.
pub(crate) async fn end_all(connection: &impl ConnectionTrait, user: &UserId) -> Result<(), DbErr> {
    let theirs = Entity::delete_many().filter(Column::UserId.eq(user.as_str()));
    end(connection, theirs).await
}

async fn end_family(
    connection: &impl ConnectionTrait,
    family: sea_orm::prelude::Uuid,
) -> Result<(), DbErr> {
    let theirs = Entity::delete_many().filter(Column::Family.eq(family));
    end(connection, theirs).await
}

/// Deletes until nothing is left. PostgreSQL's statement waits for a token that is being used up at
/// that moment and deletes it, but does not see the successor; the next one does.
async fn end(connection: &impl ConnectionTrait, sessions: DeleteMany<Entity>) -> Result<(), DbErr> {
    while sessions.clone().exec(connection).await?.rows_affected > 0 {}
    Ok(())
}
