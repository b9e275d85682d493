//! Connections to PostgreSQL, kept between calls.
//!
//! A pool of sqlx asks every connection for a sign of life before and after each use, which makes
//! four trips to the server of every query. This one asks only who was idle for a while, and trusts
//! no one any more once one of them turned out to be dead. What a call left unfinished is never
//! used again, so nothing has to be asked when a connection comes back.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult,
};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, Connection as _, Executor as _};

/// How long a call waits for a free connection, and then for a new one to be made.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may take to show that it is alive.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was used this recently is not asked whether it is alive.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// Neon suspends a database after five minutes without a query, and drops what is idle.
const IDLE_TIMEOUT: Duration = Duration::from_mins(4);
const REAP_INTERVAL: Duration = Duration::from_secs(30);
/// Long enough to cost nothing, short enough to follow a changed address or a new certificate.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// What every session is told where the pooler in front, if any, keeps sessions apart: nothing may
/// hold the store, or wait for it, longer than a request waits for its answer. And no statement of ours
/// is planned anew for its values: there is one good plan for each, and planning took a third of the
/// database's time for a page of tasks.
const SESSION_SETTINGS: &str = "SET statement_timeout = '8s'; SET lock_timeout = '3s'; \
     SET idle_in_transaction_session_timeout = '10s'; SET plan_cache_mode = 'force_generic_plan'";

/// A connection, and what must be known to use it again.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: PgConnection,
    /// A call began and has not ended in order: an answer may still be on its way.
    pub(crate) unfinished: bool,
    /// A transaction began and has not ended in order.
    pub(crate) in_transaction: bool,
    used: Instant,
}

impl Link {
    /// Whether something that was begun on it has not ended in order.
    pub(crate) fn is_in_use(&self) -> bool {
        self.unfinished || self.in_transaction
    }

    /// A call has ended in order.
    pub(crate) fn finished(&mut self) {
        self.unfinished = false;
        self.used = Instant::now();
    }
}

/// Makes connections and judges those that come back.
#[derive(Debug)]
pub(crate) struct Links {
    options: PgConnectOptions,
    limit_sessions: bool,
    /// A connection was found dead then: those that were last used before are as good as dead.
    distrusted: Mutex<Option<Instant>>,
}

impl Links {
    /// Trusts none of the connections that are open now.
    pub(crate) fn distrust(&self) {
        *self
            .distrusted
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_distrusted(&self, link: &Link) -> bool {
        let distrusted = self
            .distrusted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        distrusted.is_some_and(|since| link.used <= since)
    }
}

impl Manager for Links {
    type Type = Link;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Link, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        if self.limit_sessions {
            connection.execute(SESSION_SETTINGS).await?;
        }
        Ok(Link {
            connection,
            unfinished: false,
            in_transaction: false,
            used: Instant::now(),
        })
    }

    async fn recycle(&self, link: &mut Link, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if link.is_in_use() || metrics.age() > MAX_LIFETIME || self.is_distrusted(link) {
            return Err(RecycleError::message("not to be used again"));
        }
        if link.used.elapsed() < TRUSTED_FOR {
            return Ok(());
        }
        match tokio::time::timeout(PING_TIMEOUT, link.connection.ping()).await {
            Ok(Ok(())) => {
                link.finished();
                Ok(())
            }
            Ok(Err(dead)) => {
                self.distrust();
                Err(dead.into())
            }
            Err(_elapsed) => {
                self.distrust();
                Err(RecycleError::message("no sign of life"))
            }
        }
    }
}

/// At most `size` connections; none is made yet.
pub(crate) fn pool(options: PgConnectOptions, size: usize, limit_sessions: bool) -> Pool<Links> {
    let links = Links {
        options,
        limit_sessions,
        distrusted: Mutex::new(None),
    };
    let pool = Pool::builder(links)
        .max_size(size)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .create_timeout(Some(CREATE_TIMEOUT))
        // The one that was used last is used next, so that others can idle and go.
        .queue_mode(QueueMode::Lifo)
        .runtime(Runtime::Tokio1)
        .build();
    // Only time-outs without a runtime are refused, and the runtime is given.
    let Ok(pool) = pool else {
        unreachable!("a runtime is given")
    };
    let kept = pool.weak();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(REAP_INTERVAL).await;
            let Some(pool) = kept.upgrade() else { return };
            pool.retain(|link, _| link.used.elapsed() < IDLE_TIMEOUT);
        }
    });
    pool
}

/// A connection on loan from the pool.
pub(crate) type Loan = Object<Links>;

/// Why no connection could be had.
pub(crate) type LoanError = PoolError<sqlx::Error>;
