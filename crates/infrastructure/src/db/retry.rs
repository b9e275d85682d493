//! Admission and retries of store calls. [`RetryPolicy::admit`] admits every call. [`RetryPolicy::run`]
//! executes each call that a batch has not answered.
//!
//! | failure | retried? | final error |
//! | --- | --- | --- |
//! | never reached the store, or the store rolled it back | always | `Unavailable`; after an ambiguous attempt as below |
//! | sent, and the connection was lost before the answer | reads and idempotent writes | read: `Unavailable`; write: `OutcomeUnknown`; keyed write: `RetryWithKey` |
//! | refused: a password, a missing right, a full disk | never | as after one that never reached the store |
//! | permanent | never | `Defect`, `Duplicate`, `UnknownOwner`, `UserMoved` |
//!
//! A lock that somebody holds must not make a write ambiguous. So PostgreSQL gives up first where an attempt has the
//! time for it, and a write that has less, or whose session has no limits of ours, is a transaction: until its commit
//! is sent, its end is a roll-back.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use taskhold_repository::deadline::request_started;
use taskhold_repository::error::{Source, StoreError};
use taskhold_repository::request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::db::cancel_token::CancelToken;
use crate::db::error::{Cause, Failure};

/// The time in which a call may be retried, from the beginning of its request on, or else from its admission. The
/// request has its answer within 20 s.
const BUDGET: Duration = Duration::from_secs(19);
/// The longest that PostgreSQL executes a statement of ours, as the settings of each session say. It may wait for
/// several locks in turn, each for 3 s at most.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(7);
/// The longest that one attempt may take: PostgreSQL's answer that a statement took too long arrives before.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// The end of an attempt, in which no write begins to be applied: the store has this time to answer.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// The longest pause before the first retry. Each pause is random; its limit doubles with each retry.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause before any retry.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The longest that a replica may take for an answer; a read that has not begun in half of this time is given up.
const REPLICA_TIMEOUT: Duration = LAST_MOMENT.saturating_mul(2);
/// The most calls in progress, including those that wait for a connection or in the queue of a batcher. A
/// further call fails at once: its client would give up before it were answered.
const MAX_CALLS: usize = 256;

/// The effect of a second execution of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idempotence {
    /// The call changes nothing.
    Read,
    /// A second execution has no further effect.
    IdempotentWrite,
    /// The call writes under an idempotency key, so its client can repeat it too.
    KeyedWrite,
    /// A second execution could undo a change that another client made in between.
    NonIdempotentWrite,
}

/// The effect of a batch on a call that is now executed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PriorAttempt {
    /// No batch has applied the call, or the call is a read.
    NotApplied,
    /// A batch may have applied the call.
    MayHaveApplied,
}

/// An admitted call. It counts against [`MAX_CALLS`] until it is dropped.
#[derive(Debug)]
pub(crate) struct Call {
    operation: &'static str,
    /// The request that made the call, if one did.
    request_id: Option<Arc<str>>,
    started: Instant,
    deadline: Instant,
    prior: PriorAttempt,
    /// `false` if the call is attempted once.
    is_retried: bool,
    _permit: OwnedSemaphorePermit,
}

impl Call {
    /// Returns the name of the call in the metrics.
    pub(crate) fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns the call with what a batch has done with it.
    pub(crate) fn after(self, prior: PriorAttempt) -> Self {
        Self { prior, ..self }
    }
}

/// One attempt of a call: what is known of earlier attempts, and whether this one may have been applied.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// No attempt came before this one, other than in a batch.
    pub(crate) is_first: bool,
    /// An earlier attempt, or a batch, may have been applied.
    pub(crate) may_have_applied: bool,
    /// Claimed before what may apply the attempt is sent: a statement, or the commit of a transaction.
    pub(crate) token: CancelToken,
    /// `true` if the statements are in a transaction, which an error of one of them ends.
    pub(crate) is_in_transaction: bool,
    deadline: Instant,
}

impl Attempt {
    /// Returns whether a statement that is sent now is answered before the attempt times out, even if it takes as
    /// long as PostgreSQL allows.
    pub(crate) fn has_time_for_a_statement(&self) -> bool {
        Instant::now() + STATEMENT_TIMEOUT < self.deadline
    }

    /// Returns the attempt for statements in a transaction.
    pub(crate) fn in_transaction(self) -> Self {
        Self {
            is_in_transaction: true,
            ..self
        }
    }
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) struct AttemptError {
    pub(crate) failure: Failure,
    pub(crate) source: Source,
}

impl AttemptError {
    /// Returns the error of a statement, and counts it in the metrics if its cause is one of [`Cause`].
    pub(crate) fn of_statement(error: DbErr) -> Self {
        if let Some(cause) = Cause::of_statement(&error) {
            count_failure(cause);
        }
        Self {
            failure: Failure::of_statement(&error),
            source: error.into(),
        }
    }

    /// Returns the error of a statement that came before the commit of its transaction. The transaction was
    /// therefore not applied, even if the connection was lost.
    pub(crate) fn before_commit(error: DbErr) -> Self {
        let Self { failure, source } = Self::of_statement(error);
        let failure = match failure {
            Failure::Ambiguous => Failure::RolledBack,
            other => other,
        };
        Self { failure, source }
    }

    /// Returns an error that kept the attempt from reaching the store.
    pub(crate) fn not_sent(source: impl Into<Source>) -> Self {
        Self {
            failure: Failure::NotSent,
            source: source.into(),
        }
    }
}

/// Limits the calls in progress, and retries those that fail.
#[derive(Debug)]
pub(crate) struct RetryPolicy {
    admission: Arc<Semaphore>,
    slow_after: Duration,
    /// `true` if the primary executes what fails here: nothing is retried, nor recorded as a call of the store.
    is_of_replica: bool,
}

impl RetryPolicy {
    /// Returns a policy that logs a warning for each call that takes `slow_after` or longer.
    pub(crate) fn new(slow_after: Duration) -> Self {
        // The counters exist from the start, so that monitoring sees the first retry as a change.
        for class in [Failure::NotSent, Failure::RolledBack, Failure::Ambiguous] {
            retries(class).increment(0);
        }
        for cause in Cause::ALL {
            failures(cause).increment(0);
        }
        Self {
            admission: Arc::new(Semaphore::new(MAX_CALLS)),
            slow_after,
            is_of_replica: false,
        }
    }

    /// Returns the policy for calls at a replica: each is attempted once, for [`REPLICA_TIMEOUT`].
    pub(crate) fn of_replica() -> Self {
        Self {
            is_of_replica: true,
            ..Self::new(Duration::MAX)
        }
    }

    /// Returns the number of calls in progress.
    pub(crate) fn calls(&self) -> usize {
        MAX_CALLS - self.admission.available_permits()
    }

    /// Admits a call. `operation` is its name in the metrics.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when [`MAX_CALLS`] calls are in progress.
    pub(crate) fn admit(&self, operation: &'static str) -> Result<Call, StoreError> {
        let started = Instant::now();
        let Ok(permit) = Arc::clone(&self.admission).try_acquire_owned() else {
            self.record(operation, None, "busy", started.elapsed());
            return Err(StoreError::Busy);
        };
        Ok(Call {
            operation,
            request_id: request::current_id(),
            started,
            deadline: if self.is_of_replica {
                started + REPLICA_TIMEOUT
            } else {
                request_started().unwrap_or(started) + BUDGET
            },
            prior: PriorAttempt::NotApplied,
            is_retried: !self.is_of_replica,
            _permit: permit,
        })
    }

    /// Executes a call, and retries it where that is safe and can help.
    pub(crate) async fn run<T, Fut>(
        &self,
        call: Call,
        idempotence: Idempotence,
        attempt: impl Fn(Attempt) -> Fut,
    ) -> Result<T, StoreError>
    where
        Fut: Future<Output = Result<T, AttemptError>>,
    {
        let outcome = run_attempts(&call, idempotence, attempt).await;
        self.finish(call, outcome)
    }

    /// Records the outcome of a call in the metrics.
    pub(crate) fn finish<T>(
        &self,
        call: Call,
        outcome: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let name = match &outcome {
            Ok(_) => "ok",
            Err(StoreError::Duplicate) => "duplicate",
            Err(StoreError::UnknownOwner) => "unknown_owner",
            Err(StoreError::UserMoved) => "user_moved",
            Err(StoreError::Busy) => "busy",
            Err(StoreError::Unavailable(_)) => "unavailable",
            Err(StoreError::OutcomeUnknown(_)) => "outcome_unknown",
            Err(StoreError::RetryWithKey(_)) => "repeatable",
            Err(StoreError::Defect(_)) => "defect",
        };
        let request_id = call.request_id.as_deref();
        self.record(call.operation, request_id, name, call.started.elapsed());
        drop(call);
        outcome
    }

    /// Records a call in the metrics, and logs it if it was slow.
    fn record(
        &self,
        operation: &'static str,
        request_id: Option<&str>,
        outcome: &'static str,
        duration: Duration,
    ) {
        if self.is_of_replica {
            return;
        }
        metrics::histogram!("taskhold_store_call_duration_seconds", "operation" => operation, "outcome" => outcome)
            .record(duration);
        if duration >= self.slow_after {
            // With three decimals.
            let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
            let duration_ms = f64::from(micros) / 1e3;
            tracing::warn!(
                operation,
                outcome,
                duration_ms,
                request_id,
                "a store call was slow"
            );
        }
    }
}

fn retries(class: Failure) -> metrics::Counter {
    metrics::counter!("taskhold_store_retries_total", "class" => class.name())
}

fn failures(cause: Cause) -> metrics::Counter {
    metrics::counter!("taskhold_store_failures_total", "cause" => cause.name())
}

/// Counts an attempt that failed for this cause.
pub(crate) fn count_failure(cause: Cause) {
    failures(cause).increment(1);
}

/// Counts a retry after a failure of this class.
pub(crate) fn count_retry(class: Failure) {
    retries(class).increment(1);
}

async fn run_attempts<T, Fut>(
    call: &Call,
    idempotence: Idempotence,
    attempt: impl Fn(Attempt) -> Fut,
) -> Result<T, StoreError>
where
    Fut: Future<Output = Result<T, AttemptError>>,
{
    let mut is_first = true;
    let mut may_have_applied = call.prior == PriorAttempt::MayHaveApplied;
    let mut longest_pause = FIRST_PAUSE;
    loop {
        let deadline = (Instant::now() + ATTEMPT_TIMEOUT).min(call.deadline);
        let token = CancelToken::default();
        let current = Attempt {
            is_first,
            may_have_applied,
            token: token.clone(),
            is_in_transaction: false,
            deadline,
        };
        let answer = answer_before(deadline, &token, attempt(current)).await;
        let AttemptError { failure, source } = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        is_first = false;
        may_have_applied |= failure == Failure::Ambiguous && idempotence != Idempotence::Read;
        let is_unknown_write =
            failure == Failure::Ambiguous && idempotence == Idempotence::NonIdempotentWrite;
        let pause = longest_pause.mul_f64(fastrand::f64());
        let in_budget = Instant::now() + pause + LAST_MOMENT < call.deadline;
        if !failure.is_transient() || is_unknown_write || !in_budget || !call.is_retried {
            return Err(to_store_error(
                failure,
                idempotence,
                may_have_applied,
                source,
            ));
        }
        count_retry(failure);
        tracing::warn!(
            operation = call.operation,
            class = failure.name(),
            cause = %source,
            request_id = call.request_id.as_deref(),
            "a store call failed; retrying it"
        );
        tokio::time::sleep(pause).await;
        longest_pause = (longest_pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits for the answer of an attempt.
pub(crate) async fn answer_before<T>(
    deadline: Instant,
    token: &CancelToken,
    attempt: impl Future<Output = Result<T, AttemptError>>,
) -> Result<T, AttemptError> {
    let mut attempt = pin!(attempt);
    match tokio::time::timeout_at(deadline - LAST_MOMENT, &mut attempt).await {
        Ok(answer) => return answer,
        // The attempt has no connection, or waits for a lock in its transaction. From now on it cannot be claimed.
        Err(elapsed) if token.cancel() => return Err(AttemptError::not_sent(elapsed)),
        Err(_elapsed) => {}
    }
    let answer = tokio::time::timeout_at(deadline, attempt).await;
    answer.unwrap_or_else(|elapsed| {
        Err(AttemptError {
            failure: Failure::Ambiguous,
            source: elapsed.into(),
        })
    })
}

/// Returns the error of a call that was cut off by the end of its runtime.
pub(crate) fn cut_off(idempotence: Idempotence, source: impl Into<Source>) -> StoreError {
    let may_have_applied = idempotence != Idempotence::Read;
    to_store_error(
        Failure::Ambiguous,
        idempotence,
        may_have_applied,
        source.into(),
    )
}

fn to_store_error(
    failure: Failure,
    idempotence: Idempotence,
    may_have_applied: bool,
    source: Source,
) -> StoreError {
    match failure {
        Failure::Duplicate => StoreError::Duplicate,
        Failure::UnknownOwner => StoreError::UnknownOwner,
        Failure::UserMoved => StoreError::UserMoved,
        Failure::Permanent => StoreError::Defect(source),
        Failure::NotSent | Failure::RolledBack | Failure::Refused | Failure::Ambiguous => {
            match (may_have_applied, idempotence) {
                (false, _) => StoreError::Unavailable(source),
                (true, Idempotence::KeyedWrite) => StoreError::RetryWithKey(source),
                (true, _) => StoreError::OutcomeUnknown(source),
            }
        }
    }
}

#[cfg(test)]
mod tests;
