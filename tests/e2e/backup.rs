//! Backups, restoring them, and copying a store: by the real program, on both kinds of store.

mod contents;
mod copy;
mod damage;
mod full_disk;
mod killed;
mod life;
mod refusal;
mod round_trip;
mod since;
mod tools;
mod upkeep;
mod writers;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sha2::{Digest as _, Sha256};
use taskhold_backup::manifest::Manifest;

use crate::service::{Database, run, run_with_input, taskhold};

/// How a command of the program ended, and what it said.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// What it wrote, where it did what it was told.
    #[track_caller]
    fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// It did nothing, and says why in this sentence.
    #[track_caller]
    fn refused(self, sentence: &str) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.err.contains(sentence), "not {sentence:?} in {self:#?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

impl Database {
    fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite")
    }

    /// An empty store of the same kind.
    async fn another(&self) -> Self {
        if self.is_sqlite() {
            Self::sqlite()
        } else {
            Self::postgres().await
        }
    }

    /// What must be typed before what it holds is given up.
    fn name(&self) -> &str {
        self.url.rsplit('/').next().expect("a name")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        taskhold(
            self.folder.path(),
            &[("DATABASE_URL", &self.url)],
            arguments,
        )
    }

    fn ended(&self, arguments: &[&str]) -> Ended {
        self.ended_with(&[], arguments)
    }

    fn ended_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
        let variables = [&[("DATABASE_URL", self.url.as_str())], variables].concat();
        Ended::of(&run(self.folder.path(), &variables, arguments))
    }

    /// The folder of its backups, as the settings have it.
    fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    /// Makes a backup.
    #[track_caller]
    fn backup(&self) -> PathBuf {
        let said = self.ended(&["backup"]).done();
        self.folder
            .path()
            .join(said.lines().next().expect("a path"))
    }

    fn restore(&self, backup: &Path) -> Ended {
        self.ended(&["restore", text(backup)])
    }

    /// Gives up what it holds.
    fn restore_over(&self, backup: &Path) -> Ended {
        let arguments = ["restore", text(backup), "--force"];
        let variables = [("DATABASE_URL", self.url.as_str())];
        let output = run_with_input(self.folder.path(), &variables, &arguments, self.name());
        Ended::of(&output)
    }

    fn verify(&self, backup: &Path) -> Ended {
        self.ended(&["backup", "verify", text(backup)])
    }
}

/// Starts the command and lets nobody hear it.
fn quietly(mut command: Command) -> Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of the tests")
}

/// What a backup says of itself.
fn manifest(backup: &Path) -> Manifest {
    let json = std::fs::read(backup.join("manifest.json")).expect("a manifest");
    let mut sealed: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    serde_json::from_value(sealed["manifest"].take()).expect("a manifest")
}

/// Has a backup say something else of itself, with a seal that fits.
pub fn rewrite(backup: &Path, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = manifest(backup);
    change(&mut manifest);
    let seal = Sha256::digest(serde_json::to_vec(&manifest).expect("JSON"));
    let sealed = serde_json::json!({"manifest": manifest, "seal": hex::encode(seal)});
    std::fs::write(backup.join("manifest.json"), sealed.to_string()).expect("written");
}

/// A copy of a backup, to damage it.
fn copied(backup: &Path, name: &str) -> PathBuf {
    let copy = backup.with_file_name(name);
    std::fs::create_dir(&copy).expect("a new folder");
    for (name, bytes) in files(backup) {
        std::fs::write(copy.join(name), bytes).expect("written");
    }
    copy
}

/// The files of a folder, by their names.
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

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("a name of the tests"))
        .collect();
    names.sort();
    names
}
