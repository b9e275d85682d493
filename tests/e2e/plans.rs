//! The number of SQL statements of each endpoint, and their query plans. One statement too many, or a plan
//! that reads a whole table, fails here.

mod accounts;
mod postgres;
mod requests;
mod sqlite;

use reqwest::Method;
use serde_json::Value;

use crate::service::{Answer, Client, Service, eventually};

/// 200 users with 1,000 tasks each, one with 10,000, and enough further users to make a plan that reads them
/// all a slow one.
const OWNERS: u32 = 200;
const TASKS_EACH: u32 = 1_000;
const TASKS_OF_ONE: u32 = 10_000;
const USERS: u32 = 20_000;

/// The details of tasks with a priority and of those with a tag as well.
const IMPORTANT: &str = r#"{"priority":"high"}"#;
const TAGGED: &str = r#"{"priority":"high","tags":["home"]}"#;

/// A time, in microseconds, before which no row expires.
const FAR_FUTURE: i64 = 4_102_444_800_000_000;

/// A statement that was executed, and its query plan.
#[derive(Debug, Clone)]
struct PlannedStatement {
    statement: String,
    plan: String,
}

/// The statements that a store has executed, and their plans.
#[derive(Debug, Default)]
struct StatementLog {
    /// The texts of the statements, as the log has them.
    statements: Vec<String>,
    plans: Vec<PlannedStatement>,
}

/// A service with seeded tasks, on a store that logs its statements.
trait Observed {
    /// `true` if concurrent calls are batched on this store.
    const BATCHES: bool;

    fn service(&self) -> &Service;

    /// Returns the statements since the last call. A statement that is not in the log yet is returned by the
    /// next call.
    async fn new_statements(&mut self) -> StatementLog;

    /// Describes what is wrong with a plan; `None` if it is good.
    fn problem(planned: &PlannedStatement) -> Option<&'static str>;

    /// Asserts that the new statements have good plans, and returns the statements.
    async fn check_new_statements(
        &mut self,
        what: &str,
        all: &mut Vec<PlannedStatement>,
    ) -> Vec<String> {
        let log = self.new_statements().await;
        for planned in &log.plans {
            assert_eq!(Self::problem(planned), None, "{what}: {planned:#?}");
            assert!(names_owner(&planned.statement), "{what}: {planned:#?}");
        }
        all.extend(log.plans);
        log.statements
    }

    /// Sends a request, and asserts its status, its number of statements if known, and that their plans are
    /// good.
    async fn expect(
        &mut self,
        client: &Client,
        request: &Request,
        all: &mut Vec<PlannedStatement>,
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
        let mut seen = Vec::new();
        eventually(&format!("{what} is logged"), async || {
            seen.extend(self.check_new_statements(&what, all).await);
            (seen.len() >= request.statements.unwrap_or(1)).then_some(())
        })
        .await;
        if let Some(statements) = request.statements {
            assert_eq!(seen.len(), statements, "{what}: {seen:#?}");
        }
        answer
    }
}

/// Returns whether a statement on tasks restricts whose tasks it reads or changes.
fn names_owner(statement: &str) -> bool {
    let statement = statement.to_lowercase().replace('"', "");
    let is_on_tasks = ["from tasks", "update tasks", "join tasks", ", tasks where"]
        .iter()
        .any(|clause| statement.contains(clause));
    let condition = statement.split_once(" where ");
    !is_on_tasks || condition.is_some_and(|(_, condition)| condition.contains("user_id"))
}

/// A request, the expected status, and the expected number of statements; `None` if it varies.
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
    /// Creates a request that is answered with 200 by one statement.
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

    fn with_body(self, body: Value) -> Self {
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

    fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    fn with_statements(self, statements: impl Into<Option<usize>>) -> Self {
        Self {
            statements: statements.into(),
            ..self
        }
    }
}

/// Sends every kind of request, and returns each statement that was seen.
async fn check_all_requests<O: Observed>(observed: &mut O) -> Vec<PlannedStatement> {
    let mut all = Vec::new();
    requests::tasks(observed, &mut all).await;
    if O::BATCHES {
        requests::concurrent_reads(observed, &mut all).await;
    }
    requests::concurrent_creations(observed, &mut all).await;
    requests::keyed_writes(observed, &mut all).await;
    accounts::lifecycle(observed, &mut all).await;
    for parts in REQUIRED {
        eventually(&format!("{parts:?} is seen"), async || {
            observed
                .check_new_statements("the last request", &mut all)
                .await;
            let is_required = |planned: &PlannedStatement| {
                parts.iter().all(|part| planned.statement.contains(part))
            };
            all.iter().any(is_required).then_some(())
        })
        .await;
    }
    all
}

/// Lists that are merged from two indexes: a part of their statement, the indexes, and the problem of a plan without
/// one of them.
const MERGED: [(&str, [&str; 2], &str); 2] = [
    (
        "WITH \"dates\"",
        ["tasks_user_id_due_date_id", "tasks_user_id_due_at_id"],
        "it reads the tasks without a due date",
    ),
    (
        ") AS merged",
        ["tasks_user_id_created_at_id", "tasks_user_id_moved_to_id"],
        "it does not read a page by position from both indexes",
    ),
];

/// Describes the problem of the plan of a [merged](MERGED) list; `None` if it is good, or of another statement.
fn problem_of_merged_list(
    PlannedStatement { statement, plan }: &PlannedStatement,
) -> Option<&'static str> {
    let without_index = MERGED.into_iter().find(|(part, indexes, _)| {
        statement.contains(part) && !indexes.iter().all(|index| plan.contains(index))
    });
    without_index.map(|(.., problem)| problem)
}

/// Returns whether a statement belongs to a background job: the service takes and renews the lease of housekeeping,
/// reloads the revocations, reads the old ones, deletes expired rows in batches, and rebuilds the search of the
/// seeded tasks.
fn is_background(statement: &str) -> bool {
    let reads_revocations = statement.ends_with("FROM \"revocations\"")
        || statement.contains("FROM \"revocations\" WHERE \"revocations\".\"not_before\" <");
    let purges_log = ["FROM changes WHERE at <", "FROM trash WHERE deleted_at <"]
        .iter()
        .any(|part| statement.contains(part));
    let rebuilds_search = statement.contains("\"search_version\" IS NULL")
        || statement.starts_with("UPDATE \"tasks\" SET \"title_search\" = \"rebuilt\"");
    let is_of_lease = statement.starts_with("INSERT INTO \"locks\"")
        || statement.contains("FROM \"locks\" WHERE \"locks\".\"name\"");
    is_of_lease
        || purges_log
        || rebuilds_search
        || (reads_revocations && statement.starts_with("SELECT"))
        || (statement.starts_with("DELETE")
            && statement.contains(" LIMIT ")
            && !statement.contains(" OFFSET "))
}

/// Parts of statements that must have been seen: without any statements, the test would find no problem.
const REQUIRED: [&[&str]; 22] = [
    &["UPDATE tasks", "INSERT INTO changes", "RETURNING"],
    &["DELETE FROM tasks", "INSERT INTO trash"],
    &["INSERT INTO tasks", "INSERT INTO changes"],
    &["DELETE FROM trash", "INSERT INTO tasks"],
    &["DELETE FROM trash", "'purged'"],
    &["FROM feeds LEFT JOIN", "NOT EXISTS"],
    &["FROM \"changes\"", "\"task_id\" ="],
    &["FROM \"tasks\"", "\"user_id\" <>"],
    &["\"due_date\" BETWEEN", "UNION ALL", "\"due_at\" BETWEEN"],
    &["INSERT INTO \"idempotency_keys\""],
    &["FROM \"idempotency_keys\""],
    &["FROM \"users\"", "\"email_key\" ="],
    &["FROM \"users\"", "\"password_hash\" ="],
    &["DELETE FROM \"users\""],
    &["UPDATE \"refresh_tokens\"", "\"used_at\" IS NULL"],
    &["DELETE FROM \"refresh_tokens\"", "\"family\" ="],
    &["DELETE FROM \"refresh_tokens\"", "\"user_id\" ="],
    &["DELETE FROM \"refresh_tokens\"", " OFFSET "],
    &["FROM \"refresh_tokens\"", "\"expires_at\" >"],
    &["INSERT INTO \"attempts\""],
    &["DELETE FROM \"attempts\""],
    &["INSERT INTO \"revocations\""],
];

/// Returns the statements that seed the data. `series(n)` is an SQL source of the numbers from 0 to `n`, `id`
/// an expression for a new id, and `digest` one for 32 bytes.
fn seed(series: impl Fn(u32) -> String, id: &str, digest: &str) -> [String; 11] {
    let tasks = OWNERS * TASKS_EACH + TASKS_OF_ONE;
    let (users, tasks) = (series(USERS - 1), series(tasks - 1));
    // Days of the years 2022 to 2032.
    let day = "(19000 + n * 7919 % 4000)";
    [
        format!(
            "INSERT INTO users (id, email, email_key, is_active, created_at, updated_at)
             SELECT 'user-' || n, 'u' || n || '@example.com', 'u' || n || '@example.com', true, 0, 0
             FROM {users}"
        ),
        format!(
            "INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded,
                                is_completed, version, created_at, updated_at, completed_at, due_date, due_at,
                                priority, tag_keys, details, moved_to)
             SELECT {id}, 'user-' || CASE WHEN n / {TASKS_EACH} < {OWNERS} THEN n / {TASKS_EACH}
                                          ELSE {OWNERS} END,
                    'Task ' || n, '', 'task ' || n, '', n % 4 = 0, 1, n, n, CASE WHEN n % 4 = 0 THEN n END,
                    CASE WHEN n % 10 = 1 THEN {day} END, CASE WHEN n % 10 IN (2, 4) THEN {day} * 86400000000 END,
                    CASE WHEN n % 5 = 0 THEN 3 END, CASE WHEN n % 20 = 0 THEN ',home,' END,
                    CASE WHEN n % 20 = 0 THEN '{TAGGED}' WHEN n % 5 = 0 THEN '{IMPORTANT}' END,
                    CASE WHEN n % 10 = 3 THEN 'V' END
             FROM {tasks}"
        ),
        format!(
            "INSERT INTO refresh_tokens (token_hash, family, user_id, created_at, expires_at)
             SELECT {digest}, {id}, 'user-' || n, 0, {FAR_FUTURE} FROM {users}"
        ),
        format!(
            "INSERT INTO personal_tokens (id, token_hash, user_id, name, scopes, created_at, expires_at)
             SELECT {id}, {digest}, 'user-' || n, 'laptop', 'tasks:read', 0, {FAR_FUTURE} FROM {users}"
        ),
        format!(
            "INSERT INTO idempotency_keys (user_id, key, fingerprint, created_at)
             SELECT 'user-' || n % {OWNERS}, 'key-' || n, {digest}, {FAR_FUTURE} FROM {users}"
        ),
        format!(
            "INSERT INTO imports (user_id, origin, console_id, created_at, task_id)
             SELECT 'user-' || n, 'user-' || n, 1, 0, {id} FROM {users}"
        ),
        format!("INSERT INTO feeds SELECT 'user-' || n, 1000, 0, 1 + n FROM {users}"),
        format!(
            "INSERT INTO changes SELECT 'user-' || (n % {OWNERS}), 1 + n / {OWNERS}, {id}, 'updated', '{{}}', {FAR_FUTURE}, 'session'
             FROM {users}"
        ),
        format!(
            "INSERT INTO trash (id, user_id, title, description, title_folded, description_folded,
                                is_completed, version, created_at, updated_at, deleted_at)
             SELECT {id}, 'user-' || (n % {OWNERS}), 'Task ' || n, '', 'task ' || n, '', false, 1, n, n, {FAR_FUTURE}
             FROM {users}"
        ),
        format!("INSERT INTO attempts SELECT {digest}, 1, {FAR_FUTURE} FROM {users}"),
        format!("INSERT INTO revocations SELECT {digest}, {FAR_FUTURE}, {FAR_FUTURE} FROM {users}"),
    ]
}
