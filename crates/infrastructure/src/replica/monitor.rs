//! The task that connects to the replica, and checks whether it can be used.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_repository::change_log::ChangeLogRepository as _;
use taskhold_repository::error::StoreError;

use super::health::Health;
use super::known::KnownChanges;
use super::reads::Replica;
use crate::db::Database;
use crate::db::connect::{ConnectError, ConnectOptions};
use crate::db::connection::Connection;
use crate::db::retry::Idempotence;

/// The time between two checks of a replica that is passed over, or that may lack changes.
const INTERVAL: Duration = Duration::from_secs(1);
/// The time between two attempts to use a replica that is refused.
const REFUSED_INTERVAL: Duration = Duration::from_mins(1);
/// The age of a change that the replica lacks, from which on it lags far behind.
const MAX_LAG: Duration = Duration::from_secs(10);
/// The most owners about whom a check asks.
const OWNERS_AT_ONCE: usize = 1_000;

/// Why a replica is passed over.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error("it lacks a change that is more than {} s old", MAX_LAG.as_secs())]
    FarBehind,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Replica {
    /// Returns a replica of `primary` that is not in use yet. A task on the current runtime connects to it, and checks it
    /// from then on while it is passed over or may lack changes.
    #[must_use]
    pub fn start(primary: Database, options: ConnectOptions) -> Arc<Self> {
        let replica = Arc::new(Self {
            database: OnceLock::new(),
            known: KnownChanges::default(),
            health: Health::default(),
        });
        replica.health.report();
        tokio::spawn(run(Arc::clone(&replica), primary, options));
        replica
    }

    /// Asks the replica for the changes that it may lack.
    async fn check(&self, primary: &Database, replica: &Database) -> Result<(), CheckError> {
        let owners = self.known.owners(OWNERS_AT_ONCE);
        // Also without owners: it must answer.
        for (owner, feed) in replica.feeds(&owners).await? {
            self.known.confirm(&owner, feed.last);
        }
        let lacking = self.known.older_than(&owners, MAX_LAG);
        if lacking.is_empty() {
            return Ok(());
        }
        // The changes of a deleted user are gone everywhere.
        let feeds: HashMap<_, _> = primary.feeds(&lacking).await?.into_iter().collect();
        for owner in &lacking {
            let last = feeds.get(owner).map_or(ChangeSeq::ZERO, |feed| feed.last);
            self.known.forget_after(owner, last);
        }
        if self.known.older_than(&owners, MAX_LAG).is_empty() {
            return Ok(());
        }
        Err(CheckError::FarBehind)
    }
}

async fn run(replica: Arc<Replica>, primary: Database, options: ConnectOptions) {
    let database = connect(&primary, &options).await;
    _ = replica.database.set(database.clone());
    loop {
        match replica.check(&primary, &database).await {
            Ok(()) => replica.health.use_again(),
            Err(error) => replica.health.pass_over(&error),
        }
        // A replica that has all changes, and is used, is left alone: it may sleep.
        if replica.health.is_in_use() && replica.known.owners(1).is_empty() {
            replica.health.woken().await;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Connects to the replica, and tries again until that succeeds.
async fn connect(primary: &Database, options: &ConnectOptions) -> Database {
    let mut told = String::new();
    loop {
        let error = match try_connect(primary, options).await {
            Ok(database) => return database,
            Err(error) => error,
        };
        // Each reason once, however often it is tried.
        let reason = error.to_string();
        if reason != told {
            tracing::warn!(error = &error as &dyn Error, "the read replica is not used");
            told = reason;
        }
        tokio::time::sleep(error.pause()).await;
    }
}

/// Why a replica is not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it cannot be opened")]
    Open(#[from] ConnectError),
    #[error("it cannot be compared with the primary")]
    Compare(#[from] StoreError),
    #[error("database.read_url leads to another database than the one that takes writes")]
    AnotherDatabase,
}

impl Unusable {
    /// Returns the time to the next attempt.
    fn pause(&self) -> Duration {
        match self {
            Self::Open(error) if error.is_permanent() => REFUSED_INTERVAL,
            Self::AnotherDatabase => REFUSED_INTERVAL,
            Self::Open(_) | Self::Compare(_) => INTERVAL,
        }
    }
}

async fn try_connect(primary: &Database, options: &ConnectOptions) -> Result<Database, Unusable> {
    let replica = Database::connect_to_replica(options).await?;
    if created_at(&replica).await? != created_at(primary).await? {
        replica.close().await;
        return Err(Unusable::AnotherDatabase);
    }
    Ok(replica)
}

/// Returns when the first migration was applied, which tells two databases apart.
async fn created_at(database: &Database) -> Result<Option<i64>, StoreError> {
    const SQL: &str = "SELECT min(applied_at) FROM seaql_migrations";
    let read = move |connection: Connection, _| async move {
        let select = Statement::from_string(DbBackend::Postgres, SQL);
        let row = connection.query_one_raw(select).await?;
        row.map_or(Ok(None), |row| row.try_get_by_index::<Option<i64>>(0))
    };
    database
        .execute("replica.compare", Idempotence::Read, read)
        .await
}
