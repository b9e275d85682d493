//! Tokens signed by the keys of an external issuer, against the whole program.

use std::fs;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use taskhold_testkit::issuer::{IssuerKey, JwksServer, key_set};

use crate::service::{Database, SECRET, Service, eventually, signed, tomorrow};

const URL: &str = "TASKHOLD__AUTH__JWKS_URL";
const FILE: &str = "TASKHOLD__AUTH__JWKS_FILE";

fn claims(user: &str) -> Value {
    json!({"sub": user, "iat": tomorrow() - 86_400, "exp": tomorrow()})
}

async fn is_accepted(service: &Service, token: String) -> bool {
    let answer = service.client_with(Some(token)).get("/api/v1/tasks").await;
    match answer.status {
        200 => true,
        401 => {
            answer.assert_problem(401, "UNAUTHORIZED");
            false
        }
        _ => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn keys_from_a_file_are_accepted_and_reloaded() {
    let (ed25519, p256, rsa) = (
        IssuerKey::ed25519(),
        IssuerKey::p256(),
        IssuerKey::rsa(2048),
    );
    let database = Database::sqlite();
    let file = database.folder.path().join("jwks.json");
    let write = |keys: &[Value]| fs::write(&file, key_set(keys).to_string()).expect("written");
    write(&[
        ed25519.jwk_with_id("e"),
        p256.jwk_with_id("p"),
        rsa.jwk_with_id("r"),
    ]);
    let path = file.to_str().expect("UTF-8");
    let service = Service::start_with(&database, &[(FILE, path)]).await;
    for (key, id) in [(&ed25519, "e"), (&p256, "p"), (&rsa, "r")] {
        assert!(
            is_accepted(&service, key.token(id, &claims("anna"))).await,
            "{id}"
        );
    }
    assert!(is_accepted(&service, signed(&claims("anna"), SECRET)).await);
    let confused = ed25519.sign(
        &json!({"alg": Algorithm::HS256, "kid": "e"}),
        &claims("anna"),
    );
    assert!(!is_accepted(&service, confused).await);
    let new = IssuerKey::ed25519();
    write(&[new.jwk_with_id("new")]);
    assert!(is_accepted(&service, new.token("new", &claims("anna"))).await);
    assert!(!is_accepted(&service, ed25519.token("e", &claims("anna"))).await);
}

/// The header, the payload and the key are those that Better Auth's plugin sends.
#[tokio::test]
async fn better_auth_user_sees_only_their_own_tasks() {
    let key = IssuerKey::ed25519();
    let mut published = key.jwk_with_id("c5c7c8f0-5f4c-4c8e-9d9a-3c7c9a2d3f11");
    published["alg"] = json!("EdDSA");
    let issuer = JwksServer::start(&key_set(&[published])).await;
    let database = Database::sqlite();
    let variables = [
        (URL, issuer.url()),
        ("TASKHOLD__AUTH__ISSUER", "http://localhost:3000".to_owned()),
        (
            "TASKHOLD__AUTH__AUDIENCE",
            "http://localhost:3000".to_owned(),
        ),
    ];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let service = Service::start_with(&database, &variables).await;
    let header = json!({"alg": "EdDSA", "kid": "c5c7c8f0-5f4c-4c8e-9d9a-3c7c9a2d3f11"});
    let token = |user: &str| {
        let payload = json!({
            "sub": user, "id": user, "exp": tomorrow(), "iat": tomorrow() - 7 * 86_400,
            "iss": "http://localhost:3000", "aud": "http://localhost:3000",
            "email": "hunter2@example.org", "name": "Hunter Two", "emailVerified": true,
            "image": null, "createdAt": "2026-01-01T00:00:00.000Z"
        });
        Some(key.sign(&header, &payload))
    };
    let anna = service.client_with(token("Vf2hX0m8pQ1rS3tU5vW7xY9zA1bC3dE5"));
    let task = anna.create(json!({"title": "hers"})).await;
    assert_eq!(task["user_id"], "Vf2hX0m8pQ1rS3tU5vW7xY9zA1bC3dE5");
    assert_eq!(anna.tasks().await, [task]);
    let bert = service.client_with(token("aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV"));
    assert!(bert.tasks().await.is_empty());
    let log = service.log().to_lowercase();
    assert!(
        !log.contains("hunter") && !log.contains("vf2hx0m8"),
        "{log}"
    );
    service.stop().await;
    for file in fs::read_dir(database.folder.path().join("data")).expect("a folder") {
        let bytes = fs::read(file.expect("a file").path()).expect("read");
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!text.contains("hunter"), "names and addresses are not kept");
    }
}

#[tokio::test]
async fn new_issuer_key_is_fetched_and_unknown_keys_cause_no_further_fetch() {
    let (old, new, stranger) = (IssuerKey::p256(), IssuerKey::p256(), IssuerKey::p256());
    let issuer = JwksServer::start(&key_set(&[old.jwk_with_id("old")])).await;
    let database = Database::sqlite();
    let service = Service::start_with(&database, &[(URL, &issuer.url())]).await;
    assert!(is_accepted(&service, old.token("old", &claims("anna"))).await);
    assert_eq!(issuer.request_count(), 1);
    issuer.publish(&key_set(&[old.jwk_with_id("old"), new.jwk_with_id("new")]));
    assert!(is_accepted(&service, new.token("new", &claims("anna"))).await);
    assert_eq!(issuer.request_count(), 2);
    let burst = (0..200).map(|number| {
        let token = stranger.token(&format!("unknown-{number}"), &claims("anna"));
        is_accepted(&service, token)
    });
    let accepted = futures_util::future::join_all(burst).await;
    assert!(!accepted.contains(&true));
    assert!(is_accepted(&service, old.token("old", &claims("anna"))).await);
    assert_eq!(
        issuer.request_count(),
        2,
        "no second fetch within the same minute"
    );
}

#[tokio::test]
async fn service_starts_without_its_issuer_and_reads_the_keys_later() {
    let key = IssuerKey::ed25519();
    let issuer = JwksServer::start(&key_set(&[])).await;
    let url = issuer.url();
    let address = issuer.stop().await;
    let database = Database::sqlite();
    let service = Service::start_with(&database, &[(URL, &url)]).await;
    assert!(
        service.log().contains("cannot read the issuer's keys yet"),
        "{}",
        service.log()
    );
    let token = || key.token("k", &claims("anna"));
    assert!(!is_accepted(&service, token()).await);
    service
        .client("anna")
        .create(json!({"title": "with the secret"}))
        .await;
    let issuer = JwksServer::start_at(address, &key_set(&[key.jwk_with_id("k")])).await;
    eventually("the keys are read", async || {
        is_accepted(&service, token()).await.then_some(())
    })
    .await;
    let requests = issuer.request_count();
    issuer.stop().await;
    // An unknown key causes a fetch, which fails while the issuer is down.
    let stranger = IssuerKey::ed25519().token("unknown", &claims("anna"));
    assert!(!is_accepted(&service, stranger).await);
    assert!(
        is_accepted(&service, token()).await,
        "the keys stay while the issuer is down"
    );
    assert_eq!(requests, 1);
}
