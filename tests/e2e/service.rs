//! The program under test, and a client of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use taskhold_testkit::postgres::PostgresDatabase;
use tempfile::TempDir;

/// Long enough for a loaded machine; nothing waits so long where all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The secret that every service under test is given.
pub const SECRET: &str = "a secret of the tests, long enough to count";

/// An empty database that no other test uses, and a folder for all else.
pub struct Database {
    pub url: String,
    pub folder: TempDir,
}

impl Database {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!(
            "sqlite://{}",
            folder.path().join("data/taskhold.db").display()
        );
        Self { url, folder }
    }

    pub async fn postgres() -> Self {
        Self::at(PostgresDatabase::empty().await.url())
    }

    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }
}

/// The program with these variables and no others that it would heed, in this folder.
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

/// Runs the program to its end.
pub fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    taskhold(folder, variables, arguments)
        .output()
        .expect("the program runs")
}

/// The same, with a line to read.
pub fn run_told(
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
    writeln!(stdin, "{line}").expect("told");
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

/// `taskhold serve`, until dropped.
pub struct Service {
    child: Child,
    pub url: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts it and waits until it listens.
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, &[]).await
    }

    /// Starts it with more variables.
    pub async fn start_with(database: &Database, variables: &[(&str, &str)]) -> Self {
        Self::launch(database, variables).listening().await
    }

    /// Starts it and does not wait.
    pub fn launch(database: &Database, variables: &[(&str, &str)]) -> Self {
        let common = [
            ("DATABASE_URL", database.url.as_str()),
            ("JWT_SECRET", SECRET),
        ];
        let variables = [&common, variables].concat();
        Self::spawn(taskhold(database.folder.path(), &variables, &["serve"]))
    }

    /// Starts what becomes `taskhold serve`, and does not wait.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().expect("a pipe");
        let reader = std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let mut log = log.lock().expect("unpoisoned");
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        Self {
            child,
            url: String::new(),
            log,
            reader: Some(reader),
        }
    }

    /// Waits until it listens.
    pub async fn listening(mut self) -> Self {
        let listening = eventually("the service listens", async || {
            assert!(
                self.child.try_wait().expect("a status").is_none(),
                "it ended: {}",
                self.log()
            );
            let log = self.log();
            // As text, or as JSON.
            let (_, after) = log
                .split_once("listening")
                .and_then(|(_, after)| after.split_once("http://"))?;
            let address = after.split([' ', '"']).next()?;
            log.ends_with('\n').then(|| format!("http://{address}"))
        });
        self.url = listening.await;
        self
    }

    /// The process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// All that it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("unpoisoned").clone()
    }

    /// Ends it as a power switch would.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Tells it to stop.
    pub fn terminate(&self) {
        // The shell's own `kill`: the program of that name is not everywhere.
        let mut kill = Command::new("sh");
        let status = kill
            .args(["-c", "kill -TERM $0"])
            .arg(self.child.id().to_string())
            .status();
        assert!(status.expect("sh runs").success());
    }

    /// Tells it to stop, and waits until it did.
    pub async fn stop(mut self) -> ExitStatus {
        self.terminate();
        eventually("the service stops", async || {
            self.child.try_wait().expect("a status")
        })
        .await
    }

    /// What it answers to anyone, as text.
    pub async fn text(&self, path: &str) -> String {
        let answer = reqwest::get(format!("{}{path}", self.url))
            .await
            .expect("an answer");
        answer.text().await.expect("text")
    }

    /// A client that acts for `user`.
    pub fn client(&self, user: &str) -> Client {
        self.client_with(Some(token(user)))
    }

    /// A client with this token, or none.
    pub fn client_with(&self, token: Option<String>) -> Client {
        Client {
            http: reqwest::Client::new(),
            url: self.url.clone(),
            token,
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

/// A sound token of the secret of the tests.
pub fn token(user: &str) -> String {
    signed(&json!({"sub": user, "exp": 4_000_000_000_u64}), SECRET)
}

pub fn signed(claims: &Value, secret: &str) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).expect("signed")
}

/// Speaks HTTP to a service.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Client {
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Creates a task and gives its JSON.
    pub async fn created(&self, body: Value) -> Value {
        let answer = self.post("/api/v1/tasks", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["task"].clone()
    }

    /// All tasks, newest first.
    pub async fn tasks(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/tasks").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["tasks"].as_array().expect("a list").clone()
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request).await
    }

    /// A body that need not be JSON.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        Answer::of(
            self.request(method, path)
                .header("content-type", "application/json")
                .body(body),
        )
        .await
    }

    /// A request that is yet to be sent.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// What the service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null where it is empty or no JSON.
    pub body: Value,
    pub bytes: usize,
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        Self::whole(request).await.expect("an answer")
    }

    /// Fails where the connection does.
    pub async fn whole(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        Ok(Self {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            bytes: bytes.len(),
        })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// It is a problem of this status and code, in the form of the contract.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, error_code: &str) {
        assert_eq!(
            (self.status, self.body["error_code"].as_str()),
            (status, Some(error_code)),
            "{self:?}"
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["request_id"], self.header("x-request-id"));
        for member in ["type", "title", "detail", "instance", "timestamp"] {
            assert!(self.body[member].is_string(), "{member} of {self:?}");
        }
    }
}

/// Asks again and again until there is an answer.
pub async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, what, ask).await
}

/// The same, where somebody was promised for how long at most.
pub async fn within<T>(time: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + time;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {time:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
