//! Transactions on PostgreSQL. The [SQLite writer](super::sqlite_writer) has its own.

use std::any::Any;

use sea_orm::DbErr;

use crate::db::cancel_token::CancelToken;
use crate::db::connection::Connection;
use crate::db::retry::AttemptError;

/// The answer of a call, of any type: what executes calls is compiled once, and not once for each call.
pub(crate) type Answer = Box<dyn Any + Send>;

/// The result of a transaction that commits or rolls back.
pub(crate) enum TransactionOutcome<T> {
    Commit(T),
    Rollback(T),
}

impl<T: Send + 'static> TransactionOutcome<T> {
    /// Returns the outcome with an answer of any type.
    pub(crate) fn erase(self) -> TransactionOutcome<Answer> {
        match self {
            Self::Commit(found) => TransactionOutcome::Commit(Box::new(found)),
            Self::Rollback(found) => TransactionOutcome::Rollback(Box::new(found)),
        }
    }
}

impl<T> TransactionOutcome<Option<T>> {
    /// Commits a transaction that has found its row, and rolls any other one back.
    pub(crate) fn commit_if_found(found: Option<T>) -> Self {
        match found {
            Some(_) => Self::Commit(found),
            None => Self::Rollback(None),
        }
    }
}

impl<T> TransactionOutcome<T> {
    pub(crate) fn into_inner(self) -> T {
        match self {
            Self::Commit(found) | Self::Rollback(found) => found,
        }
    }
}

/// Runs `statements` in a transaction. An error rolls it back. Only an error of the commit itself leaves
/// open whether the transaction was applied, so `token` is claimed right before it is sent.
pub(crate) async fn in_transaction<T, Fut>(
    connection: &Connection,
    token: &CancelToken,
    statements: impl FnOnce(Connection) -> Fut,
) -> Result<T, AttemptError>
where
    Fut: Future<Output = Result<TransactionOutcome<T>, DbErr>>,
{
    connection
        .begin()
        .await
        .map_err(AttemptError::before_commit)?;
    match statements(connection.clone()).await {
        Ok(TransactionOutcome::Commit(_)) if !token.claim() => {
            connection.roll_back_after_error().await;
            Err(AttemptError::not_sent("the transaction was cancelled"))
        }
        Ok(TransactionOutcome::Commit(found)) => {
            connection
                .commit()
                .await
                .map_err(AttemptError::of_statement)?;
            Ok(found)
        }
        Ok(TransactionOutcome::Rollback(found)) => {
            connection
                .roll_back()
                .await
                .map_err(AttemptError::before_commit)?;
            Ok(found)
        }
        Err(error) => {
            connection.roll_back_after_error().await;
            Err(AttemptError::before_commit(error))
        }
    }
}
