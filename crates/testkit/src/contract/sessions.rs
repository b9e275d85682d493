//! The obligations of sessions.

use futures_util::future::{join, join_all};
use taskhold_domain::session::{Rotation, Session, Successor};
use taskhold_domain::user::User;

use super::{
    LIFETIME, Ports, account, at, not_before, password, registered, revocation, rotated, session,
    token,
};

async fn started(store: &Ports, session: &Session) {
    assert!(is_started(store, session, "first").await);
}

/// With this password.
async fn is_started(store: &Ports, session: &Session, verified: &str) -> bool {
    let started = store.sessions.start(session, &password(verified)).await;
    started.expect("answered")
}

/// The one that takes its place is, too.
pub async fn a_refresh_token_is_good_for_one_use(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    for number in 1..5 {
        let rotation = rotated(store, number, number + 1).await;
        assert_eq!(rotation, Rotation::Rotated(anna.clone()));
    }
    started(store, &session("anna", 10)).await;
    assert_eq!(rotated(store, 10, 11).await, Rotation::Rotated(anna));
    assert_eq!(rotated(store, 3, 20).await, Rotation::Reused);
    assert_eq!(rotated(store, 20, 21).await, Rotation::Refused);
}

/// Nothing is kept of the attempt.
pub async fn a_token_that_is_unknown_or_expired_is_refused(store: &Ports) {
    registered(store, "anna", 1).await;
    assert_eq!(rotated(store, 9, 10).await, Rotation::Refused);
    assert_eq!(rotated(store, 10, 11).await, Rotation::Refused);
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
    // It lives as long as it was given, and not as the one before.
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

/// Nor is the token used up by that.
pub async fn who_is_kept_out_is_given_no_session(store: &Ports) {
    let anna = User {
        is_active: false,
        ..account("anna")
    };
    let kept = store.users.register(&anna, &session("anna", 1)).await;
    kept.expect("registered");
    assert!(!is_started(store, &session("anna", 2), "first").await);
    for _ in 0..2 {
        assert_eq!(rotated(store, 1, 2).await, Rotation::Refused);
    }
    assert_eq!(rotated(store, 2, 3).await, Rotation::Refused);
}

/// Nor with anybody else's.
pub async fn no_session_starts_with_another_password(store: &Ports) {
    registered(store, "anna", 1).await;
    let bob = User {
        password: Some(password("bob's")),
        ..account("bob")
    };
    let kept = store.users.register(&bob, &session("bob", 2)).await;
    kept.expect("registered");
    let users = &store.users;
    let (second, since) = (password("second"), revocation("anna", 1));
    let changed = users.set_password(&second, &since).await;
    assert!(changed.expect("answered"));
    for wrong in ["first", "bob's", ""] {
        assert!(!is_started(store, &session("anna", 3), wrong).await);
    }
    assert_eq!(rotated(store, 3, 4).await, Rotation::Refused);
    assert!(is_started(store, &session("anna", 3), "second").await);
    let anna = User {
        password: Some(second),
        ..account("anna")
    };
    assert_eq!(rotated(store, 3, 4).await, Rotation::Rotated(anna));
}

/// Whichever of the two comes first.
pub async fn no_session_outlives_a_change_of_its_password(store: &Ports) {
    let changes = (1..=20_u32).map(|number| async move {
        let name = format!("user{number}");
        registered(store, &name, number * 100).await;
        let (first, second) = (password("first"), password("second"));
        let (since, next) = (revocation(&name, 5), session(&name, number * 100 + 1));
        let users = &store.users;
        let change = async {
            later(store, number % 3).await;
            users.change_password(&first, &second, &since, &next).await
        };
        let login = session(&name, number * 100 + 2);
        let (_, changed) = join(is_started(store, &login, "first"), change).await;
        assert!(changed.expect("answered"));
        let rotation = rotated(store, number * 100 + 2, number * 100 + 3).await;
        assert_eq!(rotation, Rotation::Refused);
        let rotation = rotated(store, number * 100 + 1, number * 100 + 4).await;
        assert!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
    });
    join_all(changes).await;
}

/// Such as one who was removed after the password was looked at.
pub async fn nobody_has_no_session(store: &Ports) {
    assert!(!is_started(store, &session("nobody", 1), "first").await);
    assert_eq!(rotated(store, 1, 2).await, Rotation::Refused);
}

/// The user's other logins go on, and so do other users'.
pub async fn a_reuse_ends_its_family_and_no_other(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    let bob = registered(store, "bob", 2).await;
    started(store, &session("anna", 3)).await;
    assert_eq!(rotated(store, 1, 11).await, Rotation::Rotated(anna.clone()));
    assert_eq!(rotated(store, 1, 12).await, Rotation::Reused);
    for number in [1, 11, 12] {
        assert_eq!(rotated(store, number, 20).await, Rotation::Refused);
    }
    assert_eq!(rotated(store, 3, 13).await, Rotation::Rotated(anna));
    assert_eq!(rotated(store, 2, 14).await, Rotation::Rotated(bob));
}

/// The first is the only one that gets a token, and by the others it is of no use.
pub async fn of_several_uses_at_once_one_wins_and_the_others_end_the_family(store: &Ports) {
    let anna = registered(store, "anna", 0).await;
    started(store, &session("anna", 100)).await;
    let uses = (1..=10).map(|number| rotated(store, 0, number));
    let rotations = join_all(uses).await;
    let winners: Vec<_> = (1..)
        .zip(&rotations)
        .filter(|(_, rotation)| **rotation == Rotation::Rotated(anna.clone()))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(winners.len(), 1, "{rotations:?}");
    assert!(rotations.contains(&Rotation::Reused), "{rotations:?}");
    for number in 0..=10 {
        assert_eq!(rotated(store, number, 50).await, Rotation::Refused);
    }
    assert_eq!(rotated(store, 100, 101).await, Rotation::Rotated(anna));
}

/// Uses the token of this number, then the one that it was given, and so on, as long as they are good
/// and no longer than for `most` of them. The last one.
async fn renewed(store: &Ports, number: u32, most: u32) -> u32 {
    for number in number..number + most {
        match rotated(store, number, number + 1).await {
            Rotation::Rotated(_) => {}
            Rotation::Reused | Rotation::Refused => return number,
        }
    }
    number + most
}

/// No successor slips through that is being given out at that moment.
pub async fn a_reuse_ends_a_family_that_is_being_renewed(store: &Ports) {
    registered(store, "anna", 0).await;
    let families = (1..=8_u32).map(|family| family * 1000);
    let ended = families.map(|first| async move {
        started(store, &session("anna", first)).await;
        renewed(store, first, 1).await;
        let reuse = async {
            later(store, first / 1000).await;
            rotated(store, first, first + 999).await
        };
        let (last, reuse) = join(renewed(store, first + 1, 40), reuse).await;
        assert_eq!(reuse, Rotation::Reused);
        assert_eq!(rotated(store, last, first + 998).await, Rotation::Refused);
    });
    join_all(ended).await;
}

/// After so many calls, while others are in between theirs.
async fn later(store: &Ports, calls: u32) {
    for _ in 0..calls {
        rotated(store, u32::MAX, 0).await;
    }
}

/// Whether by a new password, the wish to be logged out everywhere, or the removal of the user.
pub async fn no_session_that_is_being_renewed_outlives_the_end_of_all(store: &Ports) {
    let users: Vec<_> = (1..=8_u32)
        .map(|user| (format!("user{user}"), user * 1000))
        .collect();
    let ended = users.iter().map(|(name, first)| async move {
        registered(store, name, *first).await;
        let end = async {
            later(store, first / 1000).await;
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
        let (last, ()) = join(renewed(store, *first, 40), end).await;
        assert_eq!(rotated(store, last, first + 998).await, Rotation::Refused);
    });
    join_all(ended).await;
}

/// Whichever token of it is shown, used or not.
pub async fn the_end_of_one_login_leaves_the_others(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    started(store, &session("anna", 2)).await;
    started(store, &session("anna", 3)).await;
    assert_eq!(rotated(store, 1, 11).await, Rotation::Rotated(anna.clone()));
    for (shown, micros) in [(1, 5), (2, 6)] {
        let ended = store
            .sessions
            .end(Some(token(shown)), &revocation("anna", micros))
            .await;
        ended.expect("ended");
        assert_eq!(not_before(store, "anna").await, Some(at(micros)));
    }
    for number in [1, 2, 11] {
        assert_eq!(rotated(store, number, 20).await, Rotation::Refused);
    }
    assert_eq!(rotated(store, 3, 21).await, Rotation::Rotated(anna));
}

/// What is shown is no proof of whose it is; the access tokens of who shows it end anyhow.
pub async fn nobody_ends_another_users_login(store: &Ports) {
    let anna = registered(store, "anna", 1).await;
    for shown in [1, 99] {
        let sessions = &store.sessions;
        let ended = sessions
            .end(Some(token(shown)), &revocation("bob", 5))
            .await;
        ended.expect("ended");
    }
    assert_eq!(not_before(store, "bob").await, Some(at(5)));
    assert_eq!(not_before(store, "anna").await, None);
    assert_eq!(rotated(store, 1, 2).await, Rotation::Rotated(anna));
}

/// Of that user.
pub async fn the_end_of_all_logins_leaves_none(store: &Ports) {
    registered(store, "anna", 1).await;
    let bob = registered(store, "bob", 2).await;
    started(store, &session("anna", 3)).await;
    let ended = store.sessions.end(None, &revocation("anna", 5)).await;
    ended.expect("ended");
    for number in [1, 3] {
        assert_eq!(rotated(store, number, 20).await, Rotation::Refused);
    }
    assert_eq!(not_before(store, "anna").await, Some(at(5)));
    assert_eq!(rotated(store, 2, 21).await, Rotation::Rotated(bob));
}

/// Used or not; what is still good stays.
pub async fn sessions_are_forgotten_in_bounded_steps(store: &Ports) {
    let anna = registered(store, "anna", 0).await;
    for number in 1..=5 {
        let session = Session {
            expires_at: at(100 + i64::from(number)),
            ..session("anna", number)
        };
        started(store, &session).await;
    }
    assert_eq!(rotated(store, 1, 11).await, Rotation::Rotated(anna.clone()));
    for expected in [2, 2, 0] {
        let forgotten = store.sessions.purge_expired(at(105), 2).await;
        assert_eq!(forgotten.expect("answered"), expected);
    }
    // Used before, and forgotten by now.
    assert_eq!(rotated(store, 1, 12).await, Rotation::Refused);
    for (number, next) in [(5, 13), (11, 14), (0, 15)] {
        let rotation = rotated(store, number, next).await;
        assert_eq!(rotation, Rotation::Rotated(anna.clone()), "{number}");
    }
}
