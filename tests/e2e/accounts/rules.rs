//! Validation rules of accounts: an answer names every broken rule.

use serde_json::{Value, json};

use super::{CHANGE_PASSWORD, LOGIN, NO_LIMITS, PASSWORD, REFRESH, REGISTER, register};
use crate::service::{Answer, Database, Service, run_with_input};

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
    let longest: String = ('\u{1F400}'..).take(128).collect();
    for (name, password) in [
        ("a", " two spaces around "),
        ("b", &longest),
        ("c", "\0 in a horse"),
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

const PREDICTABLE: &str =
    "Password must not be a repetition, a sequence or a row of keys: choose several words";
const COMMON: &str =
    "Password must not be a common one, even with digits or signs added: choose several words";
const OWN_WORDS: &str = "Password must not be made of the e-mail address, the name or \"taskhold\": \
     choose other words";

#[tokio::test]
async fn guessable_password_is_refused_with_the_reason() {
    let database = Database::sqlite();
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let anonymous = service.client_with(None);
    let anna =
        json!({"email": "anna.zwetajewa@example.org", "name": "Änne Groß", "password": PASSWORD});
    assert_eq!(anonymous.post(REGISTER, anna.clone()).await.status, 201);
    let granted = anonymous.post(LOGIN, anna).await;
    let token = granted.body["access_token"].as_str().expect("a token");
    let client = service.client_with(Some(token.to_owned()));
    for (password, reason) in [
        ("password", COMMON),
        ("Passw0rd!", COMMON),
        ("12345678", PREDICTABLE),
        ("        ", PREDICTABLE),
        (
            "\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}",
            PREDICTABLE,
        ),
        ("qwertyuiop", PREDICTABLE),
        ("anna.zwetajewa@example", OWN_WORDS),
        ("Zwetajewa1984", OWN_WORDS),
        ("a\u{308}nne gross!", OWN_WORDS),
        ("taskhold", OWN_WORDS),
    ] {
        let body = json!({
            "email": "anna.zwetajewa@example.net", "name": "Änne Gross", "password": password
        });
        assert_broken(
            &anonymous.post(REGISTER, body).await,
            &[("password", reason)],
        );
        if password.contains("gross") {
            continue;
        }
        let body = json!({"current_password": PASSWORD, "new_password": password});
        let answer = client.post(CHANGE_PASSWORD, body).await;
        assert_broken(&answer, &[("new_password", reason)]);
        if !password.trim().is_empty() {
            let variables = [("DATABASE_URL", database.url.as_str())];
            let arguments = ["user", "set-password", "anna.zwetajewa@example.org"];
            let output = run_with_input(database.folder.path(), &variables, &arguments, password);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                !output.status.success() && said.contains(reason),
                "{password}: {said}"
            );
        }
    }
    let body = json!({"email": "anna.zwetajewa@example.org", "password": PASSWORD});
    assert_eq!(
        anonymous.post(LOGIN, body).await.status,
        200,
        "nothing changed"
    );
}

/// Keyboards and systems differ in how they write the same characters.
#[tokio::test]
async fn password_works_in_every_spelling_of_its_characters() {
    let service = Service::start_with(&Database::sqlite(), &NO_LIMITS).await;
    let anonymous = service.client_with(None);
    let spellings = [
        "Größe\u{a0}über alles",
        "Gro\u{308}ße u\u{308}ber\u{2003}alles",
    ];
    for (name, [first, second]) in [("a", spellings), ("b", [spellings[1], spellings[0]])] {
        let body =
            |password: &str| json!({"email": format!("{name}@example.org"), "password": password});
        assert_eq!(anonymous.post(REGISTER, body(first)).await.status, 201);
        for password in [first, second, "Größe über alles"] {
            assert_eq!(
                anonymous.post(LOGIN, body(password)).await.status,
                200,
                "{password:?}"
            );
        }
        let other = anonymous.post(LOGIN, body("Grosse uber alles")).await;
        assert_eq!(other.status, 401);
    }
}

#[tokio::test]
async fn address_with_control_characters_is_refused() {
    let service = Service::start_with(&Database::sqlite(), &NO_LIMITS).await;
    for char in ["\t", "\u{7f}", "\u{85}", "\u{202e}", "\u{2028}"] {
        let email = format!("\"a{char}b\"@example.org");
        let body = json!({"email": email, "password": PASSWORD});
        let answer = service.client_with(None).post(REGISTER, body).await;
        answer.assert_problem(422, "VALIDATION_ERROR");
        assert_eq!(answer.body["errors"][0]["field"], "email", "{answer:?}");
    }
}

#[tokio::test]
async fn switched_off_registration_returns_403() {
    let database = Database::sqlite();
    let service = Service::start_with(&database, &NO_LIMITS).await;
    register(&service, "anna@example.org").await;
    service.stop().await;
    let variables = [&NO_LIMITS[..], &[("TASKHOLD__AUTH__REGISTRATION", "false")]].concat();
    let service = Service::start_with(&database, &variables).await;
    let anonymous = service.client_with(None);
    for body in [
        json!({"email": "b@example.org", "password": PASSWORD}),
        json!({}),
    ] {
        let refused = anonymous.post(REGISTER, body).await;
        refused.assert_problem(403, "FORBIDDEN");
    }
    let body = json!({"email": "anna@example.org", "password": PASSWORD});
    assert_eq!(anonymous.post(LOGIN, body).await.status, 200, "others stay");
}
