//! The port for users and their accounts.

use std::fmt;

use async_trait::async_trait;
use taskhold_domain::account::{DisplayName, Email};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::error::StoreError;
use crate::revocations::Revocation;
use crate::sessions::Session;

/// A person who owns tasks. Who is known by the tokens of another service only has neither an
/// e-mail address nor a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The `sub` of the person's tokens.
    pub id: UserId,
    /// How the person logs in.
    pub email: Option<Email>,
    /// What the person wants to be called.
    pub name: Option<DisplayName>,
    /// Of the password with which the person logs in.
    pub password: Option<PasswordHash>,
    /// Whether the person may do anything at all.
    pub is_active: bool,
    /// When the store first heard of the person.
    pub created_at: Timestamp,
}

/// What is stored of a password. Only who hashes passwords knows what it means.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// The text is no hash of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password hash is a PHC string, which starts with a $")]
pub struct PasswordHashError;

impl PasswordHash {
    /// Takes a PHC string, such as `$argon2id$v=19$…`.
    ///
    /// # Errors
    /// [`PasswordHashError`].
    pub fn parse(raw: impl Into<String>) -> Result<Self, PasswordHashError> {
        let raw = raw.into();
        if raw.starts_with('$') {
            Ok(Self(raw))
        } else {
            Err(PasswordHashError)
        }
    }

    /// The text to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    /// Who has a hash can guess at its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

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
