//! Password hashing with Argon2id.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, available_parallelism};

use argon2::password_hash::phc;
use argon2::password_hash::{Error, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use taskhold_application::passwords::{HashRequest, HashingError, PasswordHasher, Verification};
use taskhold_domain::account::{Password, PasswordHash};
use tokio::sync::oneshot;

use crate::hashing_queue::{HashingQueue, Job};

/// Hashes passwords with Argon2id (RFC 9106) on a fixed number of threads that serve no requests. Returns
/// [`Busy`](HashingError::Busy) if too many passwords wait already. The networks of clients share the places
/// and the hashes equally, and some places are for logins only.
///
/// The threads are never replaced, because each thread that ends leaves the memory of a hash with the
/// allocator.
///
/// A cancelled request keeps its place in the queue, and a hash that has started is completed. Otherwise
/// clients that disconnect early could start more hashes than the limit.
#[derive(Clone)]
pub struct Argon2Passwords {
    queue: Arc<OpenQueue>,
}

type Queue = HashingQueue<Argon2<'static>>;

/// A queue that is closed when the last hasher is dropped.
struct OpenQueue(Arc<Queue>);

impl Drop for OpenQueue {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Argon2Passwords {
    /// Returns a hasher with the minimum that OWASP recommends (19 MiB, two passes, one lane), on all cores
    /// but one.
    #[must_use]
    pub fn recommended() -> Self {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let all_but_one = NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN);
        Self::new(Params::DEFAULT, all_but_one)
    }

    /// Returns the same hasher with a single thread.
    #[must_use]
    pub fn single_threaded() -> Self {
        Self::new(Params::DEFAULT, NonZeroUsize::MIN)
    }

    /// Returns a hasher with these parameters and this number of threads.
    #[must_use]
    pub fn new(cost: Params, threads: NonZeroUsize) -> Self {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost);
        let queue = Arc::new(Queue::new(threads.get()));
        for _ in 0..threads.get() {
            let (argon2, queue) = (argon2.clone(), Arc::clone(&queue));
            thread::spawn(move || queue.run(&argon2, run_job));
        }
        Self {
            queue: Arc::new(OpenQueue(queue)),
        }
    }

    /// Runs `work` on one of the threads.
    async fn run<T: Send + 'static>(
        &self,
        request: HashRequest,
        work: impl FnOnce(&Argon2<'static>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, HashingError> {
        let (sender, receiver) = oneshot::channel();
        let job = move |argon2: Result<&Argon2<'static>, HashingError>| {
            // A cancelled request needs no hash.
            if !sender.is_closed() {
                let outcome = argon2.and_then(|argon2| work(argon2).map_err(defect));
                drop(sender.send(outcome));
            }
        };
        self.queue.0.push(request, Box::new(job))?;
        receiver.await.map_err(defect)?
    }
}

/// Runs a job on this thread, which survives a panic; the request sees that its sender was dropped.
fn run_job(job: Job<Argon2<'static>>, argon2: &Argon2<'static>) {
    drop(catch_unwind(AssertUnwindSafe(|| job(Ok(argon2)))));
}

fn defect(error: impl std::error::Error + Send + Sync + 'static) -> HashingError {
    HashingError::Defect(Box::new(error))
}

/// Returns whether guessing the password of `hash` is cheaper than for hashes of `argon2`.
fn is_outdated(hash: &phc::PasswordHash, argon2: &Argon2<'_>) -> Result<bool, Error> {
    let (now, then) = (argon2.params(), Params::try_from(hash)?);
    Ok(hash.algorithm != Algorithm::Argon2id.ident()
        || hash.version != Some(Version::V0x13.into())
        || then.m_cost() < now.m_cost()
        || then.t_cost() < now.t_cost())
}

#[async_trait]
impl PasswordHasher for Argon2Passwords {
    async fn hash(
        &self,
        password: &Password,
        request: HashRequest,
    ) -> Result<PasswordHash, HashingError> {
        let password = password.clone();
        let hash = self
            .run(request, move |argon2| {
                argon2.hash_password(password.as_str().as_bytes())
            })
            .await?;
        PasswordHash::parse(hash.to_string()).map_err(defect)
    }

    async fn verify(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
        request: HashRequest,
    ) -> Result<Verification, HashingError> {
        // Hashes from before passwords were normalized are of the password as it was typed.
        // Four code points at most become one, so that a longer text need not be normalized.
        let is_short = password.chars().nth(4 * Password::MAX_CHARS).is_none();
        let password = if is_short { password } else { "" };
        let normal = Password::normalize(password);
        let mut forms = vec![normal.clone(), password.to_owned()];
        forms.dedup();
        forms.retain(|form| form.chars().nth(Password::MAX_CHARS).is_none());
        let attempts = forms.len().max(1);
        let Some(hash) = hash.filter(|_| !forms.is_empty()) else {
            // Hashing any password takes as long as verifying one.
            return self
                .run(request, move |argon2| {
                    (0..attempts).try_for_each(|_| argon2.hash_password(b"nobody's").map(drop))
                })
                .await
                .map(|()| Verification::Mismatch);
        };
        let hash = phc::PasswordHash::new(hash.as_str()).map_err(defect)?;
        if hash.hash.is_none() {
            return Err(HashingError::Defect("the stored hash is cut off".into()));
        }
        self.run(request, move |argon2| {
            for form in forms {
                match argon2.verify_password(form.as_bytes(), &hash) {
                    Ok(()) if form != normal || is_outdated(&hash, argon2)? => {
                        return Ok(Verification::MatchOutdatedHash);
                    }
                    Ok(()) => return Ok(Verification::Match),
                    Err(Error::PasswordInvalid) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(Verification::Mismatch)
        })
        .await
    }
}
