//! Personal access tokens, and what they allow.

mod endings;

use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use taskhold_api::route::{Access, Endpoint};

use super::rows::rows;
use super::{LOGOUT, ME, NO_LIMITS, PASSWORD, TOKENS, me_status, register};
use crate::service::{Answer, Client, Database, Service, TASKS, endpoints, path};

const RANDOM_ID: &str = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";

/// Issues a token, and returns its secret and its id.
async fn issue(client: &Client, scopes: &[&str]) -> (String, String) {
    let draft = json!({"name": "laptop", "scopes": scopes});
    let issued = client.post(TOKENS, draft).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    let text = |member: &str| issued.body[member].as_str().expect("a string").to_owned();
    (text("token"), text("id"))
}

/// Sends a request that an endpoint refuses for every reason at once, so that nothing is done: for its unknown id,
/// media type, body and parameter.
async fn send_nonsense(client: &Client, endpoint: &Endpoint) -> Answer {
    let path = ["{id}", "{session}", "{token}"]
        .iter()
        .fold(endpoint.path.clone(), |path, part| {
            path.replace(part, RANDOM_ID)
        });
    let path = path.replace("{seq}", "999999");
    let method = endpoint.method.as_str().parse().expect("a method");
    let request = client
        .request(method, &format!("{path}?nonsense=1"))
        .header("content-type", "text/plain")
        .body("nonsense");
    Answer::of(request).await
}

/// Returns a token of these digits with the right checksum.
fn with_checksum(digits: &str) -> String {
    let token = format!("th_{digits}");
    let checksum = hex::encode(&Sha256::digest(&token)[..4]);
    token + &checksum
}

fn is_insufficient(answer: &Answer) -> bool {
    answer.body["error_code"] == "INSUFFICIENT_SCOPE"
}

/// The test is made from the route table, so that a new route cannot escape.
async fn every_route_takes_only_tokens_of_its_scope(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anna = service.client("anna");
    let reading = service.client_with(Some(issue(&anna, &["tasks:read"]).await.0));
    let writing = service.client_with(Some(issue(&anna, &["tasks:write"]).await.0));
    let with_both = issue(&anna, &["tasks:write", "tasks:read"]).await.0;
    let with_both = service.client_with(Some(with_both));
    let (revoked, id) = issue(&anna, &["tasks:write"]).await;
    let revoked = service.client_with(Some(revoked));
    let end = anna
        .send(Method::DELETE, &format!("{TOKENS}/{id}"), None)
        .await;
    assert_eq!(end.status, 204, "{end:?}");
    let unknown = service.client_with(Some(with_checksum(&"0".repeat(64))));
    let task = anna.create(json!({"title": "stays"})).await;

    let (mut reads, mut writes, mut of_accounts) = (0, 0, 0);
    for endpoint in endpoints() {
        let row = format!("{} {}", endpoint.method, endpoint.path);
        let allowed = match endpoint.access {
            Access::Public => continue,
            Access::Read => {
                reads += 1;
                [true, true, true]
            }
            Access::Write => {
                writes += 1;
                [false, true, true]
            }
            Access::Account => {
                of_accounts += 1;
                [false, false, false]
            }
        };
        for (client, allowed) in [&reading, &writing, &with_both].into_iter().zip(allowed) {
            let answer = send_nonsense(client, &endpoint).await;
            if allowed {
                assert!(!is_insufficient(&answer), "{row}: {answer:?}");
                assert_ne!(answer.status, 401, "{row}: {answer:?}");
                continue;
            }
            answer.assert_problem(403, "INSUFFICIENT_SCOPE");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("Bearer "), "{row}: {challenge}");
            assert!(
                challenge.contains("error=\"insufficient_scope\""),
                "{row}: {challenge}"
            );
            let names_scope = challenge.contains("scope=\"tasks:write\"");
            assert_eq!(
                names_scope,
                endpoint.access == Access::Write,
                "{row}: {challenge}"
            );
        }
        for client in [&revoked, &unknown] {
            let answer = send_nonsense(client, &endpoint).await;
            answer.assert_problem(401, "UNAUTHORIZED");
        }
        // It would end every access token of the user.
        if endpoint.path != LOGOUT {
            let answer = send_nonsense(&anna, &endpoint).await;
            assert!(![401, 403].contains(&answer.status), "{row}: {answer:?}");
        }
    }
    assert!(
        reads >= 8 && writes >= 11 && of_accounts >= 8,
        "{reads} {writes} {of_accounts}"
    );
    assert_eq!(anna.tasks().await, [task]);
}

async fn token_works_for_tasks_until_it_is_revoked(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anna = register(&service, "anna@example.org")
        .await
        .client(&service);
    let draft = json!({"name": "Ноутбук", "scopes": ["tasks:write", "tasks:write"], "expires_in_days": 30.0});
    let issued = anna.post(TOKENS, draft).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    let secret = issued.body["token"].as_str().expect("a token").to_owned();
    assert!(secret.starts_with("th_") && secret.len() == 75, "{secret}");
    assert_eq!(issued.body["scopes"], json!(["tasks:write"]));

    let laptop = service.client_with(Some(secret));
    let task = laptop.create(json!({"title": "by the laptop"})).await;
    assert_eq!(anna.tasks().await, std::slice::from_ref(&task));
    let other = anna
        .send(Method::PATCH, &format!("{}/complete", path(&task)), None)
        .await;
    assert_eq!(other.status, 200, "{other:?}");
    let history = laptop.get(&format!("{}/history", path(&task))).await;
    let authors = history.body["history"]
        .as_array()
        .expect("a history")
        .iter();
    let authors: Vec<_> = authors.map(|change| change["by"].clone()).collect();
    assert_eq!(authors, ["session", "Ноутбук"]);
    assert_eq!(
        laptop.get(ME).await.body["user"]["email"],
        "anna@example.org"
    );

    let listed = anna.get(TOKENS).await.body["tokens"].clone();
    assert_eq!(listed[0]["name"], "Ноутбук");
    let used = listed[0]["last_used_at"].as_str().expect("a day");
    assert!(used.ends_with("T00:00:00.000000Z"), "{used}");
    assert!(!listed.to_string().contains("th_"), "{listed}");

    let row = format!("{TOKENS}/{}", issued.body["id"].as_str().expect("an id"));
    let ben = service.client("ben");
    ben.send(Method::DELETE, &row, None)
        .await
        .assert_problem(404, "NOT_FOUND");
    assert_eq!(laptop.get(TASKS).await.status, 200);
    assert_eq!(anna.send(Method::DELETE, &row, None).await.status, 204);
    laptop.get(TASKS).await.assert_problem(401, "UNAUTHORIZED");
    anna.send(Method::DELETE, &row, None)
        .await
        .assert_problem(404, "NOT_FOUND");
    assert_eq!(anna.get(TOKENS).await.body, json!({"tokens": []}));
}

async fn malformed_drafts_are_refused_with_every_rule(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anna = service.client("anna");
    for (draft, fields) in [
        (json!({}), &["name", "scopes"][..]),
        (
            json!({"name": "", "scopes": [], "expires_in_days": 0}),
            &["name", "scopes", "expires_in_days"],
        ),
        (
            json!({"name": "session", "scopes": ["tasks:read"]}),
            &["name"],
        ),
        (
            json!({"name": "a\u{202e}b", "scopes": ["tasks:read"]}),
            &["name"],
        ),
        (
            json!({"name": "x".repeat(101), "scopes": ["tasks:read"]}),
            &["name"],
        ),
        (json!({"name": "x", "scopes": "tasks:read"}), &["scopes"]),
        (
            json!({"name": "x", "scopes": ["tasks:read", "account"]}),
            &["scopes"],
        ),
        (
            json!({"name": "x", "scopes": ["tasks:read", 1]}),
            &["scopes"],
        ),
        (
            json!({"name": "x", "scopes": ["tasks:read"], "expires_in_days": 3651}),
            &["expires_in_days"],
        ),
        (
            json!({"name": "x", "scopes": ["tasks:read"], "expires_in_days": 1.5}),
            &["expires_in_days"],
        ),
        (
            json!({"name": "x", "scopes": ["tasks:read"], "expires_in_days": "30"}),
            &["expires_in_days"],
        ),
    ] {
        let answer = anna.post(TOKENS, draft.clone()).await;
        answer.assert_problem(422, "VALIDATION_ERROR");
        let broken = answer.body["errors"].as_array().expect("the rules").iter();
        let broken: Vec<_> = broken.map(|rule| rule["field"].clone()).collect();
        assert_eq!(broken, fields, "{draft}");
    }
    assert_eq!(anna.get(TOKENS).await.body, json!({"tokens": []}));
}

async fn tokens_of_a_user_are_limited(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anna = service.client("anna");
    for _ in 0..50 {
        issue(&anna, &["tasks:read"]).await;
    }
    let draft = json!({"name": "one more", "scopes": ["tasks:read"]});
    anna.post(TOKENS, draft.clone())
        .await
        .assert_problem(409, "QUOTA_EXCEEDED");
    database
        .execute("UPDATE personal_tokens SET expires_at = 1")
        .await;
    assert_eq!(anna.post(TOKENS, draft).await.status, 201);
}

async fn making_tokens_is_rate_limited(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let draft = json!({"name": "x", "scopes": ["nonsense"]});
    let mut statuses = Vec::new();
    for _ in 0..31 {
        statuses.push(anna.post(TOKENS, draft.clone()).await);
    }
    let last = statuses.last().expect("an answer");
    last.assert_problem(429, "RATE_LIMITED");
    assert!(
        last.header("retry-after")
            .parse::<u64>()
            .is_ok_and(|wait| wait > 0)
    );
    assert_eq!(statuses[0].status, 422);
}

/// Mistyped tokens never reach the store.
async fn malformed_token_is_refused_without_the_store(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let (secret, _) = issue(&service.client("anna"), &["tasks:read"]).await;
    database
        .execute("ALTER TABLE personal_tokens RENAME TO hidden")
        .await;
    let mistyped = secret.replace(
        &secret[20..21],
        if &secret[20..21] == "a" { "b" } else { "a" },
    );
    for token in [
        "th_",
        "th_x",
        &secret[..74],
        &format!("{secret}0"),
        &mistyped,
    ] {
        let client = service.client_with(Some(token.to_owned()));
        client.get(TASKS).await.assert_problem(401, "UNAUTHORIZED");
    }
    let known = service.client_with(Some(secret)).get(TASKS).await;
    assert!(known.status >= 500, "the store is asked: {known:?}");
}

/// No row holds a token, a password or anything else that a client could log in with.
async fn stolen_rows_hold_no_credential(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let grant = register(&service, "anna@example.org").await;
    let anna = grant.client(&service);
    let (secret, _) = issue(&anna, &["tasks:write"]).await;
    let laptop = service.client_with(Some(secret.clone()));
    let key = [("idempotency-key", "once")];
    let body = Some(json!({"title": "x"}));
    let kept = laptop
        .request(Method::POST, TASKS)
        .header(key[0].0, key[0].1)
        .json(&body);
    assert_eq!(Answer::of(kept).await.status, 201);
    let stolen = format!("{:?}", rows(&database).await).to_lowercase();
    assert!(stolen.contains("laptop"), "the rows are there");
    for credential in [
        secret.as_str(),
        &secret[3..67],
        &grant.access,
        &grant.refresh,
        PASSWORD,
    ] {
        assert!(!stolen.contains(&credential.to_lowercase()), "{credential}");
    }
    // Nor is the stored digest one.
    let digest = hex::encode(Sha256::digest(&secret));
    assert!(stolen.contains(&digest), "the digest is stored");
    assert_eq!(me_status(&service, &with_checksum(&digest)).await, 401);
    assert!(
        !service.log().contains(&secret[..20]),
        "the log has no token"
    );
}

on_both_stores! {
    every_route_takes_only_tokens_of_its_scope
    token_works_for_tasks_until_it_is_revoked
    malformed_drafts_are_refused_with_every_rule
    tokens_of_a_user_are_limited
    making_tokens_is_rate_limited
    malformed_token_is_refused_without_the_store
    stolen_rows_hold_no_credential
}
