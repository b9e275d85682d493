//! `pg_dump` and `pg_restore`: their arguments, and the messages if they are too old or missing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::contents::contents;
use super::{CommandOutcome, names, text};
use crate::service::Database;

/// A password with the characters that a password file must escape.
const PASSWORD: &str = "ca:na\\ry";
const IN_URL: &str = "ca%3Ana%5Cry";
const IN_FILE: &str = "*:*:*:*:ca\\:na\\\\ry";

/// Writes a shell script that takes the place of the real program.
pub fn write_program(folder: &Path, name: &str, script: &str) {
    fs::create_dir_all(folder).expect("a folder");
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
}

/// Returns a path to the real programs, including Debian's folders.
fn real_path() -> String {
    let path = std::env::var("PATH").expect("a path");
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders
        .iter()
        .fold(path, |path, folder| format!("{path}:{}", folder.display()))
}

#[tokio::test]
async fn postgres_tools_get_no_password_in_arguments_or_environment() {
    let database = Database::postgres().await;
    let (folder, record) = (
        database.folder.path().join("recording"),
        database.folder.path().join("record"),
    );
    for name in ["pg_dump", "pg_restore"] {
        let script = format!(
            "export PATH='{path}'\n\
             [ \"$1\" = --version ] && exec {name} --version\n\
             {{ echo \"{name}\"; tr '\\0' ' ' < /proc/$PPID/cmdline; echo; tr '\\0' ' ' < /proc/$$/cmdline; echo; env | grep '^PG'; }} \
             >> '{record}.told'\n\
             {{ stat -c '%a' \"$PGPASSFILE\"; cat \"$PGPASSFILE\"; }} >> '{record}.passwords'\n\
             echo \"$PGPASSFILE\" >> '{record}.files'\n\
             exec {name} \"$@\"",
            path = real_path(),
            record = record.display(),
        );
        write_program(&folder, name, &script);
    }
    let role = format!("role_{}", database.name());
    database
        .execute(&format!(
            "CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'canary'"
        ))
        .await;
    let (_, server) = database.url.split_once('@').expect("the URL of a user");
    let url = format!("postgres://{role}:{IN_URL}@{server}");
    let path = format!(
        "{}:{}",
        folder.display(),
        std::env::var("PATH").expect("a path")
    );
    let variables = [
        ("DATABASE_URL", url.as_str()),
        ("PATH", &path),
        ("PGPASSWORD", "of-another"),
    ];
    let run = |arguments: &[&str]| {
        let outcome = database.run_command_with(&variables, arguments);
        for printed in [&outcome.stdout, &outcome.stderr] {
            assert!(
                !printed.contains(PASSWORD) && !printed.contains(IN_URL),
                "{outcome:?}"
            );
        }
        outcome.assert_success()
    };
    run(&["migrate", "up"]);
    let printed = run(&["backup"]);
    let backup = database
        .folder
        .path()
        .join(printed.lines().next().expect("a path"));
    run(&["backup", "verify"]);
    run(&["restore", text(&backup)]);

    let read = |ending: &str| {
        let file = format!("{}.{ending}", record.display());
        fs::read_to_string(file).expect("it was recorded")
    };
    let recorded = read("told");
    for program in ["pg_dump", "pg_restore"] {
        assert!(recorded.contains(&format!("{program} --")), "{recorded}");
    }
    for canary in [PASSWORD, IN_URL, IN_FILE, "of-another"] {
        assert!(!recorded.contains(canary), "{recorded}");
    }
    assert_eq!(read("passwords"), format!("600\n{IN_FILE}\n").repeat(3));
    for file in read("files").lines() {
        assert!(!Path::new(file).exists(), "{file} is gone");
    }
}

/// Runs a command without Debian's PostgreSQL programs and with only `folder` on the path.
pub fn run_without_debian(
    database: &Database,
    folder: &Path,
    arguments: &[&str],
) -> CommandOutcome {
    let hide = "if [ -d /usr/lib/postgresql ]; then mount -t tmpfs tmpfs /usr/lib/postgresql || exit 99; fi; \
        PATH=\"$0\" exec \"$@\"";
    let command = database.command(arguments);
    let tried = [&["--user", "--map-root-user"][..], &[]].map(|in_user_namespace| {
        let mut unshare = Command::new("unshare");
        unshare
            .args(in_user_namespace)
            .args(["--mount", "sh", "-c", hide]);
        unshare
            .arg(folder)
            .arg(command.get_program())
            .args(command.get_args());
        unshare.current_dir(database.folder.path());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => unshare.env(name, value),
                None => unshare.env_remove(name),
            };
        }
        CommandOutcome::of(&unshare.output().expect("unshare runs"))
    });
    let mut tried = tried.into_iter();
    let is_run = |outcome: &CommandOutcome| {
        outcome.stderr.contains("taskhold") || outcome.stdout.contains("settings")
    };
    let outcome = tried.find(is_run);
    outcome.expect("a mount namespace, as root or in a user namespace")
}

#[tokio::test]
async fn outdated_or_missing_postgres_tools_are_reported() {
    let database = Database::postgres().await;
    database.run_command(&["migrate", "up"]).assert_success();
    let backup = database.backup();
    let before = (contents(&database).await, names(&database.backups()));
    let folder = database.folder.path().join("programs");
    fs::create_dir(&folder).expect("a folder");
    let needed = "or later: there are none on the PATH or in /usr/lib/postgresql; install";
    let refused = |sentence: &str| {
        for arguments in [
            &["backup"][..],
            &["backup", "verify", text(&backup)],
            &["restore", text(&backup)],
        ] {
            let outcome = run_without_debian(&database, &folder, arguments);
            println!("{}", outcome.stderr);
            outcome.assert_refused(sentence);
        }
    };
    refused(needed);
    for name in ["pg_dump", "pg_restore"] {
        write_program(&folder, name, &format!("echo '{name} (PostgreSQL) 9.6.24'"));
    }
    refused(
        "or later: there are only those of version 9 on the PATH or in /usr/lib/postgresql; install",
    );
    assert_eq!(
        (contents(&database).await, names(&database.backups())),
        before
    );
}
