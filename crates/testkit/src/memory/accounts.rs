//! Users and their accounts, and revocations.

use std::ops::Bound;

use async_trait::async_trait;
use taskhold_domain::account::{Email, PasswordHash};
use taskhold_domain::revocation::{MAX_PROPAGATION, Revocation};
use taskhold_domain::session::Session;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::{User, UserId};
use taskhold_repository::error::StoreError;
use taskhold_repository::revocations::{RevocationRepository, SubjectHash};
use taskhold_repository::users::UserRepository;

use super::{MemoryStore, Rows, purge};

impl Rows {
    /// Creates the user, without an account, unless the user exists.
    pub(super) fn ensure_user_exists(
        &mut self,
        id: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.users.contains_key(id) {
            return Ok(());
        }
        let revocation = self.revocations.get(&SubjectHash::of(id));
        let recent = now.saturating_sub(MAX_PROPAGATION);
        if revocation.is_some_and(|revocation| revocation.not_before > recent) {
            return Err(StoreError::UnknownOwner);
        }
        self.users.insert(id.clone(), user_without_account(id, now));
        Ok(())
    }

    /// Returns the user if the user is active and has this password.
    pub(super) fn verify_password(
        &mut self,
        id: &UserId,
        password: &PasswordHash,
    ) -> Option<&mut User> {
        let user = self.users.get_mut(id)?;
        (user.is_active && user.password.as_ref() == Some(password)).then_some(user)
    }

    fn by_email(&self, email: &Email) -> Option<&User> {
        let key = email.key();
        let has_it = |user: &&User| user.email.as_ref().map(Email::key).as_ref() == Some(&key);
        self.users.values().find(has_it)
    }

    /// Replaces the revocation of the same tokens.
    fn replace_revocation(&mut self, revocation: &Revocation) {
        for subject in SubjectHash::all_of(revocation) {
            self.revocations.insert(subject, revocation.clone());
        }
    }

    /// Adds a revocation unless there is a stricter one of the same tokens.
    pub(super) fn add_revocation(&mut self, revocation: &Revocation) {
        for subject in SubjectHash::all_of(revocation) {
            let before = self.revocations.get(&subject);
            if before.is_none_or(|before| before.not_before <= revocation.not_before) {
                self.revocations.insert(subject, revocation.clone());
            }
        }
    }
}

pub(super) fn user_without_account(id: &UserId, now: Timestamp) -> User {
    User {
        id: id.clone(),
        email: None,
        name: None,
        password: None,
        is_active: true,
        created_at: now,
    }
}

#[async_trait]
impl UserRepository for MemoryStore {
    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(self.rows().users.get(id).cloned())
    }

    async fn has_moved(&self, _: &UserId) -> Result<bool, StoreError> {
        // Users move between databases.
        Ok(false)
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError> {
        Ok(self.rows().by_email(email).cloned())
    }

    async fn list(&self, after: Option<&UserId>, most: u32) -> Result<Vec<User>, StoreError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows();
        let users = rows.users.range::<UserId, _>((start, Bound::Unbounded));
        Ok(users
            .map(|(_, user)| user.clone())
            .take(most as usize)
            .collect())
    }

    async fn register(&self, user: &User, session: &Session) -> Result<(), StoreError> {
        let mut rows = self.rows();
        let email = user.email.as_ref();
        if rows.users.contains_key(&user.id)
            || email.is_some_and(|email| rows.by_email(email).is_some())
            || rows.sessions.contains_key(&session.token)
        {
            return Err(StoreError::Duplicate);
        }
        rows.users.insert(user.id.clone(), user.clone());
        rows.start(session);
        Ok(())
    }

    async fn set_password(
        &self,
        password: &PasswordHash,
        revocation: &Revocation,
    ) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(user) = rows.users.get_mut(&revocation.user) else {
            return Ok(false);
        };
        user.password = Some(password.clone());
        let ended = rows.end_all(&revocation.user);
        rows.revoke(revocation.clone(), &ended);
        Ok(true)
    }

    async fn change_password(
        &self,
        verified: &PasswordHash,
        password: &PasswordHash,
        revocation: &Revocation,
        session: &Session,
        revoke_tokens: bool,
    ) -> Result<Option<Revocation>, StoreError> {
        let mut rows = self.rows();
        let Some(user) = rows.verify_password(&revocation.user, verified) else {
            return Ok(None);
        };
        user.password = Some(password.clone());
        let ended = rows.end_all(&revocation.user);
        let revocation = rows.revoke(revocation.clone(), &ended);
        if revoke_tokens {
            rows.revoke_tokens(&revocation.user);
        }
        rows.start(session);
        Ok(Some(revocation))
    }

    async fn rehash(
        &self,
        id: &UserId,
        outdated: &PasswordHash,
        password: &PasswordHash,
    ) -> Result<(), StoreError> {
        if let Some(user) = self.rows().users.get_mut(id)
            && user.password.as_ref() == Some(outdated)
        {
            user.password = Some(password.clone());
        }
        Ok(())
    }

    async fn set_active(
        &self,
        is_active: bool,
        revocation: &Revocation,
    ) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(user) = rows.users.get_mut(&revocation.user) else {
            return Ok(false);
        };
        user.is_active = is_active;
        rows.end_all(&revocation.user);
        rows.revoke_tokens(&revocation.user);
        rows.replace_revocation(revocation);
        Ok(true)
    }

    async fn remove_moved(&self, revocation: &Revocation) -> Result<bool, StoreError> {
        self.remove(revocation).await
    }

    async fn remove(&self, revocation: &Revocation) -> Result<bool, StoreError> {
        let id = &revocation.user;
        let mut rows = self.rows();
        rows.tasks.retain(|_, task| task.owner != *id);
        rows.keys.retain(|(owner, _), _| owner != id);
        rows.delete_imports_of(id);
        rows.delete_log_of(id);
        rows.end_all(id);
        rows.revoke_tokens(id);
        rows.replace_revocation(revocation);
        Ok(rows.users.remove(id).is_some())
    }
}

#[async_trait]
impl RevocationRepository for MemoryStore {
    async fn current(&self) -> Result<Vec<(SubjectHash, Timestamp)>, StoreError> {
        let rows = self.rows();
        let users = rows.revocations.iter();
        let users = users.map(|(subject, revocation)| (*subject, revocation.not_before));
        let everybody = rows.everybody.map(|time| (SubjectHash::EVERYBODY, time));
        Ok(users.chain(everybody).collect())
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let rows = &mut *self.rows();
        let is_old = |revocation: &Revocation| revocation.not_before < time;
        let old = rows.revocations.values().filter(|row| is_old(row));
        let last = old.take(most as usize).map(|row| row.not_before).max();
        rows.everybody = rows.everybody.max(last);
        Ok(purge(&mut rows.revocations, most, is_old))
    }
}
