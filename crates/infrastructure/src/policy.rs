//! What happens when a call to the store fails: whether it is made again, how long that is tried,
//! and what its caller is told in the end. Every call passes through here.
//!
//! | the failure | is the call made again? | told in the end |
//! | --- | --- | --- |
//! | never reached the store, or was undone by it | always | unavailable |
//! | sent, and the store lost before it answered | reads and whatever can be done twice | a read: unavailable; a write: outcome unknown; one under a key: that it can be repeated |
//! | a defect | never | defect |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use taskhold_repository::error::{Source, StoreError};
use tokio::sync::{Semaphore, TryAcquireError};
use tokio::time::Instant;

use crate::error::Failure;

/// How long a call is tried, from its first attempt on: its caller has an answer within 20 s.
const BUDGET: Duration = Duration::from_secs(19);
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// Before the attempt after the n-th: a random time up to the first of these, doubled n times, up to
/// the second.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How many calls may be under way or wait. Whoever comes after them is turned away at once: by the
/// time of an answer they would have given up.
const MAX_CALLS: usize = 256;

/// What a call is, as far as repeating it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes nothing.
    Read,
    /// It changes the store, and made twice it does as once.
    RepeatableWrite,
    /// It changes the store under an idempotency key, so that its caller can have it repeated too.
    KeyedWrite,
    /// It changes the store, and made again it could undo another's change in between.
    Write,
}

/// What was done for a call before it is made by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Earlier {
    /// When its caller came.
    pub(crate) since: Instant,
    /// It may have been made, together with others.
    pub(crate) may_be_done: bool,
}

impl Earlier {
    pub(crate) fn nothing() -> Self {
        Self {
            since: Instant::now(),
            may_be_done: false,
        }
    }
}

/// What an attempt must know of those before it, and tells of itself.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// There was none.
    pub(crate) is_first: bool,
    /// An earlier one may have had its effect.
    pub(crate) may_be_done: bool,
    sent: Arc<AtomicBool>,
}

impl Attempt {
    /// It has its connection: from now on it may have had its effect.
    pub(crate) fn is_sent(&self) {
        self.sent.store(true, Ordering::Release);
    }
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) source: Source,
}

/// The rules, and the room for calls under way.
#[derive(Debug)]
pub(crate) struct Policy {
    room: Semaphore,
    slow_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(Duration::MAX)
    }
}

impl Policy {
    /// The rules, where a call that takes so long is worth a warning.
    pub(crate) fn new(slow_after: Duration) -> Self {
        // There from the start, so that the first one is seen as a change.
        for class in [Failure::NotSent, Failure::RolledBack, Failure::Ambiguous] {
            retries(class).increment(0);
        }
        Self {
            room: Semaphore::new(MAX_CALLS),
            slow_after,
        }
    }

    /// How many calls are under way or wait.
    pub(crate) fn calls(&self) -> usize {
        MAX_CALLS - self.room.available_permits()
    }

    /// Makes a call, again where that is allowed and helps. `operation` names it in the metrics.
    pub(crate) async fn run<T, Fut>(
        &self,
        operation: &'static str,
        effect: Effect,
        earlier: Earlier,
        attempt: impl Fn(Attempt) -> Fut,
    ) -> Result<T, StoreError>
    where
        Fut: Future<Output = Result<T, Failed>>,
    {
        let outcome = match self.room.try_acquire() {
            Ok(_room) => tried(earlier, effect, attempt).await,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) if earlier.may_be_done => {
                Err(StoreError::OutcomeUnknown(
                    "too many calls wait for the store".into(),
                ))
            }
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => Err(StoreError::Busy),
        };
        let name = match &outcome {
            Ok(_) => "ok",
            Err(StoreError::Duplicate) => "duplicate",
            Err(StoreError::UnknownOwner) => "unknown_owner",
            Err(StoreError::Busy) => "busy",
            Err(StoreError::Unavailable(_)) => "unavailable",
            Err(StoreError::OutcomeUnknown(_)) => "outcome_unknown",
            Err(StoreError::RetryWithKey(_)) => "repeatable",
            Err(StoreError::Defect(_)) => "defect",
        };
        self.record(operation, name, earlier.since.elapsed());
        outcome
    }

    /// Tells the metrics of a call, and the log where it was slow.
    pub(crate) fn record(
        &self,
        operation: &'static str,
        outcome: &'static str,
        duration: Duration,
    ) {
        metrics::histogram!("taskhold_store_call_duration_seconds", "operation" => operation, "outcome" => outcome)
            .record(duration);
        if duration >= self.slow_after {
            let duration_ms = duration.as_secs_f64() * 1e3;
            tracing::warn!(
                operation,
                outcome,
                duration_ms,
                "a call to the store was slow"
            );
        }
    }
}

fn retries(class: Failure) -> metrics::Counter {
    metrics::counter!("taskhold_store_retries_total", "class" => class.name())
}

/// Tells the metrics and the log of a failure after which a call is made again.
pub(crate) fn is_made_again(failure: Failure, source: &Source) {
    retries(failure).increment(1);
    tracing::warn!(class = failure.name(), cause = %source, "a call to the store failed and is made again");
}

async fn tried<T, Fut>(
    earlier: Earlier,
    effect: Effect,
    attempt: impl Fn(Attempt) -> Fut,
) -> Result<T, StoreError>
where
    Fut: Future<Output = Result<T, Failed>>,
{
    let started = earlier.since;
    let (mut is_first, mut may_be_done) = (true, earlier.may_be_done);
    let mut longest_pause = FIRST_PAUSE;
    loop {
        let left = BUDGET.saturating_sub(started.elapsed());
        let sent = Arc::<AtomicBool>::default();
        let this = Attempt {
            is_first,
            may_be_done,
            sent: Arc::clone(&sent),
        };
        let answer = tokio::time::timeout(ATTEMPT_TIMEOUT.min(left), attempt(this)).await;
        let Failed { failure, source } = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(failed)) => failed,
            Err(elapsed) => Failed {
                failure: if sent.load(Ordering::Acquire) {
                    Failure::Ambiguous
                } else {
                    // It was still waiting for a connection.
                    Failure::NotSent
                },
                source: elapsed.into(),
            },
        };
        is_first = false;
        may_be_done |= failure == Failure::Ambiguous && effect != Effect::Read;
        let is_unknown_write = failure == Failure::Ambiguous && effect == Effect::Write;
        let again = failure.may_pass() && !is_unknown_write;
        let pause = longest_pause.mul_f64(fastrand::f64());
        if !again || started.elapsed() + pause >= BUDGET {
            return Err(told(failure, effect, may_be_done, source));
        }
        is_made_again(failure, &source);
        tokio::time::sleep(pause).await;
        longest_pause = (longest_pause * 2).min(LONGEST_PAUSE);
    }
}

fn told(failure: Failure, effect: Effect, may_be_done: bool, source: Source) -> StoreError {
    match failure {
        Failure::Duplicate => StoreError::Duplicate,
        Failure::UnknownOwner => StoreError::UnknownOwner,
        Failure::Permanent => StoreError::Defect(source),
        Failure::NotSent | Failure::RolledBack | Failure::Refused | Failure::Ambiguous => {
            match (may_be_done, effect) {
                (false, _) => StoreError::Unavailable(source),
                (true, Effect::KeyedWrite) => StoreError::RetryWithKey(source),
                (true, _) => StoreError::OutcomeUnknown(source),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn failed(failure: Failure) -> Failed {
        Failed {
            failure,
            source: "made up".into(),
        }
    }

    /// Fails so often in this way, then succeeds; what is told, and after how many attempts.
    async fn outcome(
        effect: Effect,
        failure: Failure,
        times: usize,
    ) -> (Result<bool, StoreError>, usize) {
        let attempts = &AtomicUsize::new(0);
        let outcome = Policy::default()
            .run("test", effect, Earlier::nothing(), |attempt| async move {
                if attempts.fetch_add(1, Ordering::Relaxed) < times {
                    Err(failed(failure))
                } else {
                    Ok(attempt.may_be_done)
                }
            })
            .await;
        (outcome, attempts.load(Ordering::Relaxed))
    }

    const EFFECTS: [Effect; 4] = [
        Effect::Read,
        Effect::RepeatableWrite,
        Effect::KeyedWrite,
        Effect::Write,
    ];

    #[tokio::test(start_paused = true)]
    async fn what_had_surely_no_effect_is_made_again_whatever_it_is() {
        for effect in EFFECTS {
            for failure in [Failure::NotSent, Failure::RolledBack] {
                let (outcome, attempts) = outcome(effect, failure, 3).await;
                assert!(matches!(outcome, Ok(false)), "{effect:?} {failure:?}");
                assert_eq!(attempts, 4);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_had_its_effect_is_made_again_only_where_that_does_no_harm() {
        let (read, _) = outcome(Effect::Read, Failure::Ambiguous, 2).await;
        assert!(matches!(read, Ok(false)));
        for effect in [Effect::RepeatableWrite, Effect::KeyedWrite] {
            let (repeatable, _) = outcome(effect, Failure::Ambiguous, 2).await;
            assert!(matches!(repeatable, Ok(true)), "the attempt is told");
        }
        let (write, attempts) = outcome(Effect::Write, Failure::Ambiguous, 2).await;
        assert!(matches!(write, Err(StoreError::OutcomeUnknown(_))));
        assert_eq!(attempts, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_ends_it() {
        for (effect, failure) in [
            (Effect::Read, Failure::Ambiguous),
            (Effect::Read, Failure::NotSent),
            (Effect::Write, Failure::NotSent),
            (Effect::RepeatableWrite, Failure::RolledBack),
        ] {
            let started = tokio::time::Instant::now();
            let (outcome, attempts) = outcome(effect, failure, usize::MAX).await;
            assert!(
                matches!(outcome, Err(StoreError::Unavailable(_))),
                "{effect:?} {failure:?}"
            );
            assert!(attempts > 5, "{attempts}");
            assert!(started.elapsed() <= BUDGET);
        }
        let (unkeyed, _) = outcome(Effect::RepeatableWrite, Failure::Ambiguous, usize::MAX).await;
        assert!(matches!(unkeyed, Err(StoreError::OutcomeUnknown(_))));
        let (keyed, _) = outcome(Effect::KeyedWrite, Failure::Ambiguous, usize::MAX).await;
        assert!(matches!(keyed, Err(StoreError::RetryWithKey(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn defects_and_refusals_are_told_at_once() {
        for effect in EFFECTS {
            for failure in [Failure::Permanent, Failure::Duplicate, Failure::Refused] {
                let (outcome, attempts) = outcome(effect, failure, 1).await;
                assert!(outcome.is_err());
                assert_eq!(attempts, 1);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_is_given_up_and_counts_as_sent() {
        let policy = Policy::default();
        let hangs = async |attempt: Attempt| {
            attempt.is_sent();
            std::future::pending::<Result<(), Failed>>().await
        };
        let started = tokio::time::Instant::now();
        let write = policy
            .run("test", Effect::Write, Earlier::nothing(), hangs)
            .await;
        assert!(matches!(write, Err(StoreError::OutcomeUnknown(_))));
        assert_eq!(started.elapsed(), ATTEMPT_TIMEOUT);
        let read = policy
            .run("test", Effect::Read, Earlier::nothing(), hangs)
            .await;
        assert!(matches!(read, Err(StoreError::Unavailable(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_before_it_has_a_connection_was_not_sent() {
        let policy = Policy::default();
        let hangs = |_| std::future::pending::<Result<(), Failed>>();
        let started = tokio::time::Instant::now();
        for effect in EFFECTS {
            let outcome = policy.run("test", effect, Earlier::nothing(), hangs).await;
            assert!(
                matches!(outcome, Err(StoreError::Unavailable(_))),
                "{effect:?}: {outcome:?}"
            );
        }
        assert!(started.elapsed() <= BUDGET * 4);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_when_all_room_is_taken_is_turned_away() {
        let policy = Policy::default();
        let waits = |_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(())
        };
        let crowd =
            (0..=MAX_CALLS).map(|_| policy.run("test", Effect::Read, Earlier::nothing(), waits));
        let outcomes = futures_util::future::join_all(crowd).await;
        let busy = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Err(StoreError::Busy)))
            .count();
        assert_eq!(busy, 1);
        assert_eq!(policy.calls(), 0);
    }
}
