//! The obligations of sessions.

use futures_util::future::{join, join_all};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Ending, MAX_PER_USER, PresentedToken, Rotation, Session};
use taskhold_domain::user::User;
use taskhold_repository::revocations::SubjectHash;
use uuid::Uuid;

use super::Ports;
use super::fixtures::{
    LIFETIME, MAX_TOKEN_LIFETIME, account, at, not_before, password, presented, register,
    revocation, rotate, rotate_at, rotated, session, token, user,
};

/// Asserts that the token was recognized as used.
#[track_caller]
fn assert_reused(rotation: &Rotation) {
    assert!(matches!(rotation, Rotation::Reused(_)), "{rotation:?}");
}

/// Returns a presented token that proves the family of this number.
fn of_family(number: u32, family: u32) -> PresentedToken {
    PresentedToken {
        hash: token(number),
        family: Some(Uuid::from_u128(family.into())),
    }
}

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
        assert_eq!(rotation, rotated(anna.clone()));
    }
    start_session(store, &session("anna", 10)).await;
    assert_eq!(rotate(store, 10, 11).await, rotated(anna));
    assert_reused(&rotate(store, 3, 20).await);
    assert_eq!(rotate(store, 20, 21).await, Rotation::Refused);
}

/// Checks that a refused attempt stores nothing.
pub async fn unknown_or_expired_token_is_refused(store: &Ports) {
    register(store, "anna", 1).await;
    assert_eq!(rotate(store, 9, 10).await, Rotation::Refused);
    assert_eq!(rotate(store, 10, 11).await, Rotation::Refused);
    for (micros, is_good) in [(1, false), (0, false), (-1, true)] {
        let rotation = rotate_at(store, presented(1), 2, LIFETIME + micros).await;
        let expected = if is_good {
            rotated(account("anna"))
        } else {
            Rotation::Refused
        };
        assert_eq!(rotation, expected, "{micros}");
    }
    // The successor has its own lifetime.
    let rotation = rotate_at(store, presented(2), 3, 2 * LIFETIME - 2).await;
    assert_eq!(rotation, rotated(account("anna")));
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
    assert_eq!(rotate(store, 3, 4).await, rotated(anna));
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
            users
                .change_password(&first, &second, &since, &next, false)
                .await
        };
        let login = session(&name, number * 100 + 2);
        let (_, changed) = join(session_starts(store, &login, "first"), change).await;
        assert!(changed.expect("answered").is_some());
        let rotation = rotate(store, number * 100 + 2, number * 100 + 3).await;
        assert_eq!(rotation, Rotation::Refused);
        let rotation = rotate(store, number * 100 + 1, number * 100 + 4).await;
        assert!(matches!(rotation, Rotation::Rotated { .. }), "{rotation:?}");
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
    assert_eq!(rotate(store, 1, 11).await, rotated(anna.clone()));
    assert_reused(&rotate(store, 1, 12).await);
    for number in [1, 11, 12] {
        assert_eq!(rotate(store, number, 20).await, Rotation::Refused);
    }
    assert_eq!(rotate(store, 3, 13).await, rotated(anna));
    assert_eq!(rotate(store, 2, 14).await, rotated(bob));
}

/// Checks that only the first use returns a token, and that the other uses revoke that token.
pub async fn concurrent_uses_have_one_winner_and_revoke_the_family(store: &Ports) {
    let anna = register(store, "anna", 0).await;
    start_session(store, &session("anna", 100)).await;
    let uses = (1..=10).map(|number| rotate(store, 0, number));
    let rotations = join_all(uses).await;
    let winners: Vec<_> = (1..)
        .zip(&rotations)
        .filter(|(_, rotation)| **rotation == rotated(anna.clone()))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(winners.len(), 1, "{rotations:?}");
    let reused = |rotation: &Rotation| matches!(rotation, Rotation::Reused(_));
    assert!(rotations.iter().any(reused), "{rotations:?}");
    for number in 0..=10 {
        assert_eq!(rotate(store, number, 50).await, Rotation::Refused);
    }
    assert_eq!(rotate(store, 100, 101).await, rotated(anna));
}

/// Rotates the token of this number, then its successor, and so on, at most `most` times and until
/// one is refused. Returns the number of the last token.
async fn rotate_until_refused(store: &Ports, number: u32, most: u32) -> u32 {
    for number in number..number + most {
        match rotate(store, number, number + 1).await {
            Rotation::Rotated { .. } => {}
            Rotation::Reused(_) | Rotation::Refused => return number,
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
        assert_reused(&reuse);
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
                    let ended = store.sessions.end(Ending::All, &revocation).await;
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

/// Ends the session of a token at `micros`.
async fn end_of_token(store: &Ports, token: PresentedToken, micros: i64) -> Option<Revocation> {
    let lifetime = MAX_TOKEN_LIFETIME;
    let ended = store.sessions.end_of_token(token, at(micros), lifetime);
    ended.await.expect("answered")
}

/// Returns the revocation of a user's session at `micros`.
fn of_session(name: &str, family: u128, micros: i64) -> Revocation {
    Revocation::issued_before(&user(name), at(micros), MAX_TOKEN_LIFETIME)
        .of_session(Uuid::from_u128(family))
}

/// Checks that any token of a session ends it, whether used or not, and revokes only the access tokens of this
/// session and those that name none.
pub async fn ending_one_session_leaves_the_others(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    start_session(store, &session("anna", 2)).await;
    start_session(store, &session("anna", 3)).await;
    assert_eq!(rotate(store, 1, 11).await, rotated(anna.clone()));
    for (shown, micros) in [(1, 5), (2, 6)] {
        let ended = end_of_token(store, presented(shown), micros).await;
        assert_eq!(ended, Some(of_session("anna", shown.into(), micros)));
        assert_eq!(end_of_token(store, presented(shown), 9).await, None);
    }
    assert_eq!(not_before(store, "anna").await, None);
    let mut current = store.revocations.current().await.expect("answered");
    let mut expected = vec![
        (SubjectHash::of_session(Uuid::from_u128(1)), at(5)),
        (SubjectHash::of_session(Uuid::from_u128(2)), at(6)),
        (SubjectHash::without_session(&user("anna")), at(6)),
    ];
    current.sort_unstable();
    expected.sort_unstable();
    assert_eq!(current, expected);
    for number in [1, 2, 11] {
        assert_eq!(rotate(store, number, 20).await, Rotation::Refused);
    }
    assert_eq!(rotate(store, 3, 21).await, rotated(anna));
}

/// Checks that a token ends no session of another user, and an unknown one none.
pub async fn token_ends_only_its_own_session(store: &Ports) {
    register(store, "anna", 1).await;
    let bob = register(store, "bob", 2).await;
    assert_eq!(end_of_token(store, presented(99), 5).await, None);
    assert_eq!(end_of_token(store, of_family(99, 98), 5).await, None);
    // The family shows whose it is after the row of the token was deleted.
    let ended = end_of_token(store, of_family(99, 1), 5).await;
    assert_eq!(ended, Some(of_session("anna", 1, 5)));
    assert_eq!(rotate(store, 1, 3).await, Rotation::Refused);
    assert_eq!(rotate(store, 2, 4).await, rotated(bob));
}

/// Checks that other users' sessions continue.
pub async fn ending_all_sessions_leaves_none(store: &Ports) {
    register(store, "anna", 1).await;
    let bob = register(store, "bob", 2).await;
    start_session(store, &session("anna", 3)).await;
    let ended = store
        .sessions
        .end(Ending::All, &revocation("anna", 5))
        .await;
    ended.expect("ended");
    for number in [1, 3] {
        assert_eq!(rotate(store, number, 20).await, Rotation::Refused);
    }
    assert_eq!(not_before(store, "anna").await, Some(at(5)));
    assert_eq!(rotate(store, 2, 21).await, rotated(bob));
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
    assert_eq!(rotate(store, 1, 11).await, rotated(anna.clone()));
    for expected in [2, 2, 0] {
        let purged = store.sessions.purge_expired(at(105), 2).await;
        assert_eq!(purged.expect("answered"), expected);
    }
    // This token was used and has been purged since.
    assert_eq!(rotate(store, 1, 12).await, Rotation::Refused);
    for (number, next) in [(5, 13), (11, 14), (0, 15)] {
        let rotation = rotate(store, number, next).await;
        assert_eq!(rotation, rotated(anna.clone()), "{number}");
    }
}

/// Checks that the revocation is the stored one, and that only the user of the token is affected.
pub async fn reused_token_revokes_the_access_tokens_of_its_user(store: &Ports) {
    register(store, "anna", 1).await;
    register(store, "bob", 2).await;
    rotate_at(store, presented(1), 11, 5).await;
    assert_eq!(not_before(store, "anna").await, None);
    let rotation = rotate_at(store, presented(1), 12, 20).await;
    let expected = Revocation::issued_before(&user("anna"), at(20), MAX_TOKEN_LIFETIME);
    assert_eq!(rotation, Rotation::Reused(expected));
    assert_eq!(not_before(store, "anna").await, Some(at(20)));
    assert_eq!(not_before(store, "bob").await, None);
    // A later reuse of what has ended revokes nothing further.
    assert_eq!(
        rotate_at(store, presented(11), 13, 30).await,
        Rotation::Refused
    );
    assert_eq!(not_before(store, "anna").await, Some(at(20)));
}

/// Checks that the winner of concurrent uses, which may have read a later time, gets no lasting access token.
pub async fn reuse_revokes_tokens_that_are_later_than_its_own_time(store: &Ports) {
    register(store, "anna", 1).await;
    rotate_at(store, presented(1), 11, 20).await;
    assert_reused(&rotate_at(store, presented(1), 12, 5).await);
    assert_eq!(not_before(store, "anna").await, Some(at(21)));
}

/// Checks a token that proves its family: its session keeps two rows, and any earlier token ends it.
pub async fn superseded_token_is_recognized_without_its_row(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    for number in 1..30 {
        let rotation = rotate_at(store, of_family(number, 1), number + 1, 1).await;
        assert_eq!(rotation, rotated(anna.clone()), "{number}");
    }
    // There is no such family.
    assert_eq!(
        rotate_at(store, of_family(99, 98), 100, 2).await,
        Rotation::Refused
    );
    assert_eq!(
        rotate_at(store, presented(3), 100, 2).await,
        Rotation::Refused,
        "the row is gone"
    );
    assert_reused(&rotate_at(store, of_family(3, 1), 100, 2).await);
    assert_eq!(not_before(store, "anna").await, Some(at(2)));
    for number in [1, 29, 30, 100] {
        let rotation = rotate_at(store, of_family(number, 1), 101, 3).await;
        assert_eq!(rotation, Rotation::Refused, "{number}");
    }
    let purged = store.sessions.purge_expired(at(9 * LIFETIME), 99).await;
    assert_eq!(purged.expect("answered"), 0, "no row is left");
}

/// Checks that the last token expires with the session.
pub async fn session_ends_at_its_age_despite_refreshes(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    for number in 1..=7 {
        let micros = i64::from(number) * LIFETIME / 2;
        let rotation = rotate_at(store, presented(number), number + 1, micros).await;
        assert_eq!(rotation, rotated(anna.clone()), "{number}");
    }
    let sessions = store.sessions.list(&anna.id, at(2)).await;
    let sessions = sessions.expect("answered");
    let times: Vec<_> = sessions
        .iter()
        .map(|session| (session.started_at, session.expires_at))
        .collect();
    assert_eq!(times, [(at(0), at(4 * LIFETIME))]);
    let rotation = rotate_at(store, presented(8), 9, 4 * LIFETIME).await;
    assert_eq!(rotation, Rotation::Refused);
}

/// Checks that other users keep their sessions.
pub async fn excess_session_ends_the_least_recently_refreshed(store: &Ports) {
    let most = u32::try_from(MAX_PER_USER).expect("a small number");
    let anna = register(store, "anna", 0).await;
    let bob = register(store, "bob", 9_999).await;
    for number in 1..most {
        let session = Session {
            created_at: at(number.into()),
            ..session("anna", number)
        };
        start_session(store, &session).await;
    }
    let refreshed = rotate_at(store, presented(0), 1_000, 1_000).await;
    assert_eq!(refreshed, rotated(anna.clone()));
    let last = Session {
        created_at: at(2_000),
        ..session("anna", 2_000)
    };
    start_session(store, &last).await;
    assert_eq!(rotate(store, 1, 3_000).await, Rotation::Refused);
    for number in [2, most - 1, 1_000, 2_000] {
        let rotation = rotate_at(store, presented(number), 4_000 + number, 3_000).await;
        assert_eq!(rotation, rotated(anna.clone()), "{number}");
    }
    assert_eq!(rotate(store, 9_999, 10_000).await, rotated(bob));
    let sessions = store.sessions.list(&anna.id, at(1)).await;
    assert_eq!(sessions.expect("answered").len(), most as usize);
}

/// Checks that expired and used tokens, and other users, are left out.
pub async fn valid_sessions_are_listed_latest_first(store: &Ports) {
    let anna = register(store, "anna", 1).await.id;
    register(store, "bob", 2).await;
    for (number, micros) in [(3, 7), (4, 3)] {
        let session = Session {
            started_at: at(micros),
            created_at: at(micros),
            expires_at: at(LIFETIME + micros),
            ..session("anna", number)
        };
        start_session(store, &session).await;
    }
    rotate_at(store, presented(1), 11, 5).await;
    let list = async |micros| {
        let sessions = store.sessions.list(&anna, at(micros)).await;
        sessions.expect("answered")
    };
    let current = Session {
        token: token(11),
        created_at: at(5),
        expires_at: at(LIFETIME + 5),
        ..session("anna", 1)
    };
    let sessions = list(10).await;
    let numbers: Vec<_> = sessions
        .iter()
        .map(|session| session.family.as_u128())
        .collect();
    assert_eq!(numbers, [3, 1, 4]);
    assert!(sessions.contains(&current), "{sessions:?}");
    assert_eq!(list(LIFETIME + 5).await.len(), 1);
    assert_eq!(list(LIFETIME + 7).await, []);
}

/// Checks that a miss stores no revocation.
pub async fn session_of_a_family_is_ended_by_its_user_only(store: &Ports) {
    let anna = register(store, "anna", 1).await;
    let bob = register(store, "bob", 2).await;
    start_session(store, &session("anna", 3)).await;
    let end = async |name: &str, family: u128, micros| {
        let ending = Ending::OfFamily(Uuid::from_u128(family));
        let ended = store.sessions.end(ending, &revocation(name, micros)).await;
        ended.expect("answered")
    };
    assert_eq!(end("bob", 1, 5).await, None);
    assert_eq!(end("anna", 99, 5).await, None);
    assert_eq!(not_before(store, "bob").await, None);
    assert_eq!(not_before(store, "anna").await, None);
    assert_eq!(end("anna", 1, 6).await, Some(revocation("anna", 6)));
    assert_eq!(not_before(store, "anna").await, Some(at(6)));
    assert_eq!(end("anna", 1, 7).await, None, "it has ended");
    assert_eq!(rotate(store, 1, 11).await, Rotation::Refused);
    assert_eq!(rotate(store, 3, 13).await, rotated(anna));
    assert_eq!(rotate(store, 2, 12).await, rotated(bob));
}

/// Checks an access token that was issued at a time that is later than that of the ending.
pub async fn ending_sessions_covers_concurrent_refreshes(store: &Ports) {
    for (name, number) in [("anna", 1), ("carol", 3)] {
        register(store, name, number).await;
        rotate_at(store, presented(number), number + 10, 20).await;
        let ending = match name {
            "anna" => Ending::All,
            _ => Ending::OfFamily(Uuid::from_u128(number.into())),
        };
        let ended = store.sessions.end(ending, &revocation(name, 5)).await;
        assert_eq!(ended.expect("answered"), Some(revocation(name, 21)));
        assert_eq!(not_before(store, name).await, Some(at(21)), "{name}");
    }
    register(store, "dora", 4).await;
    rotate_at(store, presented(4), 14, 20).await;
    let ended = end_of_token(store, presented(14), 5).await.expect("ended");
    assert_eq!(ended.not_before, at(21));
}
