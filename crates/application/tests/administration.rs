//! Whom an operator means.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use std::sync::Arc;
use std::time::Duration;

use taskhold_application::administration::Administration;
use taskhold_application::clock::Clock as _;
use taskhold_domain::account::Email;
use taskhold_domain::user::UserId;
use taskhold_repository::sessions::{Session, TokenHash};
use taskhold_repository::users::{User, UserRepository as _};
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::memory::MemoryStore;
use taskhold_testkit::passwords::PlainPasswords;
use uuid::Uuid;

/// An administration of users of these ids and e-mail addresses.
async fn administration(users: &[(&str, Option<&str>)]) -> Administration {
    let (store, clock) = (
        Arc::new(MemoryStore::default()),
        Arc::new(ManualClock::default()),
    );
    for (number, (id, email)) in (0..).zip(users) {
        let user = User {
            id: UserId::parse(*id).expect("a user id"),
            email: email.map(|email| Email::parse(email).expect("an e-mail address")),
            name: None,
            password: None,
            is_active: true,
            created_at: clock.now(),
        };
        let session = Session {
            token: TokenHash([number; 32]),
            family: Uuid::from_u128(number.into()),
            user: user.id.clone(),
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
        longest_token: Duration::from_hours(1),
    }
}

#[tokio::test]
async fn an_id_that_looks_like_an_address_is_an_id() {
    let address = "anna@example.org";
    let administration = administration(&[("1", Some(address)), (address, None)]).await;
    for (named, expected) in [(address, address), ("Anna@example.org", "1"), ("1", "1")] {
        let found = administration.find(named).await.expect("found");
        assert_eq!(found.id.as_str(), expected, "{named}");
    }
}
