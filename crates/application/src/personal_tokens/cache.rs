//! The tokens that were read a moment ago.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use taskhold_domain::personal_token::PersonalToken;
use taskhold_domain::session::TokenHash;
use tokio::time::Instant;

/// The longest time for which the store is not asked about a token, and so for which another instance accepts a
/// revoked one.
pub const MAX_AGE: Duration = Duration::from_secs(15);

/// The most tokens that are cached, so that a cache has some megabytes at most.
const MAX_TOKENS: usize = 10_000;

/// Valid tokens by their digests, so that not every request queries the store. Unknown tokens are not cached.
#[derive(Default)]
pub(super) struct TokenCache {
    cached: RwLock<Cached>,
}

#[derive(Default)]
struct Cached {
    tokens: BTreeMap<TokenHash, CachedToken>,
    /// The number of removals so far.
    removals: u64,
}

/// A token that is being read from the store.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    begun_at: Instant,
    removals: u64,
}

struct CachedToken {
    token: Arc<PersonalToken>,
    /// The time at which the store was asked.
    read_at: Instant,
}

impl CachedToken {
    fn is_fresh(&self) -> bool {
        self.read_at.elapsed() < MAX_AGE
    }
}

impl TokenCache {
    /// Returns a token that was read within [`MAX_AGE`].
    pub(super) fn find(&self, hash: TokenHash) -> Option<Arc<PersonalToken>> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        let found = cached
            .tokens
            .get(&hash)
            .filter(|cached| cached.is_fresh())?;
        Some(Arc::clone(&found.token))
    }

    /// Begins to read a token from the store.
    pub(super) fn begin(&self) -> Reading {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        Reading {
            begun_at: Instant::now(),
            removals: cached.removals,
        }
    }

    /// Adds a token that was read, unless there was a removal meanwhile: it may have been that of this token.
    pub(super) fn insert(&self, token: Arc<PersonalToken>, reading: Reading) {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        if cached.removals != reading.removals {
            return;
        }
        if cached.tokens.len() >= MAX_TOKENS {
            cached.tokens.retain(|_, cached| cached.is_fresh());
        }
        if cached.tokens.len() >= MAX_TOKENS {
            cached.tokens.clear();
        }
        let read_at = reading.begun_at;
        cached
            .tokens
            .insert(token.hash, CachedToken { token, read_at });
    }

    /// Removes tokens that are no longer in the store.
    pub(super) fn remove(&self, is_gone: impl Fn(&PersonalToken) -> bool) {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        cached.removals += 1;
        cached.tokens.retain(|_, cached| !is_gone(&cached.token));
    }
}

#[cfg(test)]
mod tests {
    use taskhold_domain::personal_token::{Scopes, TokenName};
    use taskhold_domain::timestamp::Timestamp;
    use taskhold_domain::user::UserId;
    use uuid::Uuid;

    use super::*;

    fn token() -> Arc<PersonalToken> {
        Arc::new(PersonalToken {
            id: Uuid::from_u128(1),
            user: UserId::parse("anna").unwrap(),
            hash: TokenHash([7; 32]),
            name: TokenName::parse("laptop").unwrap(),
            scopes: Scopes::parse(["tasks:read"]).unwrap(),
            created_at: Timestamp::FIRST,
            expires_at: None,
            last_used_at: None,
        })
    }

    #[test]
    fn token_that_was_read_before_its_removal_is_not_added() {
        let (cache, token) = (TokenCache::default(), token());
        let before = cache.begin();
        cache.remove(|removed| removed.id == token.id);
        cache.insert(Arc::clone(&token), before);
        assert!(cache.find(token.hash).is_none());
        cache.insert(Arc::clone(&token), cache.begin());
        assert!(cache.find(token.hash).is_some());
        cache.remove(|removed| removed.user.as_str() == "ben");
        assert!(cache.find(token.hash).is_some());
        cache.remove(|removed| removed.user == token.user);
        assert!(cache.find(token.hash).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn token_is_read_again_after_its_age() {
        let (cache, token) = (TokenCache::default(), token());
        cache.insert(Arc::clone(&token), cache.begin());
        tokio::time::advance(MAX_AGE.saturating_sub(Duration::from_millis(1))).await;
        assert!(cache.find(token.hash).is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(cache.find(token.hash).is_none());
    }
}
