//! What an operator can do with people's accounts.

use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::account::{Email, Password};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::user::{User, UserId};
use taskhold_repository::users::UserRepository;

use crate::accounts::AccountError;
use crate::clock::Clock;
use crate::passwords::PasswordHasher;

/// How many users are read at once.
const PAGE: u32 = 500;

/// The accounts of everybody. What it changes takes effect on every running instance within
/// [`MAX_PROPAGATION`](taskhold_domain::revocation::MAX_PROPAGATION).
pub struct Administration {
    /// The users port.
    pub users: Arc<dyn UserRepository>,
    /// Hashes passwords.
    pub passwords: Arc<dyn PasswordHasher>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The longest that any token lives which the service takes.
    pub max_token_lifetime: Duration,
}

impl Administration {
    /// Shows every user, by id.
    ///
    /// # Errors
    /// [`AccountError`]: those of the store.
    pub async fn each(&self, mut show: impl FnMut(&User)) -> Result<(), AccountError> {
        let mut last = None;
        loop {
            let page = self.users.list(last.as_ref(), PAGE).await?;
            page.iter().for_each(&mut show);
            match page.last() {
                Some(user) if page.len() >= PAGE as usize => last = Some(user.id.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// The user of this id or, where there is none, of this e-mail address. Ids of another service may
    /// look like addresses, and can only be named in this way.
    ///
    /// # Errors
    /// [`AccountError`]: `NotFound`, and those of the store.
    pub async fn find(&self, id_or_email: &str) -> Result<User, AccountError> {
        if let Ok(id) = UserId::parse(id_or_email)
            && let Some(user) = self.users.find(&id).await?
        {
            return Ok(user);
        }
        let email = Email::parse(id_or_email).map_err(|_| AccountError::NotFound)?;
        let user = self.users.find_by_email(&email).await?;
        user.ok_or(AccountError::NotFound)
    }

    /// Keeps a user out: no token of theirs counts, whoever issued it and when.
    ///
    /// # Errors
    /// [`AccountError`]: `NotFound`, and those of the store.
    pub async fn deactivate(&self, user: &UserId) -> Result<(), AccountError> {
        let revocation = Revocation::permanent(user);
        found(self.users.set_active(false, &revocation).await?)
    }

    /// Lets a user in again, with tokens that are issued from now on.
    ///
    /// # Errors
    /// [`AccountError`]: `NotFound`, and those of the store.
    pub async fn activate(&self, user: &UserId) -> Result<(), AccountError> {
        found(self.users.set_active(true, &self.since_now(user)).await?)
    }

    /// Deletes a user with all that is theirs.
    ///
    /// # Errors
    /// [`AccountError`]: `NotFound`, and those of the store.
    pub async fn delete(&self, user: &UserId) -> Result<(), AccountError> {
        found(self.users.remove(&self.since_now(user)).await?)
    }

    /// Gives a user who forgot theirs another password, and ends every session.
    ///
    /// # Errors
    /// [`AccountError`]: `NotFound`, `NoPassword` where the user has no e-mail address to log in with,
    /// and those of the store.
    pub async fn set_password(&self, user: &User, password: &Password) -> Result<(), AccountError> {
        if user.email.is_none() {
            return Err(AccountError::NoPassword);
        }
        let hash = self.passwords.hash(password).await?;
        found(
            self.users
                .set_password(&hash, &self.since_now(&user.id))
                .await?,
        )
    }

    fn since_now(&self, user: &UserId) -> Revocation {
        Revocation::issued_before(user, self.clock.now(), self.max_token_lifetime)
    }
}

fn found(found: bool) -> Result<(), AccountError> {
    if found {
        Ok(())
    } else {
        Err(AccountError::NotFound)
    }
}
