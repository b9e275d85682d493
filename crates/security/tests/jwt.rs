//! Which tokens are taken, and which are not.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use taskhold_application::clock::{Clock, SystemClock};
use taskhold_application::tokens::{InvalidToken, TokenVerifier};
use taskhold_domain::user::UserId;
use taskhold_security::jwt::{JwtTokens, Origin};
use taskhold_security::secret::Secret;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn now() -> i64 {
    SystemClock.now().as_micros() / 1_000_000
}

fn tokens() -> JwtTokens {
    JwtTokens::new(&Secret::new(SECRET), Origin::default())
}

fn strict() -> JwtTokens {
    let origin = Origin {
        issuer: Some("https://auth.example".to_owned()),
        audience: Some("taskhold".to_owned()),
    };
    JwtTokens::new(&Secret::new(SECRET), origin)
}

fn signed(claims: &Value) -> String {
    signed_as(&Header::new(Algorithm::HS256), claims, SECRET)
}

fn signed_as(header: &Header, claims: &Value, secret: &str) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).expect("signed")
}

/// Signed over exactly these bytes, whatever they are.
fn signed_raw(header: &str, payload: &str) -> String {
    let encoded = |text: &str| base64url(text.as_bytes());
    let message = format!("{}.{}", encoded(header), encoded(payload));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("signed");
    format!("{message}.{signature}")
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[track_caller]
fn taken(token: &str, user: &str) {
    assert_eq!(
        tokens().verify(token).as_ref().map(UserId::as_str),
        Ok(user)
    );
}

#[track_caller]
fn refused(what: &str, token: &str) {
    assert_eq!(tokens().verify(token), Err(InvalidToken), "{what}");
}

#[test]
fn what_we_sign_we_take() {
    let user = UserId::parse("пользователь 1").expect("a user id");
    for tokens in [tokens(), strict()] {
        let token = tokens
            .sign(&user, SystemClock.now(), Duration::from_mins(1))
            .expect("signed");
        assert_eq!(tokens.verify(&token), Ok(user.clone()));
    }
}

#[test]
fn tokens_of_other_issuers_with_the_same_secret_are_taken() {
    taken(&signed(&json!({"sub": "a", "exp": now() + 60})), "a");
    taken(
        &signed(&json!({"sub": "a", "exp": now() + 60, "iss": "x", "aud": ["y"], "email": "e"})),
        "a",
    );
    let without_typ = Header {
        typ: None,
        ..Header::new(Algorithm::HS256)
    };
    taken(
        &signed_as(
            &without_typ,
            &json!({"sub": "a", "exp": now() + 60}),
            SECRET,
        ),
        "a",
    );
    let longest = "\u{1F600}".repeat(255);
    taken(
        &signed(&json!({"sub": longest, "exp": now() + 60})),
        &longest,
    );
    taken(
        &signed(&json!({"sub": "a", "exp": 253_402_300_799_i64})),
        "a",
    );
}

#[test]
fn five_seconds_of_leeway_for_both_ends() {
    taken(&signed(&json!({"sub": "a", "exp": now() - 3})), "a");
    taken(
        &signed(&json!({"sub": "a", "exp": now() + 60, "nbf": now() + 3})),
        "a",
    );
    refused("expired", &signed(&json!({"sub": "a", "exp": now() - 10})));
    refused(
        "not yet valid",
        &signed(&json!({"sub": "a", "exp": now() + 60, "nbf": now() + 10})),
    );
}

#[test]
fn fault_2_claims_that_are_missing_or_wrong_are_refused() {
    let later = now() + 60;
    for claims in [
        json!({"sub": "a"}),
        json!({"sub": "a", "exp": null}),
        json!({"sub": "a", "exp": later.to_string()}),
        json!({"sub": "a", "exp": -1}),
        json!({"sub": "a", "exp": 0}),
        json!({"sub": "a", "exp": true}),
        json!({"sub": "a", "exp": [later]}),
        json!({"sub": "a", "exp": 253_402_300_800_i64}),
        json!({"sub": "a", "exp": u64::MAX}),
        json!({"sub": "a", "exp": 1e300}),
        json!({"sub": "a", "exp": later, "nbf": "soon"}),
        json!({"exp": later}),
        json!({"sub": "", "exp": later}),
        json!({"sub": null, "exp": later}),
        json!({"sub": 7, "exp": later}),
        json!({"sub": ["a"], "exp": later}),
        json!({"sub": "a\u{0}b", "exp": later}),
        json!({"sub": "u".repeat(256), "exp": later}),
        json!([later]),
        json!("a"),
    ] {
        refused(&claims.to_string(), &signed(&claims));
    }
    let twice = format!(r#"{{"sub":"a","sub":"b","exp":{later}}}"#);
    refused(
        "a claim given twice",
        &signed_raw(r#"{"alg":"HS256"}"#, &twice),
    );
    refused("no JSON", &signed_raw(r#"{"alg":"HS256"}"#, "sub=a"));
}

#[test]
fn only_the_configured_algorithm_and_secret_count() {
    let claims = json!({"sub": "a", "exp": now() + 60});
    let payload = claims.to_string();
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        refused(
            "another hash",
            &signed_as(&Header::new(algorithm), &claims, SECRET),
        );
    }
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":""}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
    ] {
        refused(header, &signed_raw(header, &payload));
        let unsigned = format!(
            "{}.{}.",
            base64url(header.as_bytes()),
            base64url(payload.as_bytes())
        );
        refused(header, &unsigned);
    }
    refused(
        "another secret",
        &signed_as(
            &Header::default(),
            &claims,
            "another secret of thirty-two bytes",
        ),
    );
    refused(
        "an empty secret",
        &signed_as(&Header::default(), &claims, ""),
    );
}

#[test]
fn tampered_tokens_are_refused() {
    let token = signed(&json!({"sub": "a", "exp": now() + 60}));
    let other = signed(&json!({"sub": "b", "exp": now() + 60}));
    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let (other_head, _) = other.rsplit_once('.').expect("three parts");
    refused("another payload", &format!("{other_head}.{signature}"));
    refused("no signature", &format!("{head}."));
    refused(
        "a cut signature",
        token.get(..token.len() - 1).expect("ASCII"),
    );
    refused("two parts", head);
    refused("four parts", &format!("{token}.x"));
    refused("nothing", "");
    refused("no token", "hello");
    refused("spaces", &format!(" {token} "));
}

#[test]
fn a_configured_origin_is_required() {
    let sound = json!({"sub": "a", "exp": now() + 60, "iss": "https://auth.example", "aud": ["other", "taskhold"]});
    assert!(strict().verify(&signed(&sound)).is_ok());
    for (claim, value) in [
        ("iss", Value::Null),
        ("iss", json!("https://evil.example")),
        ("aud", Value::Null),
        ("aud", json!("other")),
        ("aud", json!([])),
    ] {
        let mut claims = sound.clone();
        claims[claim] = value;
        assert_eq!(
            strict().verify(&signed(&claims)),
            Err(InvalidToken),
            "{claims}"
        );
        claims.as_object_mut().expect("an object").remove(claim);
        assert_eq!(
            strict().verify(&signed(&claims)),
            Err(InvalidToken),
            "{claims}"
        );
    }
}

#[test]
fn a_secret_shows_nothing_of_itself() {
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    assert!(Secret::new("a".repeat(31)).is_short());
    assert!(!Secret::new("a".repeat(32)).is_short());
}
