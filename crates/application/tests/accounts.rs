//! The use cases of accounts when the hasher is busy, a hash is outdated, or an account changes while a
//! password is verified.

#![expect(clippy::expect_used, reason = "a test states what it expects")]

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use taskhold_application::accounts::{
    AccountError, AccountService, Client, DeviceTokens, Grant, Lifetimes,
};
use taskhold_application::ids::TimeOrderedIds;
use taskhold_application::passwords::{HashRequest, HashingError, PasswordHasher, Verification};
use taskhold_application::personal_tokens::PersonalTokens;
use taskhold_application::rate_limits::{RateLimiter, RateLimits};
use taskhold_application::revocations::Revocations;
use taskhold_domain::account::{Email, Password, PasswordHash};
use taskhold_domain::input::{Credentials, PasswordChange, Registration};
use taskhold_domain::revocation::Revocation;
use taskhold_repository::users::UserRepository;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::memory::MemoryStore;
use taskhold_testkit::passwords::PlainPasswords;
use taskhold_testkit::tokens::PlainTokens;

const HOME: Client = Client {
    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    device: None,
};
const PASSWORD: &str = "correct horse";

/// A concurrent operation.
type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A hasher that can be busy, and lets another operation happen while it verifies.
#[derive(Default)]
struct Hasher {
    is_busy: AtomicBool,
    /// Happens while the next password is verified.
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl Hasher {
    fn meanwhile(&self, happens: impl Future<Output = ()> + Send + 'static) {
        *self.meanwhile.lock().expect("unpoisoned") = Some(Box::pin(happens));
    }
}

#[async_trait]
impl PasswordHasher for Hasher {
    async fn hash(
        &self,
        password: &Password,
        request: HashRequest,
    ) -> Result<PasswordHash, HashingError> {
        if self.is_busy.load(Ordering::Relaxed) {
            return Err(HashingError::Busy);
        }
        PlainPasswords.hash(password, request).await
    }

    async fn verify(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
        request: HashRequest,
    ) -> Result<Verification, HashingError> {
        if self.is_busy.load(Ordering::Relaxed) {
            return Err(HashingError::Busy);
        }
        let verified = PlainPasswords.verify(password, hash, request).await;
        let meanwhile = self.meanwhile.lock().expect("unpoisoned").take();
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
        verified
    }
}

struct World {
    store: Arc<MemoryStore>,
    hasher: Arc<Hasher>,
    accounts: AccountService,
    anna: Grant,
}

impl World {
    async fn password(&self) -> Option<PasswordHash> {
        let user = self.store.find(&self.anna.user.id).await;
        user.expect("answered").expect("found").password
    }

    /// Replaces the hash with an outdated one of the same password, and returns the current one.
    async fn outdate(&self) -> PasswordHash {
        let (id, new) = (&self.anna.user.id, self.password().await.expect("a hash"));
        let changed = self.store.rehash(id, &new, &outdated()).await;
        changed.expect("outdated");
        new
    }
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
        personal_tokens: Arc::new(PersonalTokens::new(
            store.clone(),
            clock.clone(),
            Arc::new(TimeOrderedIds),
        )),
        devices: DeviceTokens::new([7; 32], None),
        limits: RateLimiter::new(
            store.clone(),
            [7; 32],
            RateLimits {
                requests: 100,
                failures_per_address: 5,
                failures: 50,
                refreshes: 100,
            },
        ),
        clock,
        ids: Arc::new(TimeOrderedIds),
        lifetimes: Lifetimes {
            refresh_token: Duration::from_hours(1),
            session: Duration::from_hours(10),
            max_token_lifetime: Duration::from_hours(1),
        },
        registration: true,
    };
    let registration = Registration {
        email: email(),
        password: Password::parse(PASSWORD).expect("a password"),
        name: None,
    };
    let anna = accounts
        .register(registration, &HOME)
        .await
        .expect("registered");
    World {
        store,
        hasher,
        accounts,
        anna,
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

fn outdated() -> PasswordHash {
    PasswordHash::parse(format!("$old${PASSWORD}")).expect("a hash")
}

fn change_to(new: &str) -> PasswordChange {
    PasswordChange {
        current: PASSWORD.to_owned(),
        new: Password::parse(new).expect("a password"),
        revoke_tokens: false,
    }
}

#[tokio::test]
async fn busy_hasher_does_not_count_a_failed_login() {
    let world = world().await;
    world.hasher.is_busy.store(true, Ordering::Relaxed);
    for _ in 0..20 {
        let login = world.accounts.log_in(&credentials(), &HOME).await;
        assert!(matches!(login, Err(AccountError::Busy)), "{login:?}");
    }
    world.hasher.is_busy.store(false, Ordering::Relaxed);
    let login = world.accounts.log_in(&credentials(), &HOME).await;
    login.expect("not locked out");
}

#[tokio::test]
async fn login_replaces_an_outdated_hash() {
    let world = world().await;
    let new = world.outdate().await;
    let login = world.accounts.log_in(&credentials(), &HOME).await;
    login.expect("logged in");
    assert_eq!(world.password().await, Some(new));
}

#[tokio::test]
async fn concurrent_logins_with_an_outdated_hash_both_succeed() {
    let world = world().await;
    let new = world.outdate().await;
    let accounts = world.accounts.clone();
    world.hasher.meanwhile(async move {
        let other = accounts.log_in(&credentials(), &HOME).await;
        other.expect("logged in");
    });
    let login = world.accounts.log_in(&credentials(), &HOME).await;
    login.expect("logged in");
    assert_eq!(world.password().await, Some(new));
}

#[tokio::test]
async fn password_change_during_login_fails_the_login() {
    let world = world().await;
    let (accounts, id) = (world.accounts.clone(), world.anna.user.id.clone());
    world.hasher.meanwhile(async move {
        let change = change_to("another horse");
        let changed = accounts.change_password(&id, &change, &HOME).await;
        changed.expect("changed");
    });
    let login = world.accounts.log_in(&credentials(), &HOME).await;
    assert!(
        matches!(login, Err(AccountError::WrongCredentials)),
        "{login:?}"
    );
}

#[tokio::test]
async fn deactivation_during_login_fails_the_login() {
    let world = world().await;
    let (store, id) = (world.store.clone(), world.anna.user.id.clone());
    world.hasher.meanwhile(async move {
        let kept_out = store.set_active(false, &Revocation::permanent(&id)).await;
        assert!(kept_out.expect("answered"));
    });
    let login = world.accounts.log_in(&credentials(), &HOME).await;
    assert!(
        matches!(login, Err(AccountError::WrongCredentials)),
        "{login:?}"
    );
}

#[tokio::test]
async fn concurrent_password_changes_succeed_once() {
    let world = world().await;
    let (accounts, id) = (world.accounts.clone(), world.anna.user.id.clone());
    world.hasher.meanwhile(async move {
        let change = change_to("first horse");
        let changed = accounts.change_password(&id, &change, &HOME).await;
        changed.expect("changed");
    });
    let second = change_to("second horse");
    let changed = world
        .accounts
        .change_password(&world.anna.user.id, &second, &HOME);
    let changed = changed.await;
    assert!(
        matches!(changed, Err(AccountError::WrongPassword)),
        "{changed:?}"
    );
    let first = PasswordHash::parse("$plain$first horse").expect("a hash");
    assert_eq!(world.password().await, Some(first));
}

#[tokio::test]
async fn deactivation_during_password_change_fails_the_change() {
    let world = world().await;
    let before = world.password().await;
    let (store, id) = (world.store.clone(), world.anna.user.id.clone());
    world.hasher.meanwhile(async move {
        let kept_out = store.set_active(false, &Revocation::permanent(&id)).await;
        assert!(kept_out.expect("answered"));
    });
    let change = change_to("another horse");
    let changed = world
        .accounts
        .change_password(&world.anna.user.id, &change, &HOME);
    let changed = changed.await;
    assert!(
        matches!(changed, Err(AccountError::NotFound)),
        "{changed:?}"
    );
    assert_eq!(world.password().await, before);
}
