//! What a token must claim, and what its header may say of its type.

use std::time::Duration;

use serde_json::{Value, json};
use taskhold_application::clock::Clock as _;
use taskhold_application::tokens::TokenSigner as _;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_security::claims::{RequiredClaims, TokenTypes};
use taskhold_testkit::clock::ManualClock;

use super::{
    InvalidToken, OTHER_SECRET, SECRET, accepted, lenient, now, rejected, signed, signed_raw,
    strict, tokens, tokens_of, verify,
};

#[test]
fn signed_token_round_trips_to_the_microsecond() {
    let user = UserId::parse("пользователь 1").expect("a user id");
    let now = ManualClock::default().now();
    for tokens in [tokens(), strict()] {
        let signed = tokens.sign(&user, None, now).expect("signed");
        assert_eq!(signed.expires_in, Duration::from_hours(1));
        let identity = verify(&tokens, &signed.token).expect("a valid token");
        assert_eq!(identity.user, user);
        assert_eq!(identity.issued, Some(now));
    }
}

#[test]
fn own_token_names_its_issuer_and_reveals_no_secret() {
    let user = UserId::parse("anna").expect("a user id");
    let token = |secret: &str| {
        let signed = tokens_of(secret, lenient()).sign(&user, None, ManualClock::default().now());
        signed.expect("signed").token
    };
    let header = |token: &str| jsonwebtoken::decode_header(token).expect("a header");
    let decoded = jsonwebtoken::dangerous::insecure_decode::<Value>(token(SECRET)).expect("claims");
    assert_eq!(
        decoded.claims,
        json!({"iss": "taskhold", "sub": "anna", "iat": 1_767_323_045.678_901, "exp": now() + 3600})
    );
    let (first, again, other) = (
        header(&token(SECRET)).kid.expect("an id"),
        header(&token(SECRET)).kid.expect("an id"),
        header(&token(OTHER_SECRET)).kid.expect("an id"),
    );
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_eq!(first.len(), 16, "96 bits of a digest");
    let shown = format!(
        "{:?}",
        tokens()
            .sign(&user, None, ManualClock::default().now())
            .expect("signed")
    );
    assert!(!shown.contains("ey"), "{shown}");
}

#[test]
fn tokens_of_other_issuers_with_the_same_secret_are_accepted() {
    accepted(&signed(&json!({"sub": "a", "exp": now() + 60})), "a");
    let richer = json!({
        "sub": "a", "exp": now() + 60, "iss": "x", "aud": ["y"], "email": "e", "name": {"n": [1]}
    });
    accepted(&signed(&richer), "a");
    let valid = json!({"sub": "a", "exp": now() + 60});
    for header in [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"of the existing service"}"#,
        r#"{"alg":"HS256","kid":"../../dev/null","x":[{}],"cty":7}"#,
        r#" {"typ":"JWT", "alg":"HS256"} "#,
    ] {
        accepted(&signed_raw(header, &valid.to_string()), "a");
    }
    let longest = "\u{1F600}".repeat(255);
    accepted(
        &signed(&json!({"sub": longest, "exp": now() + 60})),
        &longest,
    );
}

/// Revocations are remembered for only so long.
#[test]
fn token_with_too_long_a_lifetime_is_rejected() {
    const DAY: i64 = 86_400;
    for (claims, is_accepted) in [
        (json!({"sub": "a", "exp": now() + DAY}), true),
        (json!({"sub": "a", "exp": now() + DAY + 5}), true),
        (json!({"sub": "a", "exp": now() + DAY + 6}), false),
        (json!({"sub": "a", "exp": 253_402_300_799_i64}), false),
        (
            json!({"sub": "a", "iat": now(), "exp": now() + DAY + 5}),
            true,
        ),
        (
            json!({"sub": "a", "iat": now(), "exp": now() + DAY + 6}),
            false,
        ),
        (
            json!({"sub": "a", "iat": now() - DAY, "exp": now() + 5}),
            true,
        ),
        (
            json!({"sub": "a", "iat": now() - DAY, "exp": now() + 6}),
            false,
        ),
        (json!({"sub": "a", "iat": 0, "exp": now() + 60}), false),
    ] {
        let token = signed(&claims);
        if is_accepted {
            accepted(&token, "a");
        } else {
            rejected(&claims.to_string(), &token);
        }
    }
}

#[test]
fn iat_is_reported_as_the_time_of_issue() {
    for (claimed, micros) in [
        (json!(1_767_323_045), 1_767_323_045_000_000),
        (json!(1_767_323_045.5), 1_767_323_045_500_000),
        (json!(1_767_323_045.678_901), 1_767_323_045_678_901),
        (json!(1_767_300_000), 1_767_300_000_000_000),
    ] {
        let token = signed(&json!({"sub": "a", "exp": now() + 60, "iat": claimed}));
        let identity = verify(&tokens(), &token).expect("a valid token");
        assert_eq!(identity.issued, Timestamp::from_micros(micros).ok());
    }
    let silent = signed(&json!({"sub": "a", "exp": now() + 60, "iat": null}));
    assert_eq!(verify(&tokens(), &silent).expect("a token").issued, None);
}

/// The clock shows 0.678901 s past `now()`.
#[test]
fn clock_difference_above_five_seconds_is_rejected() {
    let later = now() + 60;
    accepted(&signed(&json!({"sub": "a", "exp": now() - 4})), "a");
    rejected("expired", &signed(&json!({"sub": "a", "exp": now() - 5})));
    for claim in ["nbf", "iat"] {
        accepted(
            &signed(&json!({"sub": "a", "exp": later, claim: now() + 5})),
            "a",
        );
        rejected(
            claim,
            &signed(&json!({"sub": "a", "exp": later, claim: now() + 6})),
        );
    }
}

#[test]
fn fault_2_missing_or_invalid_claims_are_rejected() {
    let later = now() + 60;
    for claims in [
        json!({"sub": "a"}),
        json!({"sub": "a", "exp": null}),
        json!({"sub": "a", "exp": later.to_string()}),
        json!({"sub": "a", "exp": -1}),
        json!({"sub": "a", "exp": 0}),
        json!({"sub": "a", "exp": true}),
        json!({"sub": "a", "exp": [later]}),
        json!({"sub": "a", "exp": {"seconds": later}}),
        json!({"sub": "a", "exp": 253_402_300_800_i64}),
        json!({"sub": "a", "exp": u64::MAX}),
        json!({"sub": "a", "exp": 1e300}),
        json!({"sub": "a", "exp": later, "nbf": "soon"}),
        json!({"sub": "a", "exp": later, "nbf": -1}),
        json!({"sub": "a", "exp": later, "nbf": 1e300}),
        json!({"sub": "a", "exp": later, "iat": "then"}),
        json!({"sub": "a", "exp": later, "iat": -1}),
        json!({"sub": "a", "exp": later, "iat": 1e300}),
        json!({"sub": "a", "exp": later, "iss": ["x"]}),
        json!({"sub": "a", "exp": later, "iss": 7}),
        json!({"sub": "a", "exp": later, "aud": 7}),
        json!({"sub": "a", "exp": later, "aud": ["x", 7]}),
        json!({"exp": later}),
        json!({"sub": "", "exp": later}),
        json!({"sub": null, "exp": later}),
        json!({"sub": 7, "exp": later}),
        json!({"sub": ["a"], "exp": later}),
        json!({"sub": "a\u{0}b", "exp": later}),
        json!({"sub": "u".repeat(256), "exp": later}),
        json!({"SUB": "a", "exp": later}),
        json!(["a", later, null, null, null, null]),
        json!("a"),
        json!(null),
    ] {
        rejected(&claims.to_string(), &signed(&claims));
    }
}

#[test]
fn malformed_payloads_are_rejected() {
    let later = now() + 60;
    for payload in [
        format!(r#"{{"sub":"a","sub":"b","exp":{later}}}"#),
        format!(r#"{{"sub":"a","exp":{later},"exp":{later}}}"#),
        format!(r#"{{"sub":"a","exp":{later},"iss":"x","iss":"y"}}"#),
        format!(r#"{{"sub":"a","exp":{later}}}x"#),
        format!(r#"{{"sub":"\ud800","exp":{later}}}"#),
        r#"{"sub":"a","exp":NaN}"#.to_owned(),
        "sub=a".to_owned(),
        String::new(),
    ] {
        rejected(&payload, &signed_raw(r#"{"alg":"HS256"}"#, &payload));
    }
}

#[test]
fn missing_required_claim_is_rejected() {
    let valid = json!({
        "sub": "a", "exp": now() + 60, "iss": "https://auth.example", "aud": ["other", "tasks"]
    });
    assert!(verify(&strict(), &signed(&valid)).is_ok());
    for (claim, value) in [
        ("iss", Value::Null),
        ("iss", json!("https://evil.example")),
        ("iss", json!("https://auth.example/")),
        ("iss", json!("HTTPS://AUTH.EXAMPLE")),
        ("iss", json!(["https://auth.example"])),
        ("aud", Value::Null),
        ("aud", json!("other")),
        ("aud", json!("tasks tasks")),
        ("aud", json!([])),
        ("aud", json!([["tasks"]])),
    ] {
        let mut claims = valid.clone();
        claims[claim] = value;
        let outcome = verify(&strict(), &signed(&claims));
        assert_eq!(outcome, Err(InvalidToken), "{claims}");
        claims.as_object_mut().expect("an object").remove(claim);
        let outcome = verify(&strict(), &signed(&claims));
        assert_eq!(outcome, Err(InvalidToken), "{claims}");
    }
}

#[test]
fn own_tokens_are_accepted_beside_those_of_the_issuer() {
    let mut ours =
        json!({"sub": "a", "iat": now(), "exp": now() + 60, "iss": "taskhold", "aud": "tasks"});
    assert!(verify(&strict(), &signed(&ours)).is_ok());
    ours.as_object_mut().expect("an object").remove("iat");
    assert_eq!(verify(&strict(), &signed(&ours)), Err(InvalidToken));
    let for_others = json!({"sub": "a", "exp": now() + 60, "iss": "taskhold", "aud": "other"});
    assert_eq!(verify(&strict(), &signed(&for_others)), Err(InvalidToken));
}

/// An issuer signs other things with the same keys.
#[test]
fn other_types_of_tokens_are_rejected() {
    let with_type = |typ: &Value, claims: &Value| {
        signed_raw(
            &json!({"alg": "HS256", "typ": typ}).to_string(),
            &claims.to_string(),
        )
    };
    let valid = json!({"sub": "a", "iat": now(), "exp": now() + 60});
    for typ in [
        "JWT",
        "jwt",
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "application/jwt",
    ] {
        accepted(&with_type(&json!(typ), &valid), "a");
    }
    for typ in [
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("dpop+jwt"),
        json!("JOSE"),
        json!("application/logout+jwt"),
        json!("text/at+jwt"),
        json!("JWT "),
        json!(""),
        json!("absent"),
        json!(null),
        json!(7),
        json!(["JWT"]),
    ] {
        rejected(&typ.to_string(), &with_type(&typ, &valid));
    }
    let only = |types: &[&str]| {
        let types = TokenTypes::new(types);
        tokens_of(
            SECRET,
            RequiredClaims {
                types,
                ..RequiredClaims::default()
            },
        )
    };
    let untyped = signed_raw(r#"{"alg":"HS256"}"#, &valid.to_string());
    let of_access = with_type(&json!("at+jwt"), &valid);
    let strict = only(&["application/AT+jwt"]);
    assert!(verify(&strict, &of_access).is_ok());
    assert_eq!(verify(&strict, &untyped), Err(InvalidToken));
    assert_eq!(verify(&strict, &signed(&valid)), Err(InvalidToken));
    assert!(verify(&only(&["absent", "x+jwt"]), &untyped).is_ok());
    // The service's own tokens have their own type.
    let user = UserId::parse("a").expect("a user id");
    let own = strict.sign(&user, None, ManualClock::default().now());
    assert!(verify(&strict, &own.expect("signed").token).is_ok());
    let ours = json!({"sub": "a", "iat": now(), "exp": now() + 60, "iss": "taskhold"});
    rejected(
        "an own token of another type",
        &with_type(&json!("at+jwt"), &ours),
    );
}

#[test]
fn token_without_iat_is_rejected_unless_a_setting_accepts_it() {
    let without = signed(&json!({"sub": "a", "exp": now() + 60}));
    let with = signed(&json!({"sub": "a", "iat": now(), "exp": now() + 60}));
    let strict = tokens_of(SECRET, RequiredClaims::default());
    assert_eq!(verify(&strict, &without), Err(InvalidToken));
    assert!(verify(&strict, &with).is_ok());
    accepted(&without, "a");
}
