//! What the endpoints ask of the stores: how many statements, and by which plans. A statement too many
//! or a plan that reads a whole table fails here, not at a user's.

mod accounts;
mod postgres;
mod requests;
mod sqlite;

use reqwest::Method;
use serde_json::Value;

use crate::service::{Answer, Client, Service, eventually};

/// 200 users with 1,000 tasks each, one with 10,000, and so many more users that a plan which reads
/// them all would be a bad one.
const OWNERS: u32 = 200;
const TASKS_EACH: u32 = 1_000;
const TASKS_OF_ONE: u32 = 10_000;
const USERS: u32 = 20_000;

/// A time, in microseconds, at which nothing is out of date yet.
const FAR_OFF: i64 = 4_102_444_800_000_000;

/// A statement that was run, and how.
#[derive(Debug, Clone)]
struct Planned {
    statement: String,
    plan: String,
}

/// What a store was asked.
#[derive(Debug, Default)]
struct Asked {
    statements: usize,
    plans: Vec<Planned>,
}

/// A service with all those tasks, on a store that writes down what it is asked.
trait Observed {
    /// Whether concurrent calls are batched on this store.
    const BATCHES: bool;

    fn service(&self) -> &Service;

    /// What it was asked since the last look. Something may still be on its way into the log, and
    /// is seen by the next look then.
    async fn look(&mut self) -> Asked;

    /// What is wrong with a plan, if anything.
    fn fault(planned: &Planned) -> Option<&'static str>;

    /// Looks at what it was asked: how many statements these were, none of them with a bad plan.
    async fn look_for_faults(&mut self, what: &str, all: &mut Vec<Planned>) -> usize {
        let asked = self.look().await;
        for planned in &asked.plans {
            assert_eq!(Self::fault(planned), None, "{what}: {planned:#?}");
            assert!(names_owner(&planned.statement), "{what}: {planned:#?}");
        }
        all.extend(asked.plans);
        asked.statements
    }

    /// Has this answered, by so many statements where the number is known, all of them with good plans.
    async fn expect(
        &mut self,
        client: &Client,
        request: &Request,
        all: &mut Vec<Planned>,
    ) -> Answer {
        let Request { method, path, .. } = request;
        let mut prepared = client.request(method.clone(), path);
        if let Some((name, value)) = &request.header {
            prepared = prepared.header(*name, value);
        }
        if let Some(body) = &request.body {
            prepared = prepared.json(body);
        }
        let answer = Answer::of(prepared).await;
        assert_eq!(answer.status, request.status, "{method} {path}: {answer:?}");
        let what = format!("{method} {path}");
        let mut seen = 0;
        eventually(&format!("{what} is written down"), async || {
            seen += self.look_for_faults(&what, all).await;
            (seen >= request.statements.unwrap_or(1)).then_some(())
        })
        .await;
        if let Some(statements) = request.statements {
            let last = &all[all.len().saturating_sub(seen)..];
            assert_eq!(seen, statements, "{what}: {last:#?}");
        }
        answer
    }
}

/// Returns whether a statement on tasks restricts whose tasks it reads or changes.
fn names_owner(statement: &str) -> bool {
    let statement = statement.to_lowercase().replace('"', "");
    let is_on_tasks = ["from tasks", "update tasks", "join tasks"]
        .iter()
        .any(|clause| statement.contains(clause));
    let condition = statement.split_once(" where ");
    !is_on_tasks || condition.is_some_and(|(_, condition)| condition.contains("user_id"))
}

/// A request, the status of its answer, and how many statements it takes.
#[derive(Debug, Clone)]
struct Request {
    method: Method,
    path: String,
    header: Option<(&'static str, String)>,
    body: Option<Value>,
    status: u16,
    statements: Option<usize>,
}

impl Request {
    /// One that is answered with 200 after one statement.
    fn new(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            header: None,
            body: None,
            status: 200,
            statements: Some(1),
        }
    }

    fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    fn with(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    fn header(self, name: &'static str, value: &str) -> Self {
        Self {
            header: Some((name, value.to_owned())),
            ..self
        }
    }

    fn answered(self, status: u16) -> Self {
        Self { status, ..self }
    }

    fn by(self, statements: impl Into<Option<usize>>) -> Self {
        Self {
            statements: statements.into(),
            ..self
        }
    }
}

/// Asks everything of the service. Gives each statement that was seen.
async fn ask_everything<O: Observed>(observed: &mut O) -> Vec<Planned> {
    let mut all = Vec::new();
    requests::tasks(observed, &mut all).await;
    if O::BATCHES {
        requests::at_once(observed, &mut all).await;
    }
    requests::under_a_key(observed, &mut all).await;
    accounts::life(observed, &mut all).await;
    for parts in KINDS {
        eventually(&format!("{parts:?} is seen"), async || {
            observed.look_for_faults("the last request", &mut all).await;
            let is_it =
                |planned: &Planned| parts.iter().all(|part| planned.statement.contains(part));
            all.iter().any(is_it).then_some(())
        })
        .await;
    }
    all
}

/// Whether the service asks this for itself: now and then it looks which tokens were revoked, and deletes
/// what is out of date, so many rows at a time.
fn is_of_the_service(statement: &str) -> bool {
    statement.contains("\"kept_until\" >=")
        || (statement.starts_with("DELETE") && statement.contains(" LIMIT "))
}

/// Statements that must be among those that were seen, by parts of theirs: a test that sees nothing finds
/// no fault either.
const KINDS: [&[&str]; 15] = [
    &["UPDATE \"tasks\"", "RETURNING"],
    &["DELETE FROM \"tasks\""],
    &["INSERT INTO \"tasks\""],
    &["FROM \"tasks\"", "\"user_id\" <>"],
    &["INSERT INTO \"idempotency_keys\""],
    &["FROM \"idempotency_keys\""],
    &["FROM \"users\"", "\"email_key\" ="],
    &["FROM \"users\"", "\"password_hash\" ="],
    &["DELETE FROM \"users\""],
    &["UPDATE \"refresh_tokens\"", "\"used_at\" IS NULL"],
    &["DELETE FROM \"refresh_tokens\"", "\"family\" ="],
    &["DELETE FROM \"refresh_tokens\"", "\"user_id\" ="],
    &["INSERT INTO \"attempts\""],
    &["DELETE FROM \"attempts\""],
    &["INSERT INTO \"revocations\""],
];

/// The statements that make the data, for a store that has numbers from 0 to another one in `series`, new
/// ids in `id` and 32 bytes in `digest`.
fn seed(series: impl Fn(u32) -> String, id: &str, digest: &str) -> [String; 7] {
    let tasks = OWNERS * TASKS_EACH + TASKS_OF_ONE;
    let (users, tasks) = (series(USERS - 1), series(tasks - 1));
    [
        format!(
            "INSERT INTO users (id, email, email_key, is_active, created_at, updated_at)
             SELECT 'user-' || n, 'u' || n || '@example.com', 'u' || n || '@example.com', true, 0, 0
             FROM {users}"
        ),
        format!(
            "INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded,
                                is_completed, version, created_at, updated_at)
             SELECT {id}, 'user-' || CASE WHEN n / {TASKS_EACH} < {OWNERS} THEN n / {TASKS_EACH}
                                          ELSE {OWNERS} END,
                    'Task ' || n, '', 'task ' || n, '', n % 4 = 0, 1, n, n
             FROM {tasks}"
        ),
        format!(
            "INSERT INTO refresh_tokens (token_hash, family, user_id, created_at, expires_at)
             SELECT {digest}, {id}, 'user-' || n, 0, {FAR_OFF} FROM {users}"
        ),
        format!(
            "INSERT INTO idempotency_keys (user_id, key, fingerprint, created_at)
             SELECT 'user-' || n % {OWNERS}, 'key-' || n, {digest}, {FAR_OFF} FROM {users}"
        ),
        format!(
            "INSERT INTO imports (user_id, origin, console_id, created_at, task_id)
             SELECT 'user-' || n, 'user-' || n, 1, 0, {id} FROM {users}"
        ),
        format!("INSERT INTO attempts SELECT {digest}, 1, {FAR_OFF} FROM {users}"),
        format!("INSERT INTO revocations SELECT {digest}, 0, {FAR_OFF} FROM {users}"),
    ]
}
