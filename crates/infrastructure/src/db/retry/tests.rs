use std::sync::atomic::{AtomicUsize, Ordering};

use taskhold_repository::deadline::in_request;

use super::*;

fn failed(failure: Failure) -> AttemptError {
    AttemptError {
        failure,
        source: "made up".into(),
    }
}

fn policy() -> RetryPolicy {
    RetryPolicy::new(Duration::MAX)
}

async fn run<T, Fut>(
    policy: &RetryPolicy,
    idempotence: Idempotence,
    attempt: impl Fn(Attempt) -> Fut,
) -> Result<T, StoreError>
where
    Fut: Future<Output = Result<T, AttemptError>>,
{
    policy
        .run(policy.admit("test")?, idempotence, attempt)
        .await
}

/// Returns the outcome of a call that fails `times` times and then succeeds, and its attempts.
async fn outcome(
    idempotence: Idempotence,
    failure: Failure,
    times: usize,
) -> (Result<bool, StoreError>, usize) {
    let attempts = &AtomicUsize::new(0);
    let outcome = run(&policy(), idempotence, |attempt| async move {
        if attempts.fetch_add(1, Ordering::Relaxed) < times {
            Err(failed(failure))
        } else {
            Ok(attempt.may_have_applied)
        }
    })
    .await;
    (outcome, attempts.load(Ordering::Relaxed))
}

const ALL: [Idempotence; 4] = [
    Idempotence::Read,
    Idempotence::IdempotentWrite,
    Idempotence::KeyedWrite,
    Idempotence::NonIdempotentWrite,
];

#[tokio::test(start_paused = true)]
async fn unapplied_attempts_are_retried_for_every_idempotence() {
    for idempotence in ALL {
        for failure in [Failure::NotSent, Failure::RolledBack] {
            let (outcome, attempts) = outcome(idempotence, failure, 3).await;
            assert!(matches!(outcome, Ok(false)), "{idempotence:?} {failure:?}");
            assert_eq!(attempts, 4);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ambiguous_attempts_are_retried_unless_not_idempotent() {
    let (read, _) = outcome(Idempotence::Read, Failure::Ambiguous, 2).await;
    assert!(matches!(read, Ok(false)));
    for idempotence in [Idempotence::IdempotentWrite, Idempotence::KeyedWrite] {
        let (idempotent, _) = outcome(idempotence, Failure::Ambiguous, 2).await;
        assert!(matches!(idempotent, Ok(true)), "the retry knows");
    }
    let (write, attempts) = outcome(Idempotence::NonIdempotentWrite, Failure::Ambiguous, 2).await;
    assert!(matches!(write, Err(StoreError::OutcomeUnknown(_))));
    assert_eq!(attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn retries_end_with_the_budget() {
    for (idempotence, failure) in [
        (Idempotence::Read, Failure::Ambiguous),
        (Idempotence::Read, Failure::NotSent),
        (Idempotence::NonIdempotentWrite, Failure::NotSent),
        (Idempotence::IdempotentWrite, Failure::RolledBack),
    ] {
        let started = tokio::time::Instant::now();
        let (outcome, attempts) = outcome(idempotence, failure, usize::MAX).await;
        assert!(
            matches!(outcome, Err(StoreError::Unavailable(_))),
            "{idempotence:?} {failure:?}"
        );
        assert!(attempts > 5, "{attempts}");
        assert!(started.elapsed() <= BUDGET);
    }
    let (unkeyed, _) = outcome(Idempotence::IdempotentWrite, Failure::Ambiguous, usize::MAX).await;
    assert!(matches!(unkeyed, Err(StoreError::OutcomeUnknown(_))));
    let (keyed, _) = outcome(Idempotence::KeyedWrite, Failure::Ambiguous, usize::MAX).await;
    assert!(matches!(keyed, Err(StoreError::RetryWithKey(_))));
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_request_share_its_time() {
    let started = Instant::now();
    in_request(async {
        let fails = |times| outcome(Idempotence::NonIdempotentWrite, Failure::NotSent, times);
        let (first, _) = fails(4).await;
        assert!(first.is_ok());
        for _ in 0..2 {
            let (later, _) = fails(usize::MAX).await;
            assert!(matches!(later, Err(StoreError::Unavailable(_))));
        }
    })
    .await;
    assert!(started.elapsed() <= BUDGET);
    assert_eq!(request_started(), None);
}

#[tokio::test(start_paused = true)]
async fn permanent_failures_are_not_retried() {
    for idempotence in ALL {
        for failure in [Failure::Permanent, Failure::Duplicate, Failure::Refused] {
            let (outcome, attempts) = outcome(idempotence, failure, 1).await;
            assert!(outcome.is_err());
            assert_eq!(attempts, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sent_attempt_that_hangs_times_out_as_ambiguous() {
    let policy = policy();
    let hangs = async |attempt: Attempt| {
        attempt.token.claim();
        std::future::pending::<Result<(), AttemptError>>().await
    };
    let started = tokio::time::Instant::now();
    let write = run(&policy, Idempotence::NonIdempotentWrite, hangs).await;
    assert!(matches!(write, Err(StoreError::OutcomeUnknown(_))));
    assert_eq!(started.elapsed(), ATTEMPT_TIMEOUT);
    let read = run(&policy, Idempotence::Read, hangs).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))));
}

/// The writer reaches the attempt after its timeout, before the loop looks.
#[tokio::test(start_paused = true)]
async fn attempt_that_timed_out_cannot_be_claimed_and_is_retried() {
    struct ClaimOnDrop(CancelToken);
    impl Drop for ClaimOnDrop {
        fn drop(&mut self) {
            assert!(!self.0.claim());
        }
    }
    let attempts = &AtomicUsize::new(0);
    let hangs = async |attempt: Attempt| {
        attempts.fetch_add(1, Ordering::Relaxed);
        let _claim = ClaimOnDrop(attempt.token);
        std::future::pending::<Result<(), AttemptError>>().await
    };
    let write = run(&policy(), Idempotence::NonIdempotentWrite, hangs).await;
    assert!(matches!(write, Err(StoreError::Unavailable(_))));
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
}

/// Each attempt waits for a lock, and learns after its timeout that it was rolled back.
#[tokio::test(start_paused = true)]
async fn write_that_waits_for_a_lock_is_never_ambiguous() {
    for lock_timeout in [1, 3, 6, 7] {
        for idempotence in ALL {
            let waits = async |attempt: Attempt| {
                // Without time for a statement it would be a transaction, whose commit is never sent.
                if attempt.has_time_for_a_statement() {
                    attempt.token.claim();
                }
                tokio::time::sleep(Duration::from_secs(lock_timeout)).await;
                Err::<(), _>(failed(Failure::RolledBack))
            };
            let started = Instant::now();
            let outcome = run(&policy(), idempotence, waits).await;
            assert!(
                matches!(outcome, Err(StoreError::Unavailable(_))),
                "{idempotence:?} {lock_timeout}: {outcome:?}"
            );
            assert!(started.elapsed() > BUDGET / 2);
            assert!(started.elapsed() <= BUDGET);
        }
    }
}

#[test]
fn cut_off_call_is_no_defect() {
    let cut_off = |idempotence| cut_off(idempotence, "the runtime ended");
    assert!(matches!(
        cut_off(Idempotence::Read),
        StoreError::Unavailable(_)
    ));
    assert!(matches!(
        cut_off(Idempotence::KeyedWrite),
        StoreError::RetryWithKey(_)
    ));
    for write in [
        Idempotence::IdempotentWrite,
        Idempotence::NonIdempotentWrite,
    ] {
        assert!(matches!(cut_off(write), StoreError::OutcomeUnknown(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn attempt_without_connection_times_out_as_not_sent() {
    let policy = policy();
    let hangs = |_| std::future::pending::<Result<(), AttemptError>>();
    let started = tokio::time::Instant::now();
    for idempotence in ALL {
        let outcome = run(&policy, idempotence, hangs).await;
        assert!(
            matches!(outcome, Err(StoreError::Unavailable(_))),
            "{idempotence:?}: {outcome:?}"
        );
    }
    assert!(started.elapsed() <= BUDGET * 4);
}

#[tokio::test(start_paused = true)]
async fn calls_above_the_limit_are_busy() {
    let policy = policy();
    let waits = |_| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    };
    let crowd = (0..=MAX_CALLS).map(|_| run(&policy, Idempotence::Read, waits));
    let outcomes = futures_util::future::join_all(crowd).await;
    let busy = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(StoreError::Busy)))
        .count();
    assert_eq!(busy, 1);
    assert_eq!(policy.calls(), 0);
}
