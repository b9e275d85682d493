//! Personal access tokens.

use std::cmp::Reverse;

use async_trait::async_trait;
use taskhold_domain::personal_token::{MAX_PER_USER, PersonalToken};
use taskhold_domain::session::TokenHash;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::personal_tokens::{PersonalTokenRepository, TokenAddition};
use uuid::Uuid;

use super::{MemoryStore, Rows, purge};

impl Rows {
    pub(super) fn revoke_tokens(&mut self, user: &UserId) {
        self.personal_tokens.retain(|_, token| token.user != *user);
    }

    fn valid_tokens(&self, user: &UserId, now: Timestamp) -> impl Iterator<Item = &PersonalToken> {
        let tokens = self.personal_tokens.values();
        tokens.filter(move |token| token.user == *user && !token.has_expired(now))
    }

    fn is_active(&self, user: &UserId) -> bool {
        self.users.get(user).is_some_and(|user| user.is_active)
    }
}

#[async_trait]
impl PersonalTokenRepository for MemoryStore {
    async fn add(&self, token: &PersonalToken) -> Result<TokenAddition, StoreError> {
        let mut rows = self.rows();
        rows.ensure_user_exists(&token.user, token.created_at)?;
        let theirs = rows.valid_tokens(&token.user, token.created_at).count();
        if !rows.is_active(&token.user) {
            return Ok(TokenAddition::Inactive);
        }
        if theirs as u64 >= MAX_PER_USER {
            return Ok(TokenAddition::TooMany);
        }
        rows.personal_tokens.insert(token.id, token.clone());
        Ok(TokenAddition::Added)
    }

    async fn find(&self, hash: TokenHash) -> Result<Option<PersonalToken>, StoreError> {
        let rows = self.rows();
        let found = rows
            .personal_tokens
            .values()
            .find(|token| token.hash == hash);
        Ok(found.filter(|token| rows.is_active(&token.user)).cloned())
    }

    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<PersonalToken>, StoreError> {
        let mut theirs: Vec<_> = self.rows().valid_tokens(user, now).cloned().collect();
        theirs.sort_by_key(|token| Reverse((token.created_at, token.id)));
        Ok(theirs)
    }

    async fn record_use(&self, id: Uuid, day: Timestamp) -> Result<(), StoreError> {
        if let Some(token) = self.rows().personal_tokens.get_mut(&id) {
            token.last_used_at = token.last_used_at.max(Some(day));
        }
        Ok(())
    }

    async fn remove(&self, user: &UserId, id: Uuid) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let is_theirs = rows
            .personal_tokens
            .get(&id)
            .is_some_and(|token| token.user == *user);
        if is_theirs {
            rows.personal_tokens.remove(&id);
        }
        Ok(is_theirs)
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let rows = &mut *self.rows();
        let is_old = |token: &PersonalToken| token.expires_at.is_some_and(|end| end < time);
        Ok(purge(&mut rows.personal_tokens, most, is_old))
    }
}
