//! Revocations that are newer than a backup: a restore must not undo them.

use std::collections::{HashMap, HashSet};

use sea_orm::sqlx;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_infrastructure::db::session::MaintenanceSession;
use taskhold_repository::revocations::SubjectHash;

use super::Restore;
use crate::error::BackupError;
use crate::query::on_either;
use crate::table::Table;

const PERSONAL_TOKENS: &str = "personal_tokens";

/// The revocations and users of the store that was served until now.
#[derive(Debug)]
pub(super) struct Served {
    /// By the digest of the user's id: since when tokens are accepted, and until when that matters.
    revocations: HashMap<Vec<u8>, (i64, i64)>,
    users: HashSet<String>,
    deactivated: HashSet<String>,
    /// Those who were moved to another store.
    moved: Vec<String>,
    /// The digests of its personal access tokens; `None` if it is of a program that had none.
    personal_tokens: Option<HashSet<Vec<u8>>>,
}

/// What a restore did about revocations that are newer than the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocations {
    /// They were made again.
    Replayed {
        /// How many accounts were deleted again.
        deleted: u64,
        /// How many accounts were deactivated again.
        deactivated: u64,
        /// The number of revocations that the backup did not have, those of personal access tokens included.
        revoked: u64,
        /// How many accounts the served store has lost rather than deleted. If there are any, none is
        /// deleted again, since others that are missing may be lost as well.
        lost: u64,
    },
    /// They are unknown: no token from before the restore is accepted, personal access tokens included, but accounts
    /// that were deleted or deactivated since the backup are as they were.
    Unknown {
        /// Why they are unknown.
        reason: String,
        /// How many users must log in again.
        users: u64,
    },
}

impl Served {
    /// Reads them.
    ///
    /// # Errors
    /// `Sql`, `Refused` if the store has not the tables.
    pub(super) async fn read(session: &mut MaintenanceSession) -> Result<Self, BackupError> {
        if Table::of(session, ["users", "revocations"]).await?.len() < 2 {
            return Err(BackupError::Refused("it has not the tables of one".into()));
        }
        let has_tokens = !Table::of(session, [PERSONAL_TOKENS]).await?.is_empty();
        let has_log = !Table::of(session, ["feeds"]).await?.is_empty();
        let read = async {
            let personal_tokens = if has_tokens {
                Some(personal_tokens(session).await?)
            } else {
                None
            };
            let revocations: Vec<(Vec<u8>, i64, i64)> = on_either!(session, connection =>
                sqlx::query_as("SELECT subject_hash, not_before, kept_until FROM revocations")
                    .fetch_all(&mut **connection).await)?;
            let users: Vec<(String, bool)> = on_either!(session, connection =>
                sqlx::query_as("SELECT id, is_active FROM users").fetch_all(&mut **connection).await)?;
            let moved: Vec<String> = if has_log {
                on_either!(session, connection =>
                    sqlx::query_scalar("SELECT user_id FROM feeds WHERE epoch < 0")
                        .fetch_all(&mut **connection).await)?
            } else {
                Vec::new()
            };
            Ok((revocations, users, personal_tokens, moved))
        };
        let (revocations, users, personal_tokens, moved) = read
            .await
            .map_err(BackupError::sql("read what was revoked"))?;
        let deactivated = users.iter().filter(|(_, is_active)| !is_active);
        Ok(Self {
            revocations: revocations
                .into_iter()
                .map(|(subject, not_before, kept_until)| (subject, (not_before, kept_until)))
                .collect(),
            moved,
            deactivated: deactivated.map(|(user, _)| user.clone()).collect(),
            users: users.into_iter().map(|(user, _)| user).collect(),
            personal_tokens: personal_tokens.map(HashSet::from_iter),
        })
    }

    /// Whether tokens of this user were revoked after this time, as a deletion does.
    fn has_revoked(&self, user: &str, time: Timestamp) -> bool {
        let revoked = self.revocations.get(&subject(user));
        revoked.is_some_and(|(not_before, _)| *not_before >= time.as_micros())
    }
}

/// Makes the newer revocations again in what was restored, within the session's transaction; where they
/// are unknown, revokes all tokens.
pub(super) async fn apply(
    restore: &Restore<'_>,
    session: &mut MaintenanceSession,
    served: Result<Served, String>,
) -> Result<Revocations, BackupError> {
    let applied = match served {
        Ok(served) => replay(session, &served, restore.backup.taken_at).await,
        Err(reason) => revoke_all(restore, session, reason).await,
    };
    applied.map_err(BackupError::sql("revoke again what was revoked since"))
}

async fn replay(
    session: &mut MaintenanceSession,
    served: &Served,
    taken_at: Timestamp,
) -> Result<Revocations, sqlx::Error> {
    let mut revoked = 0;
    for (subject, (not_before, kept_until)) in &served.revocations {
        revoked += revoke(session, subject, *not_before, *kept_until).await?;
    }
    if let Some(left) = &served.personal_tokens {
        // Lost ones are deleted too, since they cannot be told from revoked ones: their users issue new ones.
        let restored = personal_tokens(session).await?;
        for token in restored.iter().filter(|token| !left.contains(*token)) {
            let sql = "DELETE FROM personal_tokens WHERE token_hash = $1";
            revoked += on_either!(session, connection => sqlx::query(sql)
                .bind(token).execute(&mut **connection).await.map(|done| done.rows_affected()))?;
        }
    }
    let users = users(session).await?;
    let missing = users.iter().filter(|user| !served.users.contains(*user));
    let missing: Vec<_> = missing.collect();
    let lost = missing.iter();
    let lost = lost.filter(|user| !served.has_revoked(user, taken_at));
    let lost = lost.count() as u64;
    let (mut deleted, mut deactivated) = (0, 0);
    if lost == 0 {
        for user in missing {
            deleted += on_either!(session, connection => sqlx::query("DELETE FROM users WHERE id = $1")
                .bind(user).execute(&mut **connection).await.map(|done| done.rows_affected()))?;
        }
    }
    for user in &served.deactivated {
        let sql = "UPDATE users SET is_active = false WHERE id = $1 AND is_active";
        deactivated += on_either!(session, connection => sqlx::query(sql)
            .bind(user).execute(&mut **connection).await.map(|done| done.rows_affected()))?;
    }
    for user in &served.moved {
        const LEAVE: &str = "INSERT INTO feeds (user_id, seq, floor, epoch) SELECT id, 0, 0, -1 FROM users WHERE id = $1 \
            ON CONFLICT (user_id) DO UPDATE SET epoch = -abs(feeds.epoch)";
        on_either!(session, connection => sqlx::query(LEAVE)
            .bind(user).execute(&mut **connection).await.map(drop))?;
    }
    Ok(Revocations::Replayed {
        deleted,
        deactivated,
        revoked,
        lost,
    })
}

/// Revokes every token from before the restore.
async fn revoke_all(
    restore: &Restore<'_>,
    session: &mut MaintenanceSession,
    reason: String,
) -> Result<Revocations, sqlx::Error> {
    let not_before = restore.now.as_micros();
    let kept_until = restore.now.saturating_add(restore.max_token_lifetime);
    let users = users(session).await?;
    for user in &users {
        revoke(session, &subject(user), not_before, kept_until.as_micros()).await?;
    }
    on_either!(session, connection => sqlx::query("DELETE FROM personal_tokens")
        .execute(&mut **connection).await.map(drop))?;
    let users = users.len() as u64;
    Ok(Revocations::Unknown { reason, users })
}

async fn users(session: &mut MaintenanceSession) -> Result<Vec<String>, sqlx::Error> {
    on_either!(session, connection =>
        sqlx::query_scalar("SELECT id FROM users").fetch_all(&mut **connection).await)
}

async fn personal_tokens(session: &mut MaintenanceSession) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    on_either!(session, connection =>
        sqlx::query_scalar("SELECT token_hash FROM personal_tokens").fetch_all(&mut **connection).await)
}

/// Adds a revocation, unless there is one that goes as far.
async fn revoke(
    session: &mut MaintenanceSession,
    subject: &[u8],
    not_before: i64,
    kept_until: i64,
) -> Result<u64, sqlx::Error> {
    const SQL: &str = "INSERT INTO revocations (subject_hash, not_before, kept_until) VALUES ($1, $2, $3) \
        ON CONFLICT (subject_hash) DO UPDATE \
        SET not_before = excluded.not_before, kept_until = excluded.kept_until \
        WHERE revocations.not_before < excluded.not_before";
    on_either!(session, connection => sqlx::query(SQL)
        .bind(subject).bind(not_before).bind(kept_until)
        .execute(&mut **connection).await.map(|done| done.rows_affected()))
}

/// Returns the digest of a user's id; an empty one, which no revocation has, for an invalid id.
fn subject(user: &str) -> Vec<u8> {
    UserId::parse(user).map_or_else(|_| Vec::new(), |user| SubjectHash::of(&user).0.to_vec())
}
