//! The secrets that tokens are signed with.

use std::fs;

use serde_json::json;

use super::{assert_refused, assert_refused_in, migrate};
use crate::service::{Database, SECRET, Service, run, signed, tomorrow};

#[test]
fn previous_secret_alone_or_too_short_is_refused() {
    assert_refused(
        &[("JWT_SECRET_PREVIOUS", SECRET)],
        "JWT_SECRET_PREVIOUS is set and JWT_SECRET is not",
    );
    assert_refused(
        &[("JWT_SECRET", SECRET), ("JWT_SECRET_PREVIOUS", "hunter2")],
        "JWT_SECRET_PREVIOUS has fewer than 32 bytes",
    );
}

#[tokio::test]
async fn previous_secret_keeps_old_tokens_valid() {
    let new = "another secret of the tests, long enough too";
    let database = Database::sqlite();
    let claims = json!({"sub": "anna", "exp": tomorrow()});
    let tokens = [SECRET, new].map(|secret| signed(&claims, secret));
    for (variables, expected) in [
        (&[("JWT_SECRET", SECRET)][..], [200, 401]),
        (
            &[("JWT_SECRET", new), ("JWT_SECRET_PREVIOUS", SECRET)],
            [200, 200],
        ),
        (&[("JWT_SECRET", new)], [401, 200]),
    ] {
        let service = Service::start_with(&database, variables).await;
        for (token, expected) in tokens.iter().zip(expected) {
            let client = service.client_with(Some(token.clone()));
            assert_eq!(client.get("/api/v1/tasks").await.status, expected);
        }
        service.stop().await;
    }
}

#[test]
fn missing_secret_is_refused_where_others_can_reach_the_service() {
    assert_refused(&[("TASKHOLD_PROFILE", "production")], "JWT_SECRET");
    assert_refused(&[("TASKHOLD__SERVER__HOST", "0.0.0.0")], "JWT_SECRET");
    assert_refused(
        &[("DATABASE_URL", "postgres://u@127.0.0.1:1/d")],
        "JWT_SECRET",
    );
    assert_refused(
        &[("JWT_SECRET", "hunter2")],
        "JWT_SECRET has fewer than 32 bytes",
    );
    assert_refused(
        &[
            ("JWT_SECRET", "hunter2"),
            ("TASKHOLD_PROFILE", "production"),
        ],
        "JWT_SECRET",
    );
}

#[test]
fn short_secret_is_accepted_only_in_development_on_loopback() {
    let development = [
        ("TASKHOLD_PROFILE", "development"),
        ("JWT_SECRET", "hunter2"),
    ];
    let database = Database::sqlite();
    migrate(&database);
    let output = run(
        database.folder.path(),
        &development,
        &["token", "--user", "anna"],
    );
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        stderr.contains("JWT_SECRET has fewer than 32 bytes"),
        "{stderr}"
    );
    assert_refused(
        &[&development[..], &[("TASKHOLD__SERVER__HOST", "0.0.0.0")]].concat(),
        "JWT_SECRET",
    );
}

#[test]
fn guessable_secret_is_refused_where_others_can_reach_the_service() {
    let production = ("TASKHOLD_PROFILE", "production");
    for secret in [
        "changemechangemechangemechangeme",
        "01234567890123456789012345678901",
        "98765432109876543210987654321098",
        "abcdefghijklmnopqrstuvwxyzabcdef",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        "1q2w3e4r5t6y7u8i9o0p1q2w3e4r5t6y7u8i9o0p",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "deadbeefdeadbeefdeadbeefdeadbeef",
        "hunter2hunter2hunter2hunter2hunter2",
        "your-256-bit-secret-your-256-bit-secret",
        "S3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t",
        "my dog likes bananas more than anything",
        "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    ] {
        let name = if secret.len() % 2 == 0 {
            "JWT_SECRET"
        } else {
            "JWT_SECRET_PREVIOUS"
        };
        let variables = [("JWT_SECRET", SECRET), (name, secret)];
        let made = "openssl rand -hex 32";
        assert_refused(&[&variables[..], &[production]].concat(), made);
        let public = ("TASKHOLD__SERVER__HOST", "0.0.0.0");
        assert_refused(&[&variables[..], &[public]].concat(), name);
    }
}

#[test]
fn secrets_in_files_are_refused() {
    for (text, sentence) in [
        ("[auth]\njwt_secret = 'hunter2'", "auth.jwt_secret"),
        (
            "[auth]\njwt_secret_previous = 'hunter2'",
            "auth.jwt_secret_previous",
        ),
        (
            "[database]\nurl = 'postgres://u:hunter2@h/d'",
            "database.url",
        ),
        (
            "[database]\nurl = 'postgres://u@h/d?password=hunter2'",
            "database.url",
        ),
    ] {
        let database = Database::sqlite();
        fs::create_dir(database.folder.path().join("config")).expect("a folder");
        fs::write(database.folder.path().join("config/default.toml"), text).expect("written");
        assert_refused_in(&database, &[], sentence);
    }
    let database = Database::sqlite();
    fs::write(database.folder.path().join(".env"), "JWT_SECRET='hunter2\n").expect("written");
    assert_refused_in(&database, &[], ".env");
}

/// A secret of digits must not be parsed as a number, which would round it and drop leading zeros.
#[tokio::test]
async fn numeric_secret_stays_a_string() {
    let digits = "00000000001234567890123456789012345678901234567890";
    let database = Database::sqlite();
    let service = Service::start_with(&database, &[("JWT_SECRET", digits)]).await;
    let token = signed(&json!({"sub": "anna", "exp": tomorrow()}), digits);
    service
        .client_with(Some(token))
        .create(json!({"title": "mine"}))
        .await;
}
