//! The examples of `docs/operations/backup.md`, and the systemd units.

mod machine;

use std::fs;
use std::path::Path;
use std::process::Command;

use taskhold_testkit::postgres::PostgresDatabase;
use tempfile::TempDir;

use crate::guide::{Example, examples};
use crate::service::{SECRET, run};

const RUNBOOK: &str = include_str!("../../docs/operations/backup.md");
/// The database URL in the examples.
const DOCUMENTED: &str = "postgres://taskhold_owner@db.example.org/taskhold";
/// The path of the program in the systemd units.
const INSTALLED: &str = "/usr/local/bin/taskhold";

/// A shell function that stands in for systemctl; `start` waits until the service listens.
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

/// Creates a folder with a store that holds tasks.
fn folder_with_tasks() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/storage/01-current.json");
    let file = file.to_str().expect("a path");
    for arguments in [["migrate", "up"], ["import", file]] {
        let done = run(folder.path(), &[], &arguments);
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{stderr}");
    }
    folder
}

/// Runs the examples in one shell, and returns the output of each, including standard error.
fn run_examples(folder: &Path, scripts: &[String]) -> Vec<String> {
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
        // An environment variable could name a real store, which a restore would overwrite.
        .env_clear()
        .env("PATH", format!("{program}:{path}"))
        .env("TASKHOLD_PROFILE", "test")
        .env("JWT_SECRET", SECRET)
        .output()
        .expect("bash runs");
    let printed = String::from_utf8(done.stdout).expect("UTF-8");
    printed.split('\u{1e}').skip(1).map(str::to_owned).collect()
}

/// Replaces numbers, since times, counts and ports differ in each run.
fn mask_numbers(text: &str) -> String {
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
async fn runbook_examples_print_the_documented_output() {
    let folder = folder_with_tasks();
    let database = PostgresDatabase::empty().await;
    let (_, name) = database.url().rsplit_once('/').expect("a name");
    let examples: Vec<Example> = examples(RUNBOOK);
    assert!(examples.len() >= 5, "{} examples", examples.len());
    let scripts: Vec<_> = examples
        .iter()
        .map(|example| example.script.replace(DOCUMENTED, database.url()))
        .collect();
    let printed = run_examples(folder.path(), &scripts);
    assert_eq!(printed.len(), examples.len() + 1, "{printed:?}");
    for (example, printed) in examples.iter().zip(&printed) {
        let expected = example.expected.as_ref();
        let (_, expected) = expected.expect("every example documents its output");
        let printed = printed
            .replace(name, "taskhold")
            .replace("127.0.0.1", "db.example.org");
        assert_eq!(
            mask_numbers(&printed),
            mask_numbers(expected),
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
fn every_timer_starts_a_service_with_working_commands() {
    let folder = folder_with_tasks();
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
    // The sorted order fits: a backup must exist before it is verified or pruned.
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
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {stderr}");
    }
}

/// Systemd ignores unknown settings with a warning, which would go unnoticed.
#[test]
fn units_pass_systemd_verification() {
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
        // Not every system has systemd; the other test checks the most important settings.
        return;
    };
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && stderr.is_empty(), "{stderr}");
}

/// An attacker who takes over the program must not get beyond its own folder.
#[test]
fn units_restrict_the_program_to_its_own_folder() {
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
        // The exposure ranges from 0, which is safe, to 100.
        let analysis = Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--threshold=20"])
            .arg(&path)
            .output();
        if let Ok(analysis) = analysis {
            assert!(
                analysis.status.success(),
                "{}",
                String::from_utf8_lossy(&analysis.stdout)
            );
        }
    }
    assert_eq!(count, 3);
}
