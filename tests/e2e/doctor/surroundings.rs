//! Findings about settings, secrets and addresses.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use super::{Report, migrate, run_to_success};
use crate::service::{Database, Service};

#[tokio::test]
async fn weak_or_readable_secret_is_a_problem() {
    let database = Database::sqlite();
    let production = ("TASKHOLD_PROFILE", "production");
    let secret = |variables: &[(&str, &str)]| Report::of(&database, variables);
    secret(&[production, ("JWT_SECRET", "short")])
        .assert_finding("secret", "problem", "fewer than 32 bytes")
        .assert_finding("secret", "problem", "openssl rand -hex 32");
    secret(&[production, ("JWT_SECRET", "")]).assert_finding(
        "secret",
        "problem",
        "required in production",
    );
    for guessable in [
        "0123456789abcdef0123456789abcdef",
        "your-256-bit-secret-your-256-bit-secret",
        "change-me-change-me-change-me-change-me",
        &"0".repeat(64),
    ] {
        secret(&[production, ("JWT_SECRET", guessable)])
            .assert_finding("secret", "problem", "guess");
        secret(&[("JWT_SECRET", guessable)]).assert_finding("secret", "warning", "guess");
    }
    let previous = (
        "JWT_SECRET_PREVIOUS",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
    );
    secret(&[production, previous]).assert_finding("secret", "problem", "_PREVIOUS");
    secret(&[production, ("JWT_SECRET_PREVIOUS", "short")]).assert_finding(
        "secret",
        "problem",
        "_PREVIOUS",
    );

    run_to_success(&database, &["migrate", "up"]);
    let unset = [("JWT_SECRET", "")];
    drop(Service::start_with(&database, &unset).await);
    let file = database.folder.path().join("data/jwt-secret");
    secret(&[("JWT_SECRET", "")]).assert_finding("secret", "ok", "generated");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("changed");
    secret(&[("JWT_SECRET", "")]).assert_finding("secret", "problem", "chmod 600");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");
    fs::write(&file, "cut").expect("written");
    secret(&[("JWT_SECRET", "")]).assert_finding("secret", "problem", "damaged");
}

#[test]
fn missing_audience_is_a_problem_in_production() {
    let database = Database::sqlite();
    let production = ("TASKHOLD_PROFILE", "production");
    let report = |variables: &[(&str, &str)]| Report::of(&database, variables);
    report(&[production]).assert_finding("audience", "problem", "same secret");
    let issuer = ("TASKHOLD__AUTH__JWKS_FILE", "jwks.json");
    report(&[production, issuer]).assert_finding("audience", "problem", "the issuer made");
    report(&[issuer]).assert_finding("audience", "warning", "the issuer made");
    let audience = ("TASKHOLD__AUTH__AUDIENCE", "taskhold");
    for variables in [
        &[][..],
        &[production, audience],
        &[production, issuer, audience],
    ] {
        let findings = report(variables).findings;
        assert!(!findings.contains_key("audience"), "{findings:#?}");
    }
}

#[test]
fn wrong_setting_is_the_only_finding() {
    let database = Database::sqlite();
    for (name, value, named) in [
        ("PORT", "99999", "server.port"),
        ("TASKHOLD__SEVRER__PORT", "1", "TASKHOLD__SEVRER__PORT"),
        ("DATABASE_URL", "mysql://u:hunter2@h/d", "DATABASE_URL"),
    ] {
        let report = Report::of(&database, &[(name, value)]);
        report.assert_finding("settings", "problem", named);
        assert_eq!((report.code, report.findings.len()), (Some(78), 1));
    }
}

#[tokio::test]
async fn listener_names_what_answers_at_the_address() {
    let database = Database::sqlite();
    migrate(&database);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    Report::of(&database, &[("PORT", &port)])
        .assert_problems(&["listener"])
        .assert_finding("listener", "problem", "another program listens");
    drop(taken);
    Report::of(&database, &[("PORT", &port)]).assert_finding("listener", "ok", "is free");
    let service = Service::start(&database).await;
    let port = service.url.rsplit(':').next().expect("a port");
    Report::of(&database, &[("PORT", port)]).assert_finding("listener", "ok", "a service answers");

    let public = ("TASKHOLD__SERVER__HOST", "0.0.0.0");
    Report::of(&database, &[public])
        .assert_finding("listener", "warning", "plain HTTP")
        .assert_finding("settings", "warning", "TASKHOLD_PROFILE=production");
    Report::of(
        &database,
        &[public, ("TASKHOLD__SERVER__TRUSTED_PROXIES", "10.0.0.1")],
    )
    .assert_finding("listener", "ok", "any free port");
    Report::of(&database, &[("TASKHOLD__SERVER__HOST", "192.0.2.1")]).assert_finding(
        "listener",
        "problem",
        "cannot be listened on",
    );
}
