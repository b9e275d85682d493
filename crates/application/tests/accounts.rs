//! What the use cases of accounts do when hashing is short of time or has become cheaper.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use taskhold_application::accounts::{AccountError, AccountService, Lifetimes};
use taskhold_application::ids::TimeOrderedIds;
use taskhold_application::limits::{Allowed, Limits};
use taskhold_application::passwords::{HashingError, PasswordHash, PasswordHasher, Verified};
use taskhold_application::revocations::Revocations;
use taskhold_domain::account::{Credentials, Email, Password, Registration};
use taskhold_repository::users::UserRepository;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::memory::MemoryStore;
use taskhold_testkit::passwords::PlainPasswords;
use taskhold_testkit::tokens::PlainTokens;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "correct horse";

/// Hashes while there is time.
#[derive(Default)]
struct Hasher {
    is_busy: AtomicBool,
}

#[async_trait]
impl PasswordHasher for Hasher {
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HashingError> {
        if self.is_busy.load(Ordering::Relaxed) {
            return Err(HashingError::Busy);
        }
        PlainPasswords.hash(password).await
    }

    async fn verify(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<Verified, HashingError> {
        if self.is_busy.load(Ordering::Relaxed) {
            return Err(HashingError::Busy);
        }
        PlainPasswords.verify(password, hash).await
    }
}

struct World {
    store: Arc<MemoryStore>,
    hasher: Arc<Hasher>,
    accounts: AccountService,
}

async fn world() -> World {
    let store = Arc::new(MemoryStore::default());
    let hasher = Arc::new(Hasher::default());
    let clock = Arc::new(ManualClock::default());
    let accounts = AccountService {
        users: store.clone(),
        sessions: store.clone(),
        passwords: hasher.clone(),
        tokens: Arc::new(PlainTokens),
        revocations: Arc::new(Revocations::new(store.clone(), clock.clone())),
        limits: Limits::new(
            store.clone(),
            Allowed {
                requests: 100,
                failures_per_address: 5,
                failures: 50,
            },
        ),
        clock,
        ids: Arc::new(TimeOrderedIds),
        lifetimes: Lifetimes {
            refresh_token: Duration::from_hours(1),
            longest_token: Duration::from_hours(1),
        },
    };
    let registration = Registration {
        email: email(),
        password: Password::parse(PASSWORD).expect("a password"),
        name: None,
    };
    accounts.register(registration).await.expect("registered");
    World {
        store,
        hasher,
        accounts,
    }
}

fn email() -> Email {
    Email::parse("anna@example.org").expect("an address")
}

fn credentials() -> Credentials {
    Credentials {
        email: email().as_str().to_owned(),
        password: PASSWORD.to_owned(),
    }
}

#[tokio::test]
async fn a_login_that_nobody_had_time_for_is_no_failure() {
    let world = world().await;
    world.hasher.is_busy.store(true, Ordering::Relaxed);
    for _ in 0..20 {
        let login = world.accounts.log_in(&credentials(), HOME).await;
        assert!(matches!(login, Err(AccountError::Busy)), "{login:?}");
    }
    world.hasher.is_busy.store(false, Ordering::Relaxed);
    let login = world.accounts.log_in(&credentials(), HOME).await;
    login.expect("not locked out");
}

#[tokio::test]
async fn an_outdated_hash_is_made_anew_at_the_next_login() {
    let world = world().await;
    let user = world.store.find_by_email(&email()).await;
    let user = user.expect("answered").expect("found");
    let new = user.password.expect("a hash");
    let outdated = PasswordHash::parse(format!("$old${PASSWORD}")).expect("a hash");
    let changed = world.store.rehash(&user.id, &new, &outdated).await;
    changed.expect("as if it had been made long ago");
    let login = world.accounts.log_in(&credentials(), HOME).await;
    login.expect("logged in");
    let user = world.store.find(&user.id).await;
    let user = user.expect("answered").expect("found");
    assert_eq!(user.password, Some(new));
}
