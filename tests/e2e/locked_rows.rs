//! Rows and tables that somebody has locked: a write waits, and then nothing of it was done, which its answer says.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use taskhold_testkit::postgres::PostgresDatabase;

use crate::pooler::pgbouncer::Pooler;
use crate::service::{Answer, Client, Database, Service, TASKS, path};

const UNBATCHED: (&str, &str) = ("TASKHOLD__DATABASE__BATCH_SIZE", "1");
/// No account of the tests is refused for having logged in too often.
const UNLIMITED: (&str, &str) = ("TASKHOLD__LIMITS__LOGIN_REQUESTS_PER_MINUTE", "1000");

/// A session that holds locks.
async fn lock(url: &str, sql: &str) -> PgConnection {
    let mut session = PgConnection::connect(url).await.expect("connected");
    let sql = format!("BEGIN; {sql}");
    session.execute(AssertSqlSafe(sql)).await.expect("locked");
    session
}

/// Every kind of write of an existing task, without a key and with one.
fn writes(client: &Client, task: &Value, keys: &str) -> Vec<reqwest::RequestBuilder> {
    let (item, tag) = (path(task), task["etag"].as_str().expect("a tag"));
    let title = json!({"title": "changed"});
    let completion = format!("{item}/complete");
    let mut requests = Vec::new();
    for (place, (method, path, body)) in [
        (Method::PUT, &item, Some(&title)),
        (Method::PATCH, &item, Some(&title)),
        (Method::PATCH, &completion, None),
        (
            Method::PATCH,
            &completion,
            Some(&json!({"completed": true})),
        ),
        (Method::DELETE, &item, None),
    ]
    .into_iter()
    .enumerate()
    {
        let request = || {
            let request = client.request(method.clone(), path);
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        requests.push(request());
        requests.push(request().header("if-match", tag));
        requests.push(request().header("idempotency-key", format!("{keys}-{place}")));
    }
    requests
}

/// Asserts that every request is answered with 503, within the time that any request may take.
async fn assert_unavailable(name: &str, requests: Vec<reqwest::RequestBuilder>) {
    let started = Instant::now();
    for answer in join_all(requests.into_iter().map(Answer::of)).await {
        assert_eq!(answer.status, 503, "{name}: {answer:?}");
        answer.assert_problem(503, "SERVICE_UNAVAILABLE");
        assert!(
            !answer.header("retry-after").is_empty(),
            "{name}: {answer:?}"
        );
    }
    let taken = started.elapsed();
    assert!(taken < Duration::from_secs(25), "{name}: {taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn write_of_a_locked_row_returns_503_and_changes_nothing() {
    let database = PostgresDatabase::empty().await;
    // The role has no limits of its own, so the pooled sessions have none.
    let pooler = Pooler::with_prepared_statements(database.url()).await;
    let direct = ("DIRECT_URL", database.url());
    let services = [
        ("batched", database.url().to_owned(), vec![]),
        ("alone", database.url().to_owned(), vec![UNBATCHED]),
        ("pooled", pooler.url(), vec![direct]),
        ("pooled alone", pooler.url(), vec![direct, UNBATCHED]),
    ];
    // Every task is there before a lock is held: writes that wait take the connections of the shared pooler.
    let prepared = services.map(|(name, url, variables)| async move {
        let service = Service::start_with(&Database::at(&url), &variables).await;
        let alice = service.client(name);
        let task = alice.create(json!({"title": "before"})).await;
        (name, service, alice, task)
    });
    let prepared = join_all(prepared).await;
    let each = prepared.iter().map(|(name, _, alice, task)| {
        let database = &database;
        async move {
            let sql = format!("SELECT FROM tasks WHERE user_id = '{name}' FOR UPDATE");
            let mut holder = lock(database.url(), &sql).await;
            // Several writers of one row wait for each other, too.
            let mut requests = writes(alice, task, "first");
            requests.extend(writes(alice, task, "second"));
            assert_unavailable(name, requests).await;
            holder.execute("ROLLBACK").await.expect("released");
            assert_eq!(alice.get(&path(task)).await.body["task"], *task, "{name}");
            let deleted = alice.send(Method::DELETE, &path(task), None).await;
            assert_eq!(deleted.status, 204, "{name}: {deleted:?}");
        }
    });
    join_all(each).await;
}

/// Creations, registrations and sessions have no row of a task to wait for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn write_of_a_locked_table_returns_503_and_changes_nothing() {
    let database = Database::postgres().await;
    let batched = Service::start_with(&database, &[UNLIMITED]).await;
    let alone = Service::start_with(&database, &[UNLIMITED, UNBATCHED]).await;
    let account = |name: &str| json!({"email": format!("{name}@example.org"), "password": "correct horse battery"});
    let mut services = Vec::new();
    for (name, service) in [("batched", &batched), ("alone", &alone)] {
        let known = service.client(name);
        known.create(json!({"title": "before"})).await;
        let nobody = service.client_with(None);
        let registered = nobody.post("/api/auth/register", account(name)).await;
        assert_eq!(registered.status, 201, "{registered:?}");
        let text = |member: &str| registered.body[member].as_str().expect("a text").to_owned();
        let member = service.client_with(Some(text("access_token")));
        services.push((name, service, known, nobody, member, text("refresh_token")));
    }
    let sql = "LOCK TABLE users, tasks, refresh_tokens IN EXCLUSIVE MODE";
    let mut holder = lock(&database.url, sql).await;
    let each = services.iter().map(|(name, service, known, nobody, member, refresh)| {
        let title = json!({"title": "during"});
        let stranger = service.client(&format!("stranger {name}"));
        let post = |client: &Client, path: &str, body: &Value| client.request(Method::POST, path).json(body);
        let passwords = json!({"current_password": "correct horse battery", "new_password": "another one of these"});
        let requests = vec![
            post(known, TASKS, &title),
            post(known, TASKS, &title).header("idempotency-key", "a-key"),
            post(&stranger, TASKS, &title),
            post(&stranger, TASKS, &title).header("idempotency-key", "a-key"),
            post(nobody, "/api/auth/register", &account(&format!("new-{name}"))),
            post(nobody, "/api/auth/login", &account(name)),
            post(nobody, "/api/auth/refresh", &json!({"refresh_token": refresh})),
            post(member, "/api/auth/password", &passwords),
            member.request(Method::DELETE, "/api/auth/me").json(&json!({"password": "correct horse battery"})),
        ];
        assert_unavailable(name, requests)
    });
    join_all(each).await;
    holder.execute("ROLLBACK").await.expect("released");
    for (name, service, known, nobody, ..) in &services {
        assert_eq!(known.tasks().await.len(), 1, "{name}");
        let login = nobody.post("/api/auth/login", account(name)).await;
        assert_eq!(login.status, 200, "{name}: {login:?}");
        let login = nobody
            .post("/api/auth/login", account(&format!("new-{name}")))
            .await;
        assert_eq!(login.status, 401, "{name}: {login:?}");
        assert!(
            service
                .client(&format!("stranger {name}"))
                .tasks()
                .await
                .is_empty()
        );
    }
}

/// The key of a keyed write refers to its user, whose row may be the locked one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keyed_write_of_a_locked_user_is_no_key_in_flight() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "before"})).await;
    let mut holder = lock(&database.url, "SELECT FROM users FOR UPDATE").await;
    let title = json!({"title": "during"});
    let keyed = |method: Method, path: &str| {
        let request = alice.request(method, path).json(&title);
        request.header("idempotency-key", format!("key-of-{path}"))
    };
    let requests = vec![
        keyed(Method::POST, TASKS),
        keyed(Method::PATCH, &path(&task)),
        alice.request(Method::POST, TASKS).json(&title),
    ];
    assert_unavailable("keyed", requests).await;
    holder.execute("ROLLBACK").await.expect("released");
    let created = Answer::of(keyed(Method::POST, TASKS)).await;
    assert_eq!(created.status, 201, "{created:?}");
}

/// Every toggle waits, and then happens once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn row_that_is_unlocked_in_time_is_written_once_by_each_request() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "before"})).await;
    let mut holder = lock(&database.url, "SELECT FROM tasks FOR UPDATE").await;
    let completion = format!("{}/complete", path(&task));
    let toggles = (0..5).map(|_| alice.send(Method::PATCH, &completion, None));
    let release = async {
        // The lock itself: too long for the first attempts.
        tokio::time::sleep(Duration::from_secs(11)).await;
        holder.execute("ROLLBACK").await.expect("released");
    };
    let (answers, ()) = tokio::join!(join_all(toggles), release);
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let now = alice.get(&path(&task)).await;
    assert_eq!(
        (now.version(), &now.body["task"]["completed"]),
        (6, &json!(true))
    );
}

/// Another program writes to the file and does not end its transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn write_of_a_locked_sqlite_file_returns_503_and_changes_nothing() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "before"})).await;
    let mut holder = SqliteConnection::connect(&database.url)
        .await
        .expect("opened");
    holder.execute("BEGIN IMMEDIATE").await.expect("locked");
    let mut requests = writes(&alice, &task, "key");
    requests.push(
        alice
            .request(Method::POST, TASKS)
            .json(&json!({"title": "during"})),
    );
    assert_unavailable("SQLite", requests).await;
    holder.execute("ROLLBACK").await.expect("released");
    assert_eq!(alice.tasks().await.len(), 1);
    assert_eq!(alice.get(&path(&task)).await.body["task"], task);
}
