//! The service behind a pooler, which shares a few sessions between its clients.

pub mod pgbouncer;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use taskhold_testkit::postgres::{PostgresDatabase, PostgresServer};

use self::pgbouncer::Pooler;
use crate::connecting::assert_serve_fails;
use crate::service::{Client, Database, Service, path};

#[tokio::test]
async fn pooler_without_prepared_statements_is_refused() {
    let database = PostgresDatabase::empty().await;
    let pooler = Pooler::without_prepared_statements(database.url()).await;
    for _ in 0..5 {
        assert_serve_fails(
            &pooler.url(),
            78,
            "mixes up prepared statements",
            &[("DIRECT_URL", database.url())],
        );
    }
}

#[tokio::test]
async fn pooler_without_transactions_is_refused() {
    let database = PostgresDatabase::empty().await;
    let pooler = Pooler::without_transactions(database.url()).await;
    for direct in [&[("DIRECT_URL", database.url())][..], &[]] {
        assert_serve_fails(&pooler.url(), 78, "pool_mode=statement", direct);
    }
}

/// Several users read and write concurrently, on fewer sessions than the service has connections.
#[tokio::test]
async fn pooler_with_prepared_statements_returns_each_user_their_own_rows() {
    let database = PostgresDatabase::empty().await;
    let pooler = Pooler::with_prepared_statements(database.url()).await;
    let service = Service::start_with(
        &Database::at(&pooler.url()),
        &[("DIRECT_URL", database.url())],
    )
    .await;
    let readers = join_all((0..8).map(|name| Reader::with_tasks(&service, name))).await;
    let neighbours = readers.iter().cycle().skip(1);
    let reads: Vec<_> = readers
        .iter()
        .zip(neighbours)
        .flat_map(|(reader, neighbour)| reader.reads(neighbour))
        .collect();
    assert!(reads.len() > 1000);
    // A stride that shares no factor with the number of reads visits each of them once.
    let mixed: Vec<_> = (0..1000)
        .map(|round| &reads[round * 577 % reads.len()])
        .collect();
    let writers = (0..4).map(|name| service.client(&format!("writer {name}")));
    let writers: Vec<_> = writers.collect();

    for (round, some) in mixed.chunks(50).enumerate() {
        tokio::join!(
            join_all(some.iter().map(|read| read.check())),
            join_all(writers.iter().map(|writer| write(writer, round))),
        );
    }
    for writer in &writers {
        let tasks = writer.tasks().await;
        let left = tasks.iter().rev().map(|task| task["title"].clone());
        let expected = (0..20).filter(|round| round % 2 == 0).map(final_title);
        assert!(left.eq(expected), "{tasks:?}");
    }

    let (sessions, clients) = (sessions(database.url()).await, pooler.clients().await);
    assert!(
        sessions < clients,
        "{sessions} sessions of {clients} clients"
    );
}

/// During the outage the pooler reports the missing server with error codes and texts of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_second_outage_behind_a_pooler_fails_no_request() {
    let server = PostgresServer::start().expect("a server");
    let pooler = Pooler::with_prepared_statements(&server.url("postgres")).await;
    let direct = server.url("postgres");
    let service =
        Service::start_with(&Database::at(&pooler.url()), &[("DIRECT_URL", &direct)]).await;
    let alice = service.client("alice");
    let item = path(&alice.create(json!({"title": "before"})).await);
    server.stop();
    let started = Instant::now();
    let waiting = tokio::spawn(async move {
        let completion = format!("{item}/complete");
        // The pooler says that it has not passed the toggle on, so a retry cannot undo it.
        let (_, toggled) = tokio::join!(
            join_all((0..8).map(|number| alice.create(json!({"title": number.to_string()})))),
            alice.send(Method::PATCH, &completion, None),
        );
        assert_eq!(toggled.body["task"]["completed"], true, "{toggled:?}");
        alice.tasks().await.len()
    });
    // The outage itself.
    tokio::time::sleep(Duration::from_secs(4)).await;
    server.restart();
    assert_eq!(waiting.await.expect("no request failed"), 9);
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

/// A request whose answer does not depend on concurrent requests.
struct Read<'a> {
    client: &'a Client,
    path: String,
    /// The JSON pointer of the compared member.
    member: &'static str,
    expected: Value,
}

impl Read<'_> {
    async fn check(&self) {
        let answer = self.client.get(&self.path).await;
        let member = answer.body.pointer(self.member);
        assert_eq!(member, Some(&self.expected), "{}: {answer:?}", self.path);
    }
}

/// A user whose tasks do not change.
struct Reader {
    client: Client,
    /// Tasks in order of creation, which differs from the order of their titles.
    tasks: Vec<Value>,
}

impl Reader {
    async fn with_tasks(service: &Service, name: usize) -> Self {
        let client = service.client(&format!("reader {name}"));
        let mut tasks = Vec::new();
        for number in 0..12 {
            let title = format!("{:02} of {name}", number * 5 % 12);
            let task = json!({"title": title, "completed": number % 3 == 0});
            tasks.push(client.create(task).await);
        }
        Self { client, tasks }
    }

    /// Returns all reads of this user, including reads of another user's tasks.
    fn reads(&self, neighbour: &Self) -> Vec<Read<'_>> {
        let counts =
            json!({"total": 12, "completed": 4, "pending": 8, "overdue": 0, "due_today": 0});
        let mut reads = vec![self.read("/api/v1/tasks/stats".to_owned(), "", counts)];
        for task in &self.tasks {
            reads.push(self.read(path(task), "/task", task.clone()));
        }
        for task in &neighbour.tasks {
            reads.push(self.read(path(task), "/error_code", json!("NOT_FOUND")));
        }
        for key in ["title", "created_at", "updated_at"] {
            for order in ["", "-"] {
                for completed in [None, Some(true), Some(false)] {
                    for q in [None, Some("1")] {
                        for page in [None, Some((3, 0)), Some((2, 1))] {
                            reads.push(self.list(key, order, completed, q, page));
                        }
                    }
                }
            }
        }
        reads
    }

    /// Returns the read of a list with its expected answer. A page is a limit and an offset.
    fn list(
        &self,
        key: &str,
        order: &str,
        completed: Option<bool>,
        q: Option<&str>,
        page: Option<(usize, usize)>,
    ) -> Read<'_> {
        let mut tasks = self.tasks.clone();
        let mut query = vec![format!("sort={order}{key}")];
        tasks.sort_by_key(|task| task[key].to_string());
        if order == "-" {
            tasks.reverse();
        }
        if let Some(completed) = completed {
            query.push(format!("completed={completed}"));
            tasks.retain(|task| task["completed"] == completed);
        }
        if let Some(q) = q {
            query.push(format!("q={q}"));
            tasks.retain(|task| task["title"].to_string().contains(q));
        }
        if let Some((limit, offset)) = page {
            query.push(format!("limit={limit}&offset={offset}"));
            tasks = tasks.into_iter().skip(offset).take(limit).collect();
        }
        let path = format!("/api/v1/tasks?{}", query.join("&"));
        self.read(path, "/tasks", json!(tasks))
    }

    fn read(&self, path: String, member: &'static str, expected: Value) -> Read<'_> {
        Read {
            client: &self.client,
            path,
            member,
            expected,
        }
    }
}

/// Returns the final title of a writer's task.
fn final_title(round: usize) -> String {
    format!("{round}, again")
}

/// Writes to a new task in every way and checks the answers. The task of an odd round is deleted in the end.
async fn write(client: &Client, round: usize) {
    let task = client.create(json!({"title": round.to_string()})).await;
    let path = path(&task);
    let replaced = json!({"title": final_title(round), "description": "replaced"});
    for (method, path, body, member, expected) in [
        (
            Method::PATCH,
            path.clone(),
            Some(json!({"description": "changed"})),
            "description",
            json!("changed"),
        ),
        (
            Method::PATCH,
            format!("{path}/complete"),
            None,
            "completed",
            json!(true),
        ),
        (
            Method::PUT,
            path.clone(),
            Some(replaced),
            "title",
            json!(final_title(round)),
        ),
    ] {
        let answer = client.send(method, &path, body).await;
        assert_eq!(answer.body["task"]["id"], task["id"], "{answer:?}");
        assert_eq!(answer.body["task"][member], expected, "{answer:?}");
    }
    if round % 2 == 1 {
        let answer = client.send(Method::DELETE, &path, None).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

/// Returns the number of sessions in this database, without the one that counts.
async fn sessions(url: &str) -> usize {
    let mut session = PgConnection::connect(url).await.expect("connected");
    let sessions: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .fetch_one(&mut session)
    .await
    .expect("a number");
    usize::try_from(sessions).expect("not negative")
}
