//! The tokens that were read a moment ago.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use taskhold_domain::personal_token::PersonalToken;
use taskhold_domain::session::TokenHash;
use taskhold_domain::user::UserId;
use tokio::time::Instant;

/// The longest time for which the store is not asked about a token, and so for which another instance accepts a
/// revoked one.
pub const MAX_AGE: Duration = Duration::from_secs(15);

/// The most tokens that are cached, so that a cache has some megabytes at most.
const MAX_TOKENS: usize = 10_000;

/// Valid tokens by their digests, so that not every request queries the store. Unknown tokens are not cached.
#[derive(Default)]
pub(super) struct TokenCache {
    tokens: RwLock<BTreeMap<TokenHash, CachedToken>>,
}

struct CachedToken {
    token: Arc<PersonalToken>,
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
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let cached = tokens.get(&hash).filter(|cached| cached.is_fresh())?;
        Some(Arc::clone(&cached.token))
    }

    /// Adds a token that was just read.
    pub(super) fn insert(&self, token: Arc<PersonalToken>) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MAX_TOKENS {
            tokens.retain(|_, cached| cached.is_fresh());
        }
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        let read_at = Instant::now();
        tokens.insert(token.hash, CachedToken { token, read_at });
    }

    pub(super) fn remove(&self, hash: TokenHash) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.remove(&hash);
    }

    pub(super) fn remove_all_of(&self, user: &UserId) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, cached| cached.token.user != *user);
    }
}
