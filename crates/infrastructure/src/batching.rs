//! A decorator that batches concurrent calls on tasks (decision 19).
//!
//! Five kinds of calls are batched on PostgreSQL: reads of a task, reads of a page of the newest tasks,
//! additions, completions and removals. Of these SQLite batches reads of a task and additions; its writer shares
//! transactions already. Every other call goes straight to the [`Database`].

mod batcher;
mod pages;
mod reads;
mod writes;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeSeq, ChangeStamp};
use taskhold_domain::task::{Destination, FollowUp, Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_repository::error::StoreError;
use taskhold_repository::idempotency::{IdempotentOutcome, KeyedRequest};
use taskhold_repository::tasks::{
    BulkWrite, Precondition, TaskCounts, TaskPage, TaskQuery, TaskRepository, TaskStats, TaskWrite,
};
use taskhold_repository::written::{BulkOutcome, Written};

use self::batcher::{BatchOutcome, Batcher, Responses};
use self::pages::NewestPage;
use self::writes::{Addition, Completion, Removal};
use crate::db::Database;
use crate::db::error::Failure;
use crate::db::retry::{ATTEMPT_TIMEOUT, Call, Idempotence, PriorAttempt, count_retry};
use crate::entities::task::TaskRow;
use crate::repositories::tasks::logged::{LoggedRow, written};
use crate::repositories::tasks::page;

/// The most pages in one batch: a page has many rows.
const MAX_PAGES: usize = 16;

/// The longest that a batch of reads may take before each read is executed alone.
const READ_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest that a batch of writes may take. Its statement ends before, with a better answer than that nobody
/// knows whether it was applied.
const WRITE_TIMEOUT: Duration = ATTEMPT_TIMEOUT.saturating_mul(2);

/// A task repository that batches concurrent calls into one SQL statement. A call whose batch fails is
/// executed alone, with the retries of the [`Database`].
pub struct Batched {
    database: Database,
    finds: Batcher<(UserId, TaskId), Option<TaskRow>>,
    additions: Batcher<Addition, ChangeSeq>,
    /// `None` on SQLite.
    postgres: Option<PostgresBatchers>,
}

struct PostgresBatchers {
    pages: Batcher<NewestPage, Vec<TaskRow>>,
    completions: Batcher<Completion, Option<LoggedRow>>,
    removals: Batcher<Removal, Option<ChangeSeq>>,
}

/// Returns the task repository of a database: one that batches at most `batch_size` calls, or the database
/// itself if that is 1.
#[must_use]
pub fn task_repository(database: &Database, batch_size: NonZeroUsize) -> Arc<dyn TaskRepository> {
    if batch_size.get() > 1 {
        Arc::new(Batched::new(database.clone(), batch_size))
    } else {
        Arc::new(database.clone())
    }
}

impl Batched {
    /// Wraps a database. A batch has at most `batch_size` calls.
    #[must_use]
    pub fn new(database: Database, batch_size: NonZeroUsize) -> Self {
        let size = batch_size.get();
        let additions = size.min(database.max_writes_at_once());
        Self {
            finds: batcher(&database, size, READ_TIMEOUT, reads::find),
            additions: batcher(&database, additions, WRITE_TIMEOUT, writes::add),
            postgres: database.is_postgres().then(|| PostgresBatchers {
                pages: batcher(&database, size.min(MAX_PAGES), READ_TIMEOUT, pages::read),
                completions: batcher(&database, size, WRITE_TIMEOUT, writes::complete),
                removals: batcher(&database, size, WRITE_TIMEOUT, writes::remove),
            }),
            database,
        }
    }

    /// Returns the response of a batch, or the call to execute alone.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] if the batch may have applied a write that must not be repeated.
    fn response_or_call<T>(
        &self,
        call: Call,
        idempotence: Idempotence,
        outcome: BatchOutcome<T>,
    ) -> Result<Answer<T>, StoreError> {
        let prior = match outcome {
            BatchOutcome::Answered(response) => {
                return self.database.finish(call, Ok(Answer::Response(response)));
            }
            BatchOutcome::NotExecuted => PriorAttempt::NotApplied,
            BatchOutcome::Failed(Failure::Ambiguous)
                if idempotence == Idempotence::NonIdempotentWrite =>
            {
                let source = "the connection was lost during a batch".into();
                return self
                    .database
                    .finish(call, Err(StoreError::OutcomeUnknown(source)));
            }
            BatchOutcome::Failed(failure) => {
                if failure.is_transient() {
                    count_retry(failure);
                }
                match (failure, idempotence) {
                    (Failure::Ambiguous, Idempotence::Read) => PriorAttempt::NotApplied,
                    (Failure::Ambiguous, _) => PriorAttempt::MayHaveApplied,
                    _ => PriorAttempt::NotApplied,
                }
            }
        };
        Ok(Answer::Alone(call.after(prior)))
    }
}

/// The response of a batch to a call, or the call itself if the batch did not answer it.
enum Answer<T> {
    Response(T),
    /// The call must be executed alone.
    Alone(Call),
}

/// Returns a batcher whose batches run on the runtime of the database.
fn batcher<Request, Response, Fut>(
    database: &Database,
    max_batch_size: usize,
    timeout: Duration,
    execute: impl Fn(Database, Vec<Request>) -> Fut + Send + Sync + 'static,
) -> Batcher<Request, Response>
where
    Request: Send + 'static,
    Response: Send + 'static,
    Fut: Future<Output = Responses<Response>> + Send + 'static,
{
    let runtime = database.runtime().clone();
    let database = database.clone();
    Batcher::new(runtime, max_batch_size, timeout, move |requests| {
        execute(database.clone(), requests)
    })
}

#[async_trait]
impl TaskRepository for Batched {
    async fn add(&self, task: &Task, by: &ChangeAuthor) -> Result<ChangeSeq, StoreError> {
        let call = self.database.admit("tasks.add")?;
        let request = (task.clone(), by.clone());
        let outcome = self.additions.submit(request).await;
        match self.response_or_call(call, Idempotence::IdempotentWrite, outcome)? {
            Answer::Response(seq) => Ok(seq),
            Answer::Alone(call) => self.database.add_task(call, task, by).await,
        }
    }

    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        let call = self.database.admit("tasks.find")?;
        let outcome = self.finds.submit((owner.clone(), id)).await;
        match self.response_or_call(call, Idempotence::Read, outcome)? {
            Answer::Response(row) => Ok(row.map(|row| row.into_task(owner.clone())).transpose()?),
            Answer::Alone(call) => self.database.find_task(call, owner, id).await,
        }
    }

    async fn list(&self, owner: &UserId, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        let (Some(batchers), Some(request)) = (&self.postgres, NewestPage::of(owner, query)) else {
            return self.database.list(owner, query).await;
        };
        let call = self.database.admit("tasks.list")?;
        let outcome = batchers.pages.submit(request).await;
        match self.response_or_call(call, Idempotence::Read, outcome)? {
            Answer::Response(rows) => Ok(page::page(owner, query, rows)),
            Answer::Alone(call) => self.database.list_tasks(call, owner, query).await,
        }
    }

    async fn count(&self, owner: &UserId) -> Result<TaskCounts, StoreError> {
        self.database.count(owner).await
    }

    async fn stats(
        &self,
        owner: &UserId,
        now: Timestamp,
        zone: &Zone,
    ) -> Result<TaskStats, StoreError> {
        self.database.stats(owner, now, zone).await
    }

    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        follow_up: Option<&FollowUp>,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        let database = &self.database;
        let completion = Completion::of(owner, id, change, precondition, stamp);
        let (Some(batchers), Some(request)) = (&self.postgres, completion) else {
            return database
                .change(owner, id, change, precondition, follow_up, stamp)
                .await;
        };
        let call = database.admit("tasks.change")?;
        let outcome = batchers.completions.submit(request).await;
        let changed = match self.response_or_call(call, Idempotence::NonIdempotentWrite, outcome)? {
            Answer::Response(row) => written(row, owner)?,
            Answer::Alone(call) => {
                database
                    .change_task(call, owner, id, change, precondition, stamp)
                    .await?
            }
        };
        match changed {
            None => {
                database
                    .complete_task(owner, id, change, precondition, follow_up, stamp)
                    .await
            }
            changed => Ok(changed),
        }
    }

    async fn move_to(
        &self,
        owner: &UserId,
        id: TaskId,
        to: Destination,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        self.database
            .move_to(owner, id, to, precondition, stamp)
            .await
    }

    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError> {
        let (Some(batchers), Precondition::None) = (&self.postgres, precondition) else {
            return self.database.remove(owner, id, precondition, stamp).await;
        };
        let call = self.database.admit("tasks.remove")?;
        let request = (owner.clone(), id, stamp.clone());
        let outcome = batchers.removals.submit(request).await;
        match self.response_or_call(call, Idempotence::IdempotentWrite, outcome)? {
            Answer::Response(removed) => Ok(removed),
            Answer::Alone(call) => {
                self.database
                    .remove_task(call, owner, id, precondition, stamp)
                    .await
            }
        }
    }

    async fn write_bulk(
        &self,
        owner: &UserId,
        write: &BulkWrite,
        stamp: &ChangeStamp,
    ) -> Result<BulkOutcome, StoreError> {
        self.database.write_bulk(owner, write, stamp).await
    }

    async fn write_idempotent(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        write: &TaskWrite,
        stamp: &ChangeStamp,
    ) -> Result<IdempotentOutcome, StoreError> {
        self.database
            .write_idempotent(owner, request, write, stamp)
            .await
    }

    async fn recall(
        &self,
        owner: &UserId,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<IdempotentOutcome>, StoreError> {
        self.database.recall(owner, request, now).await
    }

    async fn count_keys(&self, owner: &UserId, now: Timestamp) -> Result<u64, StoreError> {
        self.database.count_keys(owner, now).await
    }

    async fn belongs_to_another(&self, caller: &UserId, id: TaskId) -> Result<bool, StoreError> {
        self.database.belongs_to_another(caller, id).await
    }
}
