//! Settings: their sources and precedence, and the messages about invalid ones.

mod files;
mod renamed;
mod secrets;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::service::{Database, SECRET, Service, run, signed, taskhold, tomorrow};

/// Asserts that `serve` exits at once with status 78 and a message that contains `sentence` and no secret.
#[track_caller]
fn assert_refused(variables: &[(&str, &str)], sentence: &str) {
    assert_refused_in(&Database::sqlite(), variables, sentence);
}

#[track_caller]
fn assert_refused_in(database: &Database, variables: &[(&str, &str)], sentence: &str) {
    let started = Instant::now();
    let output = run(database.folder.path(), variables, &["serve"]);
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(78), "{variables:?}: {stderr}");
    assert!(stderr.contains(sentence), "{variables:?}: {stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn invalid_setting_is_refused_by_name() {
    assert_refused(&[("TASKHOLD__SERVER__PORT", "hunter3")], "server.port");
    assert_refused(&[("PORT", "99999")], "server.port");
    assert_refused(
        &[("TASKHOLD__SERVER__HOST", "not an address")],
        "server.host",
    );
    assert_refused(
        &[("TASKHOLD__SERVER__PROT", "80")],
        "TASKHOLD__SERVER__PROT",
    );
    assert_refused(
        &[("TASKHOLD__SEVRER__PORT", "80")],
        "TASKHOLD__SEVRER__PORT",
    );
    assert_refused(&[("TASKHOLD_SERVER__PORT", "80")], "TASKHOLD_SERVER__PORT");
    assert_refused(&[("TASKHOLD_PROFIL", "production")], "TASKHOLD_PROFIL");
    assert_refused(
        &[("TASKHOLD__TASKS__MAX_PER_USER", "0")],
        "tasks.max_per_user",
    );
    assert_refused(
        &[("TASKHOLD__CORS__ORIGINS", "https://app.example *")],
        "cors.origins",
    );
    for url in ["todo.example/mcp", "https://todo.example"] {
        assert_refused(&[("TASKHOLD__MCP__URL", url)], "mcp.url");
    }
    assert_refused(
        &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "perhaps")],
        "database.auto_migrate",
    );
    assert_refused(&[("TASKHOLD__PAGE__ENABLED", "perhaps")], "page.enabled");
    for size in ["0", "65", "many"] {
        assert_refused(
            &[("TASKHOLD__DATABASE__BATCH_SIZE", size)],
            "database.batch_size",
        );
    }
    assert_refused(
        &[("TASKHOLD__SERVER__TRUSTED_PROXIES", "10.0.0.0/8 proxy")],
        "server.trusted_proxies",
    );
    assert_refused(&[("TASKHOLD__METRICS__ADDRESS", "9464")], "metrics.address");
    assert_refused(&[("TASKHOLD__LOG__FORMAT", "xml")], "log.format");
    assert_refused(&[("TASKHOLD__LOG__FILTER", "a=b=c")], "log.filter");
    assert_refused(&[("TASKHOLD_PROFILE", "prod")], "TASKHOLD_PROFILE");
    assert_refused(&[("DATABASE_URL", "mysql://u:hunter2@h/d")], "DATABASE_URL");
    assert_refused(
        &[("NEON_DATABASE_URL", "postgres://u:hunter2@h:x/d")],
        "NEON_DATABASE_URL",
    );
    assert_refused(&[("TASKHOLD__DATABASE__URL", "hunter2")], "database.url");
    assert_refused(
        &[("TASKHOLD__AUTH__ACCESS_TOKEN_MINUTES", "0")],
        "auth.access_token_minutes",
    );
    assert_refused(
        &[
            ("TASKHOLD__AUTH__ACCESS_TOKEN_MINUTES", "1441"),
            ("TASKHOLD__AUTH__MAX_TOKEN_LIFETIME_DAYS", "1"),
        ],
        "auth.max_token_lifetime_days",
    );
}

fn migrate(database: &Database) {
    let variables = [("DATABASE_URL", database.url.as_str())];
    let output = run(database.folder.path(), &variables, &["migrate", "up"]);
    assert!(output.status.success(), "{output:?}");
}

/// If the variable were ignored, the default would apply unnoticed.
#[test]
fn non_utf8_variable_is_refused_by_name() {
    let database = Database::sqlite();
    migrate(&database);
    let status_with = |name: &str| {
        taskhold(database.folder.path(), &[], &["migrate", "status"])
            .env(name, OsStr::from_bytes(b"hunter2 \xff"))
            .output()
            .expect("the program runs")
    };
    for name in [
        "JWT_SECRET",
        "DATABASE_URL",
        "PORT",
        "TASKHOLD_PROFILE",
        "TASKHOLD__LOG__FORMAT",
    ] {
        let output = status_with(name);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{name}: {stderr}");
        let sentence = format!("the variable {name} is not UTF-8");
        assert!(stderr.contains(&sentence), "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
    let output = status_with("SOMEBODY_ELSES");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn unreadable_issuer_keys_are_refused_by_name() {
    for url in [
        "auth.example/jwks",
        "http://auth.example/jwks",
        "https://u:hunter2@auth.example/jwks",
    ] {
        assert_refused(&[("TASKHOLD__AUTH__JWKS_URL", url)], "auth.jwks_url");
    }
    assert_refused(
        &[
            ("TASKHOLD__AUTH__JWKS_URL", "https://auth.example/jwks"),
            ("TASKHOLD__AUTH__JWKS_FILE", "jwks.json"),
        ],
        "auth.jwks_file",
    );
    let database = Database::sqlite();
    let file = database.folder.path().join("jwks.json");
    let variables = [("TASKHOLD__AUTH__JWKS_FILE", "jwks.json")];
    let with_secret = [&variables[..], &[("JWT_SECRET", SECRET)]].concat();
    assert_refused_in(&database, &with_secret, "jwks.json");
    for text in [
        "",
        "<html>",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"oct","k":"aHVudGVyMg"}]}"#,
    ] {
        fs::write(&file, text).expect("written");
        assert_refused_in(&database, &with_secret, "auth.jwks_file");
    }
    fs::write(&file, vec![b' '; 256 * 1024 + 1]).expect("written");
    assert_refused_in(&database, &with_secret, "larger than 262144 bytes");
}

#[tokio::test]
async fn missing_audience_is_warned_of_at_the_start_in_production() {
    const WARNING: &str = "auth.audience is not set";
    let production = [
        ("TASKHOLD_PROFILE", "production"),
        ("TASKHOLD__METRICS__ADDRESS", "127.0.0.1:0"),
        ("PORT", "0"),
    ];
    let audience = [("TASKHOLD__AUTH__AUDIENCE", "taskhold")];
    for (variables, is_warned) in [
        (production.to_vec(), true),
        ([&production[..], &audience].concat(), false),
        (Vec::new(), false),
    ] {
        let service = Service::start_with(&Database::sqlite(), &variables).await;
        let log = service.log();
        assert_eq!(log.contains(WARNING), is_warned, "{log}");
    }
}

#[tokio::test]
async fn environment_overrides_dotenv_and_dotenv_overrides_files() {
    let database = Database::sqlite();
    let folder = database.folder.path();
    fs::create_dir(folder.join("mine")).expect("a folder");
    fs::write(
        folder.join("mine/default.toml"),
        "[auth]\nissuer = 'file'\naudience = 'file'",
    )
    .expect("written");
    fs::write(folder.join("mine/test.toml"), "[log]\nformat = 'text'").expect("written");
    fs::write(
        folder.join(".env"),
        "TASKHOLD__AUTH__AUDIENCE=dotenv\nTASKHOLD__AUTH__ISSUER=dotenv\n",
    )
    .expect("written");
    let variables = [
        ("JWT_SECRET", SECRET),
        ("DATABASE_URL", ""),
        ("NEON_DATABASE_URL", &database.url),
        ("TASKHOLD__AUTH__ISSUER", "environment"),
    ];
    migrate(&database);
    let output = run(
        folder,
        &variables,
        &["--config", "mine", "token", "--user", "anna"],
    );
    assert!(output.status.success(), "{output:?}");
    let token = String::from_utf8(output.stdout)
        .expect("ASCII")
        .trim()
        .to_owned();
    let claims: serde_json::Value = jsonwebtoken::dangerous::insecure_decode(&token)
        .expect("a token")
        .claims;
    assert_eq!(claims["iss"], "taskhold");
    assert_eq!(claims["aud"], "dotenv");

    let service = Service::start_with(&database, &variables).await;
    let ours = service.client_with(Some(token)).get("/api/v1/tasks").await;
    assert_eq!(ours.status, 200, "{ours:?}");
    for (issuer, expected) in [("environment", 200), ("dotenv", 401), ("file", 401)] {
        let claims = json!({"sub": "anna", "exp": tomorrow(), "iss": issuer, "aud": "dotenv"});
        let token = signed(&claims, SECRET);
        let answer = service.client_with(Some(token)).get("/api/v1/tasks").await;
        assert_eq!(answer.status, expected, "{issuer}");
    }
    service
        .client("anna")
        .get("/api/v1/tasks")
        .await
        .assert_problem(401, "UNAUTHORIZED");
}
