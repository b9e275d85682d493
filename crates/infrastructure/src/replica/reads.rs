//! Reads at the replica.

use std::sync::{Arc, OnceLock};

use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::freshness::{Freshness, required};

use super::health::Health;
use super::known::KnownChanges;
use crate::db::Database;
use crate::db::guard::Guard;

/// A replica of a PostgreSQL database. Whether it answers, and what it lacks, decides about each read.
pub struct Replica {
    /// The replica's connections, once it has answered for the first time.
    pub(super) database: OnceLock<Database>,
    pub(super) known: KnownChanges,
    pub(super) health: Health,
}

impl Replica {
    /// Records that an owner's log has this change.
    pub(super) fn learn(&self, owner: &UserId, seq: ChangeSeq) {
        self.known.learn(owner, seq);
        self.health.wake();
    }

    /// Executes a read, or returns `None` if the primary must execute it.
    pub(super) async fn read<T>(
        &self,
        owner: &UserId,
        read: impl AsyncFnOnce(Database) -> Result<T, StoreError>,
    ) -> Option<T> {
        let Freshness::AtLeast(named) = required() else {
            return None;
        };
        self.health.wake();
        let Some(database) = self.database.get().filter(|_| self.health.is_in_use()) else {
            count("passed_over");
            return None;
        };
        let at_least = self.known.of(owner).max(named);
        let guard = Arc::new(Guard::new(owner.clone(), at_least));
        let read = read(database.guarded(Arc::clone(&guard)));
        match read.await {
            Ok(answer) => {
                count("answered");
                self.known.confirm(owner, at_least);
                return Some(answer);
            }
            Err(_) if guard.is_stale() => count("stale"),
            // The primary reports a corrupt row. The next check decides whether the replica is passed over: a long read may
            // have failed alone.
            Err(error) => {
                count("failed");
                tracing::debug!(%error, "the read replica did not answer");
            }
        }
        None
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("taskhold_replica_reads_total", "outcome" => outcome).increment(1);
}
