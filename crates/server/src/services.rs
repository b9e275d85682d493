//! What is wired to what.

use std::sync::Arc;

use taskhold_api::Services;
use taskhold_api::metrics::Metrics;
use taskhold_application::accounts::{AccountService, Lifetimes};
use taskhold_application::administration::Administration;
use taskhold_application::clock::SystemClock;
use taskhold_application::housekeeping::Housekeeping;
use taskhold_application::ids::TimeOrderedIds;
use taskhold_application::rate_limits::RateLimiter;
use taskhold_application::readiness::Readiness;
use taskhold_application::revocations::Revocations;
use taskhold_application::tasks::TaskService;
use taskhold_infrastructure::idempotency::SqlKeys;
use taskhold_infrastructure::probe::SqlProbe;
use taskhold_infrastructure::rate_limits::SqlRateLimits;
use taskhold_infrastructure::revocations::SqlRevocations;
use taskhold_infrastructure::sessions::SqlSessions;
use taskhold_infrastructure::store::Store;
use taskhold_infrastructure::tasks::SqlTasks;
use taskhold_infrastructure::users::SqlUsers;
use taskhold_security::jwt::JwtTokens;
use taskhold_security::passwords::Argon2Passwords;

use crate::settings::{Profile, Settings};

/// The API on this store.
pub fn api(settings: &Settings, tokens: JwtTokens, store: &Store, metrics: &Metrics) -> Services {
    let clock = Arc::new(SystemClock);
    let ids = Arc::new(TimeOrderedIds);
    let tokens = Arc::new(tokens);
    let revocations = Arc::new(Revocations::new(
        Arc::new(SqlRevocations::new(store.clone())),
        clock.clone(),
    ));
    let attempts = Arc::new(SqlRateLimits::new(store.clone()));
    let accounts = AccountService {
        users: Arc::new(SqlUsers::new(store.clone())),
        sessions: Arc::new(SqlSessions::new(store.clone())),
        passwords: Arc::new(Argon2Passwords::recommended()),
        tokens: tokens.clone(),
        revocations: revocations.clone(),
        limits: RateLimiter::new(attempts, settings.limits),
        clock: clock.clone(),
        ids: ids.clone(),
        lifetimes: Lifetimes {
            refresh_token: settings.auth.refresh_token_lifetime,
            max_token_lifetime: settings.auth.max_token_lifetime,
        },
    };
    Services {
        tasks: tasks(settings, store),
        accounts,
        tokens,
        revocations,
        proxies: settings.server.trusted_proxies.clone(),
        readiness: Arc::new(Readiness::new(Arc::new(SqlProbe::new(store.clone())))),
        clock,
        ids,
        origins: settings.cors.origins.clone(),
        metrics: (settings.metrics.address.is_none() && settings.profile != Profile::Production)
            .then(|| metrics.clone()),
        traces: None,
    }
}

/// The tasks of this store.
pub fn tasks(settings: &Settings, store: &Store) -> TaskService {
    TaskService::new(
        Arc::new(SqlTasks::new(store.clone())),
        Arc::new(SystemClock),
        Arc::new(TimeOrderedIds),
        settings.tasks.max_per_user,
    )
}

/// What is done on this store now and then.
pub fn housekeeping(store: &Store) -> Housekeeping {
    Housekeeping {
        keys: Arc::new(SqlKeys::new(store.clone())),
        sessions: Arc::new(SqlSessions::new(store.clone())),
        revocations: Arc::new(SqlRevocations::new(store.clone())),
        attempts: Arc::new(SqlRateLimits::new(store.clone())),
        clock: Arc::new(SystemClock),
    }
}

/// What an operator can do with the accounts of this store.
pub fn administration(settings: &Settings, store: &Store) -> Administration {
    Administration {
        users: Arc::new(SqlUsers::new(store.clone())),
        passwords: Arc::new(Argon2Passwords::one_by_one()),
        clock: Arc::new(SystemClock),
        max_token_lifetime: settings.auth.max_token_lifetime,
    }
}
