//! Settings: their sources and precedence, and the messages about invalid ones.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::service::{Database, SECRET, Service, run, taskhold, tomorrow};

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
    assert_refused(
        &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "perhaps")],
        "database.auto_migrate",
    );
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

/// Runs `taskhold token` for a token of two days. Returns whether it succeeds, and its messages.
fn token_for_two_days(database: &Database, variables: &[(&str, &str)]) -> (bool, String) {
    let arguments = ["token", "--user", "anna", "--minutes", "2880"];
    let variables = [&[("JWT_SECRET", SECRET)][..], variables].concat();
    let output = run(database.folder.path(), &variables, &arguments);
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.success(), stderr)
}

#[test]
fn old_variable_of_a_renamed_setting_works_with_a_warning() {
    let database = Database::sqlite();
    migrate(&database);
    for (days, works) in [("1", false), ("2", true)] {
        let old = [("TASKHOLD__AUTH__LONGEST_TOKEN_DAYS", days)];
        let (succeeded, stderr) = token_for_two_days(&database, &old);
        assert_eq!(succeeded, works, "{stderr}");
        assert!(
            stderr.contains("TASKHOLD__AUTH__LONGEST_TOKEN_DAYS is the old name of TASKHOLD__AUTH__MAX_TOKEN_LIFETIME_DAYS"),
            "{stderr}"
        );
    }
    let old = [
        ("DATABASE_URL", "postgres://u@127.0.0.1:1/d"),
        ("TASKHOLD__DATABASE__PATIENCE_SECONDS", "1"),
    ];
    let output = run(database.folder.path(), &old, &["migrate", "status"]);
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(stderr.contains("did not answer for 1 s"), "{stderr}");
    let (succeeded, stderr) = token_for_two_days(&database, &[]);
    assert!(succeeded && !stderr.contains("old name"), "{stderr}");
}

#[test]
fn old_key_of_a_renamed_setting_works_with_a_warning() {
    let database = Database::sqlite();
    migrate(&database);
    let folder = database.folder.path().join("config");
    fs::create_dir(&folder).expect("a folder");
    let file = folder.join("test.toml");
    fs::write(&file, "[auth]\nlongest_token_days = 1").expect("written");
    let (succeeded, stderr) = token_for_two_days(&database, &[]);
    assert!(!succeeded, "{stderr}");
    assert!(
        stderr.contains("auth.longest_token_days is the old name of auth.max_token_lifetime_days"),
        "{stderr}"
    );
    // The environment overrides a file, whichever of the two names each uses.
    let new = [("TASKHOLD__AUTH__MAX_TOKEN_LIFETIME_DAYS", "2")];
    let (succeeded, stderr) = token_for_two_days(&database, &new);
    assert!(succeeded, "{stderr}");
}

#[test]
fn old_and_new_name_of_a_renamed_setting_are_refused_together() {
    assert_refused(
        &[
            ("TASKHOLD__DATABASE__PATIENCE_SECONDS", "1"),
            ("TASKHOLD__DATABASE__CONNECT_TIMEOUT_SECONDS", "2"),
        ],
        "TASKHOLD__DATABASE__PATIENCE_SECONDS is the old name of TASKHOLD__DATABASE__CONNECT_TIMEOUT_SECONDS, and both are set",
    );
    let database = Database::sqlite();
    fs::create_dir(database.folder.path().join("config")).expect("a folder");
    fs::write(
        database.folder.path().join("config/default.toml"),
        "[auth]\nlongest_token_days = 1\nmax_token_lifetime_days = 1",
    )
    .expect("written");
    assert_refused_in(
        &database,
        &[],
        "auth.longest_token_days is the old name of auth.max_token_lifetime_days, and both are set",
    );
}

/// If the variable were ignored, the default would apply unnoticed.
#[test]
fn non_utf8_variable_is_refused_by_name() {
    let database = Database::sqlite();
    let token_with = |name: &str| {
        taskhold(database.folder.path(), &[], &["token", "--user", "anna"])
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
        let output = token_with(name);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{name}: {stderr}");
        let sentence = format!("the variable {name} is not UTF-8");
        assert!(stderr.contains(&sentence), "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
    let output = token_with("SOMEBODY_ELSES");
    assert_eq!(output.status.code(), Some(1), "no store: {output:?}");
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
    let tokens = [SECRET, new].map(|secret| crate::service::signed(&claims, secret));
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
fn unknown_key_in_a_file_is_refused_by_name() {
    let database = Database::sqlite();
    fs::create_dir(database.folder.path().join("config")).expect("a folder");
    fs::write(
        database.folder.path().join("config/test.toml"),
        "[server]\nprot = 80",
    )
    .expect("written");
    assert_refused_in(&database, &[], "prot");
}

#[test]
fn unknown_url_parameter_is_logged_by_name() {
    let database = Database::sqlite();
    let url = format!("{}?timeout=5", database.url);
    migrate(&database);
    let output = run(
        database.folder.path(),
        &[("DATABASE_URL", &url)],
        &["migrate", "status"],
    );
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8(output.stderr)
            .expect("UTF-8")
            .contains("parameter=\"timeout\"")
    );
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

/// Whoever can write a file of settings could give the service another secret or another database.
#[test]
fn settings_file_that_others_can_write_is_refused() {
    let is_root = rustix::process::geteuid().is_root();
    for (name, text) in [
        (".env", "PORT=0"),
        ("config/default.toml", "[server]\nport = 0"),
        ("config/test.toml", "[server]\nport = 0"),
    ] {
        let database = Database::sqlite();
        migrate(&database);
        let folder = database.folder.path();
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(&file, text).expect("written");
        let variables = [("DATABASE_URL", database.url.as_str())];
        let status = || {
            run(folder, &variables, &["migrate", "status"])
                .status
                .code()
        };
        for (mode, expected) in [(0o600, 0), (0o644, 0), (0o666, 78), (0o602, 78)] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).expect("changed");
            assert_eq!(status(), Some(expected), "{name} {mode:o}");
        }
        assert_refused_in(&database, &variables, "others can write");
        fs::set_permissions(&file, Permissions::from_mode(0o664)).expect("changed");
        assert_eq!(status(), Some(0), "its group is ours: {name}");
        if is_root {
            std::os::unix::fs::chown(&file, None, Some(12_345)).expect("given away");
            assert_refused_in(&database, &variables, "others can write");
            fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");
            std::os::unix::fs::chown(&file, Some(12_345), None).expect("given away");
            assert_refused_in(&database, &variables, "belongs to user 12345");
            let elsewhere = folder.join("elsewhere");
            fs::rename(&file, &elsewhere).expect("moved");
            std::os::unix::fs::chown(&elsewhere, Some(0), None).expect("taken back");
            std::os::unix::fs::symlink(&elsewhere, &file).expect("a link");
            assert_eq!(status(), Some(0), "our link to our file: {name}");
            std::os::unix::fs::lchown(&file, Some(12_345), None).expect("given away");
            assert_refused_in(&database, &variables, "belongs to user 12345");
        }
    }
}

#[tokio::test]
async fn dotenv_in_a_folder_above_is_not_read() {
    let database = Database::sqlite();
    fs::write(
        database.folder.path().join(".env"),
        "TASKHOLD__NO__SUCH=1\n",
    )
    .expect("written");
    assert_refused_in(&database, &[], "TASKHOLD__NO__SUCH");
    let below = database.folder.path().join("below");
    fs::create_dir(&below).expect("a folder");
    let variables = [("DATABASE_URL", database.url.as_str())];
    let output = run(&below, &variables, &["migrate", "up"]);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn dotenv_is_named_in_the_log_in_production() {
    let database = Database::sqlite();
    let file = database.folder.path().join(".env");
    fs::write(&file, "TASKHOLD_PROFILE=production\n").expect("written");
    let command = |profile: &str| {
        let variables = [
            ("DATABASE_URL", database.url.as_str()),
            ("TASKHOLD_PROFILE", profile),
        ];
        let output = run(database.folder.path(), &variables, &["migrate", "status"]);
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let path = file.display().to_string();
    assert!(command("production").contains(&path));
    assert!(!command("development").contains(&path));
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
fn missing_config_folder_is_refused() {
    let database = Database::sqlite();
    let output = run(
        database.folder.path(),
        &[],
        &["serve", "--config", "nowhere"],
    );
    assert_eq!(output.status.code(), Some(78), "{output:?}");
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
        let token = crate::service::signed(&claims, SECRET);
        let answer = service.client_with(Some(token)).get("/api/v1/tasks").await;
        assert_eq!(answer.status, expected, "{issuer}");
    }
    service
        .client("anna")
        .get("/api/v1/tasks")
        .await
        .assert_problem(401, "UNAUTHORIZED");
}

/// A secret of digits must not be parsed as a number, which would round it and drop leading zeros.
#[tokio::test]
async fn numeric_secret_stays_a_string() {
    let digits = "00000000001234567890123456789012345678901234567890";
    let database = Database::sqlite();
    let service = Service::start_with(&database, &[("JWT_SECRET", digits)]).await;
    let token = crate::service::signed(&json!({"sub": "anna", "exp": tomorrow()}), digits);
    service
        .client_with(Some(token))
        .create(json!({"title": "mine"}))
        .await;
}
