//! Tokens of a shared secret: accepted and rejected ones.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

mod claims;
mod signatures;

use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::Value;
use taskhold_application::clock::Clock as _;
use taskhold_application::tokens::{Identity, TokenVerifier as _};
use taskhold_security::claims::RequiredClaims;
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
