//! Reads that wait for the store at the same time are made by one statement.
//!
//! A statement costs a trip to the store, and most of what a small read costs is that trip. So while
//! as many statements are under way as there are lanes, further reads wait; whoever comes free takes
//! all that wait. Nobody waits where nobody else does, and no time is set aside for it.
//!
//! That is for a store in good health. Whoever has waited for too long, or whose statement failed, reads
//! for itself, by the [policy](crate::policy).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// How many statements are under way at once. More would be smaller.
const LANES: usize = 2;
/// How long a read waits before it is made by itself; and how long a statement may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// Reads of one kind that wait.
pub(crate) struct Together<Ask, Answer> {
    state: Arc<Mutex<State<Ask, Answer>>>,
}

struct State<Ask, Answer> {
    waiting: VecDeque<(Ask, oneshot::Sender<Answer>)>,
    under_way: usize,
    most: usize,
}

impl<Ask, Answer> Together<Ask, Answer>
where
    Ask: Send + 'static,
    Answer: Send + 'static,
{
    /// A statement makes at most so many of them.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                waiting: VecDeque::new(),
                under_way: 0,
                most,
            })),
        }
    }

    /// The answer, by a statement with others' where there are any; `None` where the caller must read
    /// for itself. `read` answers some in their order, or not at all.
    pub(crate) async fn ask<Fut>(
        &self,
        runtime: &Handle,
        ask: Ask,
        read: impl Fn(Vec<Ask>) -> Fut + Send + 'static,
    ) -> Option<Answer>
    where
        Fut: Future<Output = Option<Vec<Answer>>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.waiting.push_back((ask, tell));
            if state.under_way < LANES {
                state.under_way += 1;
                let lane = Lane {
                    state: Arc::clone(&self.state),
                    is_over: false,
                };
                runtime.spawn(async move { lane.run(read).await });
            }
        }
        tokio::time::timeout(PATIENCE, told).await.ok()?.ok()
    }
}

/// One statement after the other, for as long as somebody waits.
struct Lane<Ask, Answer> {
    state: Arc<Mutex<State<Ask, Answer>>>,
    is_over: bool,
}

impl<Ask, Answer> Lane<Ask, Answer> {
    async fn run<Fut>(mut self, read: impl Fn(Vec<Ask>) -> Fut)
    where
        Fut: Future<Output = Option<Vec<Answer>>>,
    {
        while let Some((asks, tellers)) = self.next() {
            // Those that are not answered are dropped, and so learn that they must read for themselves.
            let answers = tokio::time::timeout(PATIENCE, read(asks)).await;
            let answers = answers.ok().flatten().unwrap_or_default();
            for (tell, answer) in tellers.into_iter().zip(answers) {
                // Nobody is there any more whose request was given up.
                drop(tell.send(answer));
            }
        }
    }

    /// Those that wait; `None`, and the lane is free for another, where nobody does.
    fn next(&mut self) -> Option<(Vec<Ask>, Vec<oneshot::Sender<Answer>>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.retain(|(_, tell)| !tell.is_closed());
        let count = state.waiting.len().min(state.most);
        if count == 0 {
            state.under_way -= 1;
            self.is_over = true;
            return None;
        }
        Some(state.waiting.drain(..count).unzip())
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

    fn doubled(asks: Vec<u32>) -> impl Future<Output = Option<Vec<u32>>> {
        std::future::ready(Some(asks.into_iter().map(|ask| ask * 2).collect()))
    }

    #[tokio::test]
    async fn who_is_alone_is_answered_at_once_and_everybody_by_their_own_answer() {
        let together = Doubled::new(64);
        for ask in 0..10 {
            let answer = together.ask(&Handle::current(), ask, doubled).await;
            assert_eq!(answer, Some(ask * 2));
        }
        let asks = (0..1_000).map(|ask| {
            let together = &together;
            async move { together.ask(&Handle::current(), ask, doubled).await }
        });
        let answers = futures_util::future::join_all(asks).await;
        let expected: Vec<_> = (0..1_000).map(|ask| Some(ask * 2)).collect();
        assert_eq!(answers, expected);
    }

    #[tokio::test]
    async fn who_comes_while_the_lanes_are_busy_is_read_together() {
        let together = Arc::new(Doubled::new(64));
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
        while together.state.lock().unwrap().waiting.len() < 38 {
            tokio::task::yield_now().await;
        }
        seen.add_permits(LANES + 1);
        for answer in asks {
            assert_eq!(answer.await.unwrap(), Some(14));
        }
        assert_eq!(*sizes.lock().unwrap(), [1, 1, 38]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_answered_reads_alone_and_the_lane_is_free_again() {
        let together = Doubled::new(64);
        let is_free = || together.state.lock().unwrap().under_way == 0;
        let ended = async || {
            while !is_free() {
                tokio::time::sleep(PATIENCE).await;
            }
        };
        let stuck = |_asks| std::future::pending();
        assert_eq!(together.ask(&Handle::current(), 1, stuck).await, None);
        ended().await;
        let failed = |_asks| std::future::ready(None);
        assert_eq!(together.ask(&Handle::current(), 1, failed).await, None);
        ended().await;
        let panicking = |asks: Vec<u32>| async move { panic!("meant: {asks:?}") };
        assert_eq!(together.ask(&Handle::current(), 1, panicking).await, None);
        ended().await;
        assert_eq!(together.ask(&Handle::current(), 2, doubled).await, Some(4));
    }
}
