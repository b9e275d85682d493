//! Backups, restores and copies by the real program, on both kinds of store.

pub mod contents;
mod copy;
mod damage;
mod file_alone;
mod full_disk;
mod killed;
pub mod life;
mod refusal;
mod round_trip;
mod since;
pub mod tools;
mod upkeep;
mod writers;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sha2::{Digest as _, Sha256};
use taskhold_backup::manifest::Manifest;

use crate::service::{Database, run, run_with_input, taskhold};

/// The exit status and output of a command.
#[derive(Debug)]
pub struct CommandOutcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl CommandOutcome {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Asserts success and returns the standard output.
    #[track_caller]
    pub fn assert_success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Asserts a failure that is explained by this sentence.
    #[track_caller]
    pub fn assert_refused(self, sentence: &str) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(
            self.stderr.contains(sentence),
            "not {sentence:?} in {self:#?}"
        );
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}

impl Database {
    /// Returns the name that confirms overwriting the store.
    fn name(&self) -> &str {
        self.url.rsplit('/').next().expect("a name")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        taskhold(
            self.folder.path(),
            &[("DATABASE_URL", &self.url)],
            arguments,
        )
    }

    pub fn run_command(&self, arguments: &[&str]) -> CommandOutcome {
        self.run_command_with(&[], arguments)
    }

    pub fn run_command_with(
        &self,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> CommandOutcome {
        let variables = [&[("DATABASE_URL", self.url.as_str())], variables].concat();
        CommandOutcome::of(&run(self.folder.path(), &variables, arguments))
    }

    /// Returns the folder of the store's backups, as the settings define it.
    fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    /// Creates a backup and returns its path.
    #[track_caller]
    pub fn backup(&self) -> PathBuf {
        let printed = self.run_command(&["backup"]).assert_success();
        self.folder
            .path()
            .join(printed.lines().next().expect("a path"))
    }

    fn restore(&self, backup: &Path) -> CommandOutcome {
        self.run_command(&["restore", text(backup)])
    }

    /// Restores over the existing rows.
    pub fn restore_over(&self, backup: &Path) -> CommandOutcome {
        let arguments = ["restore", text(backup), "--force"];
        let variables = [("DATABASE_URL", self.url.as_str())];
        let output = run_with_input(self.folder.path(), &variables, &arguments, self.name());
        CommandOutcome::of(&output)
    }

    fn verify(&self, backup: &Path) -> CommandOutcome {
        self.run_command(&["backup", "verify", text(backup)])
    }
}

/// Discards the input and output of the command.
pub fn without_output(mut command: Command) -> Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of the tests")
}

/// Reads the manifest of a backup.
fn manifest(backup: &Path) -> Manifest {
    let json = std::fs::read(backup.join("manifest.json")).expect("a manifest");
    let mut sealed: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    serde_json::from_value(sealed["manifest"].take()).expect("a manifest")
}

/// Changes the manifest of a backup and seals it again.
pub fn rewrite(backup: &Path, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = manifest(backup);
    change(&mut manifest);
    let seal = Sha256::digest(serde_json::to_vec(&manifest).expect("JSON"));
    let sealed = serde_json::json!({"manifest": manifest, "seal": hex::encode(seal)});
    std::fs::write(backup.join("manifest.json"), sealed.to_string()).expect("written");
}

/// Copies a backup, so that the copy can be damaged.
fn copy_backup(backup: &Path, name: &str) -> PathBuf {
    let copy = backup.with_file_name(name);
    std::fs::create_dir(&copy).expect("a new folder");
    for (name, bytes) in files(backup) {
        std::fs::write(copy.join(name), bytes).expect("written");
    }
    copy
}

/// Returns the files of a folder, sorted by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = names(folder)
        .into_iter()
        .map(|name| {
            let bytes = std::fs::read(folder.join(&name)).expect("a file");
            (name, bytes)
        })
        .collect();
    files.sort();
    files
}

/// Returns the sorted names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("a name of the tests"))
        .collect();
    names.sort();
    names
}
