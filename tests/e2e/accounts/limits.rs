//! Rate limits of logins and registrations.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::rows::rows;
use super::{
    BEHIND_A_PROXY, CHANGE_PASSWORD, LOGIN, ME, NO_LIMITS, PASSWORD, REFRESH, REGISTER,
    delete_account, post_login, post_refresh, register, send_from,
};
use crate::service::{Answer, Database, Service};

fn credentials(password: &str) -> Value {
    json!({"email": "anna@example.org", "password": password})
}

/// Asserts a 429 that asks to wait for at most `window` seconds.
#[track_caller]
fn assert_limited(answer: &Answer, quota: u32, window: u32) {
    answer.assert_problem(429, "RATE_LIMITED");
    let wait: u32 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=window).contains(&wait), "{wait}");
    assert_eq!(
        answer.header("ratelimit-policy"),
        format!("\"default\";q={quota};w={window}")
    );
    assert_eq!(
        answer.header("ratelimit"),
        format!("\"default\";r=0;t={wait}")
    );
}

async fn sixth_failed_login_returns_429(database: Database) {
    let service = Service::start(&database).await;
    register(&service, "anna@example.org").await;
    for _ in 0..5 {
        let answer = post_login(&service, "anna@example.org", "wrong horse battery").await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    // The right password is refused too; otherwise guessing could continue.
    for (email, password) in [
        ("anna@example.org", "wrong horse battery"),
        ("ANNA@example.org", PASSWORD),
    ] {
        assert_limited(&post_login(&service, email, password).await, 5, 900);
    }
    // Unknown users are counted alike, and other users are not affected.
    for expected in [401, 401, 401, 401, 401, 429] {
        let answer = post_login(&service, "nobody@example.org", PASSWORD).await;
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    register(&service, "bob@example.org").await;
    let answer = post_login(&service, "bob@example.org", PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn successful_login_resets_the_failures(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS[..1]).await;
    let anna = register(&service, "anna@example.org")
        .await
        .client(&service);
    for _ in 0..3 {
        for _ in 0..4 {
            let answer = post_login(&service, "anna@example.org", "wrong horse battery").await;
            assert_eq!(answer.status, 401, "{answer:?}");
        }
        let answer = post_login(&service, "anna@example.org", PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // A stolen token does not allow guessing the password through other routes.
    let change =
        json!({"current_password": "wrong horse battery", "new_password": "another horse"});
    for count in 1..=7 {
        let answer = if count % 2 == 0 {
            delete_account(&anna, Some("wrong horse battery")).await
        } else {
            anna.post(CHANGE_PASSWORD, change.clone()).await
        };
        let expected = if count <= 5 { 422 } else { 429 };
        assert_eq!(answer.status, expected, "{count}: {answer:?}");
    }
}

async fn thirty_first_request_in_a_minute_returns_429(database: Database) {
    let service = Service::start(&database).await;
    let anonymous = service.client_with(None);
    for count in 1..=30 {
        let path = if count % 2 == 0 { REGISTER } else { LOGIN };
        let answer = anonymous.post(path, json!({})).await;
        assert_eq!(answer.status, 422, "{count}: {answer:?}");
    }
    for path in [REGISTER, LOGIN] {
        assert_limited(&anonymous.post(path, credentials(PASSWORD)).await, 30, 60);
        // An untrusted client cannot forward another address.
        let answer = send_from(
            &anonymous,
            "203.0.113.9",
            Method::POST,
            path,
            &credentials(PASSWORD),
        )
        .await;
        assert_limited(&answer, 30, 60);
    }
    // Other routes are not limited.
    service
        .client("alice")
        .create(json!({"title": "hers"}))
        .await;
}

async fn forwarded_address_is_limited_behind_a_trusted_proxy(database: Database) {
    let service = Service::start_with(&database, &[BEHIND_A_PROXY]).await;
    let anonymous = service.client_with(None);
    for _ in 0..30 {
        let answer = send_from(
            &anonymous,
            "203.0.113.9",
            Method::POST,
            REGISTER,
            &json!({}),
        )
        .await;
        assert_eq!(answer.status, 422, "{answer:?}");
    }
    for same in [
        "203.0.113.9",
        "198.51.100.1, 203.0.113.9",
        "203.0.113.9, 127.0.0.1",
    ] {
        let answer = send_from(&anonymous, same, Method::POST, REGISTER, &json!({})).await;
        assert_limited(&answer, 30, 60);
    }
    let second = send_from(
        &anonymous,
        "203.0.113.8",
        Method::POST,
        REGISTER,
        &credentials(PASSWORD),
    )
    .await;
    assert_eq!(second.status, 201, "{second:?}");
    assert_eq!(second.header("ratelimit-policy"), "\"default\";q=30;w=60");
    assert!(
        second
            .header("ratelimit")
            .starts_with("\"default\";r=29;t="),
        "{second:?}"
    );
}

async fn fifty_failures_from_any_address_return_429(database: Database) {
    let service = Service::start_with(&database, &[BEHIND_A_PROXY, NO_LIMITS[0]]).await;
    register(&service, "anna@example.org").await;
    let anonymous = service.client_with(None);
    for count in 0..50 {
        let address = format!("203.0.113.{}", count / 5);
        let answer = send_from(
            &anonymous,
            &address,
            Method::POST,
            LOGIN,
            &credentials("wrong horse battery"),
        )
        .await;
        assert_eq!(answer.status, 401, "{count}: {answer:?}");
    }
    let answer = send_from(
        &anonymous,
        "198.51.100.1",
        Method::POST,
        LOGIN,
        &credentials(PASSWORD),
    )
    .await;
    assert_limited(&answer, 50, 900);
}

/// Who reads the table could try all IPv4 addresses within minutes.
async fn counters_are_stored_under_a_key(database: Database) {
    let service = Service::start(&database).await;
    post_login(&service, "anna@example.org", PASSWORD).await;
    let address = "127.0.0.1";
    let plain = Sha256::new()
        .chain_update("requests")
        .chain_update(address.len().to_be_bytes())
        .chain_update(address);
    let plain = hex::encode(plain.finalize());
    let rows = format!("{:?}", rows(&database).await["attempts"]).to_lowercase();
    assert!(rows.len() > 64 && !rows.contains(&plain), "{rows}");
}

async fn routes_that_hash_share_the_requests_of_an_address(database: Database) {
    let service = Service::start(&database).await;
    let grant = register(&service, "anna@example.org").await;
    let anna = grant.client(&service);
    for count in 1..=29 {
        let answer = match count % 3 {
            0 => anna.send(Method::DELETE, ME, Some(json!({}))).await,
            1 => anna.post(CHANGE_PASSWORD, json!({})).await,
            _ => anna.post(LOGIN, json!({})).await,
        };
        assert_eq!(answer.status, 422, "{count}: {answer:?}");
    }
    let change = json!({"current_password": PASSWORD, "new_password": "another horse"});
    assert_limited(&anna.post(CHANGE_PASSWORD, change).await, 30, 60);
    assert_limited(&delete_account(&anna, Some(PASSWORD)).await, 30, 60);
    assert_limited(&anna.post(LOGIN, credentials(PASSWORD)).await, 30, 60);
    assert_eq!(super::me_status(&service, &grant.access).await, 200);
}

async fn password_checks_of_a_user_are_limited_from_all_addresses(database: Database) {
    let service = Service::start_with(&database, &[BEHIND_A_PROXY]).await;
    let grant = register(&service, "anna@example.org").await;
    let anna = grant.client(&service);
    for count in 0..30 {
        let address = format!("203.0.113.{count}");
        let answer = send_from(&anna, &address, Method::POST, CHANGE_PASSWORD, &json!({})).await;
        assert_eq!(answer.status, 422, "{count}: {answer:?}");
    }
    let change = json!({"current_password": PASSWORD, "new_password": "another horse"});
    let answer = send_from(
        &anna,
        "198.51.100.1",
        Method::POST,
        CHANGE_PASSWORD,
        &change,
    );
    assert_limited(&answer.await, 30, 60);
}

/// A session is limited from all addresses, and an address for all sessions; the token stays good.
async fn refreshes_are_limited_by_address_and_session(database: Database) {
    let limit = ("TASKHOLD__LIMITS__REFRESHES_PER_MINUTE", "5");
    let service = Service::start_with(&database, &[BEHIND_A_PROXY, limit]).await;
    let mut token = register(&service, "anna@example.org").await.refresh;
    let anonymous = service.client_with(None);
    for count in 0..6 {
        let address = format!("203.0.113.{count}");
        let body = json!({"refresh_token": token});
        let answer = send_from(&anonymous, &address, Method::POST, REFRESH, &body).await;
        if count < 5 {
            token = super::Grant::of(&answer, 200).refresh;
        } else {
            assert_limited(&answer, 5, 60);
        }
    }
    for count in 0..6 {
        let answer = post_refresh(&service, &format!("invented {count}")).await;
        if count < 5 {
            answer.assert_problem(401, "UNAUTHORIZED");
        } else {
            assert_limited(&answer, 5, 60);
        }
    }
}

on_both_stores! {
    counters_are_stored_under_a_key
    routes_that_hash_share_the_requests_of_an_address
    password_checks_of_a_user_are_limited_from_all_addresses
    refreshes_are_limited_by_address_and_session
    sixth_failed_login_returns_429
    successful_login_resets_the_failures
    thirty_first_request_in_a_minute_returns_429
    forwarded_address_is_limited_behind_a_trusted_proxy
    fifty_failures_from_any_address_return_429
}

#[tokio::test]
async fn two_instances_share_their_counters() {
    let database = Database::postgres().await;
    let (first, second) = tokio::join!(Service::start(&database), Service::start(&database));
    register(&first, "anna@example.org").await;
    for service in [&first, &second, &first, &second, &first] {
        let answer = post_login(service, "anna@example.org", "wrong horse battery").await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    for service in [&first, &second] {
        let answer = post_login(service, "anna@example.org", PASSWORD).await;
        assert_limited(&answer, 5, 900);
    }
    // One registration and seven logins were counted before.
    for service in [&first, &second].into_iter().cycle().take(22) {
        let answer = service.client_with(None).post(LOGIN, json!({})).await;
        assert_eq!(answer.status, 422, "{answer:?}");
    }
    for service in [&first, &second] {
        let answer = service.client_with(None).post(REGISTER, json!({})).await;
        assert_limited(&answer, 30, 60);
    }
}

/// Every one of several concurrent guesses counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_guesses_are_all_counted() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    register(&service, "anna@example.org").await;
    let guesses = (0..12).map(|_| post_login(&service, "anna@example.org", "wrong horse battery"));
    let answers = futures_util::future::join_all(guesses).await;
    let unauthorized = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(unauthorized, 5, "{answers:?}");
}
