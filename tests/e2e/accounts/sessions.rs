//! Sessions: their end by reuse, by age, by number, and by their owner.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use super::{
    Grant, NO_LIMITS, PASSWORD, REVOCATION_DEADLINE, SESSIONS, log_in, me_status, post_login,
    post_refresh, register, rows,
};
use crate::service::{Database, Service, within};

async fn reused_refresh_token_ends_access_tokens(database: Database) {
    let service = Service::start(&database).await;
    let first = register(&service, "anna@example.org").await;
    let other = log_in(&service, "anna@example.org").await;
    let bob = register(&service, "bob@example.org").await;
    let second = Grant::of(&post_refresh(&service, &first.refresh).await, 200);
    for access in [&first.access, &second.access] {
        assert_eq!(me_status(&service, access).await, 200);
    }
    post_refresh(&service, &first.refresh)
        .await
        .assert_problem(401, "UNAUTHORIZED");
    for access in [&first.access, &second.access] {
        assert_eq!(me_status(&service, access).await, 401);
    }
    assert_eq!(post_refresh(&service, &second.refresh).await.status, 401);
    // The user's other login gets a new access token, and other users notice nothing.
    let other = Grant::of(&post_refresh(&service, &other.refresh).await, 200);
    assert_eq!(me_status(&service, &other.access).await, 200);
    assert_eq!(me_status(&service, &bob.access).await, 200);
}

/// The rows of superseded tokens are few, and each of the tokens is still recognized.
async fn oldest_refresh_token_of_many_ends_the_session(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let first = register(&service, "anna@example.org").await;
    let mut last = first.clone();
    for _ in 0..100 {
        last = Grant::of(&post_refresh(&service, &last.refresh).await, 200);
    }
    let rows = &rows::rows(&database).await["refresh_tokens"];
    assert!(rows.len() <= 2, "{rows:?}");
    post_refresh(&service, &first.refresh)
        .await
        .assert_problem(401, "UNAUTHORIZED");
    assert_eq!(me_status(&service, &last.access).await, 401);
    assert_eq!(post_refresh(&service, &last.refresh).await.status, 401);
    let rows = &rows::rows(&database).await["refresh_tokens"];
    assert!(rows.is_empty(), "{rows:?}");
}

async fn session_ends_after_ninety_days_despite_refreshes(database: Database) {
    let service = Service::start(&database).await;
    let mut anna = register(&service, "anna@example.org").await;
    for (sql, is_good) in [
        (
            "UPDATE refresh_tokens SET started_at = started_at - 89 * 86400000000",
            true,
        ),
        // The last token expires with the session, not after 30 days.
        (
            "UPDATE refresh_tokens SET expires_at = expires_at - 86400000000",
            false,
        ),
    ] {
        database.execute(sql).await;
        let answer = post_refresh(&service, &anna.refresh).await;
        if is_good {
            anna = Grant::of(&answer, 200);
        } else {
            answer.assert_problem(401, "UNAUTHORIZED");
        }
    }
}

/// A lower setting ends sessions that have begun before.
async fn session_age_is_a_setting(database: Database) {
    let service = Service::start(&database).await;
    let anna = register(&service, "anna@example.org").await;
    service.kill();
    database
        .execute("UPDATE refresh_tokens SET started_at = started_at - 2 * 86400000000")
        .await;
    let service = Service::start_with(&database, &[("TASKHOLD__AUTH__SESSION_DAYS", "2")]).await;
    post_refresh(&service, &anna.refresh)
        .await
        .assert_problem(401, "UNAUTHORIZED");
}

/// An earlier version leaves no time of the login.
async fn session_of_an_earlier_version_is_refreshed(database: Database) {
    let service = Service::start(&database).await;
    let mut anna = register(&service, "anna@example.org").await;
    database
        .execute("UPDATE refresh_tokens SET started_at = NULL")
        .await;
    for _ in 0..2 {
        let sessions = anna.client(&service).get(SESSIONS).await;
        assert_eq!(ids(&sessions.body).len(), 1, "{sessions:?}");
        anna = Grant::of(&post_refresh(&service, &anna.refresh).await, 200);
    }
}

async fn fifty_first_login_ends_the_oldest(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let first = register(&service, "anna@example.org").await;
    let second = log_in(&service, "anna@example.org").await;
    for _ in 0..49 {
        let answer = post_login(&service, "anna@example.org", PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(rows::rows(&database).await["refresh_tokens"].len(), 50);
    assert_eq!(post_refresh(&service, &first.refresh).await.status, 401);
    assert_eq!(post_refresh(&service, &second.refresh).await.status, 200);
}

fn ids(sessions: &Value) -> BTreeSet<String> {
    let sessions = sessions["sessions"].as_array().expect("a list");
    let ids = sessions.iter().map(|session| session["id"].as_str());
    ids.map(|id| id.expect("an id").to_owned()).collect()
}

async fn owner_lists_sessions_and_ends_one(database: Database) {
    let service = Service::start(&database).await;
    let first = register(&service, "anna@example.org").await;
    let before = ids(&first.client(&service).get(SESSIONS).await.body);
    let second = log_in(&service, "anna@example.org").await;
    let bob = register(&service, "bob@example.org").await;
    let anna = second.client(&service);
    let answer = anna.get(SESSIONS).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let sessions = ids(&answer.body);
    assert_eq!((before.len(), sessions.len()), (1, 2));
    for (_, value) in answer.body["sessions"][0].as_object().expect("an object") {
        let value = value.as_str().expect("text");
        assert!(![first.refresh.as_str(), &second.refresh].contains(&value));
    }
    let theirs = before.first().expect("one").as_str();
    for (client, id) in [
        (bob.client(&service), theirs),
        (anna.clone(), "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f"),
        (anna.clone(), "x"),
        (anna.clone(), &theirs.replace('-', "")),
    ] {
        let path = format!("{SESSIONS}/{id}");
        let answer = client.send(Method::DELETE, &path, None).await;
        answer.assert_problem(404, "NOT_FOUND");
    }
    assert_eq!(me_status(&service, &first.access).await, 200);
    let path = format!("{SESSIONS}/{theirs}");
    let answer = anna.send(Method::DELETE, &path, None).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(me_status(&service, &first.access).await, 401);
    assert_eq!(post_refresh(&service, &first.refresh).await.status, 401);
    let second = Grant::of(&post_refresh(&service, &second.refresh).await, 200);
    let left = ids(&second.client(&service).get(SESSIONS).await.body);
    assert_eq!(left, &sessions - &before);
    assert_eq!(ids(&bob.client(&service).get(SESSIONS).await.body).len(), 1);
}

on_both_stores! {
    reused_refresh_token_ends_access_tokens
    oldest_refresh_token_of_many_ends_the_session
    session_ends_after_ninety_days_despite_refreshes
    session_age_is_a_setting
    session_of_an_earlier_version_is_refreshed
    fifty_first_login_ends_the_oldest
    owner_lists_sessions_and_ends_one
}

#[tokio::test]
async fn another_instance_refuses_access_tokens_after_reuse() {
    let database = Database::postgres().await;
    let (first, second) = tokio::join!(Service::start(&database), Service::start(&database));
    let anna = register(&first, "anna@example.org").await;
    let next = Grant::of(&post_refresh(&first, &anna.refresh).await, 200);
    assert_eq!(me_status(&second, &next.access).await, 200);
    assert_eq!(post_refresh(&first, &anna.refresh).await.status, 401);
    assert_eq!(me_status(&first, &next.access).await, 401);
    within(
        REVOCATION_DEADLINE,
        "the other instance knows",
        async || (me_status(&second, &next.access).await == 401).then_some(()),
    )
    .await;
}
