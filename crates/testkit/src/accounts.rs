//! The use cases of accounts in memory, with tokens and passwords that cost nothing.

use std::sync::Arc;
use std::time::Duration;

use taskhold_application::accounts::{AccountService, DeviceTokens, Lifetimes};
use taskhold_application::authentication::Authenticator;
use taskhold_application::clock::Clock;
use taskhold_application::ids::Ids;
use taskhold_application::personal_tokens::PersonalTokens;
use taskhold_application::rate_limits::{RateLimiter, RateLimits};
use taskhold_application::revocations::Revocations;

use crate::memory::MemoryStore;
use crate::passwords::PlainPasswords;
use crate::tokens::PlainTokens;

/// Returns the use cases of accounts on a store, and what verifies their tokens.
#[must_use]
pub fn accounts(
    store: &MemoryStore,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    allowed: RateLimits,
) -> (AccountService, Authenticator) {
    let store = Arc::new(store.clone());
    let tokens = Arc::new(PlainTokens);
    let revocations = Arc::new(Revocations::new(store.clone(), clock.clone()));
    let personal_tokens = PersonalTokens::new(store.clone(), clock.clone(), ids.clone());
    let personal_tokens = Arc::new(personal_tokens);
    let accounts = AccountService {
        users: store.clone(),
        sessions: store.clone(),
        passwords: Arc::new(PlainPasswords),
        tokens: tokens.clone(),
        revocations: revocations.clone(),
        personal_tokens: personal_tokens.clone(),
        devices: DeviceTokens::new([7; 32], None),
        limits: RateLimiter::new(store, [7; 32], allowed),
        clock,
        ids,
        lifetimes: Lifetimes {
            refresh_token: Duration::from_hours(24),
            session: Duration::from_hours(240),
            max_token_lifetime: Duration::from_hours(24),
        },
        registration: true,
    };
    let authenticator = Authenticator {
        tokens,
        revocations,
        personal_tokens,
        users: accounts.users.clone(),
    };
    (accounts, authenticator)
}
