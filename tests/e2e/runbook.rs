//! What `docs/operations/backup.md` tells operators about backups, done as it says.

use std::fs;
use std::path::Path;
use std::process::Command;

use taskhold_testkit::postgres::PostgresDatabase;
use tempfile::TempDir;

use crate::guide::{Example, examples};
use crate::service::{SECRET, run};

const RUNBOOK: &str = include_str!("../../docs/operations/backup.md");
/// The database that the runbook moves to.
const DOCUMENTED: &str = "postgres://taskhold@db.example.org/taskhold";
/// Where systemd starts the program.
const INSTALLED: &str = "/usr/local/bin/taskhold";

/// What systemd does, and a service that is up once it listens.
const SYSTEMCTL: &str = r"
systemctl() {
    case $1 in
    start)
        PORT=0 taskhold serve >log 2>&1 &
        service=$!
        until grep -q listening log; do kill -0 $service || return; sleep 0.05; done ;;
    stop) kill $service; wait $service ;;
    esac
}
";

/// A folder with a store that holds something.
fn with_tasks() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/storage/01-current.json");
    let file = file.to_str().expect("a path");
    for arguments in [["migrate", "up"], ["import", file]] {
        let done = run(folder.path(), &[], &arguments);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
    }
    folder
}

/// Pastes the examples into one shell; what each of them printed, with what it complained of.
fn pasted(folder: &Path, scripts: &[String]) -> Vec<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_taskhold"));
    let program = program.parent().expect("a folder").display();
    let path = std::env::var("PATH").expect("a path");
    let begin = format!("exec 2>&1\n{SYSTEMCTL}\nsystemctl start taskhold\n");
    let end = "systemctl stop taskhold".to_owned();
    let script = [&[begin], scripts, &[end]]
        .concat()
        .join("\nprintf '\\036'\n");
    let done = Command::new("bash")
        .args(["-u", "-c", &script])
        .current_dir(folder)
        // A store that somebody has configured is none to try a restore on.
        .env_clear()
        .env("PATH", format!("{program}:{path}"))
        .env("TASKHOLD_PROFILE", "test")
        .env("JWT_SECRET", SECRET)
        .output()
        .expect("bash runs");
    let printed = String::from_utf8(done.stdout).expect("UTF-8");
    printed.split('\u{1e}').skip(1).map(str::to_owned).collect()
}

/// Times, counts and ports are others each time.
fn without_numbers(text: &str) -> String {
    let mut masked = String::new();
    for character in text.trim_end().chars() {
        match character {
            '0'..='9' | ' ' if masked.ends_with('#') => {}
            '0'..='9' => masked.push('#'),
            other => masked.push(other),
        }
    }
    masked
}

#[tokio::test]
async fn the_runbook_prints_what_it_says() {
    let folder = with_tasks();
    let database = PostgresDatabase::empty().await;
    let (_, name) = database.url().rsplit_once('/').expect("a name");
    let examples: Vec<Example> = examples(RUNBOOK);
    assert!(examples.len() >= 5, "{} examples", examples.len());
    let scripts: Vec<_> = examples
        .iter()
        .map(|example| example.script.replace(DOCUMENTED, database.url()))
        .collect();
    let printed = pasted(folder.path(), &scripts);
    assert_eq!(printed.len(), examples.len() + 1, "{printed:?}");
    for (example, printed) in examples.iter().zip(&printed) {
        let expected = example.expected.as_ref();
        let (_, expected) = expected.expect("every example says what it prints");
        let printed = printed
            .replace(name, "taskhold")
            .replace("127.0.0.1", "db.example.org");
        assert_eq!(
            without_numbers(&printed),
            without_numbers(expected),
            "{}\nprinted\n{printed}",
            example.script
        );
    }
}

fn units() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/systemd");
    let entries = fs::read_dir(folder).expect("the units");
    let units = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        (name, fs::read_to_string(&path).expect("a unit"))
    });
    units.collect()
}

#[test]
fn every_timer_starts_a_service_whose_commands_work() {
    let folder = with_tasks();
    let units = units();
    let timers = units
        .iter()
        .filter_map(|(name, text)| Some((name.strip_suffix(".timer")?, text)));
    let mut ran = Vec::new();
    for (name, timer) in timers {
        assert!(timer.contains("\nOnCalendar="), "{name}: {timer}");
        let (_, service) = units
            .iter()
            .find(|(unit, _)| *unit == format!("{name}.service"))
            .expect("the service of a timer has its name");
        for command in service
            .lines()
            .filter_map(|line| line.strip_prefix("ExecStart="))
        {
            let mut words = command.split(' ');
            assert_eq!(words.next(), Some(INSTALLED), "{command}");
            ran.push(words.collect::<Vec<_>>());
        }
    }
    // There is nothing to verify or to remove before the first backup.
    ran.sort_unstable();
    assert_eq!(
        ran,
        [
            vec!["backup"],
            vec!["backup", "prune"],
            vec!["backup", "verify"]
        ]
    );
    for arguments in ran {
        let done = run(folder.path(), &[], &arguments);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {said}");
    }
}

/// Systemd passes over what it does not know, and only says so.
#[test]
fn systemd_finds_nothing_to_say_about_the_units() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("systemd-analyze");
    command.arg("verify");
    for (name, text) in units() {
        let here = text
            .replace(INSTALLED, env!("CARGO_BIN_EXE_taskhold"))
            .replace("User=taskhold", "User=root");
        let path = folder.path().join(name);
        fs::write(&path, here).expect("written");
        command.arg(path);
    }
    let Ok(done) = command.output() else {
        // Not every system has systemd; the other test reads what matters most.
        return;
    };
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.is_empty(), "{said}");
}

/// Whoever finds a hole in the program gets no further than its own folder.
#[test]
fn the_units_leave_the_program_no_rights_beside_its_own() {
    let services = units()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".service"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut count = 0;
    for (name, text) in services {
        for line in [
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=",
            "ProtectSystem=strict",
            "ProtectHome=yes",
            "StateDirectoryMode=0700",
            "UMask=0077",
            "User=taskhold",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{name} lacks {line}"
            );
        }
        count += 1;
        let path = folder.path().join(&name);
        fs::write(&path, text).expect("written");
        // From 0, which is safe, to 100.
        let judged = Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--threshold=20"])
            .arg(&path)
            .output();
        if let Ok(judged) = judged {
            assert!(
                judged.status.success(),
                "{}",
                String::from_utf8_lossy(&judged.stdout)
            );
        }
    }
    assert_eq!(count, 3);
}
