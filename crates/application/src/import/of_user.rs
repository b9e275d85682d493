//! The import of a file by a user, who brings tasks of their own while others use the service.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::import::LocalDateTime;
use taskhold_domain::revocation::MAX_PROPAGATION;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::revocations::{RevocationRepository, SubjectHash};
use taskhold_repository::users::UserRepository;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Counts, ImportError, ImportOptions, ImportRepository, Importer, NamedOwners, RejectedRow, Row,
};
use crate::clock::Clock;
use crate::ids::Ids;
use crate::reasons::reasons;
use crate::tasks::{TaskError, TaskPorts};
use crate::user_limit::{InProgress, TooManyInProgress, UserLimit};

/// The imports of one user that run at once.
const MAX_OF_USER: usize = 1;
/// The files that arrive or wait at once, since each takes memory or disk.
const MAX_FILES: usize = 8;
/// The imports that write to the store at once. Each has a session of its own beside the others of the service.
const MAX_WRITING: usize = 2;
/// The longest wait for one of these places.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// The longest time for the rows of a file, from the first to the last, to be stored and read back.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The longest time for the commit. Proxies wait a little longer than for these three.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);
/// The most rejected rows that are listed.
const MAX_LISTED: usize = 100;

/// The imports of users. A clone shares their limits.
#[derive(Clone)]
pub struct UserImports {
    imports: Arc<dyn ImportRepository>,
    users: Arc<dyn UserRepository>,
    revocations: Arc<dyn RevocationRepository>,
    tasks: TaskPorts,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    quota: NonZeroU64,
    of_user: Arc<UserLimit>,
    files: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// The result of an import: its counts, and the rejected rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// The counts of the valid rows.
    pub counts: Counts,
    /// The number of tasks that were read back and equal the file: all that were imported.
    pub verified: u64,
    /// The number of rows that were rejected.
    pub rejected: u64,
    /// The first rejected rows of the file: 100 at most.
    pub rejections: Vec<RejectedRow>,
}

impl UserImports {
    /// Returns the imports into a store that implements all ports but those of tasks. Each user may have about `quota`
    /// tasks.
    #[must_use]
    pub fn new<S>(
        store: Arc<S>,
        tasks: TaskPorts,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        quota: NonZeroU64,
    ) -> Self
    where
        S: ImportRepository + UserRepository + RevocationRepository + 'static,
    {
        Self {
            imports: store.clone(),
            users: store.clone(),
            revocations: store,
            tasks,
            clock,
            ids,
            quota,
            of_user: UserLimit::new(MAX_OF_USER),
            files: Arc::new(Semaphore::new(MAX_FILES)),
            places: Arc::new(Semaphore::new(MAX_WRITING)),
        }
    }

    /// Waits until the user has no other import in progress.
    ///
    /// # Errors
    /// [`TooManyInProgress`] after 5 s.
    pub async fn admit(&self, owner: &UserId) -> Result<InProgress, TooManyInProgress> {
        self.of_user.begin(owner).await
    }

    /// Waits for the place of a file, which is taken until the value is dropped.
    ///
    /// # Errors
    /// [`TaskError::Busy`] after 5 s.
    pub async fn place_for_file(&self) -> Result<OwnedSemaphorePermit, TaskError> {
        acquire(&self.files).await
    }

    /// Begins an import of rows that all become tasks of the owner.
    ///
    /// # Errors
    /// [`TaskError`]: `Busy`, `Unavailable`, `Defect`.
    pub async fn begin(
        &self,
        owner: &UserId,
        to_instant: impl Fn(LocalDateTime) -> Timestamp + Send + Sync + 'static,
    ) -> Result<UserImport, TaskError> {
        let place = acquire(&self.places).await?;
        let deadline = Instant::now() + TIMEOUT;
        let run = before(deadline, self.imports.begin_import()).await?;
        let options = ImportOptions {
            owner: owner.clone(),
            named_owners: NamedOwners::Ignored,
            again: false,
            to_instant: Box::new(to_instant),
        };
        let now = self.clock.now();
        Ok(UserImport {
            imports: self.clone(),
            importer: Importer::new(run, Arc::clone(&self.ids), options, now),
            owner: owner.clone(),
            report: ImportReport::default(),
            deadline,
            now,
            _place: place,
        })
    }

    /// Refuses to create a user who was removed a moment ago: an instance that has not yet read the revocation still
    /// accepts an old token.
    async fn refuse_removed(&self, owner: &UserId, now: Timestamp) -> Result<(), StoreError> {
        if self.users.find(owner).await?.is_some() {
            return Ok(());
        }
        let (subject, since) = (SubjectHash::of(owner), now.saturating_sub(MAX_PROPAGATION));
        let mut revocations = self.revocations.current().await?.into_iter();
        if revocations.any(|(revoked, not_before)| revoked == subject && not_before > since) {
            return Err(StoreError::UnknownOwner);
        }
        Ok(())
    }

    /// Refuses an import that leaves the owner with more tasks than one user may have. While the import is not
    /// committed, the store counts the other tasks alone.
    async fn check_quota(&self, owner: &UserId, imported: u64) -> Result<(), TaskError> {
        let quota = self.quota.get();
        if imported > 0 && self.tasks.tasks.count(owner).await?.total + imported > quota {
            return Err(TaskError::ImportExceedsQuota { imported, quota });
        }
        Ok(())
    }

    /// Tells the open streams of the owner of the new tasks.
    async fn tell_streams(&self, owner: &UserId) {
        match self.tasks.log.feeds(std::slice::from_ref(owner)).await {
            Ok(feeds) => {
                for (owner, feed) in feeds {
                    self.tasks.streams.wrote(&owner, feed.last);
                }
            }
            // They ask the store from time to time.
            Err(error) => {
                tracing::warn!(
                    error = reasons(&error),
                    "could not tell streams of an import"
                );
            }
        }
    }
}

/// Waits for one of the places.
async fn acquire(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, TaskError> {
    match timeout(MAX_WAIT, Arc::clone(places).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        _ => Err(TaskError::Busy),
    }
}

/// An import that has begun. Dropped before [`finish`](Self::finish) returns, it leaves nothing behind, unless it was
/// being committed.
pub struct UserImport {
    imports: UserImports,
    importer: Importer,
    owner: UserId,
    report: ImportReport,
    deadline: Instant,
    now: Timestamp,
    _place: OwnedSemaphorePermit,
}

impl UserImport {
    /// Stages the next rows of the file.
    ///
    /// # Errors
    /// [`TaskError`]: `Unavailable`, `Defect`; the import cannot go on then.
    pub async fn stage(&mut self, rows: Vec<Row>) -> Result<(), TaskError> {
        let rejected = before(self.deadline, self.importer.stage(rows)).await?;
        self.reject(rejected);
        Ok(())
    }

    /// Imports the staged rows, or only tells what that would do.
    ///
    /// # Errors
    /// [`TaskError`]: `ImportExceedsQuota`, `UnknownCaller`, `Unavailable`, `Defect`: nothing was imported;
    /// `OutcomeUnknown`: all or nothing was.
    pub async fn finish(mut self, is_dry_run: bool) -> Result<ImportReport, TaskError> {
        let (summary, rejected) = before(self.deadline, self.importer.import()).await?;
        self.reject(rejected);
        (self.report.counts, self.report.verified) = (summary.total, summary.verified);
        let (imports, owner) = (&self.imports, &self.owner);
        before(
            self.deadline,
            imports.check_quota(owner, summary.total.imported),
        )
        .await?;
        before(self.deadline, imports.refuse_removed(owner, self.now)).await?;
        if !is_dry_run {
            match timeout(COMMIT_TIMEOUT, self.importer.commit()).await {
                Ok(committed) => committed?,
                Err(elapsed) => return Err(TaskError::OutcomeUnknown(elapsed.into())),
            }
            imports.tell_streams(owner).await;
        }
        Ok(self.report)
    }

    /// Adds rejected rows to the report, which lists the first of the file.
    fn reject(&mut self, rows: Vec<RejectedRow>) {
        self.report.rejected += rows.len() as u64;
        let listed = &mut self.report.rejections;
        listed.extend(rows);
        listed.sort_by_key(|row| row.position);
        listed.truncate(MAX_LISTED);
    }
}

/// Waits for a step of an import until the deadline.
async fn before<T, E>(
    deadline: Instant,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, TaskError>
where
    TaskError: From<E>,
{
    match timeout_at(deadline, step).await {
        Ok(done) => Ok(done?),
        Err(elapsed) => Err(TaskError::Unavailable(elapsed.into())),
    }
}

impl From<ImportError> for TaskError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Nothing(error) | ImportError::OutcomeUnknown(error) => error.into(),
        }
    }
}
