//! The port for users and their accounts.

use async_trait::async_trait;
use taskhold_domain::account::{Email, PasswordHash};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::Session;
use taskhold_domain::user::{User, UserId};

use crate::error::StoreError;

/// The users and their accounts.
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// Returns the user of this id.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// Returns whether the user was moved to another store, or is being moved into this one and has not arrived. The
    /// store then refuses every write of the user's tasks and sessions as `UserMoved`.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn has_moved(&self, id: &UserId) -> Result<bool, StoreError>;

    /// Returns the user of this e-mail address, compared by its [key](Email::key).
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError>;

    /// Returns at most `most` users after this one, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn list(&self, after: Option<&UserId>, most: u32) -> Result<Vec<User>, StoreError>;

    /// Stores a new user with a first session. Of concurrent registrations of one e-mail address, one
    /// succeeds.
    ///
    /// # Errors
    /// [`StoreError`]: `Duplicate` if the id or the e-mail address is taken; `Unavailable`,
    /// `OutcomeUnknown`, `Defect`.
    async fn register(&self, user: &User, session: &Session) -> Result<(), StoreError>;

    /// Sets the password of the revocation's user, ends every session and stores the revocation, atomically.
    /// Returns whether the user exists.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn set_password(
        &self,
        password: &PasswordHash,
        revocation: &Revocation,
    ) -> Result<bool, StoreError>;

    /// Sets the password of the revocation's user if the user is active and the password is still the
    /// `verified` one; ends every session, stores the revocation and a new session, atomically. Returns the
    /// revocation as it was stored, or `None` if it did not: of concurrent changes of one password, one succeeds.
    /// The time of the stored revocation is later than that of every access token that was issued with a token of
    /// the sessions. The user's personal access tokens stay, unless `revoke_tokens`.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn change_password(
        &self,
        verified: &PasswordHash,
        password: &PasswordHash,
        revocation: &Revocation,
        session: &Session,
        revoke_tokens: bool,
    ) -> Result<Option<Revocation>, StoreError>;

    /// Replaces the hash `outdated` by a new one of the same password, unless the password has changed.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn rehash(
        &self,
        id: &UserId,
        outdated: &PasswordHash,
        password: &PasswordHash,
    ) -> Result<(), StoreError>;

    /// Activates or deactivates the revocation's user, ends every session and personal access token and replaces the
    /// user's revocation, atomically. Returns whether the user exists.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn set_active(
        &self,
        is_active: bool,
        revocation: &Revocation,
    ) -> Result<bool, StoreError>;

    /// Removes the revocation's user with all of the user's data and replaces the user's revocation,
    /// atomically. Returns whether the user existed; the revocation is stored either way.
    ///
    /// # Errors
    /// [`StoreError`]: `UserMoved`, `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn remove(&self, revocation: &Revocation) -> Result<bool, StoreError>;

    /// Removes what a user who was moved to another store has left in this one, as [`remove`](Self::remove) does.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn remove_moved(&self, revocation: &Revocation) -> Result<bool, StoreError>;
}
