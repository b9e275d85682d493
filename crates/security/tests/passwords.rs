//! Hashing of passwords, and its cost for the service.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::Params;
use taskhold_application::passwords::{
    HashRequest, HashingError, PasswordHasher as _, Verification,
};
use taskhold_domain::account::{Password, PasswordHash};
use taskhold_security::passwords::Argon2Passwords;

/// A request that may take every place.
const LOGIN: HashRequest = HashRequest {
    network: None,
    is_login: true,
};

/// Returns a single-threaded hasher that uses this much memory.
fn costing(kibibytes: u32) -> Argon2Passwords {
    let cost = Params::new(kibibytes, 1, 1, None).expect("a cost");
    Argon2Passwords::new(cost, NonZeroUsize::MIN)
}

fn password(text: &str) -> Password {
    Password::parse(text).expect("a password")
}

#[tokio::test]
async fn production_hashers_use_the_owasp_parameters() {
    for passwords in [
        Argon2Passwords::recommended(),
        Argon2Passwords::single_threaded(),
    ] {
        let hash = passwords
            .hash(&password("correct horse"), HashRequest::OPERATOR)
            .await
            .expect("hashed");
        assert!(
            hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hash.as_str()
        );
        assert_eq!(
            passwords
                .verify("correct horse", Some(&hash), HashRequest::OPERATOR)
                .await
                .expect("verified"),
            Verification::Match
        );
    }
}

#[tokio::test]
async fn only_the_exact_password_is_right() {
    let passwords = costing(64);
    let hash = passwords
        .hash(&password("pässword "), HashRequest::OPERATOR)
        .await
        .expect("hashed");
    for (claimed, expected) in [
        ("pässword ", Verification::Match),
        ("pässword", Verification::Mismatch),
        ("Pässword ", Verification::Mismatch),
        ("pa\u{308}ssword\u{3000}", Verification::Match),
        ("", Verification::Mismatch),
        ("pässword \0", Verification::Mismatch),
    ] {
        let verified = passwords
            .verify(claimed, Some(&hash), HashRequest::OPERATOR)
            .await;
        assert_eq!(verified.expect("verified"), expected, "{claimed:?}");
        let verified = passwords.verify(claimed, None, HashRequest::OPERATOR).await;
        assert_eq!(
            verified.expect("verified"),
            Verification::Mismatch,
            "{claimed:?}"
        );
    }
}

/// Hashes from before passwords were normalized.
#[tokio::test]
async fn hash_of_another_spelling_works_and_is_outdated() {
    use argon2::password_hash::PasswordHasher as _;
    let passwords = costing(64);
    let cost = Params::new(64, 1, 1, None).expect("a cost");
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cost);
    for typed in ["pa\u{308}ssword ", "pässword\u{a0}", "        "] {
        let hash = argon2.hash_password(typed.as_bytes()).expect("hashed");
        let hash = PasswordHash::parse(hash.to_string()).expect("a hash");
        let is_normal = typed == Password::normalize(typed);
        let expected = if is_normal {
            Verification::Match
        } else {
            Verification::MatchOutdatedHash
        };
        let verified = passwords
            .verify(typed, Some(&hash), HashRequest::OPERATOR)
            .await;
        assert_eq!(verified.expect("verified"), expected, "{typed:?}");
        let verified = passwords
            .verify("another horse", Some(&hash), HashRequest::OPERATOR)
            .await;
        assert_eq!(verified.expect("verified"), Verification::Mismatch);
    }
}

#[tokio::test]
async fn same_password_has_a_new_hash_each_time() {
    let passwords = costing(64);
    let first = passwords
        .hash(&password("correct horse"), HashRequest::OPERATOR)
        .await
        .expect("hashed");
    let second = passwords
        .hash(&password("correct horse"), HashRequest::OPERATOR)
        .await
        .expect("hashed");
    assert_ne!(first, second);
    assert_eq!(format!("{first:?}"), "PasswordHash(…)");
}

#[tokio::test]
async fn cheaper_hash_is_reported_as_outdated() {
    let hash = costing(64)
        .hash(&password("correct horse"), HashRequest::OPERATOR)
        .await
        .expect("hashed");
    for (passwords, expected) in [
        (costing(64), Verification::Match),
        (costing(128), Verification::MatchOutdatedHash),
        (costing(32), Verification::Match),
    ] {
        let verified = passwords
            .verify("correct horse", Some(&hash), HashRequest::OPERATOR)
            .await;
        assert_eq!(verified.expect("verified"), expected);
        let verified = passwords
            .verify("passw0rd", Some(&hash), HashRequest::OPERATOR)
            .await;
        assert_eq!(verified.expect("verified"), Verification::Mismatch);
    }
    let argon2i = "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$\
                   9tOTt21rZp7tEnPuWVbAJIZXn1ipFP3oUIqCgYBcGFM";
    let argon2i = PasswordHash::parse(argon2i).expect("a hash");
    let verified = costing(64)
        .verify("password", Some(&argon2i), HashRequest::OPERATOR)
        .await;
    assert_eq!(verified.expect("verified"), Verification::Mismatch);
}

#[tokio::test]
async fn damaged_stored_hash_is_a_defect() {
    for damaged in [
        "$",
        "$argon2id$",
        "$argon2id$v=19$m=64,t=1,p=1",
        "$2b$12$abc",
    ] {
        let hash = PasswordHash::parse(damaged).expect("it starts with a $");
        let outcome = costing(64)
            .verify("password", Some(&hash), HashRequest::OPERATOR)
            .await;
        assert!(
            matches!(outcome, Err(HashingError::Defect(_))),
            "{damaged}: {outcome:?}"
        );
    }
    assert!(PasswordHash::parse("password").is_err());
}

#[tokio::test]
async fn fault_12_unknown_account_and_huge_password_cost_as_much_as_a_wrong_one() {
    let passwords = costing(16 * 1024);
    let hash = passwords
        .hash(&password("correct horse"), HashRequest::OPERATOR)
        .await
        .expect("hashed");
    let huge = "x".repeat(16 * 1024 * 1024);
    let attempts = [
        ("a wrong one", "passw0rd", Some(&hash)),
        ("no account", "passw0rd", None),
        ("too long", huge.as_str(), Some(&hash)),
        ("neither", huge.as_str(), None),
    ];
    // Other load on the machine only adds time, so the fastest of at least nine rounds is compared.
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut fastest = [Duration::MAX; 4];
    for round in 1.. {
        for ((_, claimed, hash), fastest) in attempts.iter().zip(&mut fastest) {
            let started = Instant::now();
            passwords
                .verify(claimed, *hash, HashRequest::OPERATOR)
                .await
                .expect("verified");
            *fastest = started.elapsed().min(*fastest);
        }
        let (least, most) = (fastest.iter().min(), fastest.iter().max());
        if round >= 9 && most.expect("four") < &(*least.expect("four") * 2) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{:?}: {fastest:?}",
            attempts.map(|(what, ..)| what)
        );
    }
}

#[tokio::test]
async fn fault_12_login_storm_blocks_no_other_task() {
    let passwords = Arc::new(costing(16 * 1024));
    let storm: Vec<_> = (0..100)
        .map(|_| {
            let passwords = Arc::clone(&passwords);
            tokio::spawn(async move { passwords.verify("password", None, LOGIN).await })
        })
        .collect();
    // This runtime has one thread: hashes on it would leave one turn between two of them.
    let mut turns = 0;
    while !storm.iter().all(tokio::task::JoinHandle::is_finished) {
        tokio::task::yield_now().await;
        turns += 1;
    }
    let (mut done, mut busy) = (0, 0);
    for login in storm {
        match login.await.expect("no panic") {
            Ok(Verification::Mismatch) => done += 1,
            Err(HashingError::Busy) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((done, busy), (17, 83), "one at work, and a queue of 16");
    assert!(turns > 1_000, "{turns} turns");
}

#[tokio::test]
async fn cancelled_login_keeps_its_place_until_its_hash_is_done() {
    let cost = Params::new(64 * 1024, 16, 1, None).expect("a cost");
    let passwords = Argon2Passwords::new(cost, NonZeroUsize::MIN);
    // The request is cancelled after its hash has started; one that still waits would lose its place.
    let hash = passwords.verify("password", None, LOGIN);
    let outcome = tokio::time::timeout(Duration::from_millis(100), hash).await;
    assert!(outcome.is_err(), "a hash takes longer");
    let others: Vec<_> = (0..17)
        .map(|_| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.verify("password", None, LOGIN).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let (refused, waiting): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(tokio::task::JoinHandle::is_finished);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(refused.len(), 1, "the first still has its place");
    for login in refused {
        let outcome = login.await.expect("no panic");
        assert!(matches!(outcome, Err(HashingError::Busy)), "{outcome:?}");
    }
}
