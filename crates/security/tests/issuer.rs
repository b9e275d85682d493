//! Refreshing the keys of an issuer that rotates them, is unreachable, is hostile or lacks a key.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskhold_application::clock::SystemClock;
use taskhold_application::tokens::TokenVerifier as _;
use taskhold_security::claims::RequiredClaims;
use taskhold_security::issuer::{IssuerKeys, KeySource, KeySourceError, RefreshIntervals};
use taskhold_security::jwks_url::{FetchError, JwksUrl, JwksUrlError};
use taskhold_security::jwt::{JwtTokens, TokenLifetimes};
use taskhold_security::secret::Secret;
use taskhold_testkit::issuer::{IssuerKey, JwksServer, key_set};

/// Only an unknown key causes a refresh, and only once.
const NEVER: RefreshIntervals = RefreshIntervals {
    refresh: Duration::from_hours(1),
    retry: Duration::from_hours(1),
    unknown_key: Duration::from_hours(1),
};

/// Requires nothing, not even `iat`.
fn lenient() -> RequiredClaims {
    RequiredClaims {
        accepts_missing_iat: true,
        ..RequiredClaims::default()
    }
}

fn claims() -> Value {
    json!({"sub": "a", "exp": 4_000_000_000_u64})
}

fn keys_at(url: &str, pace: RefreshIntervals) -> Arc<IssuerKeys> {
    let url = JwksUrl::parse(url).expect("a URL");
    Arc::new(IssuerKeys::new(KeySource::Url(url), pace))
}

fn tokens_of(keys: &Arc<IssuerKeys>) -> Arc<JwtTokens> {
    let tokens = JwtTokens::new(
        &Secret::new("0123456789abcdef0123456789abcdef"),
        lenient(),
        TokenLifetimes {
            own: Duration::from_hours(1),
            max_accepted: Duration::from_hours(24 * 365 * 100),
        },
        Arc::new(SystemClock),
    );
    Arc::new(tokens.with_issuer_keys(Arc::clone(keys)))
}

async fn is_accepted(tokens: &JwtTokens, token: &str) -> bool {
    tokens.verify(token).await.is_ok()
}

/// Waits until the condition holds.
async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn new_issuer_key_is_fetched_for_its_first_token() {
    let (old, new) = (IssuerKey::ed25519(), IssuerKey::ed25519());
    let server = JwksServer::start(&key_set(&[old.jwk_with_id("old")])).await;
    let keys = keys_at(&server.url(), NEVER);
    assert_eq!(keys.refresh().await.expect("keys"), 1);
    let tokens = tokens_of(&keys);
    assert!(is_accepted(&tokens, &old.token("old", &claims())).await);
    server.publish(&key_set(&[old.jwk_with_id("old"), new.jwk_with_id("new")]));
    assert!(is_accepted(&tokens, &new.token("new", &claims())).await);
    assert!(is_accepted(&tokens, &old.token("old", &claims())).await);
    assert_eq!(server.request_count(), 2);
    server.publish(&key_set(&[new.jwk_with_id("new")]));
    keys.refresh().await.expect("keys");
    assert!(!is_accepted(&tokens, &old.token("old", &claims())).await);
}

#[tokio::test]
async fn many_unknown_keys_cause_one_request() {
    let (key, stranger) = (IssuerKey::ed25519(), IssuerKey::ed25519());
    let server = JwksServer::start(&key_set(&[key.jwk_with_id("k")])).await;
    let keys = keys_at(&server.url(), NEVER);
    keys.refresh().await.expect("keys");
    let tokens = tokens_of(&keys);
    for _ in 0..2 {
        let storm: Vec<_> = (0..500)
            .map(|number| {
                let token = stranger.token(&format!("unknown-{number}"), &claims());
                let tokens = Arc::clone(&tokens);
                tokio::spawn(async move { is_accepted(&tokens, &token).await })
            })
            .collect();
        for forged in storm {
            assert!(!forged.await.expect("no panic"));
        }
        assert!(is_accepted(&tokens, &key.token("k", &claims())).await);
        assert_eq!(
            server.request_count(),
            2,
            "at the start, and for the first of them"
        );
    }
}

#[tokio::test]
async fn unknown_key_causes_another_request_after_the_interval() {
    let (key, stranger) = (IssuerKey::ed25519(), IssuerKey::ed25519());
    let server = JwksServer::start(&key_set(&[key.jwk_with_id("k")])).await;
    let unknown_key = Duration::from_millis(100);
    let keys = keys_at(
        &server.url(),
        RefreshIntervals {
            unknown_key,
            ..NEVER
        },
    );
    let tokens = tokens_of(&keys);
    let forged = stranger.token("unknown", &claims());
    let started = Instant::now();
    eventually("a fourth reading", async || {
        assert!(!is_accepted(&tokens, &forged).await);
        server.request_count() == 4
    })
    .await;
    assert!(
        started.elapsed() >= 3 * unknown_key,
        "{:?}",
        started.elapsed()
    );
}

/// Otherwise one client that hangs up would keep a new key unknown for a minute.
#[tokio::test]
async fn refresh_completes_after_its_request_is_cancelled() {
    let (old, new) = (IssuerKey::ed25519(), IssuerKey::ed25519());
    let server = JwksServer::start(&key_set(&[old.jwk_with_id("old")])).await;
    let keys = keys_at(&server.url(), NEVER);
    keys.refresh().await.expect("keys");
    let tokens = tokens_of(&keys);
    server.publish(&key_set(&[new.jwk_with_id("new")]));
    let token = new.token("new", &claims());
    tokio::select! {
        biased;
        _ = tokens.verify(&token) => panic!("the issuer takes longer"),
        () = std::future::ready(()) => {}
    }
    assert!(is_accepted(&tokens, &token).await);
    assert_eq!(server.request_count(), 2);
}

#[tokio::test]
async fn refresh_loop_drops_removed_keys() {
    let (old, new) = (IssuerKey::ed25519(), IssuerKey::ed25519());
    let server = JwksServer::start(&key_set(&[old.jwk_with_id("old")])).await;
    let refresh = Duration::from_millis(50);
    let keys = keys_at(&server.url(), RefreshIntervals { refresh, ..NEVER });
    keys.refresh().await.expect("keys");
    let tokens = tokens_of(&keys);
    let refreshed = Arc::clone(&keys);
    let refreshing = tokio::spawn(async move { refreshed.run_refresh_loop().await });
    server.publish(&key_set(&[new.jwk_with_id("new")]));
    eventually("the old key is forgotten", async || {
        !is_accepted(&tokens, &old.token("old", &claims())).await
    })
    .await;
    refreshing.abort();
}

#[tokio::test]
async fn unreachable_issuer_keeps_the_cached_keys_until_it_returns() {
    let (old, new) = (IssuerKey::ed25519(), IssuerKey::ed25519());
    let server = JwksServer::start(&key_set(&[old.jwk_with_id("old")])).await;
    let pace = RefreshIntervals {
        refresh: Duration::from_millis(50),
        retry: Duration::from_millis(50),
        ..NEVER
    };
    let keys = keys_at(&server.url(), pace);
    keys.refresh().await.expect("keys");
    let tokens = tokens_of(&keys);
    let address = server.stop().await;
    let outcome = keys.refresh().await;
    assert!(
        matches!(
            outcome,
            Err(KeySourceError::Unavailable(FetchError::NoAnswer(_)))
        ),
        "{outcome:?}"
    );
    assert!(is_accepted(&tokens, &old.token("old", &claims())).await);
    let refreshed = Arc::clone(&keys);
    let refreshing = tokio::spawn(async move { refreshed.run_refresh_loop().await });
    let _server = JwksServer::start_at(address, &key_set(&[new.jwk_with_id("new")])).await;
    eventually("the new key is known", async || {
        is_accepted(&tokens, &new.token("new", &claims())).await
    })
    .await;
    refreshing.abort();
}

/// An issuer that is being set up has no keys yet.
#[tokio::test]
async fn empty_key_set_is_retried_soon() {
    let key = IssuerKey::ed25519();
    let server = JwksServer::start(&key_set(&[])).await;
    let pace = RefreshIntervals {
        retry: Duration::from_millis(20),
        ..NEVER
    };
    let keys = keys_at(&server.url(), pace);
    assert_eq!(keys.refresh().await.expect("a key set"), 0);
    let tokens = tokens_of(&keys);
    // The only refresh for an unknown key comes before the key is published.
    assert!(!is_accepted(&tokens, &key.token("k", &claims())).await);
    let refreshed = Arc::clone(&keys);
    let refreshing = tokio::spawn(async move { refreshed.run_refresh_loop().await });
    eventually("it is asked again", async || server.request_count() > 4).await;
    server.publish(&key_set(&[key.jwk_with_id("k")]));
    eventually("the key is known", async || {
        is_accepted(&tokens, &key.token("k", &claims())).await
    })
    .await;
    refreshing.abort();
}

#[tokio::test]
async fn invalid_responses_keep_the_cached_keys() {
    let key = IssuerKey::ed25519();
    let set = key_set(&[key.jwk_with_id("k")]);
    let server = JwksServer::start(&set).await;
    let elsewhere = JwksServer::start(&key_set(&[])).await;
    let keys = keys_at(&server.url(), NEVER);
    keys.refresh().await.expect("keys");
    let tokens = tokens_of(&keys);
    let text = set.to_string();
    let redirection = format!("location: {}\r\n", elsewhere.url());
    let large = format!("{}{text}", " ".repeat(256 * 1024));
    for (what, status, headers, body) in [
        ("server error", "500 Fault", "", text.as_str()),
        ("not found", "404 Not Found", "", &text),
        ("no content", "204 No Content", "", ""),
        ("redirect", "302 Found", &redirection, &text),
        ("HTML", "200 OK", "", "<html></html>"),
        ("half of the key set", "200 OK", "", &text[..text.len() / 2]),
        ("too large", "200 OK", "", &large),
        (
            "too large by its content-length",
            "200 OK",
            "content-length: 99999999\r\n",
            &large,
        ),
        (
            "shorter than its content-length",
            "200 OK",
            "content-length: 9999\r\n",
            &text,
        ),
    ] {
        let head = format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\n\r\n");
        server.answer_with(Some(format!("{head}{body}").into_bytes()));
        let outcome = keys.refresh().await;
        assert!(outcome.is_err(), "{what}: {outcome:?}");
        assert!(
            is_accepted(&tokens, &key.token("k", &claims())).await,
            "{what}"
        );
    }
    assert_eq!(elsewhere.request_count(), 0, "the redirect is not followed");
    server.publish(&key_set(&[]));
    assert_eq!(keys.refresh().await.expect("a key set"), 0);
    assert!(
        !is_accepted(&tokens, &key.token("k", &claims())).await,
        "an issuer may remove all its keys"
    );
}

#[tokio::test]
async fn silent_issuer_times_out_after_five_seconds() {
    let key = IssuerKey::ed25519();
    let server = JwksServer::start(&key_set(&[key.jwk_with_id("k")])).await;
    let keys = keys_at(&server.url(), NEVER);
    keys.refresh().await.expect("keys");
    let tokens = tokens_of(&keys);
    server.answer_with(None);
    let started = Instant::now();
    let unknown = IssuerKey::ed25519().token("unknown", &claims());
    let waiting = {
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move { is_accepted(&tokens, &unknown).await })
    };
    eventually("the issuer is asked", async || server.request_count() == 2).await;
    assert!(is_accepted(&tokens, &key.token("k", &claims())).await);
    assert!(
        !waiting.is_finished(),
        "a token with a cached key does not wait"
    );
    assert!(!waiting.await.expect("no panic"));
    let took = started.elapsed().as_secs();
    assert!((5..10).contains(&took), "{took} s");
}

#[test]
fn insecure_jwks_urls_are_rejected() {
    for secure in [
        "https://auth.example/api/auth/jwks",
        "https://auth.example:8443/jwks?tenant=1",
        "http://127.0.0.1:3000/jwks",
        "http://127.9.9.9/jwks",
        "http://[::1]:3000/jwks",
        "http://localhost:3000/jwks",
    ] {
        assert!(JwksUrl::parse(secure).is_ok(), "{secure}");
    }
    for (raw, error) in [
        ("", JwksUrlError::Malformed),
        ("auth.example/jwks", JwksUrlError::Malformed),
        ("https://", JwksUrlError::Malformed),
        ("file:///etc/jwks.json", JwksUrlError::Malformed),
        ("http://auth.example/jwks", JwksUrlError::Insecure),
        ("http://localhost.example/jwks", JwksUrlError::Insecure),
        ("http://127.0.0.1.example/jwks", JwksUrlError::Insecure),
        ("http://10.0.0.1/jwks", JwksUrlError::Insecure),
        ("ftp://localhost/jwks", JwksUrlError::Insecure),
        ("https://user@auth.example/jwks", JwksUrlError::Credentials),
        (
            "https://:hunter2@auth.example/jwks",
            JwksUrlError::Credentials,
        ),
    ] {
        assert_eq!(JwksUrl::parse(raw), Err(error), "{raw}");
    }
}

/// `openssl s_server` with a self-signed certificate, until dropped.
struct Impostor(Child, u16);

impl Impostor {
    fn start(folder: &std::path::Path) -> Self {
        let certificate = Command::new("openssl")
            .current_dir(folder)
            .args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2"])
            .args([
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
            ])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", "key.pem", "-out", "certificate.pem"])
            .stderr(Stdio::null())
            .status();
        assert!(certificate.expect("openssl is there").success());
        let mut server = Command::new("openssl")
            .current_dir(folder)
            .args(["s_server", "-accept", "127.0.0.1:0", "-WWW"])
            .args(["-cert", "certificate.pem", "-key", "key.pem"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is there");
        let said = BufReader::new(server.stdout.take().expect("a pipe"));
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:")?.parse().ok());
        Self(server, port.expect("it listens"))
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn untrusted_certificate_is_rejected() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = key_set(&[IssuerKey::ed25519().jwk_with_id("k")]);
    std::fs::write(folder.path().join("jwks"), set.to_string()).expect("written");
    let impostor = Impostor::start(folder.path());
    let keys = keys_at(&format!("https://localhost:{}/jwks", impostor.1), NEVER);
    let error = keys.refresh().await.expect_err("no keys");
    let causes = std::iter::successors(Some(&error as &dyn Error), |error| (*error).source());
    let chain: Vec<_> = causes.map(ToString::to_string).collect();
    assert!(
        chain.iter().any(|cause| cause.contains("UnknownIssuer")),
        "{chain:?}"
    );
}
