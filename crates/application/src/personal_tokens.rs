//! The use cases of personal access tokens, and their verification.

mod cache;
mod secret;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::personal_token::{PersonalToken, TokenDraft};
use taskhold_domain::session::TokenHash;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::personal_tokens::{PersonalTokenRepository, TokenAddition};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub use self::cache::MAX_AGE;
use self::cache::TokenCache;
pub use self::secret::TokenSecret;
use crate::clock::Clock;
use crate::ids::Ids;
use crate::security_log::Event;
use crate::tokens::{AuthenticationError, Identity, InvalidToken, Refusal};

/// The most tokens that are read from the store at once. Anybody can invent tokens with the right checksum, and must not
/// take the store's connections with them.
const MAX_READS: usize = 16;

/// The longest that a request waits until its token is read.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The longest that a request waits until the use of its token is recorded.
const RECORD_TIMEOUT: Duration = Duration::from_secs(1);

/// The personal access tokens of all users.
pub struct PersonalTokens {
    store: Arc<dyn PersonalTokenRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    cache: TokenCache,
    reads: Semaphore,
}

/// The reason that no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The user has as many tokens as allowed.
    #[error("the user has too many personal access tokens")]
    TooMany,
    /// The user is deactivated.
    #[error("the user is deactivated")]
    Inactive,
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
            reads: Semaphore::new(MAX_READS),
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
        match self.store.add(&token).await? {
            TokenAddition::Added => {
                Event::PersonalTokenIssued.log("personal_token", Some(user), address);
                Ok((token, secret))
            }
            TokenAddition::TooMany => Err(IssueError::TooMany),
            TokenAddition::Inactive => Err(IssueError::Inactive),
        }
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
        let was_theirs = self.store.remove(user, id).await?;
        if was_theirs {
            self.cache.remove(|token| token.id == id);
            Event::PersonalTokenRevoked.log("personal_token", Some(user), address);
        }
        Ok(was_theirs)
    }

    /// Drops the tokens of a user from the cache, after they were deleted in the store.
    pub(crate) fn evict(&self, user: &UserId) {
        self.cache.remove(|token| token.user == *user);
    }

    /// Returns what a valid token says. Asks the store about a token once in [`MAX_AGE`].
    ///
    /// # Errors
    /// [`AuthenticationError`]: `Invalid`, `Store`.
    pub(crate) async fn verify(
        &self,
        secret: &TokenSecret,
    ) -> Result<Identity, AuthenticationError> {
        let hash = secret.hash();
        if let Some(token) = self.cache.find(hash) {
            return self.identity_of(token);
        }
        if !secret.is_well_formed() {
            return Err(InvalidToken::from(Refusal::Malformed).into());
        }
        let token = self.read(hash).await?;
        let token = token.ok_or(InvalidToken::from(Refusal::Unknown))?;
        let identity = self.identity_of(Arc::clone(&token))?;
        self.record_use(&token).await;
        Ok(identity)
    }

    fn identity_of(&self, token: Arc<PersonalToken>) -> Result<Identity, AuthenticationError> {
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
        Ok(self.cache.find(token.hash).is_some() || self.read(token.hash).await?.is_some())
    }

    /// Reads a token from the store, and remembers it unless one was revoked here meanwhile.
    async fn read(&self, hash: TokenHash) -> Result<Option<Arc<PersonalToken>>, StoreError> {
        let permit = tokio::time::timeout(MAX_WAIT, self.reads.acquire()).await;
        let _permit = permit.map_err(|_| StoreError::Busy)?;
        let reading = self.cache.begin();
        let found = self.store.find(hash).await?.map(Arc::new);
        if let Some(token) = &found {
            self.cache.insert(Arc::clone(token), reading);
        }
        Ok(found)
    }

    /// Records the first use of the day. The request waits for that a moment at most, and is served if it fails: the
    /// store may take no writes.
    async fn record_use(&self, token: &PersonalToken) {
        let today = self.clock.now().start_of_utc_day();
        if token.last_used_at.is_some_and(|day| day >= today) {
            return;
        }
        let recorded = self.store.record_use(token.id, today);
        let error = match tokio::time::timeout(RECORD_TIMEOUT, recorded).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        tracing::warn!(error, "the use of a personal access token was not recorded");
    }
}
