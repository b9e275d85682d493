//! Calls that wait for the store at the same time are made by one statement.
//!
//! A statement costs a trip to the store, and most of what a small call costs is that trip; of a write,
//! also the wait for the disk. So while as many statements are under way as there are lanes, further
//! calls wait; whoever comes free takes all that wait. Nobody waits where nobody else does, and no time
//! is set aside for it.
//!
//! That is for a store in good health. Whoever has waited for too long, or whose statement failed, is told
//! so, and goes on by the [policy](crate::policy).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::Failure;
use crate::policy::Earlier;
use crate::turn::Turn;

/// How many statements are under way at once. More would be smaller.
const LANES: usize = 2;
/// How long a call waits before it is made by itself.
const PATIENCE: Duration = Duration::from_millis(250);

/// What came of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told<Answer> {
    /// This is its answer.
    Answer(Answer),
    /// Nothing: it was not made, or was undone.
    Nothing,
    /// It was made, and the store was lost before it answered.
    Unknown,
}

impl<Answer> Told<Answer> {
    pub(crate) fn answer(self) -> Option<Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Nothing | Self::Unknown => None,
        }
    }

    /// What the policy must know of a call that came then and was not answered.
    pub(crate) fn earlier(&self, since: Instant) -> Earlier {
        Earlier {
            since,
            may_be_done: matches!(self, Self::Unknown),
        }
    }
}

/// Calls of one kind that wait.
pub(crate) struct Together<Ask, Answer> {
    state: Arc<Mutex<State<Ask, Answer>>>,
    /// How long a statement may take.
    limit: Duration,
}

struct State<Ask, Answer> {
    waiting: VecDeque<Waiting<Ask, Answer>>,
    under_way: usize,
    most: usize,
}

struct Waiting<Ask, Answer> {
    ask: Ask,
    turn: Turn,
    tell: oneshot::Sender<Told<Answer>>,
}

impl<Ask, Answer> Together<Ask, Answer>
where
    Ask: Send + 'static,
    Answer: Send + 'static,
{
    /// A statement makes at most so many of them, and takes so long at most.
    pub(crate) fn new(most: usize, limit: Duration) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                waiting: VecDeque::new(),
                under_way: 0,
                most,
            })),
            limit,
        }
    }

    /// What comes of the call, by a statement with others' where there are any. `make` makes some, and
    /// answers in their order: with `None` where it has left one out. A call whose caller goes away is
    /// not made, unless it is under way.
    pub(crate) async fn ask<Fut>(
        &self,
        runtime: &Handle,
        ask: Ask,
        make: impl Fn(Vec<Ask>) -> Fut + Send + 'static,
    ) -> Told<Answer>
    where
        Fut: Future<Output = Result<Vec<Option<Answer>>, Failure>> + Send + 'static,
    {
        let (tell, mut told) = oneshot::channel();
        let turn = Turn::default();
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.waiting.push_back(Waiting {
                ask,
                turn: turn.clone(),
                tell,
            });
            if state.under_way < LANES {
                state.under_way += 1;
                let lane = Lane {
                    state: Arc::clone(&self.state),
                    is_over: false,
                };
                let limit = self.limit;
                runtime.spawn(async move { lane.run(limit, make).await });
            }
        }
        let _given_up = turn.until_given_up();
        if let Ok(told) = tokio::time::timeout(PATIENCE, &mut told).await {
            return told.unwrap_or(Told::Unknown);
        }
        if turn.withdraw() {
            return Told::Nothing;
        }
        told.await.unwrap_or(Told::Unknown)
    }
}

/// One statement after the other, for as long as somebody waits.
struct Lane<Ask, Answer> {
    state: Arc<Mutex<State<Ask, Answer>>>,
    is_over: bool,
}

type Tellers<Answer> = Vec<oneshot::Sender<Told<Answer>>>;

impl<Ask, Answer> Lane<Ask, Answer> {
    async fn run<Fut>(mut self, limit: Duration, make: impl Fn(Vec<Ask>) -> Fut)
    where
        Fut: Future<Output = Result<Vec<Option<Answer>>, Failure>>,
    {
        while let Some((asks, tellers)) = self.next() {
            if asks.is_empty() {
                // All of them were given up just now.
                continue;
            }
            let answers = tokio::time::timeout(limit, make(asks)).await;
            let failed: fn() -> Told<Answer> = match answers {
                Ok(Ok(answers)) => {
                    for (tell, answer) in tellers.into_iter().zip(answers) {
                        // Nobody is there any more whose request was given up.
                        drop(tell.send(answer.map_or(Told::Nothing, Told::Answer)));
                    }
                    continue;
                }
                Ok(Err(Failure::Ambiguous)) | Err(_) => || Told::Unknown,
                Ok(Err(_)) => || Told::Nothing,
            };
            for tell in tellers {
                drop(tell.send(failed()));
            }
        }
    }

    /// Those that wait, or the largest power of two of them: so there are few statements to prepare.
    /// `None`, and the lane is free for another, where nobody does.
    fn next(&mut self) -> Option<(Vec<Ask>, Tellers<Answer>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.retain(|waiting| waiting.turn.is_waiting());
        let Some(exponent) = state.waiting.len().min(state.most).checked_ilog2() else {
            state.under_way -= 1;
            self.is_over = true;
            return None;
        };
        let begun = state.waiting.drain(..1 << exponent);
        let begun = begun.filter(|waiting| waiting.turn.begin());
        Some(begun.map(|waiting| (waiting.ask, waiting.tell)).unzip())
    }
}

impl<Ask, Answer> Drop for Lane<Ask, Answer> {
    fn drop(&mut self) {
        // Cut off by a panic, or by the end of the runtime.
        if !self.is_over {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.under_way -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Doubled = Together<u32, u32>;

    const LIMIT: Duration = Duration::from_secs(1);

    type Answers = Result<Vec<Option<u32>>, Failure>;

    fn doubled(asks: Vec<u32>) -> impl Future<Output = Answers> {
        let answers = asks.into_iter().map(|ask| Some(ask * 2));
        std::future::ready(Ok(answers.collect()))
    }

    #[tokio::test]
    async fn who_is_alone_is_answered_at_once_and_everybody_by_their_own_answer() {
        let together = Doubled::new(64, LIMIT);
        for ask in 0..10 {
            let answer = together.ask(&Handle::current(), ask, doubled).await;
            assert_eq!(answer, Told::Answer(ask * 2));
        }
        let asks = (0..1_000).map(|ask| {
            let together = &together;
            async move { together.ask(&Handle::current(), ask, doubled).await }
        });
        let answers = futures_util::future::join_all(asks).await;
        let expected: Vec<_> = (0..1_000).map(|ask| Told::Answer(ask * 2)).collect();
        assert_eq!(answers, expected);
    }

    #[tokio::test]
    async fn who_comes_while_the_lanes_are_busy_shares_a_statement() {
        let together = Arc::new(Doubled::new(64, LIMIT));
        let (sizes, seen) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(tokio::sync::Semaphore::new(0)),
        );
        let ask = |ask| {
            let (together, sizes, seen) = (together.clone(), sizes.clone(), seen.clone());
            tokio::spawn(async move {
                let read = move |asks: Vec<u32>| {
                    let (sizes, seen) = (sizes.clone(), seen.clone());
                    async move {
                        sizes.lock().unwrap().push(asks.len());
                        seen.acquire().await.unwrap().forget();
                        doubled(asks).await
                    }
                };
                together.ask(&Handle::current(), ask, read).await
            })
        };
        let mut asks = Vec::new();
        for lane in 1..=LANES {
            asks.push(ask(7));
            while sizes.lock().unwrap().len() < lane {
                tokio::task::yield_now().await;
            }
        }
        asks.extend((0..38).map(|_| ask(7)));
        let gone = ask(8);
        while together.state.lock().unwrap().waiting.len() < 39 {
            tokio::task::yield_now().await;
        }
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        seen.add_permits(LANES + 3);
        for answer in asks {
            assert_eq!(answer.await.unwrap(), Told::Answer(14));
        }
        let mut sizes = sizes.lock().unwrap().clone();
        sizes.sort_unstable();
        assert_eq!(
            sizes,
            [1, 1, 2, 4, 32],
            "powers of two, without the one who is gone"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_answered_is_told_whether_it_may_be_done_and_the_lane_is_free_again() {
        let together = Doubled::new(64, LIMIT);
        let is_free = || together.state.lock().unwrap().under_way == 0;
        let ended = async || {
            while !is_free() {
                tokio::time::sleep(PATIENCE).await;
            }
        };
        let here = Handle::current();
        let stuck = |_asks| std::future::pending::<Answers>();
        assert_eq!(together.ask(&here, 1, stuck).await, Told::Unknown);
        ended().await;
        for (failure, told) in [
            (Failure::Ambiguous, Told::Unknown),
            (Failure::NotSent, Told::Nothing),
            (Failure::RolledBack, Told::Nothing),
            (Failure::Duplicate, Told::Nothing),
        ] {
            let failed = move |_asks| std::future::ready(Answers::Err(failure));
            assert_eq!(together.ask(&here, 1, failed).await, told, "{failure:?}");
            ended().await;
        }
        let left_out = |_asks| std::future::ready(Ok(vec![None]));
        assert_eq!(together.ask(&here, 1, left_out).await, Told::Nothing);
        ended().await;
        let panicking = |asks: Vec<u32>| async move { panic!("meant: {asks:?}") };
        assert_eq!(together.ask(&here, 1, panicking).await, Told::Unknown);
        ended().await;
        assert_eq!(together.ask(&here, 2, doubled).await, Told::Answer(4));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_too_long_is_not_asked_any_more() {
        let together = Arc::new(Doubled::new(64, LIMIT));
        let here = Handle::current();
        let mut busy = Vec::new();
        for _ in 0..LANES {
            let (together, here) = (Arc::clone(&together), here.clone());
            let stuck = |_asks| std::future::pending::<Answers>();
            let ask = async move { together.ask(&here, 1, stuck).await };
            busy.push(tokio::spawn(ask));
            // Long enough for it to be begun, and no time at all.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let started = Instant::now();
        let told = together.ask(&here, 2, doubled).await;
        assert_eq!(told, Told::Nothing);
        assert_eq!(started.elapsed(), PATIENCE);
        for busy in busy {
            assert_eq!(busy.await.unwrap(), Told::Unknown);
        }
    }
}
