//! Logins: passwords, tokens, where they are kept, and how they are refreshed.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{Computer, Ran};
use crate::service::{Database, Service};

on_both_stores! {
    log_in_with_a_password_is_refreshed_and_ended
    commands_at_the_same_time_refresh_the_login_once
}

pub const EMAIL: &str = "anna@example.org";
pub const PASSWORD: &str = "correct horse battery";

pub async fn registered(service: &Service) {
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let answer = service
        .client_with(None)
        .post("/api/auth/register", body)
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

fn log_in(computer: &Computer, service: &Service) -> Ran {
    let login = [
        "login",
        &service.url,
        "--email",
        EMAIL,
        "--password",
        "-",
        "--store",
        "file",
    ];
    // The end of the line may be that of Windows.
    computer.run_with_input(&login, &format!("{PASSWORD}\r\n"))
}

fn tokens(computer: &Computer) -> Value {
    let login = std::fs::read(computer.login_file("default")).expect("a login");
    serde_json::from_slice::<Value>(&login).expect("JSON")["secret"].clone()
}

/// Replaces the access token by one that has expired, as by the passing of an hour.
fn expire(computer: &Computer) {
    let file = computer.login_file("default");
    let mut login: Value =
        serde_json::from_slice(&std::fs::read(&file).expect("a login")).expect("JSON");
    login["secret"]["access_token"] = json!("expired");
    std::fs::write(file, login.to_string()).expect("written");
}

async fn log_in_with_a_password_is_refreshed_and_ended(database: Database) {
    let service = Service::start(&database).await;
    registered(&service).await;
    let computer = Computer::new();
    let ran = log_in(&computer, &service);
    assert_eq!(ran.code, 0, "{ran:?}");
    let file = computer.login_file("default");
    assert_eq!(
        ran.stdout,
        format!(
            "Logged in to {} as {EMAIL}. The token is in the file {}, which only you can read.\n",
            service.url,
            file.display()
        )
    );
    assert_eq!(
        file.metadata().expect("a file").permissions().mode() & 0o777,
        0o600
    );

    computer.add("Buy milk");
    let before = tokens(&computer);
    expire(&computer);
    assert_eq!(computer.done(&["list"]).lines().count(), 1);
    let after = tokens(&computer);
    assert_ne!(before["refresh_token"], after["refresh_token"], "exchanged");
    assert_eq!(
        file.metadata().expect("a file").permissions().mode() & 0o777,
        0o600
    );

    assert_eq!(computer.done(&["logout"]), "Logged out\n");
    assert!(!file.exists());
    let refresh = json!({"refresh_token": after["refresh_token"]});
    let answer = service
        .client_with(None)
        .post("/api/auth/refresh", refresh)
        .await;
    assert_eq!(answer.status, 401, "the login has ended on the service");
    let ran = computer.run(&["list"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (3, "Error: You are not logged in: todo login URL\n")
    );
}

async fn commands_at_the_same_time_refresh_the_login_once(database: Database) {
    let service = Service::start(&database).await;
    registered(&service).await;
    let computer = Computer::new();
    log_in(&computer, &service);
    for _ in 0..3 {
        expire(&computer);
        let commands = std::array::from_fn(|number| ["add".to_owned(), format!("Task {number}")]);
        computer.done_at_once::<4>(commands);
    }
    assert_eq!(computer.done(&["list"]).lines().count(), 12);
}

#[tokio::test]
async fn wrong_passwords_and_tokens_are_named_and_keep_nothing() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    registered(&service).await;
    let computer = Computer::new();
    let wrong = [
        "login",
        &service.url,
        "--email",
        EMAIL,
        "--password",
        "wrong password",
    ];
    let ran = computer.run(&wrong);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (3, "Error: The address or the password is wrong\n")
    );
    let ran = computer.run_with_input(&["login", &service.url, "--token", "-"], "wrong\n");
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (3, "Error: The service does not accept this token\n")
    );
    let ran = computer.run_with_input(&["login", &service.url, "--token", "-"], "");
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (
            1,
            "Error: The standard input has no line to read; todo login --help lists the options\n"
        )
    );
    assert!(!computer.login_file("default").exists());
}

#[tokio::test]
async fn personal_tokens_are_made_used_and_revoked() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    registered(&service).await;
    let computer = Computer::new();
    log_in(&computer, &service);
    computer.add("Buy milk");
    let ran = computer.run(&["tokens", "--new", "reader", "--read-only", "--days", "30"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let token = ran.stdout.trim_end();

    // Without a login, as in a script.
    let script = Computer::new();
    let with_token =
        |arguments: &[&str]| script.run_with_token(&service.url, token, &[], arguments);
    assert_eq!(with_token(&["list"]).stdout, computer.done(&["list"]));
    let ran = with_token(&["add", "x"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.stderr.contains("The token lacks the scope tasks:write"),
        "{ran:?}"
    );
    assert_eq!(with_token(&["tokens"]).code, 3);

    let listed = computer.json(&["tokens"]);
    assert_eq!(listed["tokens"][0]["name"], "reader");
    let id = listed["tokens"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert!(
        computer
            .done(&["tokens"])
            .starts_with(&format!("{id}  reader  tasks:read  ends "))
    );
    assert_eq!(
        computer.done(&["tokens", "--revoke", &id]),
        format!("Token {id} revoked\n")
    );
    assert_eq!(computer.run(&["tokens", "--revoke", &id]).code, 2);
    assert_eq!(with_token(&["list"]).code, 3);
}

#[tokio::test]
async fn logins_have_names_and_their_own_tasks() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    computer.log_in(&service.url, "ben", "ben");
    computer.add("Anna's");
    computer.done(&["add", "Ben's", "--user-id", "ben"]);
    assert!(computer.done(&["list"]).ends_with(": Anna's\n"));
    assert!(
        computer
            .done(&["list", "--user-id", "ben"])
            .ends_with(": Ben's\n")
    );
    let ran = computer.run(&["list", "--user-id", "cleo"]);
    assert_eq!(ran.code, 3);
    assert_eq!(
        ran.stderr,
        "Error: There is no login of the name \"cleo\": todo login URL --name \"cleo\"\n"
    );

    // Another user under the same name finds nothing of the one before, also offline.
    computer.log_in(&service.url, "cleo", "ben");
    assert_eq!(
        computer.done(&["list", "--user-id", "ben"]),
        "No tasks in the list.\n"
    );
    assert_eq!(
        computer.done(&["logout", "--user-id", "ben"]),
        "Logged out here. The token still works elsewhere until it is revoked\n"
    );
}
