//! What the API says to people who log in or leave.

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Database, Service};

const EMAIL: &str = "anna@example.org";
const PASSWORD: &str = "seven purple lanterns over Lisbon";

#[tokio::test]
async fn refused_login_and_deletion_without_a_password_say_what_is_wrong() {
    let service = Service::start(&Database::sqlite()).await;
    let anonymous = service.client_with(None);
    let post = async |path: &str, body: Value| anonymous.send(Method::POST, path, Some(body)).await;
    let account = json!({"email": EMAIL, "password": PASSWORD});
    let registered = post("/api/auth/register", account.clone()).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    let login = post(
        "/api/auth/login",
        json!({"email": EMAIL, "password": "wrong horse"}),
    )
    .await;
    assert_eq!(login.status, 401, "{login:?}");
    assert_eq!(login.body["title"], "Not authenticated");
    assert_eq!(
        login.body["detail"],
        "The e-mail address or the password is wrong."
    );
    let refresh = post("/api/auth/refresh", json!({"refresh_token": "unknown"})).await;
    assert_eq!(refresh.body["title"], "Not authenticated");

    let token = registered.body["access_token"].as_str().expect("a token");
    let anna = service.client_with(Some(token.to_owned()));
    let required = "The password of the account is required, as the member `password` of the body";
    // More often than wrong passwords are allowed: a missing one is no guess.
    for body in [None, Some(json!({})), Some(json!({"password": null}))]
        .into_iter()
        .cycle()
        .take(9)
    {
        let refused = anna.send(Method::DELETE, "/api/auth/me", body).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_eq!(refused.body["detail"], required);
        assert_eq!(
            refused.body["errors"],
            json!([{"field": "password", "message": required}])
        );
    }
    let wrong = Some(json!({"password": "wrong horse"}));
    let refused = anna.send(Method::DELETE, "/api/auth/me", wrong).await;
    assert_eq!(refused.body["detail"], "The password is wrong");
    let right = Some(json!({"password": PASSWORD}));
    assert_eq!(
        anna.send(Method::DELETE, "/api/auth/me", right)
            .await
            .status,
        204
    );
}
