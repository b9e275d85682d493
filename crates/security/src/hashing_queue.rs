//! The queue of passwords that wait to be hashed.

use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use taskhold_application::passwords::{HashRequest, HashingError};

/// The number of passwords that may wait to be hashed; the last one waits for about a second.
const MAX_QUEUED: usize = 16;

/// The places, among those at work and in the queue, that only logins may take.
const LOGIN_PLACES: usize = 4;

/// Hashes with what a thread has, or is told that there is no place any longer.
pub(crate) type Job<C> = Box<dyn FnOnce(Result<&C, HashingError>) + Send>;

/// A queue in which the networks of clients share the places, and then the hashes, equally. Where all places
/// are taken, a network that has at least two more than that of a new job loses its last one.
pub(crate) struct HashingQueue<C> {
    state: Mutex<State<C>>,
    changed: Condvar,
    places: usize,
}

struct State<C> {
    waiting: Vec<Waiting<C>>,
    /// The jobs at work.
    running: Vec<HashRequest>,
    /// The turn of the job that was started last.
    turn: u64,
    is_closed: bool,
}

struct Waiting<C> {
    request: HashRequest,
    /// The job of the lowest turn is the next. Each job of a network is a turn after the one before, so that
    /// all networks advance alike.
    turn: u64,
    job: Job<C>,
}

impl<C> HashingQueue<C> {
    /// Returns an empty queue for this number of threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: Vec::new(),
                running: Vec::new(),
                turn: 0,
                is_closed: false,
            }),
            changed: Condvar::new(),
            places: threads + MAX_QUEUED,
        }
    }

    /// Queues a job.
    ///
    /// # Errors
    /// [`HashingError::Busy`] if no place is left for it.
    pub(crate) fn push(&self, request: HashRequest, job: Job<C>) -> Result<(), HashingError> {
        let mut state = self.state();
        let evicted = if state.count(|_| true) >= self.places {
            Some(state.evict_for(request, |_| true)?)
        } else if !request.is_login
            && state.count(|other| !other.is_login) >= self.places - LOGIN_PLACES
        {
            Some(state.evict_for(request, |other| !other.is_login)?)
        } else {
            None
        };
        let turns = state.waiting.iter();
        let theirs = turns.filter(|other| other.request.network == request.network);
        let last = theirs.map(|other| other.turn).max();
        let turn = last.unwrap_or_default().max(state.turn) + 1;
        state.waiting.push(Waiting { request, turn, job });
        drop(state);
        self.changed.notify_one();
        if let Some(evicted) = evicted {
            evicted(Err(HashingError::Busy));
        }
        Ok(())
    }

    /// Runs jobs until the queue is closed. A job that panics ends the thread's work no more than any other.
    pub(crate) fn run(&self, with: &C, run: impl Fn(Job<C>, &C)) {
        loop {
            let mut state = self.state();
            let (request, job) = loop {
                if let Some(next) = state.start() {
                    break next;
                }
                if state.is_closed {
                    return;
                }
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            run(job, with);
            self.state().finish(request);
        }
    }

    /// Lets the threads end.
    pub(crate) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> State<C> {
    /// Counts the jobs at work and in the queue.
    fn count(&self, counts: impl Fn(&HashRequest) -> bool) -> usize {
        let waiting = self.waiting.iter().map(|waiting| &waiting.request);
        waiting
            .chain(&self.running)
            .filter(|request| counts(request))
            .count()
    }

    fn places_of(&self, network: Option<IpAddr>) -> usize {
        self.count(|request| request.network == network)
    }

    /// Takes the last job from the network that has the most places, if it has at least two more than the
    /// network of this request.
    fn evict_for(
        &mut self,
        request: HashRequest,
        may_go: impl Fn(&HashRequest) -> bool,
    ) -> Result<Job<C>, HashingError> {
        let candidates = self.waiting.iter().enumerate();
        let candidates = candidates.filter(|(_, waiting)| may_go(&waiting.request));
        let last = candidates
            .map(|(index, waiting)| {
                let places = self.places_of(waiting.request.network);
                (places, waiting.turn, index)
            })
            .max();
        match last {
            Some((places, _, index)) if places > self.places_of(request.network) + 1 => {
                Ok(self.waiting.remove(index).job)
            }
            _ => Err(HashingError::Busy),
        }
    }

    fn start(&mut self) -> Option<(HashRequest, Job<C>)> {
        let jobs = self.waiting.iter().enumerate();
        let (index, _) = jobs.min_by_key(|(_, waiting)| waiting.turn)?;
        let Waiting { request, turn, job } = self.waiting.remove(index);
        self.turn = turn;
        self.running.push(request);
        Some((request, job))
    }

    fn finish(&mut self, request: HashRequest) {
        if let Some(index) = self.running.iter().position(|other| *other == request) {
            self.running.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Queues a job, which sends its name or "busy" to `sender`.
    fn push(
        queue: &HashingQueue<()>,
        network: u8,
        is_login: bool,
        sender: &mpsc::Sender<String>,
    ) -> bool {
        let request = HashRequest {
            network: Some(IpAddr::from([192, 0, 2, network])),
            is_login,
        };
        let sender = sender.clone();
        let job: Job<()> = Box::new(move |outcome| {
            let name = match outcome {
                Ok(()) => network.to_string(),
                Err(_) => format!("{network} is busy"),
            };
            sender.send(name).unwrap();
        });
        queue.push(request, job).is_ok()
    }

    fn run_all(queue: &HashingQueue<()>) {
        queue.close();
        queue.run(&(), |job, with| job(Ok(with)));
    }

    #[test]
    fn full_queue_makes_room_for_other_networks_only() {
        let queue = HashingQueue::new(1);
        let (sender, receiver) = mpsc::channel();
        assert_eq!(
            (0..20).filter(|_| push(&queue, 1, true, &sender)).count(),
            17
        );
        for _ in 0..8 {
            assert!(push(&queue, 2, true, &sender));
            assert_eq!(receiver.try_recv().unwrap(), "1 is busy");
        }
        assert!(!push(&queue, 2, true, &sender), "9 and 8");
        assert!(push(&queue, 3, true, &sender));
        assert_eq!(receiver.try_recv().unwrap(), "1 is busy");
        assert!(!push(&queue, 1, true, &sender));
        run_all(&queue);
        let order: Vec<_> = receiver.try_iter().collect();
        assert_eq!(order.len(), 17);
        // The one login of the third network waited for one of each of the others.
        assert!(order[..3].contains(&"3".to_owned()), "{order:?}");
    }

    #[test]
    fn some_places_are_for_logins_only() {
        let queue = HashingQueue::new(1);
        let (sender, receiver) = mpsc::channel();
        let changes = (0..20).filter(|network| push(&queue, *network, false, &sender));
        assert_eq!(changes.count(), 13);
        let logins = (100..120).filter(|network| push(&queue, *network, true, &sender));
        assert_eq!(logins.count(), 4);
        run_all(&queue);
        assert_eq!(receiver.try_iter().count(), 17);
    }
}
