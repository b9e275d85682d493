//! The use cases of personal access tokens, and their verification.

mod cache;
mod secret;

use std::net::IpAddr;
use std::sync::Arc;

use taskhold_domain::personal_token::{PersonalToken, TokenDraft};
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::personal_tokens::PersonalTokenRepository;
use uuid::Uuid;

pub use self::cache::MAX_AGE;
use self::cache::TokenCache;
pub use self::secret::TokenSecret;
use crate::clock::Clock;
use crate::ids::Ids;
use crate::security_log::Event;
use crate::tokens::{Identity, InvalidToken, Refusal};

/// The personal access tokens of all users.
pub struct PersonalTokens {
    store: Arc<dyn PersonalTokenRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    cache: TokenCache,
}

/// The reason that a personal access token is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token is not valid.
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The reason that no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The user has as many tokens as allowed, or is deactivated.
    #[error("the user has too many personal access tokens")]
    TooMany,
    /// The system has no random numbers.
    #[error("cannot make a random token")]
    NoRandomness(#[source] getrandom::Error),
    /// The store failed: `UnknownOwner` if the user was deleted a moment ago.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PersonalTokens {
    /// Creates the use cases on their ports.
    #[must_use]
    pub fn new(
        store: Arc<dyn PersonalTokenRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self {
            store,
            clock,
            ids,
            cache: TokenCache::default(),
        }
    }

    /// Issues a token for a user, and returns it with its secret, which is not stored.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn issue(
        &self,
        user: &UserId,
        draft: TokenDraft,
        address: IpAddr,
    ) -> Result<(PersonalToken, TokenSecret), IssueError> {
        let secret = TokenSecret::random().map_err(IssueError::NoRandomness)?;
        let now = self.clock.now();
        let token = PersonalToken {
            id: self.ids.next(),
            user: user.clone(),
            hash: secret.hash(),
            name: draft.name,
            scopes: draft.scopes,
            created_at: now,
            expires_at: draft.lifetime.map(|days| days.after(now)),
            last_used_at: None,
        };
        if !self.store.add(&token).await? {
            return Err(IssueError::TooMany);
        }
        Event::PersonalTokenIssued.log("personal_token", Some(user), address);
        Ok((token, secret))
    }

    /// Returns the tokens of a user that have not expired, the latest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, user: &UserId) -> Result<Vec<PersonalToken>, StoreError> {
        self.store.list(user, self.clock.now()).await
    }

    /// Revokes a token, and returns whether the user had it. Other instances accept it for at most [`MAX_AGE`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke(
        &self,
        user: &UserId,
        id: Uuid,
        address: IpAddr,
    ) -> Result<bool, StoreError> {
        let Some(hash) = self.store.remove(user, id).await? else {
            return Ok(false);
        };
        self.cache.remove(hash);
        Event::PersonalTokenRevoked.log("personal_token", Some(user), address);
        Ok(true)
    }

    /// Drops the tokens of a user from the cache, after they were deleted in the store.
    pub(crate) fn forget(&self, user: &UserId) {
        self.cache.remove_all_of(user);
    }

    /// Returns what a valid token says. Asks the store about a token once in [`MAX_AGE`].
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn verify(&self, secret: &TokenSecret) -> Result<Identity, TokenError> {
        if !secret.is_well_formed() {
            return Err(InvalidToken::from(Refusal::Malformed).into());
        }
        let hash = secret.hash();
        if let Some(token) = self.cache.find(hash) {
            return self.identity_of(token);
        }
        let found = self.store.find(hash).await?;
        let token = Arc::new(found.ok_or(InvalidToken::from(Refusal::Unknown))?);
        self.cache.insert(Arc::clone(&token));
        self.record_use(&token).await;
        self.identity_of(token)
    }

    fn identity_of(&self, token: Arc<PersonalToken>) -> Result<Identity, TokenError> {
        if token.has_expired(self.clock.now()) {
            let user = Some(token.user.clone());
            let reason = Refusal::Expired;
            return Err(InvalidToken { reason, user }.into());
        }
        Ok(Identity {
            user: token.user.clone(),
            issued: Some(token.created_at),
            session: None,
            expires: token.expires_at,
            personal_token: Some(token),
        })
    }

    /// Returns whether a token that was verified before is still valid.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn admits(&self, token: &PersonalToken) -> Result<bool, StoreError> {
        if token.has_expired(self.clock.now()) {
            return Ok(false);
        }
        if self.cache.find(token.hash).is_some() {
            return Ok(true);
        }
        let found = self.store.find(token.hash).await?;
        let is_valid = found.is_some();
        if let Some(token) = found {
            self.cache.insert(Arc::new(token));
        }
        Ok(is_valid)
    }

    /// Records the first use of the day. A failure does not keep the request from being served.
    async fn record_use(&self, token: &PersonalToken) {
        let today = self.clock.now().start_of_utc_day();
        if token.last_used_at.is_some_and(|day| day >= today) {
            return;
        }
        if let Err(error) = self.store.record_use(token.id, today).await {
            tracing::warn!(%error, "the use of a personal access token was not recorded");
        }
    }
}
