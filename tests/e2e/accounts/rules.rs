//! Validation rules of accounts: an answer names every broken rule.

use serde_json::{Value, json};

use super::{CHANGE_PASSWORD, LOGIN, NO_LIMITS, PASSWORD, REFRESH, REGISTER, register};
use crate::service::{Answer, Database, Service};

const EMAIL: &str = "Email must be a valid e-mail address";
const SHORT: &str = "Password must have at least 8 characters";

/// Asserts that the answer names exactly these rules, in this order.
#[track_caller]
fn assert_broken(answer: &Answer, rules: &[(&str, &str)]) {
    answer.assert_problem(422, "VALIDATION_ERROR");
    let errors: Vec<_> = rules
        .iter()
        .map(|(field, message)| json!({"field": field, "message": message}))
        .collect();
    assert_eq!(answer.body["errors"], Value::from(errors), "{answer:?}");
    assert_eq!(answer.body["detail"], answer.body["errors"][0]["message"]);
}

#[tokio::test]
async fn invalid_registration_names_every_broken_rule() {
    let service = Service::start_with(&Database::sqlite(), &NO_LIMITS).await;
    let anonymous = service.client_with(None);
    let long_email = format!("a@{}.example", "b".repeat(250));
    let long_password = "p".repeat(129);
    let long_name = "n".repeat(101);
    for (email, password, name, broken) in [
        (
            json!(null),
            json!(null),
            json!(null),
            &[("email", EMAIL), ("password", SHORT)][..],
        ),
        (
            json!(1),
            json!(["pppppppp"]),
            json!(true),
            &[
                ("email", EMAIL),
                ("password", SHORT),
                ("name", "Name must be a non-empty string"),
            ],
        ),
        (
            json!("anna"),
            json!(PASSWORD),
            json!("Anna"),
            &[("email", EMAIL)],
        ),
        (
            json!("a\u{0}@example.org"),
            json!(PASSWORD),
            json!("Anna"),
            &[("email", EMAIL)],
        ),
        (
            json!(long_email),
            json!(PASSWORD),
            json!("Anna"),
            &[("email", "Email must not exceed 255 characters")],
        ),
        (
            json!("a@example.org"),
            json!("1234567"),
            json!("Anna"),
            &[("password", SHORT)],
        ),
        (
            json!("a@example.org"),
            json!("🔑".repeat(7)),
            json!("Anna"),
            &[("password", SHORT)],
        ),
        (
            json!("a@example.org"),
            json!(long_password),
            json!(""),
            &[
                ("password", "Password must not exceed 128 characters"),
                ("name", "Name must be a non-empty string"),
            ],
        ),
        (
            json!("a@example.org"),
            json!(PASSWORD),
            json!(long_name),
            &[("name", "Name must not exceed 100 characters")],
        ),
        (
            json!("a@example.org"),
            json!(PASSWORD),
            json!("A\u{0}"),
            &[("name", "Name must not contain NUL characters")],
        ),
    ] {
        let body = json!({"email": email, "password": password, "name": name});
        assert_broken(&anonymous.post(REGISTER, body).await, broken);
    }
    assert_broken(
        &anonymous.post(REGISTER, json!({})).await,
        &[("email", EMAIL), ("password", SHORT)],
    );
    // Values at the limit are accepted, and nothing is trimmed.
    let longest = "🔑".repeat(128);
    for (name, password) in [
        ("a", "        "),
        ("b", &longest),
        ("c", "\0\0\0\0\0\0\0\0"),
    ] {
        let email = format!("{name}@example.org");
        let body = json!({"email": email, "password": password});
        assert_eq!(anonymous.post(REGISTER, body.clone()).await.status, 201);
        assert_eq!(anonymous.post(LOGIN, body).await.status, 200);
        let trimmed = json!({"email": email, "password": password.trim()});
        let answer = anonymous.post(LOGIN, trimmed).await;
        assert_eq!(answer.status == 200, password.trim() == password);
    }
}

#[tokio::test]
async fn missing_login_or_password_fields_are_named() {
    let service = Service::start_with(&Database::sqlite(), &NO_LIMITS).await;
    let anonymous = service.client_with(None);
    assert_broken(
        &anonymous.post(LOGIN, json!({"email": 1})).await,
        &[("email", EMAIL), ("password", "Password must be a string")],
    );
    let anna = register(&service, "anna@example.org")
        .await
        .client(&service);
    assert_broken(
        &anna
            .post(CHANGE_PASSWORD, json!({"new_password": "short"}))
            .await,
        &[
            ("current_password", "Current password must be a string"),
            ("new_password", SHORT),
        ],
    );
    for token in [json!(null), json!(1)] {
        assert_broken(
            &anonymous
                .post(REFRESH, json!({"refresh_token": token}))
                .await,
            &[("refresh_token", "Refresh token must be a string")],
        );
    }
    let long = "x".repeat(10_000);
    for token in [json!(""), json!("x"), json!("\u{0}"), json!(long)] {
        let answer = anonymous
            .post(REFRESH, json!({"refresh_token": token}))
            .await;
        answer.assert_problem(401, "UNAUTHORIZED");
    }
    for path in [REGISTER, LOGIN, REFRESH] {
        for body in ["", "[]", "{\"email\"", "\"\\ud800\""] {
            let answer = anonymous.send_raw(reqwest::Method::POST, path, body).await;
            assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        }
    }
}
