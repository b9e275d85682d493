//! The last step of a move: the account, and the end of the target's refusal.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt as _;
use sea_orm::sqlx;
use taskhold_domain::user::UserId;
use taskhold_infrastructure::db::session::MaintenanceSession;
use taskhold_repository::revocations::SubjectHash;

use super::begin;
use super::rows::{Clash, Columns, execute_for, write_rows};
use crate::copy::BATCH;
use crate::error::BackupError;
use crate::query::on_either;
use crate::restore::execute;
use crate::rows::{Row, rows_of};
use crate::table::Table;

const FAILED: &str = "let the user arrive: run the command again, it goes on";

/// The tables of the sessions and tokens of a user.
const CREDENTIALS: [&str; 2] = ["refresh_tokens", "personal_tokens"];

/// The subjects of revocations that are of the users whom the target has, but for the one who moves: the source may
/// remember them from a time when they lived there, and must not revoke their tokens now.
pub(super) struct Residents(HashSet<Vec<u8>>);

impl Residents {
    pub(super) async fn of(
        to: &mut MaintenanceSession,
        user: &UserId,
    ) -> Result<Self, BackupError> {
        let ids: Result<Vec<String>, _> = on_either!(to, connection =>
            sqlx::query_scalar("SELECT id FROM users WHERE id <> $1")
                .bind(user.as_str()).fetch_all(&mut **connection).await);
        let ids = ids.map_err(BackupError::sql("read the users of the target"))?;
        let ids = ids.into_iter().filter_map(|id| UserId::parse(id).ok());
        Ok(Self(ids.flat_map(|id| subjects(&id)).collect()))
    }
}

fn subjects(user: &UserId) -> [Vec<u8>; 3] {
    [
        SubjectHash::of(user),
        SubjectHash::without_session(user),
        SubjectHash::elsewhere(user),
    ]
    .map(|subject| subject.0.to_vec())
}

/// The user's account, as the source stores it. It no longer changes there.
pub(super) struct Arrival {
    account: Vec<Row>,
    credentials: Vec<(&'static str, Vec<Row>)>,
    /// By their subjects: since when tokens are accepted, and until when that matters.
    revocations: HashMap<Vec<u8>, (i64, i64)>,
}

impl Arrival {
    /// Reads the account from the source.
    pub(super) async fn read(
        from: &mut MaintenanceSession,
        columns: &Columns,
        user: &UserId,
        residents: &Residents,
    ) -> Result<Self, BackupError> {
        let account = read_rows(from, columns.table("users")?, "id = $1", user).await?;
        let mut credentials = Vec::new();
        for name in CREDENTIALS {
            credentials.push((
                name,
                read_rows(from, columns.table(name)?, "user_id = $1", user).await?,
            ));
        }
        let sql = "SELECT subject_hash, not_before, kept_until FROM revocations";
        let revocations: Result<Vec<(Vec<u8>, i64, i64)>, _> = on_either!(from, connection =>
            sqlx::query_as(sql).fetch_all(&mut **connection).await);
        let revocations = revocations.map_err(BackupError::sql(FAILED))?;
        let mut revocations: HashMap<_, _> = revocations
            .into_iter()
            .map(|(subject, not_before, kept_until)| (subject, (not_before, kept_until)))
            .filter(|(subject, _)| !residents.0.contains(subject))
            .collect();
        let [of_user, _, note] = subjects(user);
        revocations.remove(&note);
        // A revocation of everybody at the source holds for the user, and for no other user of the target.
        if let Some(everybody) = revocations.remove(SubjectHash::EVERYBODY.0.as_slice()) {
            let own = revocations.entry(of_user).or_insert(everybody);
            *own = everybody.max(*own);
        }
        Ok(Self {
            account,
            credentials,
            revocations,
        })
    }

    /// Writes the account into the target, where the user lives from then on.
    pub(super) async fn complete(
        self,
        to: &mut MaintenanceSession,
        columns: &Columns,
        user: &UserId,
    ) -> Result<(), BackupError> {
        execute(to, begin(to), FAILED).await?;
        // Once only: what the user has changed at the target since must not be overwritten.
        let here = "UPDATE feeds SET epoch = -epoch WHERE user_id = $1 AND epoch < 0";
        if execute_for(to, here, user, FAILED).await? == 0 {
            return Err(BackupError::Refused(format!(
                "the target does not expect the user {user} any more, who has arrived by another run or was deleted: \
                 run the command again, it says which"
            )));
        }
        // The target knows whether the user is active: at the source nobody is who has left.
        let is_there = Clash::Replaced(&["id"], Some("is_active"));
        write_rows(to, columns.table("users")?, self.account, is_there).await?;
        for (name, mut rows) in self.credentials {
            replace_all(to, columns.table(name)?, &mut rows, user).await?;
        }
        let [of_user, without_session, note] = subjects(user);
        let deleted = on_either!(to, connection =>
            sqlx::query("DELETE FROM revocations WHERE subject_hash IN ($1, $2, $3)")
                .bind(of_user).bind(without_session).bind(note)
                .execute(&mut **connection).await.map(drop));
        deleted.map_err(BackupError::sql(FAILED))?;
        for (subject, (not_before, kept_until)) in self.revocations {
            const REVOKE: &str = "INSERT INTO revocations (subject_hash, not_before, kept_until) VALUES ($1, $2, $3) \
                ON CONFLICT (subject_hash) DO NOTHING";
            let revoked = on_either!(to, connection => sqlx::query(REVOKE)
                .bind(subject).bind(not_before).bind(kept_until)
                .execute(&mut **connection).await.map(drop));
            revoked.map_err(BackupError::sql(FAILED))?;
        }
        execute(to, "COMMIT", FAILED).await
    }
}

async fn read_rows(
    from: &mut MaintenanceSession,
    table: &Table,
    condition: &str,
    user: &UserId,
) -> Result<Vec<Row>, BackupError> {
    let rows = rows_of(from, table, condition, user.as_str()).try_collect();
    rows.await.map_err(BackupError::sql(FAILED))
}

async fn replace_all(
    to: &mut MaintenanceSession,
    table: &Table,
    rows: &mut Vec<Row>,
    user: &UserId,
) -> Result<(), BackupError> {
    let sql = format!("DELETE FROM {} WHERE user_id = $1", table.name);
    execute_for(to, &sql, user, FAILED).await?;
    while !rows.is_empty() {
        let batch = rows.split_off(rows.len().saturating_sub(BATCH));
        write_rows(to, table, batch, Clash::Fails).await?;
    }
    Ok(())
}
