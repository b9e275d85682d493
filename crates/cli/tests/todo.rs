//! Commands that need no service. They also make sure that the program is built for the tests that have one.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use std::process::{Command, Output};

fn todo(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a folder");
    Command::new(env!("CARGO_BIN_EXE_todo"))
        .env_clear()
        .env("HOME", home.path())
        .args(arguments)
        .output()
        .expect("todo runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn versions_tell_the_time_zone_database() {
    let output = todo(&["--version"]);
    let version = text(&output.stdout);
    assert!(
        version.starts_with(&format!("todo {}\n", env!("CARGO_PKG_VERSION"))),
        "{version}"
    );
    assert!(version.contains("\ntime zone database 20"), "{version}");
}

#[test]
fn completions_of_every_shell_know_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = todo(&["completions", shell]);
        assert!(output.status.success(), "{shell}");
        let script = text(&output.stdout);
        assert!(
            script.contains("incomplete") && script.contains("user-id"),
            "{shell}"
        );
    }
}

#[test]
fn without_a_login_commands_say_how_to_log_in() {
    let output = todo(&["list"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        text(&output.stderr),
        "Error: You are not logged in: todo login URL\n"
    );
    let output = todo(&["add", "x", "--json"]);
    assert_eq!(
        text(&output.stdout),
        "{\n  \"success\": false,\n  \"error\": \"You are not logged in: todo login URL\",\n  \"error_code\": 3\n}\n"
    );
}

#[test]
fn a_user_without_a_name_has_no_tasks() {
    let output = todo(&["list", "--user-id", ""]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "No tasks in the list.\n")
    );
    for (arguments, message) in [
        (
            &["add", "", "--user-id", ""][..],
            "Error: Task title must be a non-empty string\n",
        ),
        (
            &["add", "x", "--user-id", ""],
            "Error: Task user_id must be a non-empty string\n",
        ),
    ] {
        let output = todo(arguments);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(1), message)
        );
    }
    let output = todo(&["delete", " 7 ", "--user-id", ""]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(2), "Error: Task with ID 7 not found\n")
    );
}
