//! The targets of make and the scripts, where cargo builds into another folder than `target`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::commands::text;
use crate::requirements::{read, repository};

/// Returns the files of a folder and of the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn no_target_and_no_script_guesses_where_cargo_builds() {
    let makefile = read("Makefile");
    let targets = makefile
        .lines()
        .filter_map(|line| line.split_once(':').filter(|_| line.contains(": ")));
    let targets: Vec<_> = targets
        .map(|(name, _)| name)
        .filter(|name| {
            name.chars()
                .all(|char| char.is_ascii_lowercase() || char == '-')
        })
        .collect();
    assert!(targets.len() > 20, "{targets:?}");
    for target in targets {
        let output = Command::new("make")
            .args(["--dry-run", target])
            .current_dir(repository())
            .output();
        let output = output.expect("make runs");
        let commands = text(&output.stdout);
        assert!(output.status.success(), "{target}: {output:?}");
        assert!(!commands.contains("target/"), "{target}: {commands}");
    }
    for path in files(&repository().join("scripts"))
        .into_iter()
        .chain([repository().join(".ci/run")])
    {
        let Ok(script) = fs::read_to_string(&path) else {
            continue;
        };
        for guess in ["target/debug", "target/release", "\"target/", "/target/"] {
            assert!(!script.contains(guess), "{}: {guess}", path.display());
        }
    }
}

/// A cargo that builds elsewhere, as `CARGO_TARGET_DIR` and a file `config.toml` have it do.
#[test]
fn scripts_ask_cargo_for_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let cargo = folder.path().join("cargo");
    let built = folder.path().join("elsewhere/taskhold");
    // Cargo names the unit tests of the program as the program itself, before it or after it.
    let message = |executable: &Path, test: bool| {
        format!(
            r#"{{"reason":"compiler-artifact","target":{{"kind":["bin"],"name":"taskhold"}},"profile":{{"test":{test}}},"executable":"{}"}}"#,
            executable.display()
        )
    };
    let unit_tests = message(&folder.path().join("elsewhere/deps/taskhold-1"), true);
    let program = message(&built, false);
    let arguments = folder.path().join("arguments");
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {}\necho '{unit_tests}'\necho '{program}'\necho '{unit_tests}'\n",
        arguments.display()
    );
    fs::write(&cargo, script).expect("written");
    fs::set_permissions(&cargo, Permissions::from_mode(0o755)).expect("changed");
    let program = Command::new(repository().join("scripts/program"))
        .args(["test", "--workspace", "--no-run"])
        .env("CARGO", &cargo)
        .output()
        .expect("it runs");
    assert!(program.status.success(), "{program:?}");
    assert_eq!(text(&program.stdout).trim(), built.display().to_string());
    assert_eq!(
        fs::read_to_string(arguments).expect("called").trim(),
        "test --workspace --no-run --locked --message-format json-render-diagnostics"
    );
}
