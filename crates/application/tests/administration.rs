//! Users as an operator names and lists them.

#![expect(clippy::expect_used, reason = "a test states what it expects")]

use std::sync::Arc;
use std::time::Duration;

use taskhold_application::administration::Administration;
use taskhold_application::clock::Clock as _;
use taskhold_domain::account::Email;
use taskhold_domain::session::{Session, TokenHash};
use taskhold_domain::user::{User, UserId};
use taskhold_repository::users::UserRepository as _;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::memory::MemoryStore;
use taskhold_testkit::passwords::PlainPasswords;
use uuid::Uuid;

fn token(number: u64) -> TokenHash {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&number.to_be_bytes());
    TokenHash(digest)
}

/// Creates an administration of users with these ids and e-mail addresses.
async fn administration(users: &[(&str, Option<&str>)]) -> Administration {
    let (store, clock) = (
        Arc::new(MemoryStore::default()),
        Arc::new(ManualClock::default()),
    );
    for (number, (id, email)) in (0_u64..).zip(users) {
        let user = User {
            id: UserId::parse(*id).expect("a user id"),
            email: email.map(|email| Email::parse(email).expect("an e-mail address")),
            name: None,
            password: None,
            is_active: true,
            created_at: clock.now(),
        };
        let session = Session {
            token: token(number),
            family: Uuid::from_u128(number.into()),
            user: user.id.clone(),
            started_at: clock.now(),
            created_at: clock.now(),
            expires_at: clock.now(),
        };
        let kept = store.register(&user, &session).await;
        kept.expect("registered");
    }
    Administration {
        users: store,
        passwords: Arc::new(PlainPasswords),
        clock,
        max_token_lifetime: Duration::from_hours(1),
    }
}

#[tokio::test]
async fn id_that_looks_like_an_address_is_found_as_id() {
    let address = "anna@example.org";
    let administration = administration(&[("1", Some(address)), (address, None)]).await;
    for (named, expected) in [(address, address), ("Anna@example.org", "1"), ("1", "1")] {
        let found = administration.find(named).await.expect("found");
        assert_eq!(found.id.as_str(), expected, "{named}");
    }
}

#[tokio::test]
async fn every_user_is_listed_once_over_all_pages() {
    for count in [0, 1, 499, 500, 501, 1000] {
        let ids: Vec<_> = (0..count).map(|number| format!("{number:04}")).collect();
        let users: Vec<_> = ids.iter().map(|id| (id.as_str(), None)).collect();
        let administration = administration(&users).await;
        let mut shown = Vec::new();
        let all = administration.each(|user| shown.push(user.id.as_str().to_owned()));
        all.await.expect("listed");
        assert_eq!(shown, ids);
    }
}
