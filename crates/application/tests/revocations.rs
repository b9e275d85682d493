//! The cache of revocations.

#![expect(clippy::expect_used, reason = "a test states what it expects")]

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use taskhold_application::clock::Clock as _;
use taskhold_application::revocations::Revocations;
use taskhold_application::tokens::Identity;
use taskhold_domain::revocation::Revocation;
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
    async fn current(&self, now: Timestamp) -> Result<Vec<(SubjectHash, Timestamp)>, StoreError> {
        let current = self.store.current(now).await;
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
    };
    clock.advance(1);
    // Its time is from before the cache reads the store, and it is stored afterwards.
    let revocation = Revocation::issued_before(&anna, clock.now(), Duration::from_hours(1));
    clock.advance(1);
    let meanwhile = {
        let (store, revocations) = (store.clone(), revocations.clone());
        async move {
            store.store.end(None, &revocation).await.expect("ended");
            revocations.add(&revocation);
        }
    };
    *store.meanwhile.lock().expect("unpoisoned") = Some(Box::pin(meanwhile));
    revocations.refresh().await.expect("answered");
    assert!(!revocations.admits(&token).await.expect("known"));
}
