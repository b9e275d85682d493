//! Events that end personal access tokens, and those that do not.

use reqwest::Method;
use serde_json::{Value, json};

use super::issue;
use crate::accounts::rows::rows;
use crate::accounts::{
    CHANGE_PASSWORD, Grant, LOGOUT, ME, NO_LIMITS, PASSWORD, REVOCATION_DEADLINE, TOKENS,
    delete_account, me_status, register,
};
use crate::service::{Database, Service, TASKS, run, within};

async fn expired_token_is_refused(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anna = service.client("anna");
    let (secret, _) = issue(&anna, &["tasks:read"]).await;
    database
        .execute("UPDATE personal_tokens SET expires_at = created_at + 1")
        .await;
    let laptop = service.client_with(Some(secret));
    laptop.get(TASKS).await.assert_problem(401, "UNAUTHORIZED");
    assert!(
        service.log().contains("expired"),
        "the reason is in the log"
    );
}

async fn password_change_leaves_tokens_unless_asked(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anna = register(&service, "anna@example.org")
        .await
        .client(&service);
    let (secret, _) = issue(&anna, &["tasks:read"]).await;
    let laptop = service.client_with(Some(secret));
    let change = |old: &str, new: &str, more: Value| {
        let mut body = json!({"current_password": old, "new_password": new});
        if !more.is_null() {
            body["revoke_tokens"] = more;
        }
        body
    };
    let second = "a second horse battery";
    let changed = anna
        .post(CHANGE_PASSWORD, change(PASSWORD, second, Value::Null))
        .await;
    let anna = Grant::of(&changed, 200).client(&service);
    assert_eq!(laptop.get(TASKS).await.status, 200);
    let refused = anna
        .post(CHANGE_PASSWORD, change(second, PASSWORD, json!("yes")))
        .await;
    refused.assert_problem(422, "VALIDATION_ERROR");
    let changed = anna
        .post(CHANGE_PASSWORD, change(second, PASSWORD, json!(true)))
        .await;
    let anna = Grant::of(&changed, 200).client(&service);
    laptop.get(TASKS).await.assert_problem(401, "UNAUTHORIZED");
    assert_eq!(anna.get(TOKENS).await.body, json!({"tokens": []}));
}

async fn deleted_account_leaves_no_token(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anna = register(&service, "anna@example.org")
        .await
        .client(&service);
    let (secret, _) = issue(&anna, &["tasks:write"]).await;
    let laptop = service.client_with(Some(secret));
    assert_eq!(laptop.get(TASKS).await.status, 200);
    assert_eq!(delete_account(&anna, Some(PASSWORD)).await.status, 204);
    laptop.get(TASKS).await.assert_problem(401, "UNAUTHORIZED");
    assert!(rows(&database).await["personal_tokens"].is_empty());
}

async fn log_out_leaves_programs_alone(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anna = register(&service, "anna@example.org")
        .await
        .client(&service);
    let (secret, _) = issue(&anna, &["tasks:read"]).await;
    assert_eq!(anna.post(LOGOUT, json!({})).await.status, 204);
    assert_eq!(anna.get(ME).await.status, 401);
    assert_eq!(me_status(&service, &secret).await, 200);
}

/// An operator deactivates the user beside the service. The activation does not bring the tokens back.
async fn deactivation_ends_tokens(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anna = register(&service, "anna@example.org")
        .await
        .client(&service);
    let (secret, _) = issue(&anna, &["tasks:write"]).await;
    assert_eq!(me_status(&service, &secret).await, 200);
    let variables = [("DATABASE_URL", database.url.as_str())];
    for command in ["deactivate", "activate"] {
        let arguments = ["user", command, "anna@example.org"];
        let done = run(database.folder.path(), &variables, &arguments);
        assert!(done.status.success(), "{done:?}");
    }
    within(REVOCATION_DEADLINE, "the token is refused", async || {
        (me_status(&service, &secret).await == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn token_revoked_at_another_instance_stops_working() {
    let database = Database::postgres().await;
    let (here, there) = (
        Service::start_with(&database, &NO_LIMITS).await,
        Service::start_with(&database, &NO_LIMITS).await,
    );
    let anna = here.client("anna");
    let (secret, id) = issue(&anna, &["tasks:read"]).await;
    assert_eq!(me_status(&here, &secret).await, 200);
    assert_eq!(me_status(&there, &secret).await, 200);
    let revoked = anna
        .send(Method::DELETE, &format!("{TOKENS}/{id}"), None)
        .await;
    assert_eq!(revoked.status, 204);
    assert_eq!(me_status(&here, &secret).await, 401);
    within(
        REVOCATION_DEADLINE,
        "the other instance refuses it",
        async || (me_status(&there, &secret).await == 401).then_some(()),
    )
    .await;
}

on_both_stores! {
    expired_token_is_refused
    password_change_leaves_tokens_unless_asked
    deleted_account_leaves_no_token
    log_out_leaves_programs_alone
    deactivation_ends_tokens
}
