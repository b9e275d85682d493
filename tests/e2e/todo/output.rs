//! The output of commands into pipes and files.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::{Computer, Ran};
use crate::service::{Database, Service};

#[tokio::test]
async fn a_reader_that_goes_ends_the_command_quietly() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    computer.import(5_000, &"x".repeat(80));
    let mut child = computer
        .command(&["list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("todo starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = String::new();
    stdout.read_line(&mut first).expect("a line");
    drop(stdout);
    let ran = Ran::of(child.wait_with_output().expect("todo ends"));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
}

#[tokio::test]
async fn a_full_disk_is_told() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    computer.add("Buy milk");
    let ran = computer.run_on_full_disk(&["list"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(
        ran.stderr.starts_with("Error: cannot write the output: "),
        "{ran:?}"
    );
}

#[tokio::test]
async fn quick_add_understands_and_lists_show_what_it_understood() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    let added = computer.done(&[
        "add",
        "--quick",
        "Pay rent tomorrow 9am every month #home !high",
    ]);
    assert!(
        added.starts_with("Task 'Pay rent' added successfully with ID "),
        "{added}"
    );
    let listed = computer.done(&["list"]);
    assert!(listed.contains(": Pay rent  (due 20"), "{listed}");
    assert!(
        listed.ends_with(" 09:00, repeats, !high, #home)\n"),
        "{listed}"
    );
    computer.done(&["add", "--quick", "Water the plants today"]);
    computer.done(&["add", "--quick", "Some day"]);
    let today = computer.done(&["today"]);
    assert_eq!(today.lines().count(), 1, "{today}");
    assert!(today.contains(": Water the plants  (due "), "{today}");
    assert_eq!(
        computer.json(&["today"])["tasks"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
    assert_eq!(computer.done(&["list", "--tag", "HOME"]).lines().count(), 1);

    let rent = computer.json(&["search", "rent"])["tasks"][0]["short_id"]
        .as_str()
        .expect("text")
        .to_owned();
    let completed = computer.done(&["complete", &rent]);
    assert!(
        completed.starts_with(&format!("Task {rent} marked as complete\nNext: [O] ")),
        "{completed}"
    );
    assert_eq!(computer.done(&["list", "--done"]).lines().count(), 1);
    assert_eq!(computer.done(&["list", "--open"]).lines().count(), 3);
}

#[tokio::test]
async fn exported_files_are_imported_by_another_user() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let anna = Computer::of(&service, "anna");
    anna.add("Buy milk");
    anna.done(&["add", "--quick", "Pay rent tomorrow #home"]);
    for format in ["ndjson", "console"] {
        let file = format!("tasks.{format}");
        anna.done(&["export", &file, "--format", format]);
        let contents = std::fs::read_to_string(anna.home.path().join(&file)).expect("a file");
        assert_eq!(anna.done(&["export", "--format", format]), contents);
        let ran = anna.run(&["export", &file]);
        assert_eq!(
            (ran.code, ran.stderr),
            (6, format!("Error: {file} exists already\n"))
        );

        let ran = anna.run_with_input(&["import", "-", "--dry-run"], &contents);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    // Ids of the other format belong to the user.
    let ran = anna.run_with_input(&["import", "-"], &anna.done(&["export"]));
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "0 imported, 2 there already\n"),
        "{ran:?}"
    );
    let ben = Computer::of(&service, "ben");
    // Lines may end as on Windows.
    let console = anna
        .done(&["export", "--format", "console"])
        .replace('\n', "\r\n");
    for expected in [
        "2 imported, 0 there already\n",
        "0 imported, 2 there already\n",
    ] {
        let ran = ben.run_with_input(&["import", "-"], &console);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, expected), "{ran:?}");
        assert_eq!(ben.done(&["list"]).lines().count(), 2);
    }
    let ran = anna.run(&["import", "nothing"]);
    assert_eq!(ran.code, 6, "{ran:?}");
}

#[tokio::test]
async fn a_home_that_cannot_be_written_is_no_obstacle_for_scripts() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let computer = Computer::new();
    let token = crate::service::token("anna");
    // Nothing can be created below a device.
    let without_home = |arguments: &[&str]| {
        computer.run_with_token(&service.url, &token, &[("HOME", "/dev/null")], arguments)
    };
    let ran = without_home(&["add", "Buy milk"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = without_home(&["list"]);
    assert!(
        ran.code == 0 && ran.stdout.ends_with(": Buy milk\n"),
        "{ran:?}"
    );
    let ran = Ran::of(
        computer
            .command(&["login", &service.url, "--token", "x"])
            .env("HOME", "/dev/null")
            .output()
            .expect("todo runs"),
    );
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(
        ran.stderr.starts_with("Error: cannot keep a login: "),
        "{ran:?}"
    );
}
