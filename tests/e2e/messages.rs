//! Messages to operators, as exact texts of the real program: what failed, why, and what to do.

mod accounts;
mod dotenv;
mod import;
mod settings;
mod usage;
mod user_moves;

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use crate::commands::text;
use crate::service::{Database, SECRET, Service, run, taskhold};
use crate::unwritable::as_ordinary_user;

/// Asserts how a command ends, and all that it says on standard error.
#[track_caller]
fn assert_says(output: &Output, status: i32, expected: &str) {
    assert_eq!(text(&output.stderr).trim_end(), expected);
    assert_eq!(output.status.code(), Some(status), "{expected}");
}

#[test]
fn address_in_use_is_named_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let (_, port) = address.split_once(':').expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |variables: &[(&str, &str)], arguments: &[&str], expected: &str| {
        let output = run(folder.path(), variables, &[&["serve"], arguments].concat());
        assert_says(&output, 1, &format!("taskhold: {expected}"));
        let made = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(made, 0, "a secret or a database was made: {expected}");
    };
    let server = format!(
        "server.port: another program listens on {address}: stop that one, or give another port with --port or in PORT"
    );
    refused(&[("PORT", port)], &[], &server);
    refused(&[], &["--port", port], &server);
    refused(
        &[("TASKHOLD__METRICS__ADDRESS", &address)],
        &[],
        &format!(
            "metrics.address: another program listens on {address}: stop that one, or set it to another port"
        ),
    );
    refused(
        &[("JWT_SECRET", SECRET)],
        &["--host", "192.0.2.1"],
        "server.host: this machine has no address 192.0.2.1: set it to one that it has, such as 127.0.0.1, or \
         0.0.0.0 for all of them",
    );
}

#[test]
fn data_folder_of_another_user_is_named_with_what_to_do() {
    let database = Database::sqlite();
    let folder = database.folder.path();
    // The folder that programs start in must be readable by the other user.
    run_sh(&format!(
        "chmod 755 {0} && mkdir {0}/data && chmod 000 {0}/data",
        folder.display()
    ));
    for (variables, arguments, expected) in [
        (
            &[][..],
            &["serve"][..],
            "database.folder: the folder data cannot be used to keep a secret: permission denied; give it to user ",
        ),
        (
            &[("JWT_SECRET", SECRET)],
            &["serve"],
            "database.folder: cannot open the SQLite file data/taskhold.db: Permission denied (os error 13); give the \
             folder and what is in it to user ",
        ),
        (
            &[],
            &["token", "anna"],
            "database.folder: cannot open the SQLite file data/taskhold.db: Permission denied (os error 13); give the \
             folder and what is in it to user ",
        ),
        (
            &[],
            &["user", "list"],
            "database.folder: cannot open the SQLite file data/taskhold.db: Permission denied (os error 13); give the \
             folder and what is in it to user ",
        ),
    ] {
        let command = taskhold(folder, variables, arguments);
        let output = as_ordinary_user(folder, command).output().expect("it runs");
        let printed = text(&output.stderr);
        assert!(
            printed.starts_with(&format!("taskhold: {expected}")),
            "{arguments:?}: {printed}"
        );
        assert_eq!(output.status.code(), Some(78), "{printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
}

fn run_sh(script: &str) {
    let status = Command::new("sh").args(["-c", script]).status();
    assert!(status.expect("sh runs").success(), "{script}");
}

#[test]
fn cause_is_told_once() {
    let database = Database::at("postgres://u:hunter2@127.0.0.1:1/d");
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("TASKHOLD__DATABASE__CONNECT_TIMEOUT_SECONDS", "0"),
    ];
    let output = run(database.folder.path(), &variables, &["migrate", "status"]);
    let expected = "DATABASE_URL: PostgreSQL at 127.0.0.1:1, database d did not answer for 0 s: error communicating \
                    with database: Connection refused (os error 111)";
    assert_says(&output, 1, &format!("taskhold: {expected}"));
    let output = run(database.folder.path(), &variables, &["doctor"]);
    assert!(
        text(&output.stdout).contains(&format!("  store        {expected}\n")),
        "{output:?}"
    );
}

#[tokio::test]
async fn error_of_postgres_is_told_once() {
    let database = Database::postgres().await;
    let (server, _) = database.url.rsplit_once('/').expect("a database");
    let url = format!("{server}/nosuch");
    let output = run(
        database.folder.path(),
        &[("DATABASE_URL", &url)],
        &["migrate", "status"],
    );
    let printed = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{printed}");
    let start = "taskhold: DATABASE_URL: the server has no such database (PostgreSQL at ";
    assert!(printed.starts_with(start), "{printed}");
    let cause = "error returned from database: database \"nosuch\" does not exist";
    assert!(
        printed.contains(&format!(", database nosuch): {cause}")),
        "{printed}"
    );
    assert_eq!(printed.matches("does not exist").count(), 1, "{printed}");
}

#[tokio::test]
async fn durations_in_the_log_have_at_most_three_decimals() {
    let variables = [
        ("TASKHOLD__LOG__FORMAT", "json"),
        ("TASKHOLD__LOG__SLOW_STORE_CALL_MS", "1"),
    ];
    let database = Database::sqlite();
    let service = Service::start_with(&database, &variables).await;
    let client = service.client("anna");
    let durations = crate::service::eventually("requests and slow calls are logged", async || {
        client.create(serde_json::json!({"title": "one"})).await;
        let log = service.log();
        (log.contains("a store call was slow") && log.contains("\"request\"")).then_some(log)
    })
    .await;
    let mut seen = 0;
    for after in durations.split("\"duration_ms\":").skip(1) {
        let number = after.split([',', '}']).next().expect("a number");
        let decimals = number.split_once('.').map_or("", |(_, decimals)| decimals);
        assert!(decimals.len() <= 3 && !number.contains('e'), "{number}");
        seen += 1;
    }
    assert!(seen >= 2, "{durations}");
}

#[test]
fn one_of_a_kind_is_singular() {
    let database = Database::sqlite();
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", SECRET),
    ];
    let folder = database.folder.path();
    let output = |arguments: &[&str]| run(folder, &variables, arguments);
    let migrated = output(&["migrate", "up"]);
    let count = text(&migrated.stdout)
        .split(' ')
        .rev()
        .nth(2)
        .expect("a number")
        .to_owned();
    let all_but_one = (count.parse::<u32>().expect("a number") - 1).to_string();
    let down = output(&["migrate", "down", "--yes", "--steps", &all_but_one]);
    assert!(
        text(&down.stdout).ends_with(" reverted, 1 left\n"),
        "{down:?}"
    );
    output(&["migrate", "up"]);
    let down = output(&["migrate", "down", "--yes"]);
    assert!(down.status.success(), "{down:?}");
    assert!(text(&output(&["migrate", "up"]).stdout).ends_with(": 1 migration applied\n"));

    // Backups on the disk of the store would be another warning.
    let other_disk = tempfile::tempdir_in("/dev/shm").expect("a folder");
    let backups = other_disk.path().to_str().expect("UTF-8");
    let backups = ("TASKHOLD__BACKUP__FOLDER", backups);
    let doctor = run(folder, &[&variables[..], &[backups]].concat(), &["doctor"]);
    assert!(
        text(&doctor.stdout).contains(" ok, 1 warning, 0 problems, 0 not checked\n"),
        "{doctor:?}"
    );
    let file = folder.join("one.json");
    fs::write(
        &file,
        r#"[{"id": 1, "title": "one", "user_id": "anna", "colour": 1}]"#,
    )
    .expect("written");
    let imported = output(&["import", "one.json"]);
    assert_eq!(text(&imported.stderr), "1 row read; importing\n");
    assert!(
        text(&imported.stdout).ends_with("\n  colour in 1 row\n"),
        "{imported:?}"
    );
    let backup = output(&["backup"]);
    assert!(
        text(&backup.stdout).contains(": 1 user, 1 task, "),
        "{backup:?}"
    );
}
