//! The program under test, and an HTTP client.

mod client;
mod database;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use taskhold_api::route::Endpoint;
use taskhold_mcp::settings::McpSettings;
use taskhold_testkit::postgres::PostgresServer;
use tempfile::NamedTempFile;

pub use self::client::{
    Answer, Client, TASKS, http, path, signed, signed_as_given, token, tomorrow,
};
pub use self::database::Database;

/// The longest that a test waits for a condition: long enough for a loaded machine.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The JWT secret of every service under test.
pub const SECRET: &str = "8d2f6b1c07e94a53b6c1e0f7a92d4835";

/// Returns the route table of the API and of the tools for agents. The page is not part of the API.
pub fn endpoints() -> Vec<Endpoint> {
    let agents = taskhold_mcp::endpoints(&McpSettings::default());
    [taskhold_api::routes::endpoints(), agents].concat()
}

/// Returns a command that runs the program in this folder, with these settings and no others from the
/// environment.
pub fn taskhold(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskhold"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TASKHOLD") {
            command.env_remove(name);
        }
    }
    for name in [
        "DATABASE_URL",
        "NEON_DATABASE_URL",
        "DIRECT_URL",
        "JWT_SECRET",
        "JWT_SECRET_PREVIOUS",
        "PORT",
    ] {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .env("TASKHOLD_PROFILE", "test")
        .envs(variables.iter().copied())
        .args(arguments);
    command
}

/// Copies the changes to the environment from one command to another.
pub fn copy_environment(from: &Command, to: &mut Command) {
    for (name, value) in from.get_envs() {
        match value {
            Some(value) => to.env(name, value),
            None => to.env_remove(name),
        };
    }
}

/// Runs the program until it exits.
pub fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    taskhold(folder, variables, arguments)
        .output()
        .expect("the program runs")
}

/// Runs the program until it exits, with a line on its standard input.
pub fn run_with_input(
    folder: &Path,
    variables: &[(&str, &str)],
    arguments: &[&str],
    line: &str,
) -> Output {
    let mut child = taskhold(folder, variables, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{line}").expect("written");
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

/// A running `taskhold serve`. It is killed when dropped.
pub struct Service {
    child: Child,
    pub url: String,
    /// A file rather than a pipe: what the service logged before it answered is there with the answer.
    log: NamedTempFile,
}

impl Service {
    /// Starts the service and waits until it listens.
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, &[]).await
    }

    /// Starts the service with further environment variables and waits until it listens.
    pub async fn start_with(database: &Database, variables: &[(&str, &str)]) -> Self {
        Self::launch(database, variables)
            .wait_until_listening()
            .await
    }

    /// Starts the service on a PostgreSQL server of its own, for tests that stop the server.
    pub async fn start_on_own_postgres() -> (PostgresServer, Self) {
        let server = PostgresServer::start().expect("a server");
        let service = Self::start(&Database::at(&server.url("postgres"))).await;
        (server, service)
    }

    /// Starts the service without waiting.
    pub fn launch(database: &Database, variables: &[(&str, &str)]) -> Self {
        let common = [
            ("DATABASE_URL", database.url.as_str()),
            ("JWT_SECRET", SECRET),
        ];
        let variables = [&common, variables].concat();
        Self::spawn(taskhold(database.folder.path(), &variables, &["serve"]))
    }

    /// Starts a command that becomes `taskhold serve`, without waiting.
    pub fn spawn(mut command: Command) -> Self {
        let log = NamedTempFile::new().expect("a file");
        let child = command
            .stdout(Stdio::null())
            .stderr(log.reopen().expect("the same file"))
            .spawn()
            .expect("the program starts");
        Self {
            child,
            url: String::new(),
            log,
        }
    }

    /// Waits until the service listens.
    pub async fn wait_until_listening(mut self) -> Self {
        let listening = eventually("the service listens", async || {
            assert!(
                self.child.try_wait().expect("a status").is_none(),
                "the service exited: {}",
                self.log()
            );
            let log = self.log();
            // The log is text or JSON.
            let (_, after) = log
                .split_once("listening")
                .and_then(|(_, after)| after.split_once("http://"))?;
            let (address, _) = after.split_once([' ', '"', '\n'])?;
            Some(format!("http://{address}"))
        });
        self.url = listening.await;
        self
    }

    /// Returns the process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the log so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.log.path()).expect("the log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Returns whether the log tells of a store call that failed and was then retried: alone, or out of a batch.
    pub fn has_logged_failed_calls(&self) -> bool {
        let log = self.log();
        log.contains("retrying it") || log.contains("a batch of store calls failed")
    }

    /// Returns the status of `/health/ready`.
    pub async fn readiness(&self) -> u16 {
        self.client_with(None).get("/health/ready").await.status
    }

    /// Kills the service.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Sends SIGTERM to the service.
    pub fn terminate(&self) {
        signal(self.process_id(), "TERM");
    }

    /// Sends SIGTERM to the service and waits until it exits.
    pub async fn stop(mut self) -> ExitStatus {
        self.terminate();
        eventually("the service stops", async || {
            self.child.try_wait().expect("a status")
        })
        .await
    }

    /// Returns the body of the answer to an anonymous GET request.
    pub async fn text(&self, path: &str) -> String {
        let request = http().get(format!("{}{path}", self.url));
        let answer = request.send().await.expect("an answer");
        answer.text().await.expect("text")
    }

    /// Returns a client that is authenticated as `user`.
    pub fn client(&self, user: &str) -> Client {
        self.client_with(Some(token(user)))
    }

    /// Returns a client with this token, or without one.
    pub fn client_with(&self, token: Option<String>) -> Client {
        Client {
            http: http(),
            url: self.url.clone(),
            token,
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have exited already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal to a process.
pub fn signal(process: u32, name: &str) {
    // `kill` is built into the shell, but not every system has it as a program.
    let script = format!("kill -{name} {process}");
    let status = Command::new("sh").args(["-c", &script]).status();
    assert!(status.expect("sh runs").success(), "{script}");
}

/// Polls until `poll` returns a value, and fails the test after [`WAIT_TIMEOUT`].
pub async fn eventually<T>(what: &str, poll: impl AsyncFnMut() -> Option<T>) -> T {
    within(WAIT_TIMEOUT, what, poll).await
}

/// Polls until `poll` returns a value, and fails the test after `time`.
pub async fn within<T>(time: Duration, what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + time;
    loop {
        if let Some(answer) = poll().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {time:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
