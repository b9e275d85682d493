//! Users as an operator names and lists them.

#![expect(clippy::expect_used, reason = "a test states what it expects")]

use std::sync::Arc;
use std::time::Duration;

use taskhold_application::administration::{Administration, FindUserError};
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
async fn name_of_one_user_is_found_and_of_two_refused() {
    let (anna, bob) = ("anna@example.org", "bob@example.org");
    let administration = administration(&[
        ("1", Some(anna)),
        (anna, None),
        ("2", Some(bob)),
        ("id:2", None),
        ("me@example.org", Some("me@example.org")),
    ])
    .await;
    for (name, expected) in [
        ("1", Ok(vec!["1"])),
        (anna, Err(vec![anna, "1"])),
        // An address is compared without regard to case, an id is not.
        ("Anna@example.org", Ok(vec!["1"])),
        ("id:anna@example.org", Ok(vec![anna])),
        ("email:anna@example.org", Ok(vec!["1"])),
        (bob, Ok(vec!["2"])),
        ("id:2", Err(vec!["id:2", "2"])),
        ("id:id:2", Ok(vec!["id:2"])),
        ("2", Ok(vec!["2"])),
        ("me@example.org", Ok(vec!["me@example.org"])),
        ("nobody", Err(vec![])),
        ("nobody@example.org", Err(vec![])),
        ("email:1", Err(vec![])),
        ("", Err(vec![])),
    ] {
        let ids = |users: Vec<User>| {
            users
                .iter()
                .map(|user| user.id.as_str().to_owned())
                .collect()
        };
        let found: Result<Vec<String>, Vec<String>> = match administration.find(name).await {
            Ok(user) => Ok(ids(vec![user])),
            Err(FindUserError::Ambiguous(users)) => Err(ids(users)),
            Err(FindUserError::NotFound) => Err(vec![]),
            Err(FindUserError::Store(error)) => panic!("{error}"),
        };
        let owned = |ids: Vec<&str>| ids.into_iter().map(String::from).collect();
        assert_eq!(found, expected.map(owned).map_err(owned), "{name}");
    }
}

#[test]
fn unknown_address_names_no_new_user() {
    let new = |name| Administration::new_id(name).map(|id| id.as_str().to_owned());
    assert_eq!(new("anna").as_deref(), Some("anna"));
    assert_eq!(
        new("id:anna@example.org").as_deref(),
        Some("anna@example.org")
    );
    for name in [
        "anna@example.org",
        "email:anna@example.org",
        "anna@",
        "",
        "id:",
    ] {
        assert_eq!(new(name), None, "{name}");
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
