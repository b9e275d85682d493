//! The command line `todo`, against the running service.

mod ids;
mod instances;
mod interrupted;
mod keyring;
mod logins;
mod offline;
mod output;
mod replay;
mod terminal;
mod tls;
mod undo;
mod watch;

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::service::{Service, token};

/// A person at a computer of their own, with an empty home.
struct Computer {
    home: TempDir,
}

/// The output and the exit status of a command.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Computer {
    fn new() -> Self {
        Self {
            home: TempDir::new().expect("a folder"),
        }
    }

    /// Returns a computer on which this user has logged in with a token.
    fn of(service: &Service, user: &str) -> Self {
        let computer = Self::new();
        computer.log_in(&service.url, user, "default");
        computer
    }

    /// Logs in with a token, under a name.
    fn log_in(&self, url: &str, user: &str, name: &str) {
        let token = token(user);
        let login = [
            "login", url, "--token", &token, "--store", "file", "--name", name,
        ];
        let ran = self.run(&login);
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// Returns a command with the environment of this computer and nothing of the machine's.
    fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(program());
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "Europe/Berlin")
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .args(arguments);
        command
    }

    /// Runs a command until it ends.
    fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Ran {
        Ran::of(self.command(arguments).output().expect("todo runs"))
    }

    /// Runs a command with a text on its standard input.
    fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("todo starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A command that fails early reads nothing.
        _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        Ran::of(child.wait_with_output().expect("todo ends"))
    }

    /// Runs a command that succeeds. Returns what it printed.
    fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.stdout
    }

    /// Runs a command that succeeds and prints JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.done(&arguments)).expect("JSON")
    }

    /// Adds a task. Returns the end of its id.
    fn add(&self, title: &str) -> String {
        let added = self.done(&["add", title]);
        let (_, id) = added.trim_end().rsplit_once(' ').expect("an id");
        id.to_owned()
    }

    /// Runs commands at the same time, all of which succeed. Returns their outputs.
    fn done_at_once<const N: usize>(&self, commands: [[String; 2]; N]) -> [String; N] {
        let children = commands.map(|command| {
            let mut command = self.command(&command);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("todo starts")
        });
        children.map(|child| {
            let ran = Ran::of(child.wait_with_output().expect("todo ends"));
            assert_eq!(ran.code, 0, "{ran:?}");
            ran.stdout
        })
    }

    /// Imports so many tasks with titles that end in their number.
    fn import(&self, count: u32, title: &str) {
        let rows =
            (1..=count).map(|number| json!({"id": number, "title": format!("{title} {number}")}));
        let rows = Value::Array(rows.collect());
        std::fs::write(self.home.path().join("tasks.json"), rows.to_string()).expect("written");
        self.done(&["import", "tasks.json"]);
    }

    /// Runs a command that uses this token without a login, as in a script.
    fn run_with_token(
        &self,
        url: &str,
        token: &str,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> Ran {
        let mut command = self.command(arguments);
        command
            .env("TODO_URL", url)
            .env("TODO_TOKEN", token)
            .envs(variables.iter().copied());
        Ran::of(command.output().expect("todo runs"))
    }

    /// Runs a command whose output goes to a full disk.
    fn run_on_full_disk(&self, arguments: &[&str]) -> Ran {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        let mut command = self.command(arguments);
        Ran::of(
            command
                .stdout(full)
                .stderr(Stdio::piped())
                .output()
                .expect("todo runs"),
        )
    }

    /// Returns the file of the login of this name.
    fn login_file(&self, name: &str) -> PathBuf {
        self.home
            .path()
            .join(".config/todo/logins")
            .join(format!("{name}.json"))
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// Returns the path of the program, which the tests of the crate `taskhold-cli` build.
pub fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_taskhold")).with_file_name("todo");
    assert!(
        program.exists(),
        "{} is not built: run `cargo test --workspace --test e2e --test todo`",
        program.display()
    );
    program
}
