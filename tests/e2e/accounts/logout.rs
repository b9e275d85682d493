//! Logging out: of one device, and of all.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Grant, LOGOUT, REVOCATION_DEADLINE, SESSIONS, log_in, me_status, post_refresh, register,
};
use crate::service::{
    Answer, Client, Database, SECRET, Service, signed_as_given, tomorrow, within,
};

const ANNA: &str = "anna@example.org";

/// Logs out with a refresh token and, if given, an access token.
async fn log_out(service: &Service, access: Option<String>, refresh: &str) -> Answer {
    let client = service.client_with(access);
    client.post(LOGOUT, json!({"refresh_token": refresh})).await
}

/// Returns a token of this user that expired an hour ago.
fn expired(grant: &Grant) -> String {
    let now = tomorrow() - 86_400;
    let claims = json!({
        "iss": "taskhold", "sub": grant.id(), "iat": now - 7_200, "exp": now - 3_600,
    });
    signed_as_given(&claims, SECRET)
}

async fn refresh_token_alone_logs_out(database: Database) {
    let service = Service::start(&database).await;
    let anna = register(&service, ANNA).await;
    for access in [None, Some(expired(&anna)), Some("no.such.token".to_owned())] {
        let device = log_in(&service, ANNA).await;
        for _ in 0..2 {
            let answer = log_out(&service, access.clone(), &device.refresh).await;
            assert_eq!(answer.status, 204, "{access:?}: {answer:?}");
        }
        assert_eq!(me_status(&service, &device.access).await, 401);
        assert_eq!(post_refresh(&service, &device.refresh).await.status, 401);
    }
    assert_eq!(me_status(&service, &anna.access).await, 200);
}

/// RFC 7009, section 2.2: the client need not do anything about a token that is unknown.
async fn unknown_refresh_token_is_no_error(database: Database) {
    let service = Service::start(&database).await;
    let anna = register(&service, ANNA).await;
    for unknown in ["", "made up", &"x".repeat(1_000), "\0"] {
        let answer = log_out(&service, None, unknown).await;
        assert_eq!(answer.status, 204, "{unknown:?}: {answer:?}");
    }
    assert_eq!(me_status(&service, &anna.access).await, 200);
    assert_eq!(post_refresh(&service, &anna.refresh).await.status, 200);
}

async fn logout_without_any_token_is_401(database: Database) {
    let service = Service::start(&database).await;
    let anna = register(&service, ANNA).await;
    for client in [
        service.client_with(None),
        service.client_with(Some(expired(&anna))),
    ] {
        for body in [
            None,
            Some(json!({})),
            Some(json!({"refresh_token": null})),
            Some(json!({"refresh_token": 1})),
            Some(json!([])),
        ] {
            let answer = client.send(Method::POST, LOGOUT, body).await;
            answer.assert_problem(401, "UNAUTHORIZED");
        }
    }
    let answer = anna
        .client(&service)
        .post(LOGOUT, json!({"refresh_token": 1}))
        .await;
    answer.assert_problem(422, "VALIDATION_ERROR");
    assert_eq!(me_status(&service, &anna.access).await, 200);
}

async fn logout_of_one_device_leaves_the_others(database: Database) {
    let service = Service::start(&database).await;
    let (phone, laptop) = (register(&service, ANNA).await, log_in(&service, ANNA).await);
    let before = Grant::of(&post_refresh(&service, &phone.refresh).await, 200);
    let last = Grant::of(&post_refresh(&service, &before.refresh).await, 200);
    // A token that was used is good enough, and so is any access token of the user.
    let answer = log_out(&service, Some(laptop.access.clone()), &before.refresh).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    for access in [&phone.access, &before.access, &last.access] {
        assert_eq!(me_status(&service, access).await, 401);
    }
    assert_eq!(post_refresh(&service, &last.refresh).await.status, 401);
    assert_eq!(me_status(&service, &laptop.access).await, 200);
    assert_eq!(post_refresh(&service, &laptop.refresh).await.status, 200);
}

/// The refresh token is gone, but the access token tells which device it is.
async fn unknown_refresh_token_ends_the_device_of_the_access_token(database: Database) {
    let service = Service::start(&database).await;
    let (phone, laptop) = (register(&service, ANNA).await, log_in(&service, ANNA).await);
    let answer = log_out(&service, Some(laptop.access.clone()), "made up").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(me_status(&service, &laptop.access).await, 401);
    assert_eq!(post_refresh(&service, &laptop.refresh).await.status, 401);
    assert_eq!(me_status(&service, &phone.access).await, 200);
}

async fn ending_a_session_leaves_the_access_tokens_of_others(database: Database) {
    let service = Service::start(&database).await;
    let phone = register(&service, ANNA).await;
    let sessions = phone.client(&service).get(SESSIONS).await.body;
    let lost = sessions["sessions"][0]["id"].as_str().expect("an id");
    let laptop = log_in(&service, ANNA).await;
    let anna = laptop.client(&service);
    let path = format!("{SESSIONS}/{lost}");
    assert_eq!(anna.send(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(me_status(&service, &phone.access).await, 401);
    assert_eq!(me_status(&service, &laptop.access).await, 200);
}

/// A token of the version before, or of another issuer, names no session: it may be one of the ended session.
async fn logout_ends_tokens_that_name_no_session(database: Database) {
    let service = Service::start(&database).await;
    let (phone, laptop) = (register(&service, ANNA).await, log_in(&service, ANNA).await);
    let issued = tomorrow() - 86_400 - 60;
    let claims = json!({
        "iss": "taskhold", "sub": phone.id(), "iat": issued, "exp": issued + 3_600,
    });
    let nameless = signed_as_given(&claims, SECRET);
    assert_eq!(me_status(&service, &nameless).await, 200);
    assert_eq!(log_out(&service, None, &phone.refresh).await.status, 204);
    assert_eq!(me_status(&service, &nameless).await, 401);
    assert_eq!(me_status(&service, &laptop.access).await, 200);
}

async fn logout_without_a_refresh_token_ends_every_device(database: Database) {
    let service = Service::start(&database).await;
    let (phone, laptop) = (register(&service, ANNA).await, log_in(&service, ANNA).await);
    let client = laptop.client(&service);
    assert_eq!(client.send(Method::POST, LOGOUT, None).await.status, 204);
    for device in [phone, laptop] {
        assert_eq!(me_status(&service, &device.access).await, 401);
        assert_eq!(post_refresh(&service, &device.refresh).await.status, 401);
    }
}

/// Another issuer may put anything into its claim `sid`.
async fn claim_sid_of_another_issuer_does_not_matter(database: Database) {
    let service = Service::start(&database).await;
    for sid in [json!(1), json!({"a": 1}), json!("x"), Value::Null] {
        let now = tomorrow() - 86_400;
        let claims = json!({"sub": "ext", "iat": now, "exp": now + 3_600, "sid": sid});
        let client: Client = service.client_with(Some(signed_as_given(&claims, SECRET)));
        assert_eq!(client.get("/api/v1/tasks").await.status, 200, "{sid}");
    }
}

on_both_stores! {
    refresh_token_alone_logs_out
    unknown_refresh_token_is_no_error
    logout_without_any_token_is_401
    logout_of_one_device_leaves_the_others
    unknown_refresh_token_ends_the_device_of_the_access_token
    ending_a_session_leaves_the_access_tokens_of_others
    logout_ends_tokens_that_name_no_session
    logout_without_a_refresh_token_ends_every_device
    claim_sid_of_another_issuer_does_not_matter
}

#[tokio::test]
async fn another_instance_refuses_the_access_tokens_of_a_logged_out_device() {
    let database = Database::postgres().await;
    let (first, second) = tokio::join!(Service::start(&database), Service::start(&database));
    let (phone, laptop) = (register(&first, ANNA).await, log_in(&first, ANNA).await);
    assert_eq!(me_status(&second, &phone.access).await, 200);
    assert_eq!(log_out(&first, None, &phone.refresh).await.status, 204);
    within(
        REVOCATION_DEADLINE,
        "the other instance knows",
        async || (me_status(&second, &phone.access).await == 401).then_some(()),
    )
    .await;
    assert_eq!(me_status(&second, &laptop.access).await, 200);
}
