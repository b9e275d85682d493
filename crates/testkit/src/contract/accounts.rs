//! The obligations of users and their accounts.

use futures_util::future::join_all;
use taskhold_domain::account::DisplayName;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::Rotation;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::User;
use taskhold_repository::error::StoreError;

use super::Ports;
use super::fixtures::{
    account, add_task, at, email, find_user, find_user_by_email, list_tasks, not_before, password,
    register, revocation, rotate, rotated, session, task, user,
};

/// Checks that every field is stored unchanged, in any script.
pub async fn registered_account_is_read_back_unchanged(store: &Ports) {
    let unusual = User {
        email: Some(email("Ánna.ИВАНОВА+tasks@Пример.example")),
        name: Some(DisplayName::parse(" 名\u{10FFFF} '\"\\% ").expect("a name")),
        password: Some(password("ключ$m=1,t=2,p=3$\u{1F511}")),
        is_active: false,
        created_at: Timestamp::LAST,
        ..account("unusual")
    };
    let session = session("unusual", 1);
    let registered = store.users.register(&unusual, &session).await;
    registered.expect("registered");
    assert_eq!(find_user(store, "unusual").await, Some(unusual));
    let anna = register(store, "anna", 2).await;
    assert_eq!(find_user(store, "anna").await, Some(anna));
}

/// Checks that an address is stored as given and found in any case.
pub async fn email_addresses_are_compared_case_insensitively(store: &Ports) {
    let anna = User {
        email: Some(email("Änna@Example.org")),
        ..account("anna")
    };
    let users = &store.users;
    let registered = users.register(&anna, &session("anna", 1)).await;
    registered.expect("registered");
    for same in ["Änna@Example.org", "änna@example.org", "ÄNNA@EXAMPLE.ORG"] {
        assert_eq!(find_user_by_email(store, same).await.as_ref(), Some(&anna));
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
        assert_eq!(find_user_by_email(store, other).await, None, "{other}");
    }
    assert_eq!(find_user(store, "second").await, None);
}

/// Checks that only the winner's session is valid.
pub async fn concurrent_registrations_of_one_address_have_one_winner(store: &Ports) {
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
                assert_eq!(rotate(store, number, 100 + number).await, Rotation::Refused);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    let [winner] = winners[..] else {
        panic!("{winners:?}")
    };
    let name = format!("newcomer {winner}");
    let registered = find_user_by_email(store, "a@b.example")
        .await
        .expect("one is kept");
    assert_eq!(registered.id, user(&name));
    let everybody = store.users.list(None, 100).await.expect("listed");
    assert_eq!(everybody, std::slice::from_ref(&registered));
    let rotation = rotate(store, winner, 100).await;
    assert_eq!(rotation, rotated(registered));
}

/// Checks each of the conflicts: the id, the address and the session exist already.
pub async fn failed_registration_stores_neither_user_nor_session(store: &Ports) {
    let anna = register(store, "anna", 1).await;
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
        assert_eq!(find_user(store, "anna").await.as_ref(), Some(&anna));
        assert_eq!(find_user(store, "bob").await, None);
        assert_eq!(rotate(store, 2, 3).await, Rotation::Refused);
    }
    let rotation = rotate(store, 1, 4).await;
    assert_eq!(rotation, rotated(anna));
}

/// Checks that users who never registered are listed too.
pub async fn users_are_listed_by_id_in_pages(store: &Ports) {
    let names = ["Zoe", "anna", "anna ", "zoe", "ämil", "Ивaн", "\u{1F600}"];
    for (number, name) in (1..).zip(["zoe", "\u{1F600}", "anna ", "Zoe", "Ивaн"]) {
        let account = User {
            id: user(name),
            ..account(&format!("user{number}"))
        };
        let registered = store.users.register(&account, &session(name, number)).await;
        registered.expect("registered");
    }
    add_task(store, task("anna", 1)).await;
    add_task(store, task("ämil", 2)).await;
    for most in [1, 2, 3, 7, 8] {
        let mut listed = Vec::new();
        let mut last = None;
        // The bound makes an adapter that repeats a page fail.
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

/// Checks that no other user is affected.
pub async fn password_reset_ends_every_session_and_token(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    let bob = register(store, "bob", 2).await;
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
    assert_eq!(find_user(store, "anna").await, Some(expected));
    assert_eq!(not_before(store, "anna").await, Some(at(5)));
    for number in [1, 3] {
        assert_eq!(rotate(store, number, 10).await, Rotation::Refused);
    }
    assert_eq!(find_user(store, "bob").await.as_ref(), Some(&bob));
    assert_eq!(not_before(store, "bob").await, None);
    assert_eq!(rotate(store, 2, 11).await, rotated(bob));
}

/// Checks that the caller gets a session, and that a wrong current password changes nothing.
pub async fn password_change_ends_every_other_session(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    let bob = register(store, "bob", 2).await;
    let (users, another) = (&store.users, password("second"));
    let since = revocation("anna", 5);
    let (wrong, unused_session) = (password("other"), session("anna", 4));
    let changed = users.change_password(&wrong, &another, &since, &unused_session, false);
    assert_eq!(changed.await.expect("answered"), None);
    assert_eq!(find_user(store, "anna").await.as_ref(), Some(&anna));
    assert_eq!(not_before(store, "anna").await, None);
    let (right, session) = (password("first"), session("anna", 3));
    let changed = users.change_password(&right, &another, &since, &session, false);
    assert_eq!(changed.await.expect("answered"), Some(since));
    let expected = User {
        password: Some(another),
        ..anna
    };
    assert_eq!(find_user(store, "anna").await.as_ref(), Some(&expected));
    assert_eq!(not_before(store, "anna").await, Some(at(5)));
    for number in [1, 4] {
        assert_eq!(rotate(store, number, 10).await, Rotation::Refused);
    }
    assert_eq!(rotate(store, 3, 11).await, rotated(expected));
    assert_eq!(find_user(store, "bob").await.as_ref(), Some(&bob));
    assert_eq!(not_before(store, "bob").await, None);
    assert_eq!(rotate(store, 2, 12).await, rotated(bob));
}

/// Checks changes that all verified the same current password.
pub async fn concurrent_password_changes_have_one_winner(store: &Ports) {
    let anna = register(store, "anna", 0).await;
    let changes = (1..=10_u32).map(|number| async move {
        let (verified, another) = (password("first"), password(&number.to_string()));
        let (since, session) = (revocation("anna", 5), session("anna", number));
        let users = &store.users;
        let changed = users.change_password(&verified, &another, &since, &session, false);
        changed.await.expect("answered").is_some()
    });
    let changes = join_all(changes).await;
    let succeeded = changes.iter().filter(|succeeded| **succeeded).count();
    assert_eq!(succeeded, 1, "{changes:?}");
    for (number, succeeded) in (1..).zip(changes) {
        let expected = if succeeded {
            rotated(User {
                password: Some(password(&number.to_string())),
                ..anna.clone()
            })
        } else {
            Rotation::Refused
        };
        assert_eq!(rotate(store, number, 100 + number).await, expected);
    }
}

/// Checks that deactivation also prevents a password change.
pub async fn deactivated_user_cannot_change_the_password(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    let users = &store.users;
    let deactivated = users
        .set_active(false, &Revocation::permanent(&anna.id))
        .await;
    assert!(deactivated.expect("answered"));
    let (verified, another) = (password("first"), password("second"));
    let (since, session) = (revocation("anna", 5), session("anna", 2));
    let changed = users.change_password(&verified, &another, &since, &session, false);
    assert_eq!(changed.await.expect("answered"), None);
    let after = find_user(store, "anna").await.expect("still there");
    assert_eq!(after.password, anna.password);
    assert_eq!(not_before(store, "anna").await, Some(Timestamp::LAST));
    assert_eq!(rotate(store, 2, 3).await, Rotation::Refused);
}

/// Checks that every change returns `false` and stores nothing.
pub async fn absent_account_cannot_be_changed(store: &Ports) {
    let users = &store.users;
    let revocation = revocation("nobody", 5);
    let changed = users.set_password(&password("any"), &revocation).await;
    assert!(!changed.expect("answered"));
    let session = session("nobody", 1);
    let changed = users
        .change_password(
            &password("first"),
            &password("any"),
            &revocation,
            &session,
            false,
        )
        .await;
    assert_eq!(changed.expect("answered"), None);
    assert_eq!(rotate(store, 1, 2).await, Rotation::Refused);
    for is_active in [true, false] {
        let changed = users.set_active(is_active, &revocation).await;
        assert!(!changed.expect("answered"));
    }
    let (nobody, outdated, rehashed) = (user("nobody"), password("a"), password("b"));
    let done = users.rehash(&nobody, &outdated, &rehashed).await;
    done.expect("answered");
    assert_eq!(not_before(store, "nobody").await, None);
    assert_eq!(find_user(store, "nobody").await, None);
}

/// Checks that a rehash does not overwrite a password that was changed meanwhile.
pub async fn outdated_hash_is_replaced_only_while_current(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    let bob = register(store, "bob", 2).await;
    for (outdated, expected) in [("other", "first"), ("first", "rehashed")] {
        let (outdated, rehashed) = (password(outdated), password("rehashed"));
        let done = store.users.rehash(&anna.id, &outdated, &rehashed).await;
        done.expect("answered");
        let after = find_user(store, "anna").await.expect("still there");
        assert_eq!(after.password, Some(password(expected)));
    }
    assert_eq!(find_user(store, "bob").await, Some(bob));
    // The password is the same, so no session or token is revoked.
    assert_eq!(not_before(store, "anna").await, None);
    let anna = User {
        password: Some(password("rehashed")),
        ..anna
    };
    assert_eq!(rotate(store, 1, 3).await, rotated(anna));
}

/// Checks that deactivation revokes every session and token, and that after reactivation only those
/// issued since are valid.
pub async fn user_is_deactivated_and_reactivated(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    add_task(store, task("anna", 1)).await;
    let users = &store.users;
    let deactivated = users
        .set_active(false, &Revocation::permanent(&anna.id))
        .await;
    assert!(deactivated.expect("answered"));
    let expected = User {
        is_active: false,
        ..anna.clone()
    };
    assert_eq!(find_user(store, "anna").await, Some(expected));
    assert_eq!(not_before(store, "anna").await, Some(Timestamp::LAST));
    assert_eq!(rotate(store, 1, 2).await, Rotation::Refused);

    let reactivated = users.set_active(true, &revocation("anna", 7)).await;
    assert!(reactivated.expect("answered"));
    assert_eq!(find_user(store, "anna").await.as_ref(), Some(&anna));
    assert_eq!(not_before(store, "anna").await, Some(at(7)));
    assert_eq!(rotate(store, 1, 2).await, Rotation::Refused);
    assert_eq!(list_tasks(store, &anna.id).await.len(), 1);
}
