//! What the process asks of the system it runs on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::service::{Database, Service, copy_environment, eventually, taskhold};

/// `taskhold serve`, from a shell that first does this.
fn served_after(first: &str, database: &Database, variables: &[(&str, &str)]) -> Command {
    let variables = [&[("DATABASE_URL", database.url.as_str())], variables].concat();
    let serve = taskhold(database.folder.path(), &variables, &["serve"]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{first} && exec \"$0\" \"$@\"")])
        .arg(serve.get_program())
        .args(serve.get_args())
        .current_dir(database.folder.path());
    copy_environment(&serve, &mut shell);
    shell
}

/// A line of what the system tells of a process.
fn told(service: &Service, file: &str, line: &str) -> String {
    let told = fs::read_to_string(format!("/proc/{}/{file}", service.process()));
    let told = told.expect("Linux tells of a process");
    let found = told.lines().find_map(|told| told.strip_prefix(line));
    found.expect("a line").trim().to_owned()
}

fn assert_private(folder: &Path, seen: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let metadata = fs::metadata(&path).expect("it is there");
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        let mode = metadata.permissions().mode() & 0o777;
        assert_eq!(mode, expected, "{mode:o} {}", path.display());
        if metadata.is_dir() {
            assert_private(&path, seen);
        } else {
            seen.push(
                path.file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned(),
            );
        }
    }
}

#[tokio::test]
async fn all_files_are_private_whatever_the_umask_was() {
    let database = Database::sqlite();
    let service = Service::spawn(served_after("umask 000", &database, &[]))
        .listening()
        .await;
    assert_eq!(told(&service, "status", "Umask:"), "0077");
    let mut seen = Vec::new();
    assert_private(database.folder.path(), &mut seen);
    seen.sort();
    assert_eq!(
        seen,
        [
            "jwt-secret",
            "taskhold.db",
            "taskhold.db-shm",
            "taskhold.db-wal",
            "taskhold.db.lock"
        ]
    );
}

#[tokio::test]
async fn the_limit_of_open_files_is_raised_to_what_is_needed() {
    let database = Database::sqlite();
    let connections = [("TASKHOLD__SERVER__MAX_CONNECTIONS", "1000")];
    let service = Service::spawn(served_after("ulimit -Sn 300", &database, &connections))
        .listening()
        .await;
    let limits = told(&service, "limits", "Max open files");
    let soft: u64 = limits
        .split_whitespace()
        .next()
        .and_then(|soft| soft.parse().ok())
        .expect("a number");
    assert!((1100..2000).contains(&soft), "{limits}");
    assert!(!service.log().contains("limit of open files"));
}

#[tokio::test]
async fn a_hard_limit_that_is_too_low_is_warned_of() {
    let database = Database::sqlite();
    let connections = [("TASKHOLD__SERVER__MAX_CONNECTIONS", "1000")];
    let limits = "ulimit -Sn 300 && ulimit -Hn 400";
    let service = Service::spawn(served_after(limits, &database, &connections))
        .listening()
        .await;
    assert!(
        service
            .log()
            .contains("the hard limit of open files is too low"),
        "{}",
        service.log()
    );
    assert!(told(&service, "limits", "Max open files").starts_with("400 "));
    eventually("it serves as many as it can", async || {
        (service.client_with(None).get("/health").await.status == 200).then_some(())
    })
    .await;
}
