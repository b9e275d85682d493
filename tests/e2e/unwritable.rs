//! SQLite files that cannot be written: the start refuses them with a reason, and `taskhold doctor` names it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use taskhold_testkit::postgres::server_user;

use crate::disk_full::FullDatabase;
use crate::service::{Database, SECRET, run, taskhold};

/// Returns the command as run by a user whom the modes of files bind, who owns the folder. Root ignores them.
pub fn as_ordinary_user(folder: &Path, command: Command) -> Command {
    let Some(user) = server_user() else {
        return command;
    };
    let mut as_user = Command::new("runuser");
    as_user.args(["-u", user, "--"]).arg(command.get_program());
    as_user.args(command.get_args()).current_dir(folder);
    crate::service::copy_environment(&command, &mut as_user);
    as_user
}

/// Runs a command that should end by itself, and ends it if it does not.
fn run_for_seconds(command: &Command) -> Output {
    let mut limited = Command::new("timeout");
    limited
        .arg("20")
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    crate::service::copy_environment(command, &mut limited);
    limited.output().expect("it runs")
}

fn text(output: &Output) -> String {
    let printed = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(printed).expect("UTF-8")
}

fn run_to_success(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{program}: {output:?}");
}

#[test]
fn unwritable_file_folder_or_lock_is_refused_at_the_start() {
    type Sabotage = fn(&Path);
    let cases: [(&str, Sabotage, &str); 4] = [
        (
            "a file that may only be read",
            |data| set_mode(&data.join("taskhold.db"), 0o444),
            "cannot write",
        ),
        (
            "a folder that may only be read",
            |data| set_mode(data, 0o555),
            "cannot lock",
        ),
        (
            "a lock of another user",
            |data| {
                let lock = data.join("taskhold.db.lock");
                fs::write(&lock, "").expect("written");
                set_mode(&lock, 0o400);
            },
            "cannot lock",
        ),
        (
            "a log that may only be read",
            |data| {
                let log = data.join("taskhold.db-wal");
                fs::write(&log, "").expect("written");
                set_mode(&log, 0o400);
            },
            "cannot write",
        ),
    ];
    for (case, sabotage, sentence) in cases {
        let database = Database::sqlite();
        let folder = database.folder.path();
        let variables = [
            ("DATABASE_URL", database.url.as_str()),
            ("JWT_SECRET", SECRET),
        ];
        let migrated = run(folder, &variables, &["migrate", "up"]);
        assert!(migrated.status.success(), "{migrated:?}");
        if let Some(user) = server_user() {
            let folder = folder.to_str().expect("UTF-8");
            run_to_success("chown", &["-R", user, folder]);
        }
        sabotage(&folder.join("data"));
        let run = |arguments: &[&str]| {
            let command = taskhold(folder, &variables, arguments);
            run_for_seconds(&as_ordinary_user(folder, command))
        };
        let served = run(&["serve"]);
        let printed = text(&served);
        assert_eq!(served.status.code(), Some(78), "{case}: {printed}");
        let last = printed.lines().last().unwrap_or_default();
        assert!(
            last.contains("DATABASE_URL") && last.contains(sentence),
            "{case}: {last}"
        );
        assert!(last.contains("Permission denied"), "{case}: {last}");
        let doctor = run(&["doctor"]);
        assert_eq!(doctor.status.code(), Some(1), "{case}: {doctor:?}");
        assert!(
            text(&doctor).contains("cannot be written"),
            "{case}: {doctor:?}"
        );
        // Otherwise the folder could not be removed.
        set_mode(&folder.join("data"), 0o755);
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("changed");
}

#[test]
fn read_only_disk_is_refused_at_the_start() {
    let full = FullDatabase::new();
    let variables = [
        ("DATABASE_URL", full.database.url.as_str()),
        ("JWT_SECRET", SECRET),
    ];
    let run = |arguments: &[&str]| {
        let command = taskhold(full.database.folder.path(), &variables, arguments);
        run_for_seconds(&full.disk.inside(&command))
    };
    let migrated = run(&["migrate", "up"]);
    assert!(migrated.status.success(), "{migrated:?}");
    full.run("mount", &["-o", "remount,ro", "data"]);
    let served = run(&["serve"]);
    let printed = text(&served);
    assert_eq!(served.status.code(), Some(78), "{printed}");
    assert!(printed.contains("Read-only file system"), "{printed}");
    let doctor = run(&["doctor"]);
    assert!(
        text(&doctor).contains("Read-only file system"),
        "{doctor:?}"
    );
}

/// The last connection to close removes SQLite's log.
#[test]
fn start_that_fails_closes_the_store() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let database = Database::sqlite();
    // Both can be bound to the same address, and only one can listen on it.
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", SECRET),
        ("TASKHOLD__METRICS__ADDRESS", &address),
        ("PORT", address.rsplit(':').next().expect("a port")),
    ];
    let served = run(database.folder.path(), &variables, &["serve"]);
    assert_eq!(served.status.code(), Some(1), "{served:?}");
    let data = database.folder.path().join("data");
    assert!(data.join("taskhold.db").exists());
    assert!(!data.join("taskhold.db-wal").exists(), "{served:?}");
}
