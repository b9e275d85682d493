//! What was revoked after a backup was taken: a restore must not undo it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sea_orm::sqlx;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_infrastructure::session::Session;
use taskhold_repository::revocations::SubjectHash;

use crate::error::BackupError;
use crate::table::Table;

/// Runs a statement on either kind of store.
macro_rules! on {
    ($session:expr, $connection:ident => $call:expr) => {
        match $session {
            Session::Postgres($connection) => $call,
            Session::Sqlite($connection) => $call,
        }
    };
}

/// What a store knows of tokens that do not count any more, and of its users.
#[derive(Debug)]
pub struct Live {
    /// By the digest of the user: since when tokens count, and until when that matters.
    revocations: HashMap<Vec<u8>, (i64, i64)>,
    users: HashSet<String>,
    kept_out: HashSet<String>,
}

/// What became of tokens and accounts that were revoked after the backup was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// They are revoked again.
    Replayed {
        /// Accounts that were deleted since, and are again.
        deleted: u64,
        /// Accounts that were shut out since, and are again.
        kept_out: u64,
        /// Revocations that the backup did not have.
        revoked: u64,
        /// Accounts that the store has surely lost rather than deleted: while there are any, none is
        /// deleted again, since others that are missing may as well be lost.
        lost: u64,
    },
    /// Nobody could be asked: no token from before the restore counts, but accounts that were deleted
    /// or shut out since are there.
    Unknown {
        /// Why not.
        reason: String,
        /// How many users must log in again.
        users: u64,
    },
}

impl Live {
    /// Of the store that was served until now.
    ///
    /// # Errors
    /// `Sql`, `Refused` where it is none of ours.
    pub(crate) async fn read(session: &mut Session) -> Result<Self, BackupError> {
        if Table::of(session, ["users", "revocations"]).await?.len() < 2 {
            return Err(BackupError::Refused("it has not the tables of one".into()));
        }
        let failed = BackupError::sql("read what was revoked");
        let read = async {
            let revocations: Vec<(Vec<u8>, i64, i64)> = on!(session, connection =>
                sqlx::query_as("SELECT subject_hash, not_before, kept_until FROM revocations")
                    .fetch_all(&mut **connection).await)?;
            let users: Vec<(String, bool)> = on!(session, connection =>
                sqlx::query_as("SELECT id, is_active FROM users").fetch_all(&mut **connection).await)?;
            Ok((revocations, users))
        };
        let (revocations, users) = read.await.map_err(failed)?;
        let shut_out = users.iter().filter(|(_, is_active)| !is_active);
        Ok(Self {
            revocations: revocations
                .into_iter()
                .map(|(subject, not_before, kept_until)| (subject, (not_before, kept_until)))
                .collect(),
            kept_out: shut_out.map(|(user, _)| user.clone()).collect(),
            users: users.into_iter().map(|(user, _)| user).collect(),
        })
    }

    /// Whether tokens of this user were revoked after this time, as a deletion does.
    fn has_revoked(&self, user: &str, time: Timestamp) -> bool {
        let revoked = self.revocations.get(&subject(user));
        revoked.is_some_and(|(not_before, _)| *not_before >= time.as_micros())
    }
}

/// Revokes again what was revoked since the backup was taken, within the session's transaction.
pub(crate) async fn replay(
    session: &mut Session,
    live: &Live,
    taken_at: Timestamp,
) -> Result<Since, BackupError> {
    let replayed = async {
        let mut revoked = 0;
        for (subject, (not_before, kept_until)) in &live.revocations {
            revoked += revoke(session, subject, *not_before, *kept_until).await?;
        }
        let users = users(session).await?;
        let missing: Vec<_> = users
            .iter()
            .filter(|user| !live.users.contains(*user))
            .collect();
        let lost = missing
            .iter()
            .filter(|user| !live.has_revoked(user, taken_at))
            .count();
        let (mut deleted, mut kept_out) = (0, 0);
        if lost == 0 {
            for user in missing {
                deleted += on!(session, connection => sqlx::query("DELETE FROM users WHERE id = $1")
                    .bind(user).execute(&mut **connection).await.map(|done| done.rows_affected()))?;
            }
        }
        for user in &live.kept_out {
            let sql = "UPDATE users SET is_active = false WHERE id = $1 AND is_active";
            kept_out += on!(session, connection => sqlx::query(sql)
                .bind(user).execute(&mut **connection).await.map(|done| done.rows_affected()))?;
        }
        Ok(Since::Replayed {
            deleted,
            kept_out,
            revoked,
            lost: lost as u64,
        })
    };
    replayed
        .await
        .map_err(BackupError::sql("revoke again what was revoked since"))
}

/// Has no token count from before `now`, within the session's transaction.
pub(crate) async fn revoke_all(
    session: &mut Session,
    now: Timestamp,
    longest_token: Duration,
    reason: String,
) -> Result<Since, BackupError> {
    let kept_until = now.saturating_add(longest_token);
    let revoked = async {
        let users = users(session).await?;
        for user in &users {
            revoke(
                session,
                &subject(user),
                now.as_micros(),
                kept_until.as_micros(),
            )
            .await?;
        }
        Ok(users.len() as u64)
    };
    let users = revoked
        .await
        .map_err(BackupError::sql("revoke all tokens"))?;
    Ok(Since::Unknown { reason, users })
}

async fn users(session: &mut Session) -> Result<Vec<String>, sqlx::Error> {
    on!(session, connection =>
        sqlx::query_scalar("SELECT id FROM users").fetch_all(&mut **connection).await)
}

/// Unless one goes as far already.
async fn revoke(
    session: &mut Session,
    subject: &[u8],
    not_before: i64,
    kept_until: i64,
) -> Result<u64, sqlx::Error> {
    const SQL: &str = "INSERT INTO revocations (subject_hash, not_before, kept_until) VALUES ($1, $2, $3) \
        ON CONFLICT (subject_hash) DO UPDATE \
        SET not_before = excluded.not_before, kept_until = excluded.kept_until \
        WHERE revocations.not_before < excluded.not_before";
    on!(session, connection => sqlx::query(SQL)
        .bind(subject).bind(not_before).bind(kept_until)
        .execute(&mut **connection).await.map(|done| done.rows_affected()))
}

/// An id that is none of ours has no revocation either.
fn subject(user: &str) -> Vec<u8> {
    UserId::parse(user).map_or_else(|_| Vec::new(), |user| SubjectHash::of(&user).0.to_vec())
}
