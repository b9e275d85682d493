//! Tokens of another issuer, and the keys that verify them.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

mod key_sets;

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use taskhold_application::clock::Clock as _;
use taskhold_application::tokens::{Identity, TokenVerifier as _};
use taskhold_security::claims::RequiredClaims;
use taskhold_security::issuer::{IssuerKeys, KeySource, RefreshIntervals};
use taskhold_security::jwt::{JwtTokens, TokenLifetimes};
use taskhold_security::secret::Secret;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::issuer::{IssuerKey, key_set};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Requires nothing, not even `iat`.
fn lenient() -> RequiredClaims {
    RequiredClaims {
        accepts_missing_iat: true,
        ..RequiredClaims::default()
    }
}

fn later() -> i64 {
    ManualClock::default().now().as_micros() / 1_000_000 + 60
}

fn claims() -> Value {
    json!({"sub": "a", "exp": later()})
}

/// Returns a verifier that also accepts tokens of these keys.
async fn tokens_of(keys: &[Value], required_claims: RequiredClaims) -> JwtTokens {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "{}", key_set(keys)).expect("written");
    let source = KeySource::File(file.path().to_owned());
    let issuer_keys = Arc::new(IssuerKeys::new(source, RefreshIntervals::default()));
    issuer_keys.refresh().await.expect("keys");
    JwtTokens::new(
        &Secret::new(SECRET),
        required_claims,
        TokenLifetimes {
            own: Duration::from_hours(1),
            max_accepted: Duration::from_hours(24),
        },
        Arc::new(ManualClock::default()),
    )
    .with_issuer_keys(issuer_keys)
}

async fn tokens(keys: &[Value]) -> JwtTokens {
    tokens_of(keys, lenient()).await
}

/// A refusal, whatever its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InvalidToken;

async fn verify(tokens: &JwtTokens, token: &str) -> Result<Identity, InvalidToken> {
    tokens.verify(token).await.map_err(|_| InvalidToken)
}

fn every_kind() -> [IssuerKey; 3] {
    [
        IssuerKey::ed25519(),
        IssuerKey::p256(),
        IssuerKey::rsa(2048),
    ]
}

/// Returns a token with this header that is signed with HS256, whatever the header says.
fn signed_with_secret(header: &Value, secret: &[u8]) -> String {
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(header), part(&claims()));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
    format!("{message}.{}", signature.expect("signed"))
}

#[tokio::test]
async fn each_key_verifies_only_its_own_tokens() {
    let keys = every_kind();
    let ids = ["first", "second", "third"];
    let published: Vec<_> = keys
        .iter()
        .zip(ids)
        .map(|(key, id)| key.jwk_with_id(id))
        .collect();
    let tokens = tokens(&published).await;
    for (key, own_id) in keys.iter().zip(ids) {
        for id in ids {
            let outcome = verify(&tokens, &key.token(id, &claims())).await;
            assert_eq!(outcome.is_ok(), id == own_id, "{:?} as {id}", key.algorithm);
        }
        let without_id = key.sign(&json!({"alg": key.algorithm}), &claims());
        assert!(
            verify(&tokens, &without_id).await.is_ok(),
            "{:?}",
            key.algorithm
        );
        for other in [
            "RS384", "RS512", "PS256", "ES384", "HS256", "none", "EdDSA2",
        ] {
            let header = json!({"alg": other, "kid": own_id});
            let outcome = verify(&tokens, &key.sign(&header, &claims())).await;
            assert_eq!(outcome, Err(InvalidToken), "{other}");
        }
        let token = key.token(own_id, &claims());
        let (head, signature) = token.rsplit_once('.').expect("three parts");
        let other = key.token(own_id, &json!({"sub": "b", "exp": later()}));
        let (other_head, _) = other.rsplit_once('.').expect("three parts");
        for forged in [
            format!("{other_head}.{signature}"),
            format!("{head}."),
            format!("{head}.AAAA"),
            format!("{head}.{}", "A".repeat(signature.len())),
            token[..token.len() - 4].to_owned(),
            format!("{token}AAAA"),
        ] {
            assert_eq!(
                verify(&tokens, &forged).await,
                Err(InvalidToken),
                "{forged}"
            );
        }
    }
    let stranger = IssuerKey::ed25519();
    let forged = stranger.token("first", &claims());
    assert_eq!(verify(&tokens, &forged).await, Err(InvalidToken));
}

/// Better Auth's plugin sends no `typ`, keys without `use`, a `sub` that is not a UUID, and many other
/// claims.
#[tokio::test]
async fn better_auth_token_is_accepted() {
    let key = IssuerKey::ed25519();
    let mut published = key.jwk_with_id("c5c7c8f0-5f4c-4c8e-9d9a-3c7c9a2d3f11");
    published["alg"] = json!("EdDSA");
    let required = RequiredClaims {
        issuer: Some("http://localhost:3000".to_owned()),
        audience: Some("http://localhost:3000".to_owned()),
        ..lenient()
    };
    let tokens = tokens_of(&[published], required).await;
    let header = json!({"alg": "EdDSA", "kid": "c5c7c8f0-5f4c-4c8e-9d9a-3c7c9a2d3f11"});
    let payload = json!({
        "iat": later() - 60, "name": "Anna", "email": "anna@example.org", "emailVerified": false,
        "image": null, "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z", "id": "Vf2hX0m8pQ1rS3tU5vW7xY9zA1bC3dE5",
        "sub": "Vf2hX0m8pQ1rS3tU5vW7xY9zA1bC3dE5", "exp": later() + 840,
        "iss": "http://localhost:3000", "aud": "http://localhost:3000"
    });
    let identity = verify(&tokens, &key.sign(&header, &payload)).await;
    let identity = identity.expect("a valid token");
    assert_eq!(identity.user.as_str(), "Vf2hX0m8pQ1rS3tU5vW7xY9zA1bC3dE5");
    for (claim, value) in [
        ("iss", json!("http://localhost:3001")),
        ("iss", json!("taskhold")),
        ("iss", json!(["http://localhost:3000"])),
        ("iss", Value::Null),
        ("aud", json!("http://localhost:3001")),
        ("aud", Value::Null),
    ] {
        let mut foreign = payload.clone();
        foreign[claim] = value;
        let outcome = verify(&tokens, &key.sign(&header, &foreign)).await;
        assert_eq!(outcome, Err(InvalidToken), "{claim}: {}", foreign[claim]);
    }
}

#[tokio::test]
async fn issuer_token_with_own_iss_is_rejected() {
    let key = IssuerKey::ed25519();
    let tokens = tokens(&[key.jwk_with_id("k")]).await;
    let ours = json!({"sub": "a", "exp": later(), "iss": "taskhold"});
    assert_eq!(
        verify(&tokens, &key.token("k", &ours)).await,
        Err(InvalidToken)
    );
    let theirs = json!({"sub": "a", "exp": later(), "iss": "https://auth.example"});
    assert!(verify(&tokens, &key.token("k", &theirs)).await.is_ok());
}

#[tokio::test]
async fn public_key_as_hmac_secret_is_rejected() {
    let keys = every_kind();
    let published: Vec<_> = keys.iter().map(|key| key.jwk_with_id("k")).collect();
    let tokens = tokens(&published).await;
    for jwk in &published {
        for member in ["n", "x", "y"] {
            let Some(text) = jwk[member].as_str() else {
                continue;
            };
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url");
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
            for secret in [
                text.as_bytes(),
                &bytes,
                pem.as_bytes(),
                jwk.to_string().as_bytes(),
            ] {
                for header in [
                    json!({"alg": "HS256", "kid": "k"}),
                    json!({"alg": "HS256"}),
                    json!({"alg": "RS256", "kid": "k"}),
                    json!({"alg": "ES256", "kid": "k"}),
                    json!({"alg": "EdDSA", "kid": "k"}),
                ] {
                    let forged = signed_with_secret(&header, secret);
                    assert_eq!(
                        verify(&tokens, &forged).await,
                        Err(InvalidToken),
                        "{header}"
                    );
                }
            }
        }
    }
}

/// Attackers have the public key in the formats that `openssl` writes.
#[tokio::test]
async fn public_key_file_as_hmac_secret_is_rejected() {
    let key = IssuerKey::rsa(2048);
    let tokens = tokens(&[key.jwk_with_id("k")]).await;
    for public in key.public_files() {
        for header in [
            json!({"alg": "HS256", "kid": "k"}),
            json!({"alg": "RS256", "kid": "k"}),
        ] {
            let forged = signed_with_secret(&header, &public);
            assert_eq!(
                verify(&tokens, &forged).await,
                Err(InvalidToken),
                "{header}"
            );
        }
    }
}

#[tokio::test]
async fn keys_in_the_header_are_ignored() {
    let (ours, attackers) = (IssuerKey::ed25519(), IssuerKey::ed25519());
    let tokens = tokens(&[ours.jwk_with_id("k")]).await;
    for (member, value) in [
        ("jwk", attackers.jwk_with_id("k")),
        ("jku", json!("http://127.0.0.1:1/jwks")),
        ("x5u", json!("http://127.0.0.1:1/certificate")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("x")),
    ] {
        let mut header = json!({"alg": "EdDSA", "kid": "k"});
        header[member] = value;
        let forged = attackers.sign(&header, &claims());
        assert_eq!(
            verify(&tokens, &forged).await,
            Err(InvalidToken),
            "{member}"
        );
        let valid = ours.sign(&header, &claims());
        assert!(verify(&tokens, &valid).await.is_ok(), "{member}");
    }
}

#[tokio::test]
async fn critical_extension_is_rejected() {
    let key = IssuerKey::ed25519();
    let tokens = tokens(&[key.jwk_with_id("k")]).await;
    for extension in [
        json!(["b64"]),
        json!(["exp"]),
        json!([]),
        json!("x"),
        Value::Null,
    ] {
        let header = json!({"alg": "EdDSA", "kid": "k", "crit": extension, "b64": true});
        let outcome = verify(&tokens, &key.sign(&header, &claims())).await;
        assert_eq!(outcome, Err(InvalidToken), "{extension}");
    }
}

/// A token without a key id could belong to either of two keys of one type.
#[tokio::test]
async fn token_without_key_id_needs_an_unambiguous_key() {
    let (first, second) = (IssuerKey::ed25519(), IssuerKey::ed25519());
    let nameless = first.sign(&json!({"alg": "EdDSA"}), &claims());
    let alone = tokens(&[first.jwk(), IssuerKey::p256().jwk()]).await;
    assert!(verify(&alone, &nameless).await.is_ok());
    let among_two = tokens(&[first.jwk_with_id("1"), second.jwk_with_id("2")]).await;
    assert_eq!(verify(&among_two, &nameless).await, Err(InvalidToken));
    assert!(
        verify(&among_two, &first.token("1", &claims()))
            .await
            .is_ok()
    );
    let same_name = tokens(&[first.jwk_with_id("1"), second.jwk_with_id("1")]).await;
    let token = first.token("1", &claims());
    assert_eq!(verify(&same_name, &token).await, Err(InvalidToken));
}

/// A rejected token may be valid for another service, and a log outlives it.
#[tokio::test]
async fn rejected_token_is_never_logged() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&log);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || Sink(Arc::clone(&sink)))
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (ours, strangers) = (IssuerKey::ed25519(), IssuerKey::ed25519());
    let tokens = tokens(&[ours.jwk_with_id("k")]).await;
    let payload = json!({"sub": "hunter2-sub", "exp": 1, "email": "hunter2@example.org"});
    let mut refused = vec!["hunter2.hunter2.hunter2".to_owned(), "hunter2".to_owned()];
    refused.push(ours.token("k", &payload));
    refused.push(strangers.token("hunter2-key", &payload));
    refused.push(strangers.sign(&json!({"alg": "hunter2"}), &payload));
    for token in &refused {
        assert_eq!(verify(&tokens, token).await, Err(InvalidToken));
    }
    let log = String::from_utf8(log.lock().expect("unpoisoned").clone()).expect("UTF-8");
    assert!(log.contains("cannot read"), "the log is being read: {log}");
    assert!(!log.contains("hunter2"), "{log}");
    for part in refused.iter().flat_map(|token| token.split('.')) {
        assert!(!log.contains(part), "{part} is in {log}");
    }
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
