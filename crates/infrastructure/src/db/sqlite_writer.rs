//! The writer of a SQLite file.
//!
//! A commit waits until the disk has stored the transaction, which takes far longer than its statements. So
//! writes that arrive while another transaction commits share the next one, with a savepoint each, and are
//! answered after its commit.

use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sea_orm::DbErr;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions as _};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::db::cancel_token::CancelToken;
use crate::db::connection::{Connection, SqliteHandle};
use crate::db::error::{Cause, Failure};
use crate::db::retry::{AttemptError, count_failure};
use crate::db::sqlite::ACQUIRE_TIMEOUT;
use crate::db::transaction::{Answer, TransactionOutcome};
use crate::db::writer_connection::WriterConnection;

/// The handle of the writer, which ends when it is closed or when this handle is dropped.
pub(crate) struct SqliteWriter {
    queue: mpsc::UnboundedSender<Message>,
}

/// The statements of a write.
pub(crate) type Write = Box<
    dyn FnOnce(Connection) -> BoxFuture<'static, Result<TransactionOutcome<Answer>, DbErr>> + Send,
>;

enum Message {
    Write(WriteRequest),
    Close(oneshot::Sender<()>),
}

/// A write that waits for its transaction, then for the commit.
struct WriteRequest {
    /// `None` once it was executed.
    write: Option<Write>,
    outcome: Option<Result<Answer, DbErr>>,
    answer: oneshot::Sender<Result<Answer, AttemptError>>,
    token: CancelToken,
}

/// The end of the execution of a write, before the commit of its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WriteOutcome {
    /// The write is to be committed with its transaction.
    Committed,
    /// The write was cancelled, or asked to be rolled back.
    RolledBack,
    /// The write had an error or panicked.
    Failed,
}

type SharedConnection = Arc<Mutex<WriterConnection>>;

/// Why a transaction was not committed.
struct TransactionLost {
    failure: Failure,
    cause: Arc<sqlx::Error>,
    /// The position of the write whose error ended the transaction, if one did.
    culprit: Option<usize>,
}

impl SqliteWriter {
    /// Starts a writer on a connection of its own. At most `writes_per_commit` writes share a transaction.
    pub(crate) async fn start(
        options: SqliteConnectOptions,
        writes_per_commit: NonZeroUsize,
    ) -> Result<Self, sqlx::Error> {
        // The limit on concurrent calls also limits the queue.
        let (queue, messages) = mpsc::unbounded_channel();
        let mut task = WriterTask {
            options,
            connection: None,
            messages,
        };
        task.connection().await?;
        tokio::spawn(task.run(writes_per_commit.get()));
        Ok(Self { queue })
    }

    /// Executes `write` and returns its answer after the commit. The writer claims `token` first. A write whose
    /// caller goes away, or that waits longer than [`ACQUIRE_TIMEOUT`] in the queue, is not executed.
    pub(crate) async fn write(
        &self,
        token: CancelToken,
        write: Write,
    ) -> Result<Answer, AttemptError> {
        let (answer, mut answered) = oneshot::channel();
        let request = WriteRequest {
            write: Some(write),
            outcome: None,
            answer,
            token: token.clone(),
        };
        if self.queue.send(Message::Write(request)).is_err() {
            return Err(unanswered(&token));
        }
        let _guard = token.cancel_on_drop();
        if let Ok(answer) = tokio::time::timeout(ACQUIRE_TIMEOUT, &mut answered).await {
            return answer.unwrap_or_else(|_| Err(unanswered(&token)));
        }
        if token.cancel() {
            return Err(AttemptError::not_sent(
                "the writer of the SQLite file was busy for too long",
            ));
        }
        answered.await.unwrap_or_else(|_| Err(unanswered(&token)))
    }

    /// Ends the writer after the writes that are queued, and closes its connection.
    pub(crate) async fn close(&self) {
        let (closed, is_closed) = oneshot::channel();
        if self.queue.send(Message::Close(closed)).is_ok() {
            // An error means that the writer has ended already.
            drop(is_closed.await);
        }
    }
}

/// Returns the error of a write whose request was dropped.
fn unanswered(token: &CancelToken) -> AttemptError {
    if token.is_claimed() {
        AttemptError {
            failure: Failure::Ambiguous,
            source: "the writer of the SQLite file ended during the write".into(),
        }
    } else {
        AttemptError::not_sent("the store is closed")
    }
}

impl WriteRequest {
    /// Executes the write.
    async fn execute(&mut self, connection: &SharedConnection) -> WriteOutcome {
        let Some(write) = self.write.take().filter(|_| self.token.claim()) else {
            return WriteOutcome::RolledBack;
        };
        let connection = Connection::Sqlite(SqliteHandle::Writer(Arc::clone(connection)));
        // A panic ends this write only, and not the writer.
        let result = AssertUnwindSafe(async { write(connection).await })
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(DbErr::Custom("the write panicked".into())));
        let outcome = match result {
            Ok(TransactionOutcome::Commit(_)) => WriteOutcome::Committed,
            Ok(TransactionOutcome::Rollback(_)) => WriteOutcome::RolledBack,
            Err(_) => WriteOutcome::Failed,
        };
        self.outcome = Some(result.map(TransactionOutcome::into_inner));
        outcome
    }

    /// Answers the caller. `lost` says why the transaction was not committed; it is `None` if it was, or if
    /// the error of this write ended it.
    fn answer(self, lost: Option<&TransactionLost>) {
        let answer = match (self.outcome, lost) {
            // The transaction was committed, or this write's error ended it. Either way, an error of the
            // write came before the commit.
            (Some(outcome), None) => outcome.map_err(AttemptError::before_commit),
            // The transaction was not committed, for a reason outside of this write.
            (_, Some(lost)) => Err(AttemptError {
                failure: lost.failure,
                source: Arc::clone(&lost.cause).into(),
            }),
            // The write was cancelled, so its caller has an answer already.
            (None, None) => return,
        };
        // The caller may have gone away.
        drop(self.answer.send(answer));
    }
}

struct WriterTask {
    options: SqliteConnectOptions,
    /// `None` at the start, after a transaction was lost and after the end.
    connection: Option<SharedConnection>,
    messages: mpsc::UnboundedReceiver<Message>,
}

impl WriterTask {
    async fn run(mut self, writes_per_commit: usize) {
        let mut messages = Vec::with_capacity(writes_per_commit);
        let mut closing = Vec::new();
        while self
            .messages
            .recv_many(&mut messages, writes_per_commit)
            .await
            > 0
        {
            let mut requests = Vec::with_capacity(messages.len());
            for message in messages.drain(..) {
                match message {
                    Message::Write(request) if closing.is_empty() => requests.push(request),
                    // Dropped, so its caller learns that the store is closed.
                    Message::Write(_) => {}
                    Message::Close(closed) => closing.push(closed),
                }
            }
            if !requests.is_empty() {
                self.execute_group(requests).await;
            }
            if !closing.is_empty() {
                // What is queued already is still received.
                self.messages.close();
            }
        }
        if let Some(connection) = self.connection.take().and_then(Arc::into_inner)
            && let Err(error) = connection.into_inner().close().await
        {
            tracing::warn!(%error, "the SQLite file did not close cleanly");
        }
        for closed in closing {
            // The caller may have gone away.
            _ = closed.send(());
        }
    }

    /// Executes the requests in one transaction and answers them.
    async fn execute_group(&mut self, mut requests: Vec<WriteRequest>) {
        let outcome = match self.connection().await {
            Ok(connection) => transaction(&connection, &mut requests).await,
            Err(error) => Err(TransactionLost {
                failure: unless_refused(&error, Failure::NotSent),
                cause: Arc::new(error),
                culprit: None,
            }),
        };
        let lost = outcome.err();
        if let Some(lost) = &lost {
            if let Some(cause) = Cause::of_driver(&lost.cause) {
                count_failure(cause);
            }
            // The state of the connection is unknown: the next transaction opens a new one.
            self.connection = None;
        }
        for (place, request) in requests.into_iter().enumerate() {
            request.answer(lost.as_ref().filter(|lost| lost.culprit != Some(place)));
        }
    }

    /// Returns the connection, which is opened if there is none.
    async fn connection(&mut self) -> Result<SharedConnection, sqlx::Error> {
        if let Some(connection) = &self.connection {
            return Ok(Arc::clone(connection));
        }
        let connection = WriterConnection::new(self.options.connect().await?);
        let connection = Arc::new(Mutex::new(connection));
        self.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

/// Executes one transaction with a savepoint for each write, so that a failed write undoes no other.
async fn transaction(
    connection: &SharedConnection,
    requests: &mut [WriteRequest],
) -> Result<(), TransactionLost> {
    // Immediate: a transaction that reads first cannot always be upgraded to one that writes.
    execute(connection, "BEGIN IMMEDIATE; SAVEPOINT a")
        .await
        .map_err(|cause| TransactionLost {
            failure: unless_refused(&cause, Failure::RolledBack),
            cause,
            culprit: None,
        })?;
    let mut savepoint = Savepoint::A;
    for (place, request) in requests.iter_mut().enumerate() {
        let outcome = request.execute(connection).await;
        if !connection.lock().await.has_sent_prefix() {
            // The write executed no statement, so its savepoint does not exist yet: the next write uses it.
            continue;
        }
        if outcome == WriteOutcome::Committed {
            let next = savepoint.release_and_next();
            connection.lock().await.prefix_next(next);
            savepoint = savepoint.other();
        } else {
            // The roll-back fails if an error, such as a full disk, has ended the whole transaction.
            let culprit = (outcome == WriteOutcome::Failed).then_some(place);
            execute(connection, savepoint.roll_back())
                .await
                .map_err(|cause| TransactionLost {
                    // Before the commit nothing is applied, whatever the error.
                    failure: Failure::RolledBack,
                    cause,
                    culprit,
                })?;
        }
    }
    connection.lock().await.clear_prefix();
    execute(connection, "COMMIT")
        .await
        .map_err(|cause| TransactionLost {
            failure: Failure::of_driver(&cause),
            cause,
            culprit: None,
        })
}

/// Returns the class of an error that came before any write: waiting does not make a file writable or whole.
fn unless_refused(error: &sqlx::Error, otherwise: Failure) -> Failure {
    match Failure::of_driver(error) {
        Failure::Refused => Failure::Refused,
        _ => otherwise,
    }
}

async fn execute(connection: &SharedConnection, sql: &'static str) -> Result<(), Arc<sqlx::Error>> {
    let executed = connection.lock().await.execute(sql.to_owned(), None).await;
    executed.map(drop).map_err(Arc::new)
}

/// The savepoint of a write. Two names alternate: if a savepoint could not be created, rolling back to it
/// fails and ends the transaction, and does not undo the write before.
#[derive(Clone, Copy)]
enum Savepoint {
    A,
    B,
}

impl Savepoint {
    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn release_and_next(self) -> &'static str {
        match self {
            Self::A => "RELEASE a; SAVEPOINT b",
            Self::B => "RELEASE b; SAVEPOINT a",
        }
    }

    fn roll_back(self) -> &'static str {
        match self {
            Self::A => "ROLLBACK TO a",
            Self::B => "ROLLBACK TO b",
        }
    }
}

#[cfg(test)]
mod tests;
