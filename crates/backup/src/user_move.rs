//! Moves one user into another store, of either kind, while both are served (decision 33).
//!
//! One run at a time moves a user: it takes a lease of the move (`hold`).
//!
//! 1. Both stores note that the user is moving, under the number of the move. The target gets the user's row without the
//!    password, and an empty change log with a negative epoch, with which it refuses every write of the user.
//! 2. The rows are copied while the user goes on writing. What has changed since is copied again, by the numbers of the
//!    change log, until every instance of the source has had the time to read the note: from then on each of them asks
//!    the store whether the user is still there.
//! 3. A transaction of the source takes the user's counter, so that the user's writes wait. The rest is copied and
//!    committed at the target. Then the source commits a negative epoch and refuses; then the target makes the epoch
//!    positive and takes over.
//!
//! Killed at any point, it leaves a user who can write at one store, or at none until it is run again.

mod arrival;
mod hold;
mod rows;
mod standing;

use std::time::Duration;

use sea_orm::sqlx;
use taskhold_domain::user::UserId;
use taskhold_infrastructure::db::connect::ConnectOptions;
use taskhold_infrastructure::db::migrations;
use taskhold_infrastructure::db::session::{MaintenanceSession, is_one_database};
use tokio::time::{Instant, sleep, timeout};

use self::arrival::{Arrival, Residents};
use self::hold::Hold;
use self::rows::{Columns, Range, copy_changed, copy_whole, count_rows, totals};
use self::standing::{Counter, Standing};
use crate::error::BackupError;
use crate::make::migrations;
use crate::query::on_either;
use crate::restore::execute;
use crate::table::TABLES;

/// The user's writes are made to wait once no more than this number of changes is left to copy.
const MAX_REMAINING_CHANGES: i64 = 20;
/// After so many rounds they are made to wait, however many changes are left.
const MOST_ROUNDS: u32 = 20;
/// The pause between two rounds while the instances of the source learn of the move.
const ROUND: Duration = Duration::from_secs(1);
/// The longest that the user's writes wait for the copy of the rest. Then they go on, and the rest is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// The number of attempts to copy the remaining changes.
const MOST_TRIES: u32 = 10;

/// A move of one user between two stores.
#[derive(Debug)]
pub struct UserMove<'a> {
    /// The store where the user lives.
    pub source: &'a ConnectOptions,
    /// The store where the user is to live.
    pub target: &'a ConnectOptions,
    /// The user.
    pub user: &'a UserId,
    /// The time in which every instance of the source learns that the user is moving:
    /// [`MAX_PROPAGATION`](taskhold_domain::revocation::MAX_PROPAGATION). With less, an instance may still answer reads
    /// of the user for that time after the move. It takes no write in any case.
    pub notice: Duration,
}

/// A move that is done.
#[derive(Debug)]
pub struct Moved {
    /// The number of rows of the user in each table of the target.
    pub rows: Vec<(&'static str, u64)>,
    /// The time for which the user's writes waited or were refused; `None` if an earlier run had made them wait.
    pub waited: Option<Duration>,
}

/// The work of a run.
enum Step {
    /// All of it. An earlier run may have left a number, and rows at the target, which are deleted.
    Move(Option<i64>),
    /// The last step of a run that was cut off.
    Arrive,
}

struct Sessions {
    from: MaintenanceSession,
    to: MaintenanceSession,
    /// The columns of the target, which the source has too.
    columns: Columns,
}

impl UserMove<'_> {
    /// Moves the user, or completes a move that was cut off.
    ///
    /// # Errors
    /// [`BackupError`]. The user then lives at the source as before, or at neither store until this is called again.
    pub async fn run(&self) -> Result<Moved, BackupError> {
        let from = opened(self.source).await?;
        let mut to = opened(self.target).await?;
        let columns = Columns::of(&mut to).await?;
        let mut sessions = Sessions { from, to, columns };
        self.refuse_one_store(&mut sessions).await?;
        for store in [self.source, self.target] {
            store.refuse_missing_rights(&TABLES).await?;
        }
        let mut holding = self.source.session().await?;
        let hold = Hold::take(&mut holding, self.user).await?;
        let moved = tokio::select! {
            moved = self.run_alone(&mut sessions, &hold) => moved,
            lost = hold.keep_on(&mut holding) => Err(lost),
        };
        // An open transaction would block the statement that releases the lease.
        sessions.from.close().await;
        sessions.to.close().await;
        hold.release(&mut holding).await;
        holding.close().await;
        moved
    }

    /// Does the work of this run, which has the lease.
    async fn run_alone(&self, sessions: &mut Sessions, hold: &Hold) -> Result<Moved, BackupError> {
        let here = Standing::of(&mut sessions.from, self.user).await?;
        let there = Standing::of(&mut sessions.to, self.user).await?;
        let step = self.step(here.as_ref(), there.as_ref())?;
        let began = match step {
            Step::Move(number) => Some(self.carry_over(sessions, hold, number).await?),
            Step::Arrive => None,
        };
        let Sessions { from, to, columns } = sessions;
        // Read last, so that no token is revoked of a user who has registered at the target meanwhile.
        let residents = Residents::of(to, self.user).await?;
        let arrival = Arrival::read(from, columns, self.user, &residents).await?;
        arrival.complete(to, columns, self.user).await?;
        let waited = began.map(|began| began.elapsed());
        let rows = count_rows(to, self.user).await?;
        Ok(Moved { rows, waited })
    }

    async fn refuse_one_store(&self, sessions: &mut Sessions) -> Result<(), BackupError> {
        let path = |store: &ConnectOptions| store.url.sqlite_path()?.canonicalize().ok();
        let Sessions { from, to, .. } = sessions;
        let is_one = if let (MaintenanceSession::Postgres(_), MaintenanceSession::Postgres(_)) =
            (&*from, &*to)
        {
            let compared = is_one_database(from, to).await;
            compared.map_err(BackupError::sql("compare the two stores"))?
        } else {
            path(self.source).is_some_and(|source| path(self.target) == Some(source))
        };
        if is_one {
            return Err(BackupError::Refused(format!(
                "source and target are one store, the {}",
                self.source.url
            )));
        }
        Ok(())
    }

    /// Returns the work of this run, by what both stores say about the user.
    fn step(&self, here: Option<&Standing>, there: Option<&Standing>) -> Result<Step, BackupError> {
        let (source, target, user) = (&self.source.url, &self.target.url, self.user);
        let refused = |why| Err(BackupError::Refused(why));
        let Some(here) = here else {
            return refused(format!("the {source} has no user {user}"));
        };
        let is_this_move = |there: &Standing| {
            there.is_elsewhere && there.number.is_some() && there.number == here.number
        };
        match (here.is_elsewhere, there) {
            (true, Some(there)) if is_this_move(there) => Ok(Step::Arrive),
            (true, Some(there)) if !there.is_elsewhere => refused(format!(
                "the user {user} was moved away from the {source}, and lives in the {target}: nothing is left to move"
            )),
            (true, _) => refused(format!(
                "the user {user} was moved away from the {source} before: move from the store where the user lives"
            )),
            (false, None) => Ok(Step::Move(here.number)),
            (false, Some(there)) if is_this_move(there) => Ok(Step::Move(here.number)),
            (false, Some(there)) if there.is_elsewhere => refused(format!(
                "the {target} has rows of the user {user} from a move before this one: run `taskhold user delete` there first"
            )),
            (false, Some(_)) => refused(format!(
                "the {target} has a user {user} of its own: nothing is merged"
            )),
        }
    }

    /// Copies everything but the account, and ends with a user who lives at neither store. Returns since when the
    /// user's writes have waited.
    async fn carry_over(
        &self,
        sessions: &mut Sessions,
        hold: &Hold,
        number: Option<i64>,
    ) -> Result<Instant, BackupError> {
        let number = number.unwrap_or_else(|| fastrand::i64(1..));
        let Sessions { from, to, columns } = sessions;
        self.refuse_taken_email(from, to).await?;
        standing::note(from, self.user, number).await?;
        standing::expect(from, to, columns, hold, self.user, number).await?;
        let noted = Instant::now();
        let mut done = Counter::of(from, self.user).await?.seq;
        copy_whole(from, to, columns, self.user, done).await?;
        let (mut rounds, mut tries) = (0, 0);
        loop {
            let now = Counter::of(from, self.user).await?.seq;
            let range = Range {
                after: done,
                to: now,
            };
            execute(to, begin(to), "begin to copy changes").await?;
            copy_changed(from, to, columns, self.user, range).await?;
            execute(to, "COMMIT", "end to copy changes").await?;
            done = now;
            let left = self.notice.saturating_sub(noted.elapsed());
            if !left.is_zero() {
                sleep(left.min(ROUND)).await;
                continue;
            }
            rounds += 1;
            if range.len() > MAX_REMAINING_CHANGES && rounds < MOST_ROUNDS {
                continue;
            }
            tries += 1;
            match self.settle(from, to, columns, hold, done).await? {
                Some(began) => return Ok(began),
                None if tries < MOST_TRIES => sleep(ROUND).await,
                None => {
                    return Err(BackupError::Refused(format!(
                        "the writes of the user {} could not be stopped, or what was left could not be copied in \
                         {LONGEST_WAIT:?}: the user lives in the {} as before; try again when there is less to do",
                        self.user, self.source.url
                    )));
                }
            }
        }
    }

    /// Stops the user's writes, copies the rest and ends the user's life at the source. Returns since when the writes
    /// have waited; `None` if they could not be stopped soon enough, and went on.
    async fn settle(
        &self,
        from: &mut MaintenanceSession,
        to: &mut MaintenanceSession,
        columns: &Columns,
        hold: &Hold,
        done: i64,
    ) -> Result<Option<Instant>, BackupError> {
        let began = Instant::now();
        let copied = timeout(LONGEST_WAIT, async {
            let counter = standing::stop(from, hold, self.user).await?;
            let range = Range {
                after: done,
                to: counter.seq,
            };
            execute(to, begin(to), "begin to copy the last changes").await?;
            copy_changed(from, to, columns, self.user, range).await?;
            standing::set_counter(to, self.user, &counter).await?;
            let (expected, found) =
                tokio::try_join!(totals(from, self.user), totals(to, self.user))?;
            if expected != found {
                return Err(BackupError::Mismatch(format!(
                    "what was copied is not what is there ({found:?} instead of {expected:?}): nothing was moved; \
                     run the command again"
                )));
            }
            Ok(())
        });
        match copied.await {
            Ok(Ok(())) => {}
            failed => {
                // A session without a transaction only warns.
                for session in [&mut *from, &mut *to] {
                    if let Err(error) = session.execute("ROLLBACK").await {
                        tracing::debug!(%error, "nothing was rolled back");
                    }
                }
                return match failed {
                    Ok(Err(BackupError::Sql { source, .. })) if is_locked(&source) => Ok(None),
                    Ok(Err(error)) => Err(error),
                    _elapsed => Ok(None),
                };
            }
        }
        // The target commits first, so that it has everything when the source begins to refuse.
        execute(to, "COMMIT", "commit the copy").await?;
        execute(
            from,
            "COMMIT",
            "tell whether the user has left: run the command again, it goes on",
        )
        .await?;
        Ok(Some(began))
    }

    async fn refuse_taken_email(
        &self,
        from: &mut MaintenanceSession,
        to: &mut MaintenanceSession,
    ) -> Result<(), BackupError> {
        let failed = "look for the e-mail address";
        let emails = "SELECT email, email_key FROM users WHERE id = $1";
        let user = self.user.as_str();
        let emails: Result<(Option<String>, Option<String>), _> = on_either!(from, connection =>
            sqlx::query_as(emails).bind(user).fetch_one(&mut **connection).await);
        let (email, key) = emails.map_err(BackupError::sql(failed))?;
        let taken = "SELECT count(*) FROM users WHERE id <> $1 AND (email = $2 OR email_key = $3)";
        let taken: Result<i64, _> = on_either!(to, connection =>
            sqlx::query_scalar(taken).bind(user).bind(email).bind(key).fetch_one(&mut **connection).await);
        if taken.map_err(BackupError::sql(failed))? > 0 {
            return Err(BackupError::Refused(format!(
                "the {} has another user with the e-mail address of {user}: nothing was moved",
                self.target.url
            )));
        }
        Ok(())
    }
}

/// Opens a store, which must have the tables of this program.
async fn opened(store: &ConnectOptions) -> Result<MaintenanceSession, BackupError> {
    let refused = || {
        BackupError::Refused(format!(
            "the {} lacks the tables of this program: run `taskhold migrate up` there, and let every instance be of \
             this version",
            store.url
        ))
    };
    if store.url.sqlite_path().is_some_and(|path| !path.exists()) {
        return Err(refused());
    }
    let mut session = store.session().await?;
    let applied = match migrations(&mut session).await {
        // It has no tables at all.
        Err(BackupError::Refused(_)) => return Err(refused()),
        applied => applied?.0,
    };
    if applied != migrations::known() {
        return Err(refused());
    }
    Ok(session)
}

/// Returns the statement that begins a transaction that writes.
fn begin(session: &MaintenanceSession) -> &'static str {
    match session {
        MaintenanceSession::Postgres(_) => "BEGIN",
        MaintenanceSession::Sqlite(_) => "BEGIN IMMEDIATE",
    }
}

/// Returns whether somebody else held a lock: PostgreSQL's timeout and deadlock, and SQLite's busy file.
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["55P03", "40P01", "57014", "5", "517"].contains(&code.as_ref()))
}
