//! The port for sessions: refresh tokens, each good for one use.

use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::account::PasswordHash;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Ending, PresentedToken, Rotation, Session, Successor};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;

/// The sessions of all users.
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Stores a new session if the user is active and the password is still the `verified` one, and returns
    /// whether it did. If the user then has more than
    /// [`MAX_PER_USER`](taskhold_domain::session::MAX_PER_USER) sessions, those that were not refreshed for the
    /// longest time end.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn start(&self, session: &Session, verified: &PasswordHash) -> Result<bool, StoreError>;

    /// Uses up a refresh token and stores its successor, atomically. Exactly one of several concurrent uses
    /// succeeds; each of the others ends the family. Ending the family also revokes all access tokens that its
    /// user was issued with a token of the family, for `max_token_lifetime`.
    ///
    /// Of a token that proves its family, only the current and the last one keep a row.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn rotate(
        &self,
        token: PresentedToken,
        successor: &Successor,
        max_token_lifetime: Duration,
    ) -> Result<Rotation, StoreError>;

    /// Returns the sessions of a user that are valid at `now`: their current tokens, the latest first.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Ends sessions of the user of the revocation and stores the revocation, atomically. Returns the
    /// revocation as it was stored: its time is later than that of every access token that was issued with a
    /// token of these sessions. Stores nothing and returns `None` if the user has no session of a family.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn end(
        &self,
        ending: Ending,
        revocation: &Revocation,
    ) -> Result<Option<Revocation>, StoreError>;

    /// Ends the session that a token belongs to, whether it was used or not, and revokes the access tokens of the
    /// session for `max_token_lifetime` from `now`, atomically. Returns the revocation as [`end`](Self::end) does;
    /// `None` if there is no such session.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn end_of_token(
        &self,
        token: PresentedToken,
        now: Timestamp,
        max_token_lifetime: Duration,
    ) -> Result<Option<Revocation>, StoreError>;

    /// Deletes at most `most` tokens that expired before `time`, and returns their number.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}
