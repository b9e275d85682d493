//! The store where a user lives, as each store says it: by the sign of the epoch of the user's change log, and the
//! number of the move, which stands in the note that tells instances to ask.

use sea_orm::sqlx;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_infrastructure::db::session::MaintenanceSession;
use taskhold_repository::revocations::SubjectHash;

use super::begin;
use super::hold::Hold;
use super::rows::{Clash, Columns, copy_rows, execute_for};
use crate::error::BackupError;
use crate::query::on_either;
use crate::restore::execute;

/// The state of a user, as a store says it.
#[derive(Debug)]
pub(super) struct Standing {
    /// The user has left, or has not arrived.
    pub(super) is_elsewhere: bool,
    /// The number of the last move.
    pub(super) number: Option<i64>,
}

/// The state of a user's change log, and of the account.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) seq: i64,
    floor: i64,
    is_active: bool,
}

impl Standing {
    /// Reads what a store says; `None` if the store has no such user.
    pub(super) async fn of(
        session: &mut MaintenanceSession,
        user: &UserId,
    ) -> Result<Option<Self>, BackupError> {
        const SQL: &str = "SELECT feeds.epoch, revocations.kept_until FROM users \
            LEFT JOIN feeds ON feeds.user_id = users.id LEFT JOIN revocations ON subject_hash = $2 WHERE users.id = $1";
        let note = note_of(user);
        let found: Result<Option<(Option<i64>, Option<i64>)>, _> = on_either!(session, connection =>
            sqlx::query_as(SQL).bind(user.as_str()).bind(note).fetch_optional(&mut **connection).await);
        let found = found.map_err(BackupError::sql("look for the user"))?;
        Ok(found.map(|(epoch, number)| Self {
            is_elsewhere: epoch.is_some_and(|epoch| epoch < 0),
            number,
        }))
    }
}

impl Counter {
    /// Reads the counter from a store that has noted the move.
    pub(super) async fn of(
        session: &mut MaintenanceSession,
        user: &UserId,
    ) -> Result<Self, BackupError> {
        const SQL: &str = "SELECT seq, floor, is_active FROM feeds JOIN users ON users.id = user_id WHERE user_id = $1";
        let found: Result<(i64, i64, bool), _> = on_either!(session, connection =>
            sqlx::query_as(SQL).bind(user.as_str()).fetch_one(&mut **connection).await);
        let (seq, floor, is_active) = found.map_err(BackupError::sql("read the user's counter"))?;
        Ok(Self {
            seq,
            floor,
            is_active,
        })
    }
}

fn note_of(user: &UserId) -> Vec<u8> {
    SubjectHash::elsewhere(user).0.to_vec()
}

async fn write_note(
    session: &mut MaintenanceSession,
    user: &UserId,
    number: i64,
) -> Result<(), BackupError> {
    const NOTE: &str = "INSERT INTO revocations (subject_hash, not_before, kept_until) VALUES ($1, $2, $3) \
        ON CONFLICT (subject_hash) DO UPDATE SET kept_until = excluded.kept_until";
    let noted = on_either!(session, connection => sqlx::query(NOTE)
        .bind(note_of(user)).bind(Timestamp::LAST.as_micros()).bind(number)
        .execute(&mut **connection).await.map(drop));
    noted.map_err(BackupError::sql("note that the user is moving"))
}

/// Notes at the source that the user is moving.
pub(super) async fn note(
    from: &mut MaintenanceSession,
    user: &UserId,
    number: i64,
) -> Result<(), BackupError> {
    let failed = "note that the user is moving";
    let sql = format!(
        "INSERT INTO feeds (user_id, seq, floor, epoch) SELECT id, 0, 0, {} FROM users WHERE id = $1 \
         ON CONFLICT (user_id) DO NOTHING",
        fastrand::i64(1..1 << 53)
    );
    execute(from, begin(from), failed).await?;
    execute_for(from, &sql, user, failed).await?;
    write_note(from, user, number).await?;
    execute(from, "COMMIT", failed).await
}

/// Makes the target expect the user, who has no password there and whose writes it refuses. Deletes what an earlier run
/// has left.
pub(super) async fn expect(
    from: &mut MaintenanceSession,
    to: &mut MaintenanceSession,
    columns: &Columns,
    hold: &Hold,
    user: &UserId,
    number: i64,
) -> Result<(), BackupError> {
    let failed = "make the target expect the user";
    let epoch: Result<i64, _> = on_either!(from, connection =>
        sqlx::query_scalar("SELECT epoch FROM feeds WHERE user_id = $1")
            .bind(user.as_str()).fetch_one(&mut **connection).await);
    let epoch = epoch.map_err(BackupError::sql(failed))?;
    if epoch < 0 {
        return Err(has_left(user));
    }
    let feed = format!(
        "INSERT INTO feeds (user_id, seq, floor, epoch) VALUES ($1, 0, 0, {})",
        -epoch
    );
    execute(to, begin(to), failed).await?;
    // A user who lives there, or arrives by another move, stays, and makes the next statement fail.
    let left = "DELETE FROM users WHERE id = $1 AND EXISTS (SELECT 1 FROM feeds WHERE user_id = $1 AND epoch < 0) \
        AND EXISTS (SELECT 1 FROM revocations WHERE subject_hash = $2 AND kept_until = $3)";
    let deleted = on_either!(to, connection => sqlx::query(left)
        .bind(user.as_str()).bind(note_of(user)).bind(number)
        .execute(&mut **connection).await.map(drop));
    deleted.map_err(BackupError::sql(failed))?;
    copy_rows(
        from,
        to,
        columns.table("users")?,
        "id = $1",
        user,
        Clash::Fails,
    )
    .await?;
    let without = "UPDATE users SET password_hash = NULL WHERE id = $1";
    execute_for(to, without, user, failed).await?;
    execute_for(to, &feed, user, failed).await?;
    write_note(to, user, number).await?;
    hold.keep(from).await?;
    execute(to, "COMMIT", failed).await
}

fn has_left(user: &UserId) -> BackupError {
    BackupError::Refused(format!(
        "the user {user} has left the source meanwhile: run the command again, it says what is left to do"
    ))
}

/// Begins the transaction of the source from which on the user's writes wait, and whose commit makes the source refuse
/// them. The counter first, as in every write: whoever has it does not wait for the user's row.
pub(super) async fn stop(
    from: &mut MaintenanceSession,
    hold: &Hold,
    user: &UserId,
) -> Result<Counter, BackupError> {
    let failed = "stop the user's writes";
    let begin = match from {
        // A command that is cut off from its server must not stop the user for long.
        MaintenanceSession::Postgres(_) => {
            "BEGIN; SET LOCAL lock_timeout = '300ms'; SET LOCAL statement_timeout = '5s'; \
             SET LOCAL idle_in_transaction_session_timeout = '5s'"
        }
        MaintenanceSession::Sqlite(_) => begin(from),
    };
    execute(from, begin, failed).await?;
    let counter = "UPDATE feeds SET epoch = -epoch WHERE user_id = $1 AND epoch > 0";
    if execute_for(from, counter, user, failed).await? == 0 {
        return Err(has_left(user));
    }
    // No other run takes over before this transaction has ended.
    hold.keep(from).await?;
    if let MaintenanceSession::Postgres(_) = from {
        let account = "SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE";
        execute_for(from, account, user, failed).await?;
    }
    let counter = Counter::of(from, user).await?;
    let account = "UPDATE users SET is_active = false WHERE id = $1";
    execute_for(from, account, user, failed).await?;
    Ok(counter)
}

/// Sets the counter and the state of the account at the target.
pub(super) async fn set_counter(
    to: &mut MaintenanceSession,
    user: &UserId,
    counter: &Counter,
) -> Result<(), BackupError> {
    let failed = "set the user's counter";
    let Counter {
        seq,
        floor,
        is_active,
    } = counter;
    let feed = format!("UPDATE feeds SET seq = {seq}, floor = {floor} WHERE user_id = $1");
    execute_for(to, &feed, user, failed).await?;
    let account = format!("UPDATE users SET is_active = {is_active} WHERE id = $1");
    execute_for(to, &account, user, failed).await.map(drop)
}
