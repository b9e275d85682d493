//! The token in the system's keyring.

use std::process::Command;

use serde_json::json;

use super::logins::{EMAIL, PASSWORD, registered};
use super::{Computer, Ran, program};
use crate::service::{Database, Service};

/// Logs in, uses the login and ends it, on a desktop of its own whose keyring is unlocked.
const DESKTOP: &str = r#"
printf unlocked | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
echo "$PASSWORD" | "$TODO" login "$URL" --email "$EMAIL" --password - --store keyring
cat .config/todo/logins/default.json
"$TODO" add 'Buy milk'
"$TODO" list
"$TODO" logout
"#;

#[tokio::test]
async fn tokens_are_kept_in_the_keyring_of_the_desktop() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    registered(&service).await;
    let computer = Computer::new();
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-eu", "-c", DESKTOP])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs([
            ("EMAIL", EMAIL),
            ("PASSWORD", PASSWORD),
            ("URL", &service.url),
        ])
        .env("TODO", program())
        .env("HOME", computer.home.path())
        .env("XDG_RUNTIME_DIR", computer.home.path())
        .current_dir(computer.home.path())
        .output()
        .expect("dbus-run-session runs");
    let ran = Ran::of(output);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stdout
            .contains("The token is in the system's keyring.\n"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("\"secret\": null"), "{ran:?}");
    assert!(!ran.stdout.contains("token\":"), "{ran:?}");
    assert!(ran.stdout.ends_with(": Buy milk\nLogged out\n"), "{ran:?}");
}

#[tokio::test]
async fn without_a_keyring_the_token_is_in_a_file_only_if_that_is_said() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    registered(&service).await;
    let computer = Computer::new();
    let login = ["login", &service.url, "--email", EMAIL, "--password", "-"];
    let ran = computer.run_with_input(&[&login[..], &["--store", "keyring"]].concat(), PASSWORD);
    assert_eq!((ran.code, ran.stdout.as_str()), (6, ""), "{ran:?}");
    assert!(
        ran.stderr
            .contains("The token cannot be kept in the keyring: "),
        "{ran:?}"
    );
    assert!(!computer.login_file("default").exists());

    let ran = computer.run_with_input(&login, PASSWORD);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr
            .contains("so the token is kept in a file, as it is."),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("which only you can read."), "{ran:?}");

    // Of the log-in that could not be kept, nothing is left on the service.
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let answer = service
        .client_with(None)
        .post("/api/auth/login", body)
        .await;
    let token = answer.body["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let sessions = service
        .client_with(Some(token))
        .get("/api/auth/sessions")
        .await;
    assert_eq!(
        sessions.body["sessions"].as_array().expect("a list").len(),
        3,
        "{sessions:?}"
    );
}
