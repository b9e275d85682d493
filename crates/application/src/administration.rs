//! The use cases of operators: administration of accounts.

use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::account::{Email, Password};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::user::{User, UserId};
use taskhold_repository::error::StoreError;
use taskhold_repository::users::UserRepository;

use crate::accounts::AccountError;
use crate::clock::Clock;
use crate::passwords::{HashRequest, PasswordHasher};

/// The number of users that are read at once.
const PAGE: u32 = 500;

/// Marks a name as an id, where an address could be meant as well.
const ID: &str = "id:";
/// Marks a name as an e-mail address, where an id could be meant as well.
const EMAIL: &str = "email:";

/// The reason that no user was found by a name.
#[derive(Debug, thiserror::Error)]
pub enum FindUserError {
    /// No user has this id or e-mail address.
    #[error("no user has this id or e-mail address")]
    NotFound,
    /// The name could mean any of these users.
    #[error("several users could be meant")]
    Ambiguous(Vec<User>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The accounts of all users. Changes take effect on every running instance within
/// [`MAX_PROPAGATION`](taskhold_domain::revocation::MAX_PROPAGATION).
pub struct Administration {
    /// The users.
    pub users: Arc<dyn UserRepository>,
    /// The password hasher.
    pub passwords: Arc<dyn PasswordHasher>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The longest lifetime of a token that the service accepts.
    pub max_token_lifetime: Duration,
}

impl Administration {
    /// Calls `show` with every user, in the order of their ids.
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

    /// Returns the user of this id or e-mail address. `id:` or `email:` before it tells them apart, since ids of
    /// another service may look like addresses.
    ///
    /// # Errors
    /// [`FindUserError`].
    pub async fn find(&self, name: &str) -> Result<User, FindUserError> {
        let ids = [Some(name), name.strip_prefix(ID)].into_iter().flatten();
        let emails = [Some(name), name.strip_prefix(EMAIL)].into_iter().flatten();
        let mut found = Vec::new();
        for id in ids.filter_map(|id| UserId::parse(id).ok()) {
            found.extend(self.users.find(&id).await?);
        }
        for email in emails.filter_map(|email| Email::parse(email).ok()) {
            let user = self.users.find_by_email(&email).await?;
            found.extend(user.filter(|user| !found.iter().any(|other| other.id == user.id)));
        }
        match <[User; 1]>::try_from(found) {
            Ok([user]) => Ok(user),
            Err(found) if found.is_empty() => Err(FindUserError::NotFound),
            Err(found) => Err(FindUserError::Ambiguous(found)),
        }
    }

    /// Returns the id of a new user of this name, or `None` if the name is no id. A name with an `@` is one only
    /// with `id:` before it, because it is more likely the address of an account.
    #[must_use]
    pub fn new_id(name: &str) -> Option<UserId> {
        let id = match name.strip_prefix(ID) {
            Some(id) => id,
            None if name.contains('@') => return None,
            None => name,
        };
        UserId::parse(id).ok()
    }

    /// Deactivates a user: none of the user's tokens counts, whatever their issuer and time.
    ///
    /// # Errors
    /// [`AccountError`]: `NotFound`, and those of the store.
    pub async fn deactivate(&self, user: &UserId) -> Result<(), AccountError> {
        let revocation = Revocation::permanent(user);
        found(self.users.set_active(false, &revocation).await?)
    }

    /// Activates a user. Only tokens that are issued from now on count.
    ///
    /// # Errors
    /// [`AccountError`]: `NotFound`, and those of the store.
    pub async fn activate(&self, user: &UserId) -> Result<(), AccountError> {
        found(self.users.set_active(true, &self.revocation(user)).await?)
    }

    /// Deletes a user with all of the user's data, or what a user who was moved to another store has left.
    ///
    /// # Errors
    /// [`AccountError`]: `NotFound`, and those of the store.
    pub async fn delete(&self, user: &UserId) -> Result<(), AccountError> {
        let revocation = self.revocation(user);
        let removed = match self.users.remove(&revocation).await {
            Err(StoreError::UserMoved) => self.users.remove_moved(&revocation).await,
            removed => removed,
        };
        found(removed?)
    }

    /// Sets the password of a user, and ends every session.
    ///
    /// # Errors
    /// [`AccountError`]: `NotFound`, `NoPassword` if the user has no e-mail address to log in with,
    /// `UnsuitablePassword`, and those of the store.
    pub async fn set_password(&self, user: &User, password: &Password) -> Result<(), AccountError> {
        if user.email.is_none() {
            return Err(AccountError::NoPassword);
        }
        password.refuse_own_words(user.email.as_ref(), user.name.as_ref())?;
        let hash = self.passwords.hash(password, HashRequest::OPERATOR).await?;
        found(
            self.users
                .set_password(&hash, &self.revocation(&user.id))
                .await?,
        )
    }

    fn revocation(&self, user: &UserId) -> Revocation {
        Revocation::issued_before(user, self.clock.now(), self.max_token_lifetime)
    }
}

fn found(is_found: bool) -> Result<(), AccountError> {
    if is_found {
        Ok(())
    } else {
        Err(AccountError::NotFound)
    }
}
