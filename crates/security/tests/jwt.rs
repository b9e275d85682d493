//! Tokens of a shared secret: accepted and rejected ones.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use taskhold_application::clock::Clock as _;
use taskhold_application::tokens::{Identity, TokenSigner as _, TokenVerifier as _};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_security::claims::{RequiredClaims, TokenTypes};
use taskhold_security::jwt::{JwtTokens, TokenLifetimes};
use taskhold_security::secret::Secret;
use taskhold_testkit::clock::ManualClock;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &str = "another secret of thirty-two bytes";

/// Requires nothing, not even `iat`.
fn lenient() -> RequiredClaims {
    RequiredClaims {
        accepts_missing_iat: true,
        ..RequiredClaims::default()
    }
}

/// Returns the whole seconds of the clock of these tests.
fn now() -> i64 {
    ManualClock::default().now().as_micros() / 1_000_000
}

fn tokens_of(secret: &str, required_claims: RequiredClaims) -> JwtTokens {
    JwtTokens::new(
        &Secret::new(secret),
        required_claims,
        TokenLifetimes {
            own: Duration::from_hours(1),
            max_accepted: Duration::from_hours(24),
        },
        Arc::new(ManualClock::default()),
    )
}

fn tokens() -> JwtTokens {
    tokens_of(SECRET, lenient())
}

fn strict() -> JwtTokens {
    let required = RequiredClaims {
        issuer: Some("https://auth.example".to_owned()),
        audience: Some("tasks".to_owned()),
        ..lenient()
    };
    tokens_of(SECRET, required)
}

/// A refusal, whatever its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InvalidToken;

#[tokio::main(flavor = "current_thread")]
async fn verify(tokens: &JwtTokens, token: &str) -> Result<Identity, InvalidToken> {
    tokens.verify(token).await.map_err(|_| InvalidToken)
}

fn signed(claims: &Value) -> String {
    signed_as(&Header::new(Algorithm::HS256), claims, SECRET)
}

fn signed_as(header: &Header, claims: &Value, secret: &str) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).expect("signed")
}

/// Signs exactly these bytes, valid or not.
fn signed_raw(header: &str, payload: &str) -> String {
    let encoded = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encoded(header), encoded(payload));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("signed");
    format!("{message}.{signature}")
}

#[track_caller]
fn accepted(token: &str, user: &str) {
    let identity = verify(&tokens(), token).expect("a valid token");
    assert_eq!(identity.user.as_str(), user);
}

#[track_caller]
fn rejected(what: &str, token: &str) {
    assert_eq!(verify(&tokens(), token), Err(InvalidToken), "{what}");
}

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
fn other_algorithms_and_secrets_are_rejected() {
    let claims = json!({"sub": "a", "exp": now() + 60});
    let payload = claims.to_string();
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        rejected(
            "another hash",
            &signed_as(&Header::new(algorithm), &claims, SECRET),
        );
    }
    let nones: Vec<_> = (0..16_u8)
        .map(|upper| {
            let letters = "none".char_indices().map(|(place, letter)| {
                if upper & (1 << place) == 0 {
                    letter
                } else {
                    letter.to_ascii_uppercase()
                }
            });
            format!(r#"{{"alg":"{}"}}"#, letters.collect::<String>())
        })
        .collect();
    for header in [
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"PS256"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS256 "}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"typ":"JWT"}"#,
        r#"["HS256",null,null]"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","crit":{}}"#,
        r#"{"alg":"HS256","crit":false}"#,
        r#"{"alg":"HS256","kid":null}"#,
        "HS256",
        "",
    ]
    .into_iter()
    .chain(nones.iter().map(String::as_str))
    {
        rejected(header, &signed_raw(header, &payload));
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        rejected(header, &format!("{}.{}.", part(header), part(&payload)));
        rejected(header, &format!("{}.{}", part(header), part(&payload)));
    }
    for secret in ["", "secret", OTHER_SECRET] {
        rejected(secret, &signed_as(&Header::default(), &claims, secret));
    }
}

#[test]
fn tampered_tokens_are_rejected() {
    let token = signed(&json!({"sub": "a", "exp": now() + 60}));
    let other = signed(&json!({"sub": "b", "exp": now() + 60}));
    accepted(&token, "a");
    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let (other_head, _) = other.rsplit_once('.').expect("three parts");
    let cut = token.get(..token.len() - 1).expect("ASCII");
    for (what, tampered) in [
        ("another payload", format!("{other_head}.{signature}")),
        ("no signature", format!("{head}.")),
        ("a cut signature", cut.to_owned()),
        ("a longer signature", format!("{token}AA")),
        ("padding", format!("{token}=")),
        ("two parts", head.to_owned()),
        ("four parts", format!("{token}.x")),
        ("five parts, as if encrypted", format!("{token}.x.y")),
        ("an empty part", format!(".{head}.{signature}")),
        (
            "no header",
            format!(".{}", token.split_once('.').expect("parts").1),
        ),
        ("dots", "..".to_owned()),
        ("nothing", String::new()),
        ("no token", "hello".to_owned()),
        ("spaces", format!(" {token} ")),
        ("a line break", format!("{head}.\n{signature}")),
        ("NUL", format!("{token}\0")),
        ("other scripts", "я.я.я".to_owned()),
    ] {
        rejected(what, &tampered);
    }
    // Each single letter counts, but for the last: two of its six bits mean nothing.
    for place in 0..token.len() - 1 {
        let mut letters = token.clone().into_bytes();
        if let Some(letter) = letters.get_mut(place) {
            *letter = if *letter == b'A' { b'B' } else { b'A' };
        }
        let tampered = String::from_utf8(letters).expect("ASCII");
        if tampered != token {
            rejected(&format!("letter {place}"), &tampered);
        }
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

#[test]
fn old_and_new_secret_are_accepted_during_rotation() {
    let claims = json!({"sub": "a", "exp": now() + 60});
    let of_old = signed_as(&Header::default(), &claims, SECRET);
    let of_new = signed_as(&Header::default(), &claims, OTHER_SECRET);
    let replacing = tokens_of(OTHER_SECRET, lenient()).with_other_secret(&Secret::new(SECRET));
    assert!(verify(&replacing, &of_old).is_ok());
    assert!(verify(&replacing, &of_new).is_ok());
    let user = UserId::parse("a").expect("a user id");
    let signed = replacing.sign(&user, None, ManualClock::default().now());
    let signed = signed.expect("signed").token;
    let replaced = tokens_of(OTHER_SECRET, lenient());
    assert!(verify(&replaced, &signed).is_ok(), "the first secret signs");
    assert_eq!(verify(&replaced, &of_old), Err(InvalidToken));
}

#[test]
fn debug_output_hides_the_secret() {
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    assert!(Secret::new("a".repeat(31)).is_short());
    assert!(!Secret::new("a".repeat(32)).is_short());
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

#[test]
fn guessable_secrets_are_told_from_random_ones() {
    for secret in [
        "changemechangemechangemechangeme",
        "ch4ng3-m3-ch4ng3-m3-ch4ng3-m3-ch4ng3",
        "12345678901234567890123456789012",
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz012345",
        "zyxwvutsrqponmlkjihgfedcba987654",
        "qwertyuiopasdfghjklzxcvbnm123456",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,",
        "xy7xy7xy7xy7xy7xy7xy7xy7xy7xy7xy7",
        "00001111222233334444555566667777",
        "a-string-secret-at-least-256-bits-long",
        "the quick brown fox jumps over the lazy dog",
        "this is the key that signs all of our tokens",
        "correct-horse-battery-staple-and-a-bit-more",
        "796f75722d3235362d6269742d736563726574",
        "YOUR_JWT_SECRET_KEY_GOES_RIGHT_HERE_1",
    ] {
        assert!(Secret::new(secret).why_guessable().is_some(), "{secret}");
    }
    for secret in [
        "5f0c7de1b8a94326d07e1b5a9c3f8e24",
        "8d2f6b1c07e94a53b6c1e0f7a92d4835",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "kR7vQx2mZ9pLw4Tn8bYc1Hs6Jd3Gf5Aa0Eu+/Xo=",
        "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6D2",
        "83920475610938475610293847561029384",
        "vbqkzmwhxtrjpdnlcgyfsaeuoikbzqxwv",
    ] {
        assert_eq!(Secret::new(secret).why_guessable(), None, "{secret}");
    }
}
