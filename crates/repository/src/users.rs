//! The port for users and their accounts.

use async_trait::async_trait;
use taskhold_domain::account::{Email, PasswordHash};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::Session;
use taskhold_domain::user::{User, UserId};

use crate::error::StoreError;

/// The people who own tasks.
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// The user of this id.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// The user of this e-mail address, compared by its [key](Email::key).
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError>;

    /// At most `most` users, by id, after this one.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn list(&self, after: Option<&UserId>, most: u32) -> Result<Vec<User>, StoreError>;

    /// Keeps a new user with a first session. Of several with one e-mail address at once, one is kept.
    ///
    /// # Errors
    /// [`StoreError`]: `Duplicate` where the id or the e-mail address is taken; `Unavailable`,
    /// `OutcomeUnknown`, `Defect`.
    async fn register(&self, user: &User, session: &Session) -> Result<(), StoreError>;

    /// Gives the user of the revocation another password, and in the same step ends every session and
    /// every token from before. Whether there is such a user.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn set_password(
        &self,
        password: &PasswordHash,
        revocation: &Revocation,
    ) -> Result<bool, StoreError>;

    /// Gives the user of the revocation another password where theirs is still the one that was
    /// `verified` and they are not kept out; in the same step ends every session and every token from
    /// before, and keeps a new session. Whether it was so: of several changes of one password at once,
    /// one is made.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn change_password(
        &self,
        verified: &PasswordHash,
        password: &PasswordHash,
        revocation: &Revocation,
        session: &Session,
    ) -> Result<bool, StoreError>;

    /// Puts a new hash of the same password in the place of `outdated`, if that is still there.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn rehash(
        &self,
        id: &UserId,
        outdated: &PasswordHash,
        password: &PasswordHash,
    ) -> Result<(), StoreError>;

    /// Lets the user of the revocation in again (`true`), or in the same step ends every session and
    /// token and keeps the user out. The revocation replaces the one before. Whether there is such a
    /// user.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn set_active(
        &self,
        is_active: bool,
        revocation: &Revocation,
    ) -> Result<bool, StoreError>;

    /// Removes the user of the revocation with all that is theirs, and keeps the revocation in the place
    /// of the one before, in one step. Whether there was one; the revocation is kept either way.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn remove(&self, revocation: &Revocation) -> Result<bool, StoreError>;
}
