//! The task that connects to the replica, and checks whether it can be used.
//!
//! A check writes a marker at the primary, and asks the replica for it. The replica replays what was committed in its
//! order, so with the marker it has every change that was recorded before the marker was written.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use taskhold_repository::error::StoreError;
use tokio::time::Instant;

use super::health::Health;
use super::known::KnownChanges;
use super::reads::Replica;
use crate::db::Database;
use crate::db::connect::{ConnectError, ConnectOptions};
use crate::db::connection::Connection;
use crate::db::retry::Idempotence;

/// The time between two checks of a replica that is asked, is passed over, or may lack changes.
const INTERVAL: Duration = Duration::from_secs(2);
/// The time between two attempts to use a replica that is refused.
const REFUSED_INTERVAL: Duration = Duration::from_mins(1);
/// The age of a marker that the replica lacks, from which on it lags far behind.
const MAX_LAG: Duration = Duration::from_secs(10);

/// A row of the primary for which the replica is asked.
struct Marker {
    number: i64,
    /// The moment before it was written.
    at: Instant,
}

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
    /// from then on while it is asked, is passed over or may lack changes.
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

    /// Checks whether the replica answers, and has the marker that was written last.
    async fn check(
        &self,
        primary: &Database,
        replica: &Database,
        awaited: &mut Option<Marker>,
    ) -> Result<(), CheckError> {
        let latest = latest_marker(replica).await?;
        if let Some(marker) = awaited
            && latest >= marker.number
        {
            self.known.forget_before(marker.at);
            self.health.use_again();
            *awaited = None;
            return Ok(());
        }
        match awaited {
            Some(marker) if marker.at.elapsed() <= MAX_LAG => return Ok(()),
            // A later marker is awaited from now on: the replica is used once it lags less.
            Some(_) if self.health.is_in_use() => return Err(CheckError::FarBehind),
            _ => {}
        }
        let at = Instant::now();
        match write_marker(primary).await {
            Ok(number) => *awaited = Some(Marker { number, at }),
            // The replica goes on as before while the primary takes no writes.
            Err(error) => tracing::debug!(%error, "no marker for the read replica was written"),
        }
        if !self.health.is_in_use() {
            // The replica is used once it has the marker, and with it these.
            self.known.forget_before(at);
        }
        Ok(())
    }
}

async fn run(replica: Arc<Replica>, primary: Database, options: ConnectOptions) {
    let database = connect(&replica, &primary, &options).await;
    _ = replica.database.set(database.clone());
    let mut awaited = None;
    loop {
        if let Err(error) = replica.check(&primary, &database, &mut awaited).await {
            replica.health.pass_over(&error);
        }
        tokio::time::sleep(INTERVAL).await;
        // A replica that has all changes and that nobody asks is left alone: it may sleep.
        if awaited.is_none() && replica.known.is_empty() {
            let woken = replica.health.woken();
            if tokio::time::timeout(MAX_LAG, woken).await.is_err() {
                replica.health.rest();
                replica.health.woken().await;
            }
        }
    }
}

/// Connects to the replica, and tries again until that succeeds.
async fn connect(replica: &Replica, primary: &Database, options: &ConnectOptions) -> Database {
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
        // The replica is not used before it has what was written until then.
        replica.known.forget_before(Instant::now());
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
    number(database, "replica.compare", Idempotence::Read, SQL).await
}

/// Writes the next marker at the primary.
async fn write_marker(primary: &Database) -> Result<i64, StoreError> {
    const SQL: &str = "INSERT INTO locks (name, expires_at) VALUES ('replica', 1) \
        ON CONFLICT (name) DO UPDATE SET expires_at = coalesce(locks.expires_at, 0) + 1 RETURNING expires_at";
    // A marker that was written twice is a later one.
    let written = number(primary, "replica.mark", Idempotence::IdempotentWrite, SQL);
    Ok(written.await?.unwrap_or_default())
}

/// Returns the latest marker that the replica has.
async fn latest_marker(replica: &Database) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT expires_at FROM locks WHERE name = 'replica'";
    let found = number(replica, "replica.check", Idempotence::Read, SQL);
    Ok(found.await?.unwrap_or_default())
}

/// Executes a statement that returns a number.
async fn number(
    database: &Database,
    operation: &'static str,
    idempotence: Idempotence,
    sql: &'static str,
) -> Result<Option<i64>, StoreError> {
    let execute = move |connection: Connection, _| async move {
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = connection.query_one_raw(statement).await?;
        row.map_or(Ok(None), |row| row.try_get_by_index::<Option<i64>>(0))
    };
    database.execute(operation, idempotence, execute).await
}
