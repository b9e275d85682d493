//! The one writer of a SQLite file.
//!
//! A transaction is durable once the disk has been told to keep it, and that takes far longer than
//! the statements. So writes that arrive while another one is being kept share the next transaction,
//! with a savepoint each, and all are answered after its commit.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions as _};
use sea_orm::{DbErr, RuntimeErr};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::connection::Connection;
use crate::error::Failure;
use crate::job_connection::JobConnection;
use crate::policy::Failed;
use crate::sqlite::ACQUIRE_TIMEOUT;
use crate::transaction::{self, Verdict};
use crate::turn::Turn;

/// The way to the writer. It ends when it is told to, or when nobody has one of these any more.
pub(crate) struct Writer {
    queue: mpsc::UnboundedSender<Message>,
}

enum Message {
    Write(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// A write that waits for its turn, then for the commit.
#[async_trait]
trait Job: Send {
    /// Does it.
    async fn run(&mut self, connection: &SharedConnection) -> Ran;
    /// Tells its caller what came of it, in a transaction that was committed or lost.
    fn answer(self: Box<Self>, lost: Option<&Lost>);
}

/// How a write went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ran {
    /// Its effect is to stay.
    Well,
    /// It is to have no effect.
    InVain,
    /// It met an error.
    Badly,
}

type SharedConnection = Arc<Mutex<JobConnection>>;

/// Why a transaction was not committed.
struct Lost {
    failure: Failure,
    cause: Arc<sqlx::Error>,
    /// The write whose own error ended it, by its place.
    by: Option<usize>,
}

impl Writer {
    /// A writer on a connection of its own. At most so many writes share a transaction.
    pub(crate) async fn start(
        options: SqliteConnectOptions,
        writes_per_commit: NonZeroUsize,
    ) -> Result<Self, sqlx::Error> {
        // Calls are bounded by the policy, so the queue is.
        let (queue, messages) = mpsc::unbounded_channel();
        let mut writing = Writing {
            options,
            connection: None,
            messages,
        };
        writing.connection().await?;
        tokio::spawn(writing.run(writes_per_commit.get()));
        Ok(Self { queue })
    }

    /// Runs `write` in its turn and answers after the commit. A write that does not get its turn in
    /// time, or whose caller goes away before, is not run at all.
    pub(crate) async fn write<T, Fut>(
        &self,
        write: impl FnOnce(Connection) -> Fut + Send + 'static,
    ) -> Result<T, Failed>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<Verdict<T>, DbErr>> + Send + 'static,
    {
        let (answer, mut answered) = oneshot::channel();
        let turn = Turn::default();
        let job = Pending {
            write: Some(write),
            outcome: None,
            answer,
            turn: turn.clone(),
        };
        if self.queue.send(Message::Write(Box::new(job))).is_err() {
            return Err(closed());
        }
        let _given_up = turn.until_given_up();
        tokio::select! {
            answer = &mut answered => return answer.unwrap_or_else(|_| Err(closed())),
            () = tokio::time::sleep(ACQUIRE_TIMEOUT) => {}
        }
        if turn.withdraw() {
            return Err(Failed {
                failure: Failure::NotSent,
                source: "the writer of the SQLite file was busy for too long".into(),
            });
        }
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Ends it after what was asked before, and closes its connection.
    pub(crate) async fn close(&self) {
        let (closed, is_closed) = oneshot::channel();
        if self.queue.send(Message::Close(closed)).is_ok() {
            // An error means that it has ended already.
            drop(is_closed.await);
        }
    }
}

fn closed() -> Failed {
    Failed {
        failure: Failure::NotSent,
        source: "the store is closed".into(),
    }
}

struct Pending<W, T> {
    write: Option<W>,
    outcome: Option<Result<T, DbErr>>,
    answer: oneshot::Sender<Result<T, Failed>>,
    turn: Turn,
}

#[async_trait]
impl<W, Fut, T> Job for Pending<W, T>
where
    W: FnOnce(Connection) -> Fut + Send,
    Fut: Future<Output = Result<Verdict<T>, DbErr>> + Send,
    T: Send,
{
    async fn run(&mut self, connection: &SharedConnection) -> Ran {
        let Some(write) = self.write.take().filter(|_| self.turn.begin()) else {
            return Ran::InVain;
        };
        let write = AssertUnwindSafe(write(Connection::SqliteWriter(Arc::clone(connection))));
        // A panic ends the one write and not the writer.
        let outcome = write
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(DbErr::Custom("the write panicked".into())));
        let ran = match outcome {
            Ok(Verdict::Keep(_)) => Ran::Well,
            Ok(Verdict::Undo(_)) => Ran::InVain,
            Err(_) => Ran::Badly,
        };
        self.outcome = Some(outcome.map(Verdict::into_inner));
        ran
    }

    fn answer(self: Box<Self>, lost: Option<&Lost>) {
        let answer = match (self.outcome, lost) {
            // Its own error came before the commit, which then was of the others.
            (Some(outcome), None) => outcome.map_err(transaction::undone),
            // Whatever it found or met was part of a transaction that never was.
            (_, Some(lost)) => Err(Failed {
                failure: lost.failure,
                source: Arc::clone(&lost.cause).into(),
            }),
            // It was withdrawn.
            (None, None) => return,
        };
        // The caller may have gone away.
        drop(self.answer.send(answer));
    }
}

struct Writing {
    options: SqliteConnectOptions,
    /// `None` after a transaction was lost.
    connection: Option<SharedConnection>,
    messages: mpsc::UnboundedReceiver<Message>,
}

impl Writing {
    async fn run(mut self, writes_per_commit: usize) {
        let mut messages = Vec::with_capacity(writes_per_commit);
        while self
            .messages
            .recv_many(&mut messages, writes_per_commit)
            .await
            > 0
        {
            let mut jobs = VecDeque::with_capacity(messages.len());
            let mut closing = None;
            for message in messages.drain(..) {
                match message {
                    Message::Write(job) => jobs.push_back(job),
                    Message::Close(closed) => closing = Some(closed),
                }
            }
            if !jobs.is_empty() {
                self.group(jobs).await;
            }
            if let Some(closed) = closing {
                self.messages.close();
                if let Some(connection) = self.connection.take().and_then(Arc::into_inner)
                    && let Err(error) = connection.into_inner().close().await
                {
                    tracing::warn!(%error, "the SQLite file did not close cleanly");
                }
                // Whoever asked may have gone away.
                _ = closed.send(());
            }
        }
    }

    /// Does the jobs in one transaction and answers them.
    async fn group(&mut self, mut jobs: VecDeque<Box<dyn Job>>) {
        let outcome = match self.connection().await {
            Ok(connection) => transaction(&connection, &mut jobs).await,
            Err(error) => Err(Lost {
                failure: Failure::NotSent,
                cause: Arc::new(error),
                by: None,
            }),
        };
        let lost = outcome.err();
        if lost.is_some() {
            // Whatever state it is in: a new connection begins anew.
            self.connection = None;
        }
        for (place, job) in jobs.into_iter().enumerate() {
            job.answer(lost.as_ref().filter(|lost| lost.by != Some(place)));
        }
    }

    async fn connection(&mut self) -> Result<SharedConnection, sqlx::Error> {
        if let Some(connection) = &self.connection {
            return Ok(Arc::clone(connection));
        }
        let connection = JobConnection::new(self.options.connect().await?);
        let connection = Arc::new(Mutex::new(connection));
        self.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

/// One transaction with a savepoint for each job, so that one that fails undoes nothing of others.
async fn transaction(
    connection: &SharedConnection,
    jobs: &mut VecDeque<Box<dyn Job>>,
) -> Result<(), Lost> {
    // Before the commit nothing has happened, whatever the error.
    let undone = |by| {
        move |cause| Lost {
            failure: Failure::RolledBack,
            cause,
            by,
        }
    };
    // Immediate: a transaction that reads first cannot always become one that writes.
    execute(connection, "BEGIN IMMEDIATE; SAVEPOINT a")
        .await
        .map_err(undone(None))?;
    let mut savepoint = Savepoint::A;
    for (place, job) in jobs.iter_mut().enumerate() {
        let ran = job.run(connection).await;
        if !connection.lock().await.has_said() {
            // It made no statement, so the savepoint is still to come.
            continue;
        }
        if ran == Ran::Well {
            let next = savepoint.release_and_next();
            connection.lock().await.say_before_next(next);
            savepoint = savepoint.other();
        } else {
            // Fails where the job met an error that ended the whole transaction, such as a full disk.
            let by = (ran == Ran::Badly).then_some(place);
            execute(connection, savepoint.roll_back())
                .await
                .map_err(undone(by))?;
        }
    }
    connection.lock().await.forget();
    execute(connection, "COMMIT").await.map_err(|cause| Lost {
        failure: Failure::of_statement(&DbErr::Exec(RuntimeErr::SqlxError(Arc::clone(&cause)))),
        cause,
        by: None,
    })
}

async fn execute(connection: &SharedConnection, sql: &'static str) -> Result<(), Arc<sqlx::Error>> {
    let executed = connection.lock().await.run(sql, None).await;
    executed.map(drop).map_err(Arc::new)
}

/// The savepoint of a job. Two in turn, so that where the next one could not be made, a roll-back fails
/// and ends the transaction, rather than undo the job before.
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
