//! Transcripts of the endpoints of accounts.

use actix_web::http::Method;
use insta::assert_snapshot;
use taskhold_application::clock::Clock as _;

use crate::wire::{Request, Wire, get, request};

const ME: &str = "/api/auth/me";

/// Returns a request without a token.
fn post(path: &str, body: &str) -> Request {
    request(Method::POST, path)
        .json(body)
        .header("authorization", "")
}

#[actix_web::test]
async fn registered_account_logs_in_and_is_deleted() {
    let mut wire = Wire::new();
    let registration =
        r#"{"email": "Anna@Example.org", "password": "correct horse", "name": "Anna"}"#;
    let (_, granted) = wire.ask(post("/api/auth/register", registration)).await;
    let token = format!(
        "Bearer {}",
        granted["access_token"].as_str().expect("a token")
    );
    let mine = |request: Request| request.header("authorization", &token);
    let login = r#"{"email": "anna@example.ORG", "password": "correct horse"}"#;
    let change = r#"{"current_password": "correct horse", "new_password": "battery staple"}"#;
    for request in [
        post(
            "/api/auth/register",
            r#"{"email": "ANNA@example.org", "password": "other horse"}"#,
        ),
        post("/api/auth/login", login),
        mine(get(ME)),
        mine(
            request(Method::POST, "/api/auth/password")
                .json(r#"{"current_password": "wrong", "new_password": "battery staple"}"#),
        ),
        mine(request(Method::POST, "/api/auth/password").json(change)),
        // The token was issued before the password changed.
        mine(get(ME)),
        post("/api/auth/login", login),
    ] {
        wire.ask(request).await;
    }
    let login = r#"{"email": "anna@example.org", "password": "battery staple"}"#;
    let (_, granted) = wire.ask(post("/api/auth/login", login)).await;
    let token = format!(
        "Bearer {}",
        granted["access_token"].as_str().expect("a token")
    );
    let mine = |request: Request| request.header("authorization", &token);
    for request in [
        mine(request(Method::DELETE, ME)),
        mine(request(Method::DELETE, ME).json(r#"{"password": "correct horse"}"#)),
        mine(request(Method::DELETE, ME).json(r#"{"password": "battery staple"}"#)),
        mine(get(ME)),
        post("/api/auth/login", login),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn page_has_its_refresh_token_in_a_cookie() {
    let mut wire = Wire::new().with_base_path("/todo");
    let page = |request: Request| request.header("taskhold-page", "1");
    let credentials = r#"{"email": "anna@example.org", "password": "correct horse"}"#;
    let (_, granted) = wire
        .ask(page(post("/api/auth/register", credentials)))
        .await;
    let access = granted["access_token"].as_str().expect("a token");
    let access = format!("Bearer {access}");
    let empty = |path: &str| page(request(Method::POST, path).header("authorization", ""));
    let cookies = wire.cookies();
    wire.ask(empty("/api/auth/refresh").header("cookie", &cookies))
        .await;
    let cookies = wire.cookies();
    for request in [
        empty("/api/auth/refresh"),
        empty("/api/auth/refresh").header("taskhold-page", "yes"),
        empty("/api/auth/refresh")
            .header("cookie", &cookies)
            .header("sec-fetch-site", "cross-site"),
        page(post("/api/auth/refresh", r#"{"refresh_token": "made up"}"#)),
        empty("/api/auth/logout").header("cookie", &cookies),
        page(request(Method::DELETE, ME).json(r#"{"password": "correct horse"}"#)),
        page(
            request(Method::DELETE, ME)
                .header("authorization", &access)
                .json(r#"{"password": "wrong horse"}"#),
        ),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn user_of_external_tokens_has_no_profile() {
    let mut wire = Wire::new();
    let now = wire.clock().now().as_micros();
    let fresh = format!("Bearer user:bob@{now}");
    for request in [
        get(ME),
        request(Method::POST, "/api/auth/password")
            .json(r#"{"current_password": "none at all", "new_password": "battery staple"}"#),
        // The token does not say when it was issued.
        request(Method::DELETE, ME),
        request(Method::DELETE, ME)
            .header("authorization", &fresh)
            .json(r#"{"password": 1}"#),
        request(Method::DELETE, ME).header("authorization", &fresh),
        get(ME).header("authorization", &fresh),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn invalid_account_requests_are_rejected() {
    let mut wire = Wire::new();
    for (path, body) in [
        ("/api/auth/register", "{}"),
        (
            "/api/auth/register",
            r#"{"email": 1, "password": "short", "name": ""}"#,
        ),
        ("/api/auth/register", "[]"),
        ("/api/auth/login", "{}"),
        (
            "/api/auth/login",
            r#"{"email": "nobody@example.org", "password": "whatever it is"}"#,
        ),
        (
            "/api/auth/login",
            r#"{"email": "nobody@example.org", "password": "whatever it is"}"#,
        ),
        (
            "/api/auth/login",
            r#"{"email": "nobody@example.org", "password": "whatever it is"}"#,
        ),
        ("/api/auth/refresh", "{}"),
        ("/api/auth/refresh", r#"{"refresh_token": "made up"}"#),
        ("/api/auth/logout", "{}"),
    ] {
        wire.ask(post(path, body)).await;
    }
    assert_snapshot!(wire.transcript());
}
