//! Wrong passwords of strangers do not lock out a client that has logged in before.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    BEHIND_A_PROXY, CHANGE_PASSWORD, Grant, LOGIN, NO_LIMITS, PASSWORD, delete_account, login_from,
    me_status, register, send_from,
};
use crate::service::{Answer, Client, Database, Service};

const ANNA: &str = "anna@example.org";
const HOME: &str = "198.51.100.1";
const AWAY: &str = "198.51.100.2";
const WRONG: &str = "wrong horse battery";

async fn start(database: &Database) -> Service {
    Service::start_with(database, &[BEHIND_A_PROXY, NO_LIMITS[0]]).await
}

/// Guesses from ten addresses until no stranger may log in any longer.
async fn lock_strangers_out(service: &Service) {
    for count in 0..50 {
        let address = format!("203.0.113.{}", count / 5);
        let answer = login_from(service, &address, ANNA, WRONG).await;
        assert_eq!(answer.status, 401, "{count}: {answer:?}");
    }
    let answer = login_from(service, "203.0.113.99", ANNA, PASSWORD).await;
    answer.assert_problem(429, "RATE_LIMITED");
}

/// Logs in from an address that is not known, with this header.
async fn login_with(service: &Service, name: &str, value: &str, password: &str) -> Answer {
    let request = service
        .client_with(None)
        .request(Method::POST, LOGIN)
        .header("x-forwarded-for", AWAY)
        .header(name, value)
        .json(&json!({"email": ANNA, "password": password}));
    Answer::of(request).await
}

async fn known_address_can_log_in_despite_guesses_of_others(database: Database) {
    let service = start(&database).await;
    register(&service, ANNA).await;
    assert_eq!(login_from(&service, HOME, ANNA, PASSWORD).await.status, 200);
    lock_strangers_out(&service).await;
    for _ in 0..2 {
        let answer = login_from(&service, HOME, ANNA, PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // The owner's login gives no further guesses to strangers.
    let answer = login_from(&service, "203.0.113.98", ANNA, WRONG).await;
    answer.assert_problem(429, "RATE_LIMITED");
    // The guesses from the known address are bounded, too.
    for expected in [401, 401, 401, 401, 401, 429] {
        let answer = login_from(&service, HOME, ANNA, WRONG).await;
        assert_eq!(answer.status, expected, "{answer:?}");
    }
}

async fn known_device_can_log_in_from_anywhere_despite_guesses_of_others(database: Database) {
    let service = start(&database).await;
    register(&service, ANNA).await;
    let first = login_from(&service, HOME, ANNA, PASSWORD).await;
    let token = first.header("device-token").to_owned();
    let cookie = first.header("set-cookie");
    let (pair, attributes) = cookie.split_once(';').expect("attributes");
    assert_eq!(pair, format!("taskhold_device={token}"));
    assert!(
        attributes.contains("HttpOnly") && attributes.contains("SameSite=Strict"),
        "{cookie}"
    );
    let other = register(&service, "bob@example.org").await;
    let bobs = login_from(&service, AWAY, "bob@example.org", PASSWORD).await;
    assert_eq!(bobs.status, 200, "{:?}", other.user);
    lock_strangers_out(&service).await;

    let cookies = format!("a=b; {pair}; c=d");
    for (name, value) in [("device-token", &token), ("cookie", &cookies)] {
        let answer = login_with(&service, name, value, PASSWORD).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        rows_of_known_networks_are_forgotten(&database).await;
    }
    // Neither an invented token nor that of another account helps.
    let invented = token.to_uppercase();
    for value in ["x", &invented, bobs.header("device-token")] {
        let answer = login_with(&service, "device-token", value, PASSWORD).await;
        answer.assert_problem(429, "RATE_LIMITED");
    }
    // The guesses with a stolen device token are bounded, too.
    for expected in [401, 401, 401, 401, 401, 429] {
        let answer = login_with(&service, "device-token", &token, WRONG).await;
        assert_eq!(answer.status, expected, "{answer:?}");
    }
}

/// Makes every address unknown again; other counters began in the past.
async fn rows_of_known_networks_are_forgotten(database: &Database) {
    database
        .execute(
            "DELETE FROM attempts WHERE since > (SELECT min(since) FROM attempts) + 86400000000",
        )
        .await;
}

fn change(current: &str) -> Value {
    json!({"current_password": current, "new_password": "another horse"})
}

async fn logged_in_user_can_change_the_password_despite_guesses_of_others(database: Database) {
    let service = start(&database).await;
    let anna = register(&service, ANNA).await;
    lock_strangers_out(&service).await;
    let client = anna.client(&service);
    let post = async |client: &Client, current: &str| {
        send_from(
            client,
            AWAY,
            Method::POST,
            CHANGE_PASSWORD,
            &change(current),
        )
        .await
    };
    assert_eq!(post(&client, WRONG).await.status, 422);
    let new = Grant::of(&post(&client, PASSWORD).await, 200);
    // A stolen access token allows few guesses, from all addresses and through all routes.
    let client = new.client(&service);
    for count in 1..=5 {
        let address = format!("203.0.113.{count}");
        let answer = send_from(
            &client,
            &address,
            Method::POST,
            CHANGE_PASSWORD,
            &change(WRONG),
        )
        .await;
        assert_eq!(answer.status, 422, "{count}: {answer:?}");
    }
    post(&client, "another horse")
        .await
        .assert_problem(429, "RATE_LIMITED");
    delete_account(&client, Some("another horse"))
        .await
        .assert_problem(429, "RATE_LIMITED");
    assert_eq!(me_status(&service, &new.access).await, 200);
}

async fn logged_in_user_can_delete_the_account_despite_guesses_of_others(database: Database) {
    let service = start(&database).await;
    let anna = register(&service, ANNA).await;
    lock_strangers_out(&service).await;
    let answer = delete_account(&anna.client(&service), Some(PASSWORD)).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

on_both_stores! {
    known_address_can_log_in_despite_guesses_of_others
    known_device_can_log_in_from_anywhere_despite_guesses_of_others
    logged_in_user_can_change_the_password_despite_guesses_of_others
    logged_in_user_can_delete_the_account_despite_guesses_of_others
}
