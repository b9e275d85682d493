//! The obligations of sessions.

use futures_util::future::{join, join_all};
use taskhold_domain::session::{Rotation, Session, Successor};
use taskhold_domain::user::User;

use super::{
    LIFETIME, Ports, account, at, not_before, password, register, revocation, rotate, session,
    token,
};

async fn start_session(store: &Ports, session: &Session) {
    assert!(session_starts(store, session, "first").await);
}

/// Starts a session after this password was verified.
async fn session_starts(store: &Ports, session: &Session, verified: &str) -> bool {
    let started = store.sessions.start(session, &password(verified)).await;
    started.expect("answered")
}

/// Checks that each successor works once, too.
pub async fn refresh_token_works_once(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    for number in 1..5 {
        let rotation = rotate(store, number, number + 1).await;
        assert_eq!(rotation, Rotation::Rotated(anna.clone()));
    }
    start_session(store, &session("anna", 10)).await;
    assert_eq!(rotate(store, 10, 11).await, Rotation::Rotated(anna));
    assert_eq!(rotate(store, 3, 20).await, Rotation::Reused);
    assert_eq!(rotate(store, 20, 21).await, Rotation::Refused);
}

/// Checks that a refused attempt stores nothing.
pub async fn unknown_or_expired_token_is_refused(store: &Ports) {
    register(store, "anna", 1).await;
    assert_eq!(rotate(store, 9, 10).await, Rotation::Refused);
    assert_eq!(rotate(store, 10, 11).await, Rotation::Refused);
    for (micros, is_good) in [(1, false), (0, false), (-1, true)] {
        let successor = Successor {
            token: token(2),
            created_at: at(LIFETIME + micros),
            expires_at: at(3 * LIFETIME),
        };
        let rotation = store.sessions.rotate(token(1), &successor).await;
        let expected = if is_good {
            Rotation::Rotated(account("anna"))
        } else {
            Rotation::Refused
        };
        assert_eq!(rotation.expect("answered"), expected, "{micros}");
    }
    // The successor has its own lifetime.
    let last = Successor {
        token: token(3),
        created_at: at(3 * LIFETIME - 1),
        expires_at: at(3 * LIFETIME),
    };
    let rotation = store.sessions.rotate(token(2), &last).await;
    assert_eq!(
        rotation.expect("answered"),
        Rotation::Rotated(account("anna"))
    );
}

/// Checks that a refused refresh does not use the token up.
pub async fn deactivated_user_gets_no_session(store: &Ports) {
    let anna = User {
        is_active: false,
        ..account("anna")
    };
    let registered = store.users.register(&anna, &session("anna", 1)).await;
    registered.expect("registered");
    assert!(!session_starts(store, &session("anna", 2), "first").await);
    for _ in 0..2 {
        assert_eq!(rotate(store, 1, 2).await, Rotation::Refused);
    }
    assert_eq!(rotate(store, 2, 3).await, Rotation::Refused);
}

/// Checks outdated passwords and those of other users.
pub async fn wrong_password_starts_no_session(store: &Ports) {
    register(store, "anna", 1).await;
    let bob = User {
        password: Some(password("bob's")),
        ..account("bob")
    };
    let registered = store.users.register(&bob, &session("bob", 2)).await;
    registered.expect("registered");
    let users = &store.users;
    let (second, since) = (password("second"), revocation("anna", 1));
    let changed = users.set_password(&second, &since).await;
    assert!(changed.expect("answered"));
    for wrong in ["first", "bob's", ""] {
        assert!(!session_starts(store, &session("anna", 3), wrong).await);
    }
    assert_eq!(rotate(store, 3, 4).await, Rotation::Refused);
    assert!(session_starts(store, &session("anna", 3), "second").await);
    let anna = User {
        password: Some(second),
        ..account("anna")
    };
    assert_eq!(rotate(store, 3, 4).await, Rotation::Rotated(anna));
}

/// Checks both orders of the two.
pub async fn password_change_ends_concurrent_logins(store: &Ports) {
    let changes = (1..=20_u32).map(|number| async move {
        let name = format!("user{number}");
        register(store, &name, number * 100).await;
        let (first, second) = (password("first"), password("second"));
        let (since, next) = (revocation(&name, 5), session(&name, number * 100 + 1));
        let users = &store.users;
        let change = async {
            make_calls(store, number % 3).await;
            users.change_password(&first, &second, &since, &next).await
        };
        let login = session(&name, number * 100 + 2);
        let (_, changed) = join(session_starts(store, &login, "first"), change).await;
        assert!(changed.expect("answered"));
        let rotation = rotate(store, number * 100 + 2, number * 100 + 3).await;
        assert_eq!(rotation, Rotation::Refused);
        let rotation = rotate(store, number * 100 + 1, number * 100 + 4).await;
        assert!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
    });
    join_all(changes).await;
}

/// Checks a user who was removed after the password was verified.
pub async fn absent_user_gets_no_session(store: &Ports) {
    assert!(!session_starts(store, &session("nobody", 1), "first").await);
    assert_eq!(rotate(store, 1, 2).await, Rotation::Refused);
}

/// Checks that the user's other sessions and those of other users continue.
pub async fn reused_token_revokes_only_its_family(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    let bob = register(store, "bob", 2).await;
    start_session(store, &session("anna", 3)).await;
    assert_eq!(rotate(store, 1, 11).await, Rotation::Rotated(anna.clone()));
    assert_eq!(rotate(store, 1, 12).await, Rotation::Reused);
    for number in [1, 11, 12] {
        assert_eq!(rotate(store, number, 20).await, Rotation::Refused);
    }
    assert_eq!(rotate(store, 3, 13).await, Rotation::Rotated(anna));
    assert_eq!(rotate(store, 2, 14).await, Rotation::Rotated(bob));
}

/// Checks that only the first use returns a token, and that the other uses revoke that token.
pub async fn concurrent_uses_have_one_winner_and_revoke_the_family(store: &Ports) {
    let anna = register(store, "anna", 0).await;
    start_session(store, &session("anna", 100)).await;
    let uses = (1..=10).map(|number| rotate(store, 0, number));
    let rotations = join_all(uses).await;
    let winners: Vec<_> = (1..)
        .zip(&rotations)
        .filter(|(_, rotation)| **rotation == Rotation::Rotated(anna.clone()))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(winners.len(), 1, "{rotations:?}");
    assert!(rotations.contains(&Rotation::Reused), "{rotations:?}");
    for number in 0..=10 {
        assert_eq!(rotate(store, number, 50).await, Rotation::Refused);
    }
    assert_eq!(rotate(store, 100, 101).await, Rotation::Rotated(anna));
}

/// Rotates the token of this number, then its successor, and so on, at most `most` times and until
/// one is refused. Returns the number of the last token.
async fn rotate_until_refused(store: &Ports, number: u32, most: u32) -> u32 {
    for number in number..number + most {
        match rotate(store, number, number + 1).await {
            Rotation::Rotated(_) => {}
            Rotation::Reused | Rotation::Refused => return number,
        }
    }
    number + most
}

/// Checks that a successor created at that moment is revoked, too.
pub async fn reuse_during_rotation_revokes_the_family(store: &Ports) {
    register(store, "anna", 0).await;
    let families = (1..=8_u32).map(|family| family * 1000);
    let ended = families.map(|first| async move {
        start_session(store, &session("anna", first)).await;
        rotate_until_refused(store, first, 1).await;
        let reuse = async {
            make_calls(store, first / 1000).await;
            rotate(store, first, first + 999).await
        };
        let (last, reuse) = join(rotate_until_refused(store, first + 1, 40), reuse).await;
        assert_eq!(reuse, Rotation::Reused);
        assert_eq!(rotate(store, last, first + 998).await, Rotation::Refused);
    });
    join_all(ended).await;
}

/// Makes `calls` calls, so that concurrent calls advance meanwhile.
async fn make_calls(store: &Ports, calls: u32) {
    for _ in 0..calls {
        rotate(store, u32::MAX, 0).await;
    }
}

/// Checks a password reset, a logout everywhere and a removal of the user.
pub async fn ending_all_sessions_ends_concurrent_rotations(store: &Ports) {
    let users: Vec<_> = (1..=8_u32)
        .map(|user| (format!("user{user}"), user * 1000))
        .collect();
    let ended = users.iter().map(|(name, first)| async move {
        register(store, name, *first).await;
        let end = async {
            make_calls(store, first / 1000).await;
            let revocation = revocation(name, 5);
            match first / 1000 % 3 {
                0 => {
                    let another = password("new");
                    let changed = store.users.set_password(&another, &revocation).await;
                    assert!(changed.expect("answered"));
                }
                1 => {
                    let ended = store.sessions.end(None, &revocation).await;
                    ended.expect("ended");
                }
                _ => {
                    let removed = store.users.remove(&revocation).await;
                    assert!(removed.expect("answered"));
                }
            }
        };
        let (last, ()) = join(rotate_until_refused(store, *first, 40), end).await;
        assert_eq!(rotate(store, last, first + 998).await, Rotation::Refused);
    });
    join_all(ended).await;
}

/// Checks that any token of a session ends it, whether used or not.
pub async fn ending_one_session_leaves_the_others(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    start_session(store, &session("anna", 2)).await;
    start_session(store, &session("anna", 3)).await;
    assert_eq!(rotate(store, 1, 11).await, Rotation::Rotated(anna.clone()));
    for (shown, micros) in [(1, 5), (2, 6)] {
        let ended = store
            .sessions
            .end(Some(token(shown)), &revocation("anna", micros))
            .await;
        ended.expect("ended");
        assert_eq!(not_before(store, "anna").await, Some(at(micros)));
    }
    for number in [1, 2, 11] {
        assert_eq!(rotate(store, number, 20).await, Rotation::Refused);
    }
    assert_eq!(rotate(store, 3, 21).await, Rotation::Rotated(anna));
}

/// Checks that knowing a token is not enough; the access tokens of the caller end regardless.
pub async fn another_users_session_cannot_be_ended(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    for shown in [1, 99] {
        let sessions = &store.sessions;
        let ended = sessions
            .end(Some(token(shown)), &revocation("bob", 5))
            .await;
        ended.expect("ended");
    }
    assert_eq!(not_before(store, "bob").await, Some(at(5)));
    assert_eq!(not_before(store, "anna").await, None);
    assert_eq!(rotate(store, 1, 2).await, Rotation::Rotated(anna));
}

/// Checks that other users' sessions continue.
pub async fn ending_all_sessions_leaves_none(store: &Ports) {
    register(store, "anna", 1).await;
    let bob = register(store, "bob", 2).await;
    start_session(store, &session("anna", 3)).await;
    let ended = store.sessions.end(None, &revocation("anna", 5)).await;
    ended.expect("ended");
    for number in [1, 3] {
        assert_eq!(rotate(store, number, 20).await, Rotation::Refused);
    }
    assert_eq!(not_before(store, "anna").await, Some(at(5)));
    assert_eq!(rotate(store, 2, 21).await, Rotation::Rotated(bob));
}

/// Checks that expired tokens are purged whether used or not, and that valid ones stay.
pub async fn expired_sessions_are_purged_in_batches(store: &Ports) {
    let anna = register(store, "anna", 0).await;
    for number in 1..=5 {
        let session = Session {
            expires_at: at(100 + i64::from(number)),
            ..session("anna", number)
        };
        start_session(store, &session).await;
    }
    assert_eq!(rotate(store, 1, 11).await, Rotation::Rotated(anna.clone()));
    for expected in [2, 2, 0] {
        let purged = store.sessions.purge_expired(at(105), 2).await;
        assert_eq!(purged.expect("answered"), expected);
    }
    // This token was used and has been purged since.
    assert_eq!(rotate(store, 1, 12).await, Rotation::Refused);
    for (number, next) in [(5, 13), (11, 14), (0, 15)] {
        let rotation = rotate(store, number, next).await;
        assert_eq!(rotation, Rotation::Rotated(anna.clone()), "{number}");
    }
}
