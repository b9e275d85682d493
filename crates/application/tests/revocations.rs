//! The cache of revocations.

#![expect(clippy::expect_used, reason = "a test states what it expects")]

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use taskhold_application::clock::Clock as _;
use taskhold_application::housekeeping::Housekeeping;
use taskhold_application::revocations::Revocations;
use taskhold_application::tokens::Identity;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::Ending;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::revocations::{RevocationRepository, SubjectHash};
use taskhold_repository::sessions::SessionRepository as _;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::memory::MemoryStore;

/// A store that lets another operation happen before its answer arrives.
#[derive(Default)]
struct Slow {
    store: MemoryStore,
    meanwhile: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

#[async_trait]
impl RevocationRepository for Slow {
    async fn current(&self) -> Result<Vec<(SubjectHash, Timestamp)>, StoreError> {
        let current = self.store.current().await;
        let meanwhile = self.meanwhile.lock().expect("unpoisoned").take();
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
        current
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        RevocationRepository::purge_expired(&self.store, time, most).await
    }
}

#[tokio::test]
async fn revocation_during_refresh_stays_in_effect() {
    let (store, clock) = (Arc::new(Slow::default()), Arc::new(ManualClock::default()));
    let revocations = Arc::new(Revocations::new(store.clone(), clock.clone()));
    revocations.refresh().await.expect("answered");
    let anna = UserId::parse("anna").expect("a user id");
    let token = Identity {
        user: anna.clone(),
        issued: Some(clock.now()),
        session: None,
        expires: None,
        personal_token: None,
    };
    clock.advance(1);
    // Its time is from before the cache reads the store, and it is stored afterwards.
    let revocation = Revocation::issued_before(&anna, clock.now(), Duration::from_hours(1));
    clock.advance(1);
    let meanwhile = {
        let (store, revocations) = (store.clone(), revocations.clone());
        async move {
            store
                .store
                .end(Ending::All, &revocation)
                .await
                .expect("ended");
            revocations.add(&revocation);
        }
    };
    *store.meanwhile.lock().expect("unpoisoned") = Some(Box::pin(meanwhile));
    revocations.refresh().await.expect("answered");
    assert!(!revocations.admits(&token).await.expect("known"));
}

/// A store that counts how often it is read, and may be away.
#[derive(Default)]
struct Counting {
    store: MemoryStore,
    reads: AtomicUsize,
    is_away: AtomicBool,
}

#[async_trait]
impl RevocationRepository for Counting {
    async fn current(&self) -> Result<Vec<(SubjectHash, Timestamp)>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.is_away.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.store.current().await
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        RevocationRepository::purge_expired(&self.store, time, most).await
    }
}

/// A hosted database sleeps while nobody queries it.
#[tokio::test(start_paused = true)]
async fn idle_cache_reads_nothing_and_is_current_for_the_next_request() {
    let (store, clock) = (
        Arc::new(Counting::default()),
        Arc::new(ManualClock::default()),
    );
    let revocations = Revocations::new(store.clone(), clock.clone());
    let reads = || store.reads.load(Ordering::Relaxed);
    let anna = UserId::parse("anna").expect("a user id");
    let token = Identity {
        user: anna.clone(),
        issued: Some(clock.now()),
        session: None,
        expires: None,
        personal_token: None,
    };
    let refresh = async |times: u32| {
        for _ in 0..times {
            tokio::time::advance(Revocations::REFRESH_INTERVAL).await;
            revocations.refresh_if_needed().await.expect("answered");
        }
    };
    refresh(1).await;
    assert!(revocations.admits(&token).await.expect("known"));
    assert_eq!(reads(), 1);
    refresh(1).await;
    assert_eq!(reads(), 2, "it is read while tokens are checked");
    refresh(100).await;
    assert_eq!(reads(), 2, "nobody asked");

    // Another instance revokes the token meanwhile.
    clock.advance(1);
    let revocation = Revocation::issued_before(&anna, clock.now(), Duration::from_hours(1));
    let ended = store.store.end(Ending::All, &revocation).await;
    ended.expect("ended");
    assert!(!revocations.admits(&token).await.expect("known"));
    assert_eq!(reads(), 3);
    assert!(!revocations.admits(&token).await.expect("known"));
    assert_eq!(reads(), 3, "the answer is remembered");

    // What cannot be known is not guessed.
    refresh(10).await;
    store.is_away.store(true, Ordering::Relaxed);
    let before = tokio::time::Instant::now();
    let error = revocations.admits(&token).await.expect_err("unknown");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(before.elapsed(), Revocations::MAX_WAIT);
}

/// Whoever raises the longest lifetime that is accepted must not bring a revoked token back.
#[tokio::test]
async fn longer_accepted_lifetime_revives_no_revoked_token() {
    const DAY: Duration = Duration::from_hours(24);
    let (store, clock) = (
        Arc::new(MemoryStore::default()),
        Arc::new(ManualClock::default()),
    );
    let user = |name: &str| UserId::parse(name).expect("a user id");
    let token = |name: &str, issued| Identity {
        user: user(name),
        issued,
        session: None,
        expires: None,
        personal_token: None,
    };
    let (anna, bob) = (user("anna"), user("bob"));
    let stolen = token("anna", Some(clock.now()));
    clock.advance(1);
    let later = token("carl", Some(clock.now()));
    let revocation = Revocation::issued_before(&anna, clock.now(), 30 * DAY);
    store.end(Ending::All, &revocation).await.expect("ended");
    let housekeeping = |max_token_lifetime| Housekeeping {
        keys: store.clone(),
        sessions: store.clone(),
        personal_tokens: store.clone(),
        revocations: store.clone(),
        rate_limits: store.clone(),
        search: store.clone(),
        trash: store.clone(),
        trash_retention: 30 * DAY,
        log: store.clone(),
        history_retention: 30 * DAY,
        max_token_lifetime,
        clock: clock.clone(),
    };
    let admits = async |identity: &Identity| {
        let revocations = Revocations::new(store.clone(), clock.clone());
        revocations.admits(identity).await.expect("known")
    };
    clock.advance(31 * 24 * 3_600 * 1_000_000);
    housekeeping(90 * DAY).purge().await.expect("purged");
    assert!(!admits(&stolen).await, "raised before it was purged");
    let of_bob = Revocation::issued_before(&bob, clock.now(), 30 * DAY);
    store.end(Ending::All, &of_bob).await.expect("ended");
    housekeeping(30 * DAY).purge().await.expect("purged");
    assert!(!admits(&stolen).await, "raised after it was purged");
    assert!(admits(&later).await, "a token from after the revocation");
    assert!(!admits(&token("bob", Some(revocation.not_before))).await);
    assert!(admits(&token("carl", None)).await);

    // Without a time of issue any token may be the revoked one, for ever.
    clock.advance(3_000 * 24 * 3_600 * 1_000_000);
    housekeeping(Duration::MAX).purge().await.expect("purged");
    assert!(!admits(&token("bob", None)).await);
}
