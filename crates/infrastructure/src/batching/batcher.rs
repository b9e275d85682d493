//! Batches concurrent requests of one kind into one statement.
//!
//! A statement costs a round trip to the database, which is most of what a small request costs; a write also
//! waits for the disk. So at most [`MAX_IN_FLIGHT`] statements run at once, and a worker that becomes free
//! takes all requests that have queued up meanwhile. A request that finds a free worker is never delayed.
//!
//! A batch is not retried. A request that waited too long, or whose batch failed, gets a
//! [`BatchOutcome`] that says whether it may have been applied. Its caller then executes it alone where
//! that is safe.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::db::cancel_token::CancelToken;
use crate::db::error::Failure;

/// The most statements in flight for one kind of request. More would make smaller batches.
const MAX_IN_FLIGHT: usize = 2;
/// The longest that a request waits in the queue before its caller executes it alone.
const MAX_QUEUE_WAIT: Duration = Duration::from_millis(250);

/// The outcome of a request that was submitted to a batcher.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BatchOutcome<Response> {
    /// The batch was executed and has this response to the request.
    Answered(Response),
    /// The request was not executed: it waited too long, or its batch left it out.
    NotExecuted,
    /// The batch failed. It may have been applied if the failure is [`Failure::Ambiguous`], else it was not.
    Failed(Failure),
}

/// The responses of a batch in the order of its requests; `None` for a request that was left out.
pub(crate) type Responses<Response> = Result<Vec<Option<Response>>, Failure>;

type Execute<Request, Response> =
    Box<dyn Fn(Vec<Request>) -> BoxFuture<'static, Responses<Response>> + Send + Sync>;

/// A queue of requests of one kind, with the workers that execute them in batches.
pub(crate) struct Batcher<Request, Response> {
    shared: Arc<Shared<Request, Response>>,
}

struct Shared<Request, Response> {
    state: Mutex<State<Request, Response>>,
    execute: Execute<Request, Response>,
    max_batch_size: usize,
    timeout: Duration,
    runtime: Handle,
}

struct State<Request, Response> {
    queue: VecDeque<QueuedRequest<Request, Response>>,
    workers: usize,
}

struct QueuedRequest<Request, Response> {
    request: Request,
    token: CancelToken,
    response: oneshot::Sender<BatchOutcome<Response>>,
}

impl<Request, Response> Shared<Request, Response> {
    fn state(&self) -> MutexGuard<'_, State<Request, Response>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Request, Response> Batcher<Request, Response>
where
    Request: Send + 'static,
    Response: Send + 'static,
{
    /// Returns a batcher that calls `execute` with at most `max_batch_size` requests, on `runtime`. A batch
    /// that takes longer than `timeout` fails as [`Failure::Ambiguous`].
    pub(crate) fn new<Fut>(
        runtime: Handle,
        max_batch_size: usize,
        timeout: Duration,
        execute: impl Fn(Vec<Request>) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Responses<Response>> + Send + 'static,
    {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    queue: VecDeque::new(),
                    workers: 0,
                }),
                execute: Box::new(move |requests| Box::pin(execute(requests))),
                max_batch_size,
                timeout,
                runtime,
            }),
        }
    }

    /// Executes a request in a batch with the others that are queued. If its caller goes away while it is
    /// queued, it is not executed.
    pub(crate) async fn submit(&self, request: Request) -> BatchOutcome<Response> {
        let (response, mut receiver) = oneshot::channel();
        let token = CancelToken::default();
        let worker = {
            let mut state = self.shared.state();
            state.queue.push_back(QueuedRequest {
                request,
                token: token.clone(),
                response,
            });
            (state.workers < MAX_IN_FLIGHT).then(|| {
                state.workers += 1;
                Worker {
                    shared: Arc::clone(&self.shared),
                    is_counted: true,
                }
            })
        };
        if let Some(worker) = worker {
            // Not under the lock: a runtime that has ended drops the worker here, which takes the lock.
            self.shared.runtime.spawn(worker.run());
        }
        let _guard = token.cancel_on_drop();
        // A claimed request gets no outcome only if its worker panics or the runtime ends.
        let lost = BatchOutcome::Failed(Failure::Ambiguous);
        if let Ok(outcome) = tokio::time::timeout(MAX_QUEUE_WAIT, &mut receiver).await {
            return outcome.unwrap_or(lost);
        }
        if token.cancel() {
            return BatchOutcome::NotExecuted;
        }
        receiver.await.unwrap_or(lost)
    }
}

/// Executes one batch after the other while requests are queued.
struct Worker<Request, Response> {
    shared: Arc<Shared<Request, Response>>,
    /// `true` if `State::workers` includes this worker.
    is_counted: bool,
}

type Senders<Response> = Vec<oneshot::Sender<BatchOutcome<Response>>>;

impl<Request, Response> Worker<Request, Response> {
    async fn run(mut self) {
        while let Some((requests, senders)) = self.next_batch() {
            if requests.is_empty() {
                // All of them were cancelled just now.
                continue;
            }
            let executed = (self.shared.execute)(requests);
            let responses = tokio::time::timeout(self.shared.timeout, executed).await;
            // A send fails if the caller has gone away.
            match responses.unwrap_or(Err(Failure::Ambiguous)) {
                Ok(responses) => {
                    for (sender, response) in senders.into_iter().zip(responses) {
                        let answered = response.map(BatchOutcome::Answered);
                        drop(sender.send(answered.unwrap_or(BatchOutcome::NotExecuted)));
                    }
                }
                Err(failure) => {
                    for sender in senders {
                        drop(sender.send(BatchOutcome::Failed(failure)));
                    }
                }
            }
        }
    }

    /// Claims the oldest queued requests. Their number is a power of two, the largest that the queue and
    /// `max_batch_size` allow, which keeps the number of different statements small. Returns `None`, and
    /// frees the worker's place, when no request is queued.
    fn next_batch(&mut self) -> Option<(Vec<Request>, Senders<Response>)> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        state.queue.retain(|queued| queued.token.is_queued());
        let Some(exponent) = state.queue.len().min(shared.max_batch_size).checked_ilog2() else {
            state.workers -= 1;
            self.is_counted = false;
            return None;
        };
        let taken = state.queue.drain(..1 << exponent);
        let claimed = taken.filter(|queued| queued.token.claim());
        Some(
            claimed
                .map(|queued| (queued.request, queued.response))
                .unzip(),
        )
    }
}

impl<Request, Response> Drop for Worker<Request, Response> {
    fn drop(&mut self) {
        // A panic, or the end of the runtime, has ended the worker early.
        if self.is_counted {
            self.shared.state().workers -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Doubler = Batcher<u32, u32>;

    const TIMEOUT: Duration = Duration::from_secs(1);

    async fn double(requests: Vec<u32>) -> Responses<u32> {
        Ok(requests
            .into_iter()
            .map(|request| Some(request * 2))
            .collect())
    }

    fn batcher<Fut>(execute: impl Fn(Vec<u32>) -> Fut + Send + Sync + 'static) -> Doubler
    where
        Fut: Future<Output = Responses<u32>> + Send + 'static,
    {
        Doubler::new(Handle::current(), 64, TIMEOUT, execute)
    }

    #[tokio::test]
    async fn every_request_gets_its_own_response() {
        let doubler = batcher(double);
        for request in 0..10 {
            let outcome = doubler.submit(request).await;
            assert_eq!(outcome, BatchOutcome::Answered(request * 2));
        }
        let submitted = (0..1_000).map(|request| doubler.submit(request));
        let outcomes = futures_util::future::join_all(submitted).await;
        let expected: Vec<_> = (0..1_000)
            .map(|request| BatchOutcome::Answered(request * 2))
            .collect();
        assert_eq!(outcomes, expected);
    }

    #[tokio::test]
    async fn requests_that_queue_while_workers_are_busy_share_a_batch() {
        let (sizes, permits) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(tokio::sync::Semaphore::new(0)),
        );
        let doubler = {
            let (sizes, permits) = (sizes.clone(), permits.clone());
            Arc::new(batcher(move |requests: Vec<u32>| {
                let (sizes, permits) = (sizes.clone(), permits.clone());
                async move {
                    sizes.lock().unwrap().push(requests.len());
                    permits.acquire().await.unwrap().forget();
                    double(requests).await
                }
            }))
        };
        let submit = |request| {
            let doubler = doubler.clone();
            tokio::spawn(async move { doubler.submit(request).await })
        };
        let mut submitted = Vec::new();
        for worker in 1..=MAX_IN_FLIGHT {
            submitted.push(submit(7));
            while sizes.lock().unwrap().len() < worker {
                tokio::task::yield_now().await;
            }
        }
        submitted.extend((0..38).map(|_| submit(7)));
        let cancelled = submit(8);
        while doubler.shared.state().queue.len() < 39 {
            tokio::task::yield_now().await;
        }
        cancelled.abort();
        assert!(cancelled.await.unwrap_err().is_cancelled());
        permits.add_permits(MAX_IN_FLIGHT + 3);
        for outcome in submitted {
            assert_eq!(outcome.await.unwrap(), BatchOutcome::Answered(14));
        }
        let mut sizes = sizes.lock().unwrap().clone();
        sizes.sort_unstable();
        assert_eq!(
            sizes,
            [1, 1, 2, 4, 32],
            "powers of two, without the cancelled request"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn failed_batch_reports_its_failure_and_frees_the_worker() {
        let ended = async |batcher: &Doubler| {
            while batcher.shared.state().workers > 0 {
                tokio::time::sleep(MAX_QUEUE_WAIT).await;
            }
        };
        let ambiguous = BatchOutcome::Failed(Failure::Ambiguous);

        let stuck = batcher(|_| std::future::pending());
        assert_eq!(stuck.submit(1).await, ambiguous);
        ended(&stuck).await;
        for failure in [
            Failure::Ambiguous,
            Failure::NotSent,
            Failure::RolledBack,
            Failure::Duplicate,
        ] {
            let failing = batcher(move |_| std::future::ready(Err(failure)));
            assert_eq!(failing.submit(1).await, BatchOutcome::Failed(failure));
            ended(&failing).await;
        }
        let leaving_out = batcher(|_| std::future::ready(Ok(vec![None])));
        assert_eq!(leaving_out.submit(1).await, BatchOutcome::NotExecuted);
        ended(&leaving_out).await;

        let panicking = batcher(|requests| async move {
            assert_ne!(requests, [1], "a panic on purpose");
            double(requests).await
        });
        assert_eq!(panicking.submit(1).await, ambiguous);
        ended(&panicking).await;
        assert_eq!(panicking.submit(2).await, BatchOutcome::Answered(4));
    }

    #[tokio::test(start_paused = true)]
    async fn request_that_waits_too_long_is_not_executed() {
        let stuck = Arc::new(batcher(|_| std::future::pending()));
        let mut busy = Vec::new();
        for _ in 0..MAX_IN_FLIGHT {
            let stuck = Arc::clone(&stuck);
            busy.push(tokio::spawn(async move { stuck.submit(1).await }));
            // Long enough for a worker to claim it. The clock is paused, so this takes no time.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let started = tokio::time::Instant::now();
        assert_eq!(stuck.submit(2).await, BatchOutcome::NotExecuted);
        assert_eq!(started.elapsed(), MAX_QUEUE_WAIT);
        for busy in busy {
            let outcome = busy.await.unwrap();
            assert_eq!(outcome, BatchOutcome::Failed(Failure::Ambiguous));
        }
    }
}
