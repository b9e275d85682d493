//! Tokens with other signatures, algorithms and secrets than the verifier accepts.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::{Algorithm, Header};
use serde_json::json;
use taskhold_application::clock::Clock as _;
use taskhold_application::tokens::TokenSigner as _;
use taskhold_domain::user::UserId;
use taskhold_security::secret::Secret;
use taskhold_testkit::clock::ManualClock;

use super::{
    InvalidToken, OTHER_SECRET, SECRET, accepted, lenient, now, rejected, signed, signed_as,
    signed_raw, tokens_of, verify,
};

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
