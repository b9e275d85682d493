//! The hold of one run on a move: a lease in the table `locks` of the source, so that two runs never work at once.

use std::time::Duration;

use sea_orm::prelude::Uuid;
use sea_orm::sqlx::{self, AssertSqlSafe};
use taskhold_domain::user::UserId;
use taskhold_infrastructure::db::session::MaintenanceSession;
use tokio::time::sleep;

use crate::error::BackupError;
use crate::query::on_either;

/// The time for which a run that was killed keeps the next one waiting.
const LEASE: Duration = Duration::from_secs(10);
/// The time between two extensions of a lease.
const RENEWAL: Duration = Duration::from_secs(2);

/// The hold of this run. The source's clock decides when it ends.
pub(super) struct Hold {
    name: String,
    holder: Uuid,
}

impl Hold {
    /// Takes the hold.
    ///
    /// # Errors
    /// [`BackupError::Refused`] if another run has it.
    pub(super) async fn take(
        from: &mut MaintenanceSession,
        user: &UserId,
    ) -> Result<Self, BackupError> {
        let hold = Self {
            name: format!("move {user}"),
            holder: Uuid::from_u128(fastrand::u128(..)),
        };
        let now = now(from);
        let sql = format!(
            "INSERT INTO locks (name, holder, expires_at) VALUES ($1, $2, {now} + {}) ON CONFLICT (name) DO UPDATE \
             SET holder = excluded.holder, expires_at = excluded.expires_at \
             WHERE locks.holder IS NULL OR locks.expires_at <= {now}",
            LEASE.as_micros()
        );
        if hold.execute(from, sql, "take hold of the move").await? {
            return Ok(hold);
        }
        Err(BackupError::Refused(format!(
            "another run of this command moves the user {user}, or was killed less than {LEASE:?} ago: wait for it, or \
             for that time, and run the command again"
        )))
    }

    /// Extends the hold. In a transaction, no other run can take it until the transaction ends.
    ///
    /// # Errors
    /// [`BackupError::Refused`] if another run has taken it, because this one did not extend it in time.
    pub(super) async fn keep(&self, from: &mut MaintenanceSession) -> Result<(), BackupError> {
        let sql = format!(
            "UPDATE locks SET expires_at = {} + {} WHERE name = $1 AND holder = $2",
            now(from),
            LEASE.as_micros()
        );
        if self.execute(from, sql, "keep hold of the move").await? {
            return Ok(());
        }
        Err(BackupError::Refused(
            "another run of this command has taken over, because this one was held up: see what the other one prints"
                .to_owned(),
        ))
    }

    /// Extends the hold again and again, in a session of its own. Returns only when it is lost.
    pub(super) async fn keep_on(&self, from: &mut MaintenanceSession) -> BackupError {
        loop {
            sleep(RENEWAL).await;
            match self.keep(from).await {
                Ok(()) => {}
                Err(error @ BackupError::Refused(_)) => return error,
                // The lease outlasts several tries, and the steps that must not be done twice look at it themselves.
                Err(error) => tracing::warn!(%error, "the hold of the move was not extended"),
            }
        }
    }

    /// Releases the lease, so that the next run need not wait. An error is only logged: the hold ends by itself.
    pub(super) async fn release(&self, from: &mut MaintenanceSession) {
        let sql = "DELETE FROM locks WHERE name = $1 AND holder = $2".to_owned();
        if let Err(error) = self.execute(from, sql, "let go of the move").await {
            tracing::warn!(%error, "the hold of the move ends in {LEASE:?} only");
        }
    }

    /// Executes a statement with the name and the holder as its parameters. Returns whether a row was written.
    async fn execute(
        &self,
        from: &mut MaintenanceSession,
        sql: String,
        doing: &'static str,
    ) -> Result<bool, BackupError> {
        let sql = AssertSqlSafe(sql);
        let written = on_either!(from, connection => sqlx::query(sql)
            .bind(&self.name).bind(self.holder)
            .execute(&mut **connection).await.map(|done| done.rows_affected()));
        Ok(written.map_err(BackupError::sql(doing))? > 0)
    }
}

/// Returns the expression for the microseconds since 1970 by the clock of the store.
fn now(session: &MaintenanceSession) -> &'static str {
    match session {
        MaintenanceSession::Postgres(_) => {
            "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
        }
        MaintenanceSession::Sqlite(_) => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    }
}
