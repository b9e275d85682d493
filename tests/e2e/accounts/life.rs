//! The life cycle of an account.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CHANGE_PASSWORD, Grant, LOGIN, LOGOUT, ME, PASSWORD, REGISTER, TASKS, delete_account, log_in,
    me_status, post_login, post_refresh, post_register, register, token_issued_ago,
};
use crate::service::{Database, SECRET, Service, signed_as_given, tomorrow};

const ANNA: &str = "Änna@Example.org";

async fn account_lives_from_registration_to_deletion(database: Database) {
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

    post_register(&service, "äNNA@eXAMPLE.ORG")
        .await
        .assert_problem(409, "CONFLICT");

    let second = Grant::of(
        &post_login(&service, "ÄNNA@example.ORG", PASSWORD).await,
        200,
    );
    assert_eq!(second.user, first.user);
    let anna = second.client(&service);
    assert_eq!(anna.get(ME).await.body, json!({"user": first.user}));
    let task = anna.create(json!({"title": "hers"})).await;
    assert_eq!(task["user_id"], first.user["id"]);

    let third = Grant::of(&post_refresh(&service, &second.refresh).await, 200);
    assert_eq!(third.user, first.user);
    assert_ne!(third.refresh, second.refresh);
    assert_eq!(third.client(&service).tasks().await, [task]);

    let answer = third
        .client(&service)
        .post(LOGOUT, json!({"refresh_token": third.refresh}))
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    for (access, status) in [(&first, 200), (&second, 401), (&third, 401)] {
        assert_eq!(me_status(&service, &access.access).await, status);
    }
    post_refresh(&service, &third.refresh)
        .await
        .assert_problem(401, "UNAUTHORIZED");
    // The session of another device continues.
    let fourth = Grant::of(&post_refresh(&service, &first.refresh).await, 200);
    let answer = fourth
        .client(&service)
        .send(Method::POST, LOGOUT, None)
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(post_refresh(&service, &fourth.refresh).await.status, 401);

    let fifth = log_in(&service, ANNA).await;
    let anna = fifth.client(&service);
    for wrong in [None, Some("wrong horse battery")] {
        let answer = delete_account(&anna, wrong).await;
        answer.assert_problem(422, "VALIDATION_ERROR");
        assert_eq!(answer.body["errors"][0]["field"], "password");
    }
    assert_eq!(anna.tasks().await.len(), 1);
    assert_eq!(delete_account(&anna, Some(PASSWORD)).await.status, 204);
    assert_eq!(me_status(&service, &fifth.access).await, 401);
    assert_eq!(post_refresh(&service, &fifth.refresh).await.status, 401);
    assert_eq!(post_login(&service, ANNA, PASSWORD).await.status, 401);

    let again = register(&service, ANNA).await;
    assert_ne!(again.user["id"], first.user["id"]);
    assert_eq!(again.client(&service).tasks().await, [] as [Value; 0]);
}

async fn password_change_revokes_all_tokens(database: Database) {
    let service = Service::start(&database).await;
    let email = "anna@example.org";
    let (first, second) = (
        register(&service, email).await,
        log_in(&service, email).await,
    );
    let wrong = json!({"current_password": "wrong horse battery", "new_password": "another horse"});
    let answer = first.client(&service).post(CHANGE_PASSWORD, wrong).await;
    answer.assert_problem(422, "VALIDATION_ERROR");
    assert_eq!(answer.body["errors"][0]["field"], "current_password");
    assert_eq!(me_status(&service, &second.access).await, 200);

    let change = json!({"current_password": PASSWORD, "new_password": "another horse"});
    let answer = first.client(&service).post(CHANGE_PASSWORD, change).await;
    let new = Grant::of(&answer, 200);
    for before in [&first, &second] {
        assert_eq!(me_status(&service, &before.access).await, 401);
        assert_eq!(post_refresh(&service, &before.refresh).await.status, 401);
    }
    assert_eq!(me_status(&service, &new.access).await, 200);
    assert_eq!(post_refresh(&service, &new.refresh).await.status, 200);
    assert_eq!(post_login(&service, email, PASSWORD).await.status, 401);
    assert_eq!(
        post_login(&service, email, "another horse").await.status,
        200
    );
}

async fn external_user_has_no_email_and_no_password(database: Database) {
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

async fn deletion_without_a_password_needs_a_recent_token(database: Database) {
    let lenient = [("TASKHOLD__AUTH__ACCEPT_MISSING_IAT", "true")];
    let service = Service::start_with(&database, &lenient).await;
    service
        .client("stranger")
        .create(json!({"title": "first"}))
        .await;
    let minutes = |minutes: u64| token_issued_ago("stranger", Duration::from_mins(minutes));
    let without = json!({"sub": "stranger", "exp": tomorrow()});
    let stale = [signed_as_given(&without, SECRET), minutes(6)];
    for token in &stale {
        let client = service.client_with(Some(token.clone()));
        for password in [None, Some(PASSWORD)] {
            let answer = delete_account(&client, password).await;
            answer.assert_problem(401, "UNAUTHORIZED");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.contains("max_age=\"300\""), "{challenge}");
        }
        assert_eq!(client.tasks().await.len(), 1);
    }
    let fresh = service.client_with(Some(minutes(4)));
    assert_eq!(delete_account(&fresh, None).await.status, 204);
    for token in stale {
        assert_eq!(me_status(&service, &token).await, 401);
    }
    // A token issued after the deletion may create the user again.
    let new = service.client_with(Some(token_issued_ago("stranger", Duration::ZERO)));
    assert_eq!(new.tasks().await, [] as [Value; 0]);
    let answer = new.get(&format!("{TASKS}/stats")).await;
    assert_eq!(answer.body["total"], 0);
}

on_both_stores! {
    account_lives_from_registration_to_deletion
    password_change_revokes_all_tokens
    external_user_has_no_email_and_no_password
    deletion_without_a_password_needs_a_recent_token
}
