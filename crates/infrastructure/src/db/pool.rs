//! The pool of PostgreSQL connections.
//!
//! sqlx's pool pings each connection when it comes back from a call, which doubles the round trips of a
//! query. This pool pings only connections that were idle for a second, and closes all idle ones when one of
//! them turns out to be dead. It never reuses a connection on which a call did not complete, so a returned
//! connection needs no ping (decision 12).

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult,
};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, Executor as _, Row as _};

use crate::db::primary::{FIND_SERVER, Place, Primary, Server};

/// The longest that a call waits for a free connection, and for a new one.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that a ping may take.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was used this recently is not pinged.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// Neon suspends a database after five minutes without a query, and drops what is idle.
const IDLE_TIMEOUT: Duration = Duration::from_mins(4);
const REAP_INTERVAL: Duration = Duration::from_secs(30);
/// Long enough to cost nothing, short enough to follow a changed address or a new certificate.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// The settings of a session that no pooler shares. No statement may run, or wait for a lock, longer than an
/// attempt waits for its answer: after that nobody would know whether it was applied. And each statement keeps
/// one generic plan: planning it for each set of values took a third of the database's time for a page of tasks.
const SESSION_SETTINGS: &str = "SET statement_timeout = '7s'; SET lock_timeout = '3s'; \
     SET idle_in_transaction_session_timeout = '10s'; SET plan_cache_mode = 'force_generic_plan'";

/// A connection, and what decides whether it is reused.
#[derive(Debug)]
pub(crate) struct PooledConnection {
    pub(crate) connection: PgConnection,
    /// When a statement began that has not completed: its answer may still arrive.
    pub(crate) statement_began: Option<Instant>,
    /// A transaction has begun and not ended.
    pub(crate) in_transaction: bool,
    /// The session has ended, or another one is needed.
    pub(crate) given_up: bool,
    last_used: Instant,
    /// The server of the connection; `None` behind a pooler, whose sessions are not ours.
    place: Option<Place>,
}

impl PooledConnection {
    /// Returns whether no statement and no transaction has begun without completing, and no error has shown
    /// that another session is needed.
    pub(crate) fn is_reusable(&self) -> bool {
        self.statement_began.is_none() && !self.in_transaction && !self.given_up
    }

    /// Returns whether it leads to a server that another one has replaced.
    pub(crate) fn is_replaced(&self) -> bool {
        self.place.as_ref().is_some_and(Place::is_replaced)
    }

    /// Records that a statement begins.
    pub(crate) fn begin_statement(&mut self) {
        self.statement_began = Some(Instant::now());
    }

    /// Records that a statement has completed.
    pub(crate) fn complete_statement(&mut self) {
        self.statement_began = None;
        self.last_used = Instant::now();
    }
}

/// Opens connections, and decides which of them are reused.
#[derive(Debug)]
pub(crate) struct ConnectionManager {
    options: PgConnectOptions,
    limit_sessions: bool,
    /// When a connection was found dead: those that were last used before count as dead too. Both pools of
    /// a database share it.
    invalidated_at: Arc<Mutex<Option<Instant>>>,
    /// The server of the newest connection. Both pools share it too.
    primary: Arc<Primary>,
}

impl ConnectionManager {
    /// Lets none of the connections that are idle now be reused.
    pub(crate) fn invalidate_idle(&self) {
        self.invalidate_unused_since(Instant::now());
    }

    /// Lets no idle connection be reused whose last use was before `moment`: a statement that began then got
    /// no answer, so the path to the server may be lost for all of them.
    pub(crate) fn invalidate_unused_since(&self, moment: Instant) {
        let mut invalidated_at = self
            .invalidated_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *invalidated_at = (*invalidated_at).max(Some(moment));
    }

    fn is_invalidated(&self, connection: &PooledConnection) -> bool {
        let invalidated_at = self
            .invalidated_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        invalidated_at.is_some_and(|since| connection.last_used <= since)
    }
}

impl Manager for ConnectionManager {
    type Type = PooledConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PooledConnection, sqlx::Error> {
        let began = Instant::now();
        let mut connection = PgConnection::connect_with(&self.options).await?;
        let mut place = None;
        if self.limit_sessions {
            let statements = format!("{SESSION_SETTINGS}; {FIND_SERVER}");
            let server = connection.fetch_one(AssertSqlSafe(statements)).await?;
            let server = Server::named(server.try_get(0)?);
            let opened = self.primary.opened(server, began);
            place = Some(opened.ok_or_else(replaced)?);
        }
        Ok(PooledConnection {
            connection,
            statement_began: None,
            in_transaction: false,
            given_up: false,
            last_used: Instant::now(),
            place,
        })
    }

    async fn recycle(
        &self,
        connection: &mut PooledConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if !connection.is_reusable()
            || metrics.age() > MAX_LIFETIME
            || self.is_invalidated(connection)
            || connection.is_replaced()
        {
            return Err(RecycleError::message("not reusable"));
        }
        if connection.last_used.elapsed() < TRUSTED_FOR {
            return Ok(());
        }
        match tokio::time::timeout(PING_TIMEOUT, connection.connection.ping()).await {
            Ok(Ok(())) => {
                connection.complete_statement();
                Ok(())
            }
            Ok(Err(dead)) => {
                self.invalidate_idle();
                Err(dead.into())
            }
            Err(_elapsed) => {
                self.invalidate_idle();
                Err(RecycleError::message("no answer to a ping"))
            }
        }
    }
}

/// The error of a connection to a server that another one has replaced: what it answers does not count.
pub(crate) fn replaced() -> sqlx::Error {
    sqlx::Error::Io(io::Error::other(
        "the address of the database leads to another server now",
    ))
}

/// Returns a pool for calls, of at most `size` connections, and one of a single connection for health
/// checks. They open connections on demand.
pub(crate) fn pools(
    options: &PgConnectOptions,
    size: usize,
    limit_sessions: bool,
) -> (Pool<ConnectionManager>, Pool<ConnectionManager>) {
    let invalidated_at = Arc::default();
    let primary = Arc::<Primary>::default();
    let open = |size| {
        let manager = ConnectionManager {
            options: options.clone(),
            limit_sessions,
            invalidated_at: Arc::clone(&invalidated_at),
            primary: Arc::clone(&primary),
        };
        pool(manager, size)
    };
    (open(size), open(1))
}

fn pool(manager: ConnectionManager, size: usize) -> Pool<ConnectionManager> {
    let mut replacements = manager.primary.replacements();
    let pool = Pool::builder(manager)
        .max_size(size)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .create_timeout(Some(CREATE_TIMEOUT))
        // The connection used last is reused first, so that the others become idle and close.
        .queue_mode(QueueMode::Lifo)
        .runtime(Runtime::Tokio1)
        .build();
    // The builder refuses timeouts without a runtime only.
    let Ok(pool) = pool else {
        unreachable!("the runtime is set")
    };
    let weak = pool.weak();
    tokio::spawn(async move {
        loop {
            // Without an answer in time, and also if the sender is gone, idle connections are closed.
            drop(tokio::time::timeout(REAP_INTERVAL, replacements.changed()).await);
            let Some(pool) = weak.upgrade() else { return };
            pool.retain(|connection, _| {
                connection.last_used.elapsed() < IDLE_TIMEOUT && !connection.is_replaced()
            });
        }
    });
    pool
}

/// A connection that is checked out of the pool.
pub(crate) type PoolObject = Object<ConnectionManager>;

/// Why no connection could be checked out.
pub(crate) type CheckoutError = PoolError<sqlx::Error>;
