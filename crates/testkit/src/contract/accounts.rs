//! The obligations of users and their accounts.

use futures_util::future::join_all;
use taskhold_domain::account::DisplayName;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::Rotation;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::User;
use taskhold_repository::error::StoreError;

use super::{
    Ports, account, all, at, email, kept, not_before, password, registered, revocation, rotated,
    session, task, user, user_by_email, user_of,
};

/// Every field survives to the letter, in any script.
pub async fn an_account_comes_back_as_it_was_kept(store: &Ports) {
    let unusual = User {
        email: Some(email("Ánna.ИВАНОВА+tasks@Пример.example")),
        name: Some(DisplayName::parse(" 名\u{10FFFF} '\"\\% ").expect("a name")),
        password: Some(password("ключ$m=1,t=2,p=3$\u{1F511}")),
        is_active: false,
        created_at: Timestamp::LAST,
        ..account("unusual")
    };
    let session = session("unusual", 1);
    let kept = store.users.register(&unusual, &session).await;
    kept.expect("registered");
    assert_eq!(user_of(store, "unusual").await, Some(unusual));
    let anna = registered(store, "anna", 2).await;
    assert_eq!(user_of(store, "anna").await, Some(anna));
}

/// It is kept as it was typed, and found by whatever case it is asked for in.
pub async fn an_email_address_is_compared_without_regard_to_case(store: &Ports) {
    let anna = User {
        email: Some(email("Änna@Example.org")),
        ..account("anna")
    };
    let users = &store.users;
    let kept = users.register(&anna, &session("anna", 1)).await;
    kept.expect("registered");
    for same in ["Änna@Example.org", "änna@example.org", "ÄNNA@EXAMPLE.ORG"] {
        assert_eq!(user_by_email(store, same).await.as_ref(), Some(&anna));
        let second = User {
            email: Some(email(same)),
            ..account("second")
        };
        let refused = users.register(&second, &session("second", 2)).await;
        assert!(
            matches!(refused, Err(StoreError::Duplicate)),
            "{same}: {refused:?}"
        );
    }
    for other in ["anna@example.org", "änna@example.or", "%nna@example.org"] {
        assert_eq!(user_by_email(store, other).await, None, "{other}");
    }
    assert_eq!(user_of(store, "second").await, None);
}

/// And only that one's session is good.
pub async fn of_concurrent_registrations_of_one_address_one_is_kept(store: &Ports) {
    let newcomers: Vec<_> = (0..10_u32)
        .map(|number| {
            let name = format!("newcomer {number}");
            let address = if number % 2 == 0 {
                "a@b.example"
            } else {
                "A@B.example"
            };
            let newcomer = User {
                email: Some(email(address)),
                ..account("newcomer")
            };
            let newcomer = User {
                id: user(&name),
                ..newcomer
            };
            (newcomer, session(&name, number))
        })
        .collect();
    let attempts = newcomers
        .iter()
        .map(|(newcomer, session)| store.users.register(newcomer, session));
    let outcomes = join_all(attempts).await;
    let mut winners = Vec::new();
    for (number, outcome) in (0..).zip(&outcomes) {
        match outcome {
            Ok(()) => winners.push(number),
            Err(StoreError::Duplicate) => {
                assert_eq!(
                    rotated(store, number, 100 + number).await,
                    Rotation::Refused
                );
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    let [winner] = winners[..] else {
        panic!("{winners:?}")
    };
    let name = format!("newcomer {winner}");
    let kept = user_by_email(store, "a@b.example")
        .await
        .expect("one is kept");
    assert_eq!(kept.id, user(&name));
    let everybody = store.users.list(None, 100).await.expect("listed");
    assert_eq!(everybody, std::slice::from_ref(&kept));
    let rotation = rotated(store, winner, 100).await;
    assert_eq!(rotation, Rotation::Rotated(kept));
}

/// Whatever it is that was there before.
pub async fn a_registration_keeps_the_user_and_the_session_or_neither(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    let same_id = User {
        email: Some(email("other@example.org")),
        ..account("anna")
    };
    let same_email = User {
        email: anna.email.clone(),
        ..account("bob")
    };
    for (again, name, number) in [
        (same_id, "anna", 2),
        (same_email, "bob", 2),
        (account("bob"), "bob", 1),
    ] {
        let refused = store.users.register(&again, &session(name, number)).await;
        assert!(matches!(refused, Err(StoreError::Duplicate)), "{refused:?}");
        assert_eq!(user_of(store, "anna").await.as_ref(), Some(&anna));
        assert_eq!(user_of(store, "bob").await, None);
        assert_eq!(rotated(store, 2, 3).await, Rotation::Refused);
    }
    let rotation = rotated(store, 1, 4).await;
    assert_eq!(rotation, Rotation::Rotated(anna));
}

/// Those who never registered among them.
pub async fn users_are_listed_by_id_in_pages(store: &Ports) {
    let names = ["Zoe", "anna", "anna ", "zoe", "ämil", "Ивaн", "\u{1F600}"];
    for (number, name) in (1..).zip(["zoe", "\u{1F600}", "anna ", "Zoe", "Ивaн"]) {
        let account = User {
            id: user(name),
            ..account(&format!("user{number}"))
        };
        let kept = store.users.register(&account, &session(name, number)).await;
        kept.expect("registered");
    }
    kept(store, task("anna", 1)).await;
    kept(store, task("ämil", 2)).await;
    for most in [1, 2, 3, 7, 8] {
        let mut listed = Vec::new();
        let mut last = None;
        // Bounded, so that an adapter that shows a page again fails.
        for _ in 0..=names.len() {
            let page = store.users.list(last.as_ref(), most).await;
            let page = page.expect("listed");
            assert!(page.len() <= most as usize);
            let Some(user) = page.last() else { break };
            last = Some(user.id.clone());
            listed.extend(page);
        }
        let ids: Vec<_> = listed.iter().map(|user| user.id.as_str()).collect();
        assert_eq!(ids, names, "{most}");
    }
    assert_eq!(store.users.list(None, 0).await.expect("listed"), []);
}

/// Of that user, and of nobody else.
pub async fn another_password_ends_every_session_and_token(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    let bob = registered(store, "bob", 2).await;
    let (second, verified) = (session("anna", 3), password("first"));
    let started = store.sessions.start(&second, &verified).await;
    assert!(started.expect("answered"));
    let another = password("second");
    let revocation = revocation("anna", 5);
    let changed = store.users.set_password(&another, &revocation).await;
    assert!(changed.expect("answered"));
    let expected = User {
        password: Some(another),
        ..anna
    };
    assert_eq!(user_of(store, "anna").await, Some(expected));
    assert_eq!(not_before(store, "anna").await, Some(at(5)));
    for number in [1, 3] {
        assert_eq!(rotated(store, number, 10).await, Rotation::Refused);
    }
    assert_eq!(user_of(store, "bob").await.as_ref(), Some(&bob));
    assert_eq!(not_before(store, "bob").await, None);
    assert_eq!(rotated(store, 2, 11).await, Rotation::Rotated(bob));
}

/// And the caller has a session; where another password was looked at, nothing changes.
pub async fn a_change_of_password_ends_every_session_but_its_own(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    let bob = registered(store, "bob", 2).await;
    let (users, another) = (&store.users, password("second"));
    let since = revocation("anna", 5);
    let (wrong, session_of_none) = (password("other"), session("anna", 4));
    let changed = users.change_password(&wrong, &another, &since, &session_of_none);
    assert!(!changed.await.expect("answered"));
    assert_eq!(user_of(store, "anna").await.as_ref(), Some(&anna));
    assert_eq!(not_before(store, "anna").await, None);
    let (right, session) = (password("first"), session("anna", 3));
    let changed = users.change_password(&right, &another, &since, &session);
    assert!(changed.await.expect("answered"));
    let expected = User {
        password: Some(another),
        ..anna
    };
    assert_eq!(user_of(store, "anna").await.as_ref(), Some(&expected));
    assert_eq!(not_before(store, "anna").await, Some(at(5)));
    for number in [1, 4] {
        assert_eq!(rotated(store, number, 10).await, Rotation::Refused);
    }
    assert_eq!(rotated(store, 3, 11).await, Rotation::Rotated(expected));
    assert_eq!(user_of(store, "bob").await.as_ref(), Some(&bob));
    assert_eq!(not_before(store, "bob").await, None);
    assert_eq!(rotated(store, 2, 12).await, Rotation::Rotated(bob));
}

/// Each of them had looked at the same one.
pub async fn of_concurrent_changes_of_one_password_one_is_made(store: &Ports) {
    let anna = registered(store, "anna", 0).await;
    let changes = (1..=10_u32).map(|number| async move {
        let (verified, another) = (password("first"), password(&number.to_string()));
        let (since, session) = (revocation("anna", 5), session("anna", number));
        let users = &store.users;
        let changed = users.change_password(&verified, &another, &since, &session);
        changed.await.expect("answered")
    });
    let changes = join_all(changes).await;
    let made = changes.iter().filter(|made| **made).count();
    assert_eq!(made, 1, "{changes:?}");
    for (number, made) in (1..).zip(changes) {
        let expected = if made {
            Rotation::Rotated(User {
                password: Some(password(&number.to_string())),
                ..anna.clone()
            })
        } else {
            Rotation::Refused
        };
        assert_eq!(rotated(store, number, 100 + number).await, expected);
    }
}

/// Nor do they give themselves another password.
pub async fn who_is_kept_out_changes_no_password(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    let users = &store.users;
    let kept_out = users
        .set_active(false, &Revocation::permanent(&anna.id))
        .await;
    assert!(kept_out.expect("answered"));
    let (verified, another) = (password("first"), password("second"));
    let (since, session) = (revocation("anna", 5), session("anna", 2));
    let changed = users.change_password(&verified, &another, &since, &session);
    assert!(!changed.await.expect("answered"));
    let after = user_of(store, "anna").await.expect("still there");
    assert_eq!(after.password, anna.password);
    assert_eq!(not_before(store, "anna").await, Some(Timestamp::LAST));
    assert_eq!(rotated(store, 2, 3).await, Rotation::Refused);
}

/// Absent is `false`, and nothing is kept of it.
pub async fn an_account_that_is_not_there_cannot_be_changed(store: &Ports) {
    let users = &store.users;
    let revocation = revocation("nobody", 5);
    let changed = users.set_password(&password("any"), &revocation).await;
    assert!(!changed.expect("answered"));
    let session = session("nobody", 1);
    let changed = users
        .change_password(&password("first"), &password("any"), &revocation, &session)
        .await;
    assert!(!changed.expect("answered"));
    assert_eq!(rotated(store, 1, 2).await, Rotation::Refused);
    for is_active in [true, false] {
        let changed = users.set_active(is_active, &revocation).await;
        assert!(!changed.expect("answered"));
    }
    let (nobody, outdated, rehashed) = (user("nobody"), password("a"), password("b"));
    let done = users.rehash(&nobody, &outdated, &rehashed).await;
    done.expect("answered");
    assert_eq!(not_before(store, "nobody").await, None);
    assert_eq!(user_of(store, "nobody").await, None);
}

/// Who has changed the password meanwhile keeps the new one.
pub async fn an_outdated_hash_is_replaced_only_where_it_is_still_there(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    let bob = registered(store, "bob", 2).await;
    for (outdated, expected) in [("other", "first"), ("first", "rehashed")] {
        let (outdated, rehashed) = (password(outdated), password("rehashed"));
        let done = store.users.rehash(&anna.id, &outdated, &rehashed).await;
        done.expect("answered");
        let after = user_of(store, "anna").await.expect("still there");
        assert_eq!(after.password, Some(password(expected)));
    }
    assert_eq!(user_of(store, "bob").await, Some(bob));
    // It is the same password, so nothing is ended.
    assert_eq!(not_before(store, "anna").await, None);
    let anna = User {
        password: Some(password("rehashed")),
        ..anna
    };
    assert_eq!(rotated(store, 1, 3).await, Rotation::Rotated(anna));
}

/// Kept out, no session and no token counts; let in again, only those from then on.
pub async fn a_user_is_kept_out_and_let_in_again(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    kept(store, task("anna", 1)).await;
    let users = &store.users;
    let kept_out = users
        .set_active(false, &Revocation::permanent(&anna.id))
        .await;
    assert!(kept_out.expect("answered"));
    let expected = User {
        is_active: false,
        ..anna.clone()
    };
    assert_eq!(user_of(store, "anna").await, Some(expected));
    assert_eq!(not_before(store, "anna").await, Some(Timestamp::LAST));
    assert_eq!(rotated(store, 1, 2).await, Rotation::Refused);

    let let_in = users.set_active(true, &revocation("anna", 7)).await;
    assert!(let_in.expect("answered"));
    assert_eq!(user_of(store, "anna").await.as_ref(), Some(&anna));
    assert_eq!(not_before(store, "anna").await, Some(at(7)));
    assert_eq!(rotated(store, 1, 2).await, Rotation::Refused);
    assert_eq!(all(store, &anna.id).await.len(), 1);
}
