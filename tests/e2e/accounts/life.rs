//! The whole life of an account.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CHANGE_PASSWORD, Grant, LOGIN, LOGOUT, ME, PASSWORD, REGISTER, TASKS, deleting, issued_before,
    logged_in, logging_in, refreshing, registered, registering, welcome,
};
use crate::service::{Database, Service, token};

const ANNA: &str = "Änna@Example.org";

async fn an_account_is_made_used_and_left(database: Database) {
    let service = Service::start(&database).await;
    let body = json!({"email": ANNA, "password": PASSWORD, "name": "Änna", "id": "mine", "is_active": false});
    let answer = service.client_with(None).post(REGISTER, body).await;
    let first = Grant::of(&answer, 201);
    assert_eq!(
        (&first.user["email"], &first.user["name"]),
        (&json!(ANNA), &json!("Änna")),
        "kept as typed"
    );
    assert_ne!(first.id(), "mine");
    assert!(first.user["created_at"].as_str() > Some("2026"));
    assert_eq!(first.user.as_object().map(serde_json::Map::len), Some(4));
    assert_eq!(answer.header("cache-control"), "no-store");

    registering(&service, "äNNA@eXAMPLE.ORG")
        .await
        .assert_problem(409, "CONFLICT");

    let second = Grant::of(
        &logging_in(&service, "ÄNNA@example.ORG", PASSWORD).await,
        200,
    );
    assert_eq!(second.user, first.user);
    let anna = second.client(&service);
    assert_eq!(anna.get(ME).await.body, json!({"user": first.user}));
    let task = anna.create(json!({"title": "hers"})).await;
    assert_eq!(task["user_id"], first.user["id"]);

    let third = Grant::of(&refreshing(&service, &second.refresh).await, 200);
    assert_eq!(third.user, first.user);
    assert_ne!(third.refresh, second.refresh);
    assert_eq!(third.client(&service).tasks().await, [task]);

    let answer = third
        .client(&service)
        .post(LOGOUT, json!({"refresh_token": third.refresh}))
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    for access in [&first.access, &second.access, &third.access] {
        assert_eq!(welcome(&service, access).await, 401);
    }
    refreshing(&service, &third.refresh)
        .await
        .assert_problem(401, "UNAUTHORIZED");
    // The login of another device goes on.
    let fourth = Grant::of(&refreshing(&service, &first.refresh).await, 200);
    let answer = fourth
        .client(&service)
        .send(Method::POST, LOGOUT, None)
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(refreshing(&service, &fourth.refresh).await.status, 401);

    let fifth = logged_in(&service, ANNA).await;
    let anna = fifth.client(&service);
    for wrong in [None, Some("wrong horse battery")] {
        let answer = deleting(&anna, wrong).await;
        answer.assert_problem(422, "VALIDATION_ERROR");
        assert_eq!(answer.body["errors"][0]["field"], "password");
    }
    assert_eq!(anna.tasks().await.len(), 1);
    assert_eq!(deleting(&anna, Some(PASSWORD)).await.status, 204);
    assert_eq!(welcome(&service, &fifth.access).await, 401);
    assert_eq!(refreshing(&service, &fifth.refresh).await.status, 401);
    assert_eq!(logging_in(&service, ANNA, PASSWORD).await.status, 401);

    let again = registered(&service, ANNA).await;
    assert_ne!(again.user["id"], first.user["id"]);
    assert_eq!(again.client(&service).tasks().await, [] as [Value; 0]);
}

async fn a_change_of_password_ends_all_that_was_given_out(database: Database) {
    let service = Service::start(&database).await;
    let email = "anna@example.org";
    let (one, other) = (
        registered(&service, email).await,
        logged_in(&service, email).await,
    );
    let wrong = json!({"current_password": "wrong horse battery", "new_password": "another horse"});
    let answer = one.client(&service).post(CHANGE_PASSWORD, wrong).await;
    answer.assert_problem(422, "VALIDATION_ERROR");
    assert_eq!(answer.body["errors"][0]["field"], "current_password");
    assert_eq!(welcome(&service, &other.access).await, 200);

    let change = json!({"current_password": PASSWORD, "new_password": "another horse"});
    let answer = one.client(&service).post(CHANGE_PASSWORD, change).await;
    let new = Grant::of(&answer, 200);
    for before in [&one, &other] {
        assert_eq!(welcome(&service, &before.access).await, 401);
        assert_eq!(refreshing(&service, &before.refresh).await.status, 401);
    }
    assert_eq!(welcome(&service, &new.access).await, 200);
    assert_eq!(refreshing(&service, &new.refresh).await.status, 200);
    assert_eq!(logging_in(&service, email, PASSWORD).await.status, 401);
    assert_eq!(
        logging_in(&service, email, "another horse").await.status,
        200
    );
}

async fn a_user_of_another_service_has_neither_address_nor_password(database: Database) {
    let service = Service::start(&database).await;
    let stranger = service.client("a stranger");
    let unknown =
        json!({"user": {"id": "a stranger", "email": null, "name": null, "created_at": null}});
    let answer = stranger.get(ME).await;
    assert_eq!((answer.status, answer.body), (200, unknown));
    let change = json!({"current_password": PASSWORD, "new_password": "another horse"});
    stranger
        .post(CHANGE_PASSWORD, change.clone())
        .await
        .assert_problem(409, "CONFLICT");
    stranger.create(json!({"title": "first"})).await;
    let known = stranger.get(ME).await.body;
    assert_eq!(known["user"]["email"], Value::Null);
    assert!(known["user"]["created_at"].is_string(), "{known}");
    stranger
        .post(CHANGE_PASSWORD, change)
        .await
        .assert_problem(409, "CONFLICT");
    let by_id = json!({"email": "a stranger", "password": ""});
    service
        .client_with(None)
        .post(LOGIN, by_id)
        .await
        .assert_problem(401, "UNAUTHORIZED");
}

async fn without_a_password_deletion_needs_a_fresh_token(database: Database) {
    let service = Service::start(&database).await;
    service
        .client("stranger")
        .create(json!({"title": "first"}))
        .await;
    let minutes = |minutes: u64| issued_before("stranger", Duration::from_mins(minutes));
    let stale = [token("stranger"), minutes(6)];
    for token in &stale {
        let client = service.client_with(Some(token.clone()));
        for password in [None, Some(PASSWORD)] {
            let answer = deleting(&client, password).await;
            answer.assert_problem(401, "UNAUTHORIZED");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.contains("max_age=\"300\""), "{challenge}");
        }
        assert_eq!(client.tasks().await.len(), 1);
    }
    let fresh = service.client_with(Some(minutes(4)));
    assert_eq!(deleting(&fresh, None).await.status, 204);
    for token in stale {
        assert_eq!(welcome(&service, &token).await, 401);
    }
    // A token from after the deletion is one of somebody who wants to come back.
    let new = service.client_with(Some(issued_before("stranger", Duration::ZERO)));
    assert_eq!(new.tasks().await, [] as [Value; 0]);
    let answer = new.get(&format!("{TASKS}/stats")).await;
    assert_eq!(answer.body["total"], 0);
}

on_both_stores! {
    an_account_is_made_used_and_left
    a_change_of_password_ends_all_that_was_given_out
    a_user_of_another_service_has_neither_address_nor_password
    without_a_password_deletion_needs_a_fresh_token
}
