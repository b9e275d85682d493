//! Passwords, hashed with Argon2id.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, available_parallelism};

use argon2::password_hash::phc;
use argon2::password_hash::{Error, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use taskhold_application::passwords::{HashingError, PasswordHasher, Verification};
use taskhold_domain::account::{Password, PasswordHash};
use tokio::sync::{Semaphore, oneshot};

/// How many passwords may wait to be hashed: a wait of about a second for the last one.
const QUEUE: usize = 16;

/// Hashes passwords with Argon2id (RFC 9106) on threads that serve no requests, so many at once,
/// while [`Busy`](HashingError::Busy) is the answer to those that find the queue full.
///
/// The threads are its own, and stay: of those that come and go, each leaves the memory of a hash with
/// the allocator.
///
/// A request that is given up leaves its hash running to its end if it has begun, and its place taken
/// until it would have been its turn: otherwise whoever hangs up quickly could make the service hash as
/// much as they like.
#[derive(Clone)]
pub struct Argon2Passwords {
    places: Arc<Semaphore>,
    jobs: Sender<Job>,
}

type Job = Box<dyn FnOnce(&Argon2<'static>) + Send>;

impl Argon2Passwords {
    /// The least that OWASP recommends, of 19 MiB, two passes and one lane, on all cores but one.
    #[must_use]
    pub fn recommended() -> Self {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let all_but_one = NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN);
        Self::new(Params::DEFAULT, all_but_one)
    }

    /// The same, one at a time.
    #[must_use]
    pub fn one_by_one() -> Self {
        Self::new(Params::DEFAULT, NonZeroUsize::MIN)
    }

    /// Hashes that cost so much, so many at once.
    #[must_use]
    pub fn new(cost: Params, at_once: NonZeroUsize) -> Self {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost);
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..at_once.get() {
            let (argon2, queue) = (argon2.clone(), Arc::clone(&queue));
            thread::spawn(move || run_jobs(&argon2, &queue));
        }
        Self {
            places: Arc::new(Semaphore::new(at_once.get() + QUEUE)),
            jobs,
        }
    }

    /// Does it once a thread has time for it.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, HashingError> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| HashingError::Busy)?;
        let (answer, answered) = oneshot::channel();
        let job = move |argon2: &Argon2<'static>| {
            let _held = place;
            // Who has given up meanwhile needs no hash any more.
            if !answer.is_closed() {
                drop(answer.send(work(argon2)));
            }
        };
        self.jobs
            .send(Box::new(job))
            .map_err(|_| HashingError::Defect("no thread hashes passwords".into()))?;
        answered.await.map_err(defect)?.map_err(defect)
    }
}

/// Does what comes until nothing can come any more.
fn run_jobs(argon2: &Argon2<'static>, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // A panic is told by the answer that does not come; the thread goes on.
        drop(catch_unwind(AssertUnwindSafe(|| job(argon2))));
    }
}

fn defect(error: impl std::error::Error + Send + Sync + 'static) -> HashingError {
    HashingError::Defect(Box::new(error))
}

/// Whether `hash` costs less to guess at than those of `argon2`.
fn is_outdated(hash: &phc::PasswordHash, argon2: &Argon2<'_>) -> Result<bool, Error> {
    let (now, then) = (argon2.params(), Params::try_from(hash)?);
    Ok(hash.algorithm != Algorithm::Argon2id.ident()
        || hash.version != Some(Version::V0x13.into())
        || then.m_cost() < now.m_cost()
        || then.t_cost() < now.t_cost())
}

#[async_trait]
impl PasswordHasher for Argon2Passwords {
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HashingError> {
        let password = password.clone();
        let hash = self
            .work(move |argon2| argon2.hash_password(password.as_str().as_bytes()))
            .await?;
        PasswordHash::parse(hash.to_string()).map_err(defect)
    }

    async fn verify(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<Verification, HashingError> {
        let is_too_long = password.chars().nth(Password::MAX_CHARS).is_some();
        let Some(hash) = hash.filter(|_| !is_too_long) else {
            // What is hashed does not matter, only that it takes as long.
            return self
                .work(|argon2| argon2.hash_password(b"nobody's"))
                .await
                .map(|_: phc::PasswordHash| Verification::Mismatch);
        };
        let hash = phc::PasswordHash::new(hash.as_str()).map_err(defect)?;
        if hash.hash.is_none() {
            return Err(HashingError::Defect("the stored hash is cut off".into()));
        }
        let password = password.to_owned();
        self.work(
            move |argon2| match argon2.verify_password(password.as_bytes(), &hash) {
                Ok(()) if is_outdated(&hash, argon2)? => Ok(Verification::MatchOutdatedHash),
                Ok(()) => Ok(Verification::Match),
                Err(Error::PasswordInvalid) => Ok(Verification::Mismatch),
                Err(error) => Err(error),
            },
        )
        .await
    }
}
