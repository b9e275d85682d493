//! Execution of a batch of calls by one statement.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{FutureExt as _, TryFutureExt as _};
use sea_orm::DbErr;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::attempt::{checkout, checkout_reader, downcast, span};
use super::{Connections, Database};
use crate::db::cancel_token::CancelToken;
use crate::db::connection::Connection;
use crate::db::error::Failure;
use crate::db::retry::{ATTEMPT_TIMEOUT, AttemptError, Idempotence, answer_before};
use crate::db::sqlite_writer::SqliteWriter;
use crate::db::transaction::{TransactionOutcome, in_transaction};

/// The longest that a batch waits for a connection: its calls are executed alone then.
const BATCH_CHECKOUT_TIMEOUT: Duration = Duration::from_secs(2);

impl Database {
    /// Returns the most writes of a batch: on SQLite those that may share a commit.
    pub(crate) fn max_writes_at_once(&self) -> usize {
        match self.inner.connections {
            Connections::Postgres { .. } => usize::MAX,
            Connections::Sqlite { .. } => self.inner.options.writes_per_commit.get(),
        }
    }

    /// Executes one statement for a batch of `calls` calls, without retries.
    pub(crate) async fn execute_batch<T, Fut>(
        &self,
        operation: &'static str,
        idempotence: Idempotence,
        calls: usize,
        statement: impl FnOnce(Connection) -> Fut + Send + 'static,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        let executed = async {
            let connection = match &self.inner.connections {
                Connections::Sqlite { writer, .. } if idempotence != Idempotence::Read => {
                    return write_batch(writer, statement).await;
                }
                Connections::Postgres { pool, .. } => {
                    let checkout = tokio::time::timeout(BATCH_CHECKOUT_TIMEOUT, checkout(pool));
                    checkout.await.map_err(AttemptError::not_sent)??
                }
                Connections::Sqlite { readers, .. } => checkout_reader(readers).await?,
            };
            let _counted = CallsInBatch::count(&self.inner.extra_calls_in_batches, calls);
            let token = CancelToken::default();
            let attempt = async {
                if idempotence != Idempotence::Read && self.inner.options.pooled {
                    let statement =
                        |connection| statement(connection).map_ok(TransactionOutcome::Commit);
                    return in_transaction(&connection, &token, statement).await;
                }
                token.claim();
                let answer = statement(connection.clone()).await;
                answer.map_err(AttemptError::of_statement)
            };
            answer_before(Instant::now() + ATTEMPT_TIMEOUT, &token, attempt).await
        };
        executed
            .instrument(span(operation))
            .await
            .map_err(|AttemptError { failure, source }| {
                if failure.is_transient() {
                    tracing::warn!(
                        operation,
                        calls,
                        class = failure.name(),
                        cause = %source,
                        "a batch of store calls failed"
                    );
                }
                failure
            })
    }
}

/// Counts the calls of a running batch, less one, until it is dropped.
struct CallsInBatch<'a> {
    counter: &'a AtomicUsize,
    extra: usize,
}

impl<'a> CallsInBatch<'a> {
    /// Adds a batch of `calls` calls to the counter.
    fn count(counter: &'a AtomicUsize, calls: usize) -> Self {
        let extra = calls.saturating_sub(1);
        counter.fetch_add(extra, Ordering::Relaxed);
        Self { counter, extra }
    }
}

impl Drop for CallsInBatch<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.extra, Ordering::Relaxed);
    }
}

/// Executes a batch of writes on SQLite as one write.
async fn write_batch<T, Fut>(
    writer: &SqliteWriter,
    statement: impl FnOnce(Connection) -> Fut + Send + 'static,
) -> Result<T, AttemptError>
where
    T: Send + 'static,
    Fut: Future<Output = Result<T, DbErr>> + Send + 'static,
{
    let write = Box::new(move |connection| {
        let answer = statement(connection);
        let outcome = answer.map_ok(|answer| TransactionOutcome::Commit(answer).erase());
        outcome.boxed()
    });
    let token = CancelToken::default();
    let written = writer.write(token.clone(), write);
    let answer = answer_before(Instant::now() + ATTEMPT_TIMEOUT, &token, written).await?;
    downcast(answer).map_err(|error| AttemptError {
        failure: Failure::Permanent,
        source: error.into(),
    })
}
