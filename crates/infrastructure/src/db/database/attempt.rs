//! One attempt of a call.

use std::sync::Arc;

use deadpool::managed::Pool;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, TryFutureExt as _};
use sea_orm::DbErr;
use taskhold_repository::error::{Source, StoreError};
use tracing::Span;

use super::{Connections, Inner};
use crate::db::connection::Connection;
use crate::db::error::Failure;
use crate::db::migrations;
use crate::db::pool::ConnectionManager;
use crate::db::retry::{Attempt, AttemptError, Idempotence};
use crate::db::sqlite_readers::SqliteReaders;
use crate::db::transaction::{Answer, TransactionOutcome, in_transaction};

/// The statements of a call, for one attempt.
pub(super) type Statements = Arc<
    dyn Fn(Connection, Attempt) -> BoxFuture<'static, Result<TransactionOutcome<Answer>, DbErr>>
        + Send
        + Sync,
>;

/// The error of a statement for which the schema lacks something.
#[derive(Debug, thiserror::Error)]
#[error("the schema lacks migrations: run `taskhold migrate up`")]
struct OutdatedSchema(#[source] Source);

/// The needs of the statements of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// A connection: on SQLite one that reads, if the call only reads. A write may get a transaction.
    Statement,
    /// A transaction.
    Transaction,
}

impl Inner {
    /// Makes one attempt of a call.
    pub(super) fn attempt<'a>(
        &'a self,
        attempt: Attempt,
        idempotence: Idempotence,
        scope: Scope,
        statements: &'a Statements,
    ) -> BoxFuture<'a, Result<Answer, AttemptError>> {
        let execute_alone = move |connection, attempt: Attempt| {
            attempt.token.claim();
            let outcome = statements(connection, attempt);
            let outcome = outcome.map_err(AttemptError::of_statement);
            outcome.map_ok(TransactionOutcome::into_inner)
        };
        async move {
            let outcome = match (&self.connections, scope) {
                (Connections::Postgres { pool, .. }, scope) => {
                    let connection = checkout(pool).await?;
                    // Without limits of the session, or the time for them, a statement could outlive its attempt.
                    let fits = !self.options.pooled && attempt.has_time_for_a_statement();
                    if scope == Scope::Statement && (fits || idempotence == Idempotence::Read) {
                        execute_alone(connection, attempt).await
                    } else {
                        let token = attempt.token.clone();
                        let attempt = attempt.in_transaction();
                        let statements = |connection| statements(connection, attempt);
                        in_transaction(&connection, &token, statements).await
                    }
                }
                (Connections::Sqlite { readers, .. }, Scope::Statement)
                    if idempotence == Idempotence::Read =>
                {
                    execute_alone(checkout_reader(readers).await?, attempt).await
                }
                (Connections::Sqlite { writer, .. }, _) => {
                    let (token, statements) = (attempt.token.clone(), Arc::clone(statements));
                    let write = Box::new(move |connection| statements(connection, attempt));
                    writer.write(token, write).await
                }
            };
            match outcome {
                Err(AttemptError { failure, source })
                    if failure == Failure::Permanent && self.lacks_migrations().await =>
                {
                    Err(AttemptError {
                        failure: Failure::Refused,
                        source: OutdatedSchema(source).into(),
                    })
                }
                outcome => outcome,
            }
        }
        .boxed()
    }

    /// Returns whether the store lacks migrations of this program, which explains an error that would otherwise be a
    /// defect.
    async fn lacks_migrations(&self) -> bool {
        let connection = match &self.connections {
            Connections::Postgres { health, .. } => checkout(health).await.ok(),
            Connections::Sqlite { readers, .. } => checkout_reader(readers).await.ok(),
        };
        match connection {
            Some(connection) => migrations::pending(&connection)
                .await
                .is_ok_and(|pending| pending > 0),
            None => false,
        }
    }
}

/// Returns the answer as the type that the call gave it.
pub(super) fn downcast<T: 'static>(answer: Answer) -> Result<T, StoreError> {
    let answer = answer.downcast().map(|answer| *answer);
    answer.map_err(|_| StoreError::Defect("a call has the answer of another".into()))
}

/// Returns the trace span of a call.
pub(super) fn span(operation: &'static str) -> Span {
    tracing::info_span!("store call", otel.name = operation, otel.kind = "client")
}

/// Waits for a connection that reads a SQLite file.
pub(super) async fn checkout_reader(readers: &SqliteReaders) -> Result<Connection, AttemptError> {
    readers.checkout().await.map(Connection::reader)
}

/// Waits for a connection of the pool.
pub(super) async fn checkout(pool: &Pool<ConnectionManager>) -> Result<Connection, AttemptError> {
    match pool.get().await {
        Ok(checkout) => Ok(Connection::checked_out(checkout)),
        Err(error) => Err(AttemptError {
            failure: Failure::of_checkout(&error),
            source: error.into(),
        }),
    }
}
