//! Process settings: the umask and the limit of open files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::service::{Database, Service, copy_environment, eventually, taskhold};

/// Returns a command that runs `taskhold serve` from a shell, after the shell command `first`.
fn serve_after(first: &str, database: &Database, variables: &[(&str, &str)]) -> Command {
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

/// Returns the value of a line of a file in `/proc/<pid>`.
fn process_value(service: &Service, file: &str, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/{file}", service.process_id()));
    let text = text.expect("a file in /proc");
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found.expect("a line").trim().to_owned()
}

fn assert_private(folder: &Path, seen: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let metadata = fs::metadata(&path).expect("the entry exists");
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
async fn files_are_private_despite_an_open_umask() {
    let database = Database::sqlite();
    let service = Service::spawn(serve_after("umask 000", &database, &[]))
        .wait_until_listening()
        .await;
    assert_eq!(process_value(&service, "status", "Umask:"), "0077");
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
async fn low_open_file_limit_is_raised() {
    let database = Database::sqlite();
    let connections = [("TASKHOLD__SERVER__MAX_CONNECTIONS", "1000")];
    let service = Service::spawn(serve_after("ulimit -Sn 300", &database, &connections))
        .wait_until_listening()
        .await;
    let limits = process_value(&service, "limits", "Max open files");
    let soft: u64 = limits
        .split_whitespace()
        .next()
        .and_then(|soft| soft.parse().ok())
        .expect("a number");
    assert!((1100..2000).contains(&soft), "{limits}");
    assert!(!service.log().contains("limit of open files"));
}

#[tokio::test]
async fn low_hard_open_file_limit_logs_a_warning() {
    let database = Database::sqlite();
    let connections = [("TASKHOLD__SERVER__MAX_CONNECTIONS", "1000")];
    let limits = "ulimit -Sn 300 && ulimit -Hn 400";
    let service = Service::spawn(serve_after(limits, &database, &connections))
        .wait_until_listening()
        .await;
    assert!(
        service
            .log()
            .contains("the hard limit of open files is too low"),
        "{}",
        service.log()
    );
    assert!(process_value(&service, "limits", "Max open files").starts_with("400 "));
    eventually("the service serves", async || {
        (service.client_with(None).get("/health").await.status == 200).then_some(())
    })
    .await;
}
