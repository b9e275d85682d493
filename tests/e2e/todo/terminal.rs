//! Commands on a terminal.

use std::process::Stdio;
use std::time::Duration;

use rexpect::session::{PtySession, spawn_command};
use serde_json::json;

use super::{Computer, program};
use crate::service::{Database, Service};

const TIMEOUT: Duration = Duration::from_secs(30);

fn on_terminal(computer: &Computer, arguments: &[&str], variables: &[(&str, &str)]) -> PtySession {
    let mut command = computer.command(arguments);
    // The terminal takes the place of all standard streams.
    command
        .stdin(Stdio::inherit())
        .env("TERM", "xterm")
        .envs(variables.iter().copied());
    let timeout = u64::try_from(TIMEOUT.as_millis()).expect("small");
    spawn_command(command, Some(timeout)).expect("todo starts")
}

/// Returns all that a command still prints, until it ends. The terminal is read byte by byte.
fn rest(mut terminal: PtySession) -> String {
    let read = terminal.exp_eof().expect("ends");
    let bytes: Option<Vec<u8>> = read.chars().map(|char| u8::try_from(char).ok()).collect();
    bytes.map_or(read, |bytes| String::from_utf8(bytes).expect("UTF-8"))
}

#[tokio::test]
async fn passwords_are_asked_for_and_not_shown() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let body = json!({"email": "anna@example.org", "password": "correct horse battery"});
    service
        .client_with(None)
        .post("/api/auth/register", body)
        .await;
    let computer = Computer::new();
    let mut terminal = on_terminal(&computer, &["login", &service.url, "--store", "file"], &[]);
    terminal.exp_string("E-mail address: ").expect("asked");
    terminal.send_line("anna@example.org").expect("typed");
    terminal.exp_string("Password: ").expect("asked");
    terminal.send_line("correct horse battery").expect("typed");
    let shown = rest(terminal);
    assert!(shown.contains("Logged in to "), "{shown}");
    assert!(!shown.contains("battery"), "{shown}");
}

#[tokio::test]
async fn ctrl_c_at_the_password_leaves_a_terminal_that_shows_what_is_typed() {
    let computer = Computer::new();
    let script = "trap : INT; stty echo; \
                  \"$TODO\" login http://127.0.0.1:1 --email a@example.org; echo status $?; stty -a";
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", computer.home.path())
        .env("TODO", program());
    let timeout = u64::try_from(TIMEOUT.as_millis()).expect("small");
    let mut terminal = spawn_command(command, Some(timeout)).expect("a shell");
    terminal.exp_string("Password: ").expect("asked");
    terminal.send_control('c').expect("pressed");
    let shown = rest(terminal);
    assert!(shown.contains("status 130"), "{shown}");
    assert!(
        shown.contains(" echo ") && !shown.contains("-echo "),
        "{shown}"
    );
}

#[tokio::test]
async fn terminals_get_colours_and_nothing_that_they_obey() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    computer.done(&["add", "a\u{1b}[31mred\nline"]);
    computer.done(&["add", "--quick", "Pay rent #home"]);
    let shown = rest(on_terminal(&computer, &["list"], &[("TODO_PAGER", "cat")]));
    assert!(shown.contains("a\u{fffd}[31mred\u{fffd}line"), "{shown:?}");
    assert!(shown.contains("\u{1b}[2m  (#home)\u{1b}[0m"), "{shown:?}");
    let plain = on_terminal(
        &computer,
        &["list"],
        &[("TODO_PAGER", "cat"), ("NO_COLOR", "1")],
    );
    let shown = rest(plain);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    // A pipe gets every text as it is.
    assert!(
        computer
            .done(&["list"])
            .contains(": a\u{1b}[31mred\nline\n")
    );
}

#[tokio::test]
async fn long_lists_go_through_the_pager_on_a_terminal_only() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    computer.import(200, "Task");
    let pager = [("TODO_PAGER", "wc -l")];
    let shown = rest(on_terminal(&computer, &["list"], &pager));
    assert_eq!(shown.trim(), "200", "{shown:?}");
    let shown = rest(on_terminal(&computer, &["today"], &pager));
    assert_eq!(shown.trim(), "No tasks in the list.");
    let mut command = computer.command(&["list"]);
    let piped = command
        .env("TODO_PAGER", "wc -l")
        .output()
        .expect("todo runs");
    let piped = String::from_utf8(piped.stdout).expect("UTF-8");
    assert_eq!(piped.lines().count(), 200);
}
