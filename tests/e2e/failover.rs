//! A PostgreSQL server is lost and its standby takes over: clients wait at most, no acknowledged write is lost, and
//! none is applied twice. The service reaches both servers under one address.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use taskhold_testkit::postgres::PostgresServer;
use taskhold_testkit::proxy::FaultProxy;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::load::Load;
use crate::service::{Client, Database, Service, eventually, path};
use crate::writers::Writers;

/// The number of writers of each kind, with and without an idempotency key.
const WRITERS: usize = 8;
/// The number of clients that read what they created.
const READERS: usize = 4;
/// The number of tasks acknowledged between two steps.
const TASKS: usize = 100;

/// A primary and its standby behind an address that leads to the primary, and the service on it.
struct Cluster {
    primary: PostgresServer,
    standby: PostgresServer,
    address: FaultProxy,
    service: Service,
}

impl Cluster {
    /// Starts a cluster in which a write is acknowledged once the standby has it.
    async fn start() -> Self {
        let primary = PostgresServer::start().expect("a server");
        let standby = primary.standby().expect("a standby");
        primary.commit_on_standbys(true).await;
        let address = FaultProxy::start(&primary.url("postgres")).await;
        let url = address.url(&primary.url("postgres"));
        let service = Service::start(&Database::at(&url)).await;
        Self {
            primary,
            standby,
            address,
            service,
        }
    }

    /// Lets the address lead to the standby.
    async fn move_address(&self) {
        self.address.lead_to(&self.standby.url("postgres")).await;
    }

    /// Waits until the log of the service tells this error of PostgreSQL.
    async fn wait_for_error(&self, message: &str) {
        eventually(message, async || {
            self.service.log().contains(message).then_some(())
        })
        .await;
    }
}

/// Clients of every kind.
struct Clients {
    writers: Writers,
    readers: Load,
    changer: Changer,
}

impl Clients {
    async fn start(service: &Service) -> Self {
        Self {
            writers: Writers::start(service, WRITERS),
            readers: Load::start(&service.url, READERS),
            changer: Changer::start(service).await,
        }
    }

    async fn wait_for_progress(&self) {
        self.writers.wait_for_progress(TASKS).await;
        self.readers.wait_for_progress(TASKS).await;
        self.changer.wait_for_progress().await;
    }

    /// Stops the clients. Asserts that every acknowledged write is stored, once, that reads and creations waited at
    /// most, and that no other answer than 504 told a change of unknown outcome.
    async fn finish(self, service: &Service) {
        let record = self.writers.finish(service).await;
        assert_eq!(
            (record.unknown, record.rejected, record.unreachable),
            (0, 0, 0),
            "creations wait it out"
        );
        let (_, slowest) = self.readers.finish(service).await;
        assert!(slowest < Duration::from_secs(20), "{slowest:?}");
        self.changer.finish().await;
        assert_eq!(service.readiness().await, 200);
    }
}

/// A client that changes one task again and again, which is not repeated by the service.
struct Changer {
    client: Client,
    item: String,
    acknowledged: watch::Receiver<u32>,
    stop: watch::Sender<bool>,
    running: JoinHandle<Vec<String>>,
}

impl Changer {
    async fn start(service: &Service) -> Self {
        let client = service.client("changer");
        let item = path(&client.create(json!({"title": "0"})).await);
        let (count, acknowledged) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let (sender, target) = (client.clone(), item.clone());
        let running = tokio::spawn(async move {
            // The titles that the task may have: the last acknowledged one, and those of unknown outcome since.
            let mut possible = vec!["0".to_owned()];
            for round in 1_u32.. {
                if *stopped.borrow() {
                    break;
                }
                let title = round.to_string();
                let body = Some(json!({"title": title}));
                let answer = sender.send(Method::PATCH, &target, body).await;
                match answer.status {
                    200 => {
                        possible = vec![title];
                        count.send_modify(|count| *count += 1);
                    }
                    503 => answer.assert_problem(503, "SERVICE_UNAVAILABLE"),
                    504 => {
                        answer.assert_problem(504, "OUTCOME_UNKNOWN");
                        possible.push(title);
                    }
                    _ => panic!("{answer:?}"),
                }
            }
            possible
        });
        Self {
            client,
            item,
            acknowledged,
            stop,
            running,
        }
    }

    async fn wait_for_progress(&self) {
        let goal = *self.acknowledged.borrow() + 2;
        let mut acknowledged = self.acknowledged.clone();
        let reached = acknowledged.wait_for(|count| *count >= goal).await;
        reached.expect("the changer runs");
    }

    async fn finish(self) {
        self.stop.send_replace(true);
        let possible = self.running.await.expect("the changer ran");
        let task = self.client.get(&self.item).await;
        let title = task.body["task"]["title"].as_str().expect("a title");
        assert!(
            possible.iter().any(|possible| possible == title),
            "{title} is none of {possible:?}"
        );
    }
}

/// Returns the number that a query finds on a server.
async fn number(server: &PostgresServer, query: &str) -> i64 {
    let admin = PgConnection::connect(&server.url("postgres")).await;
    let query = AssertSqlSafe(query.to_owned());
    let row = admin.expect("connected").fetch_one(query).await;
    row.expect("an answer").get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn failover_of_killed_postgres_loses_no_acknowledged_write() {
    let cluster = Cluster::start().await;
    let clients = Clients::start(&cluster.service).await;
    clients.wait_for_progress().await;
    cluster.primary.kill();
    cluster.standby.promote();
    cluster.move_address().await;
    clients.wait_for_progress().await;
    clients.finish(&cluster.service).await;
    assert!(cluster.service.has_logged_failed_calls());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn failover_to_postgres_standby_that_starts_up_fails_no_request() {
    let cluster = Cluster::start().await;
    let clients = Clients::start(&cluster.service).await;
    clients.wait_for_progress().await;
    cluster.primary.kill();
    cluster.standby.refuse_sessions();
    cluster.move_address().await;
    cluster.wait_for_error("not accepting connections").await;
    cluster.standby.promote();
    clients.wait_for_progress().await;
    clients.finish(&cluster.service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn switchover_of_postgres_fails_no_request() {
    let cluster = Cluster::start().await;
    let clients = Clients::start(&cluster.service).await;
    clients.wait_for_progress().await;
    cluster.primary.stop();
    cluster.move_address().await;
    cluster.wait_for_error("read-only transaction").await;
    cluster.standby.promote();
    clients.wait_for_progress().await;
    clients.finish(&cluster.service).await;
}

/// Sessions with a server that was demoted read, and refuse writes with 25006.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_with_demoted_postgres_are_given_up() {
    let cluster = Cluster::start().await;
    let clients = Clients::start(&cluster.service).await;
    clients.wait_for_progress().await;
    cluster.primary.stop();
    cluster.standby.promote();
    cluster.primary.follow(&cluster.standby);
    cluster.wait_for_error("read-only transaction").await;
    // The sessions with the demoted server stay open.
    cluster.move_address().await;
    clients.wait_for_progress().await;
    clients.finish(&cluster.service).await;
    wait_for_end_of_sessions(&cluster.primary).await;
}

/// The service knows nothing of the failover but that the old primary does not answer any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn paused_postgres_that_comes_back_after_a_failover_is_not_written_to() {
    let cluster = Cluster::start().await;
    let clients = Clients::start(&cluster.service).await;
    clients.wait_for_progress().await;
    cluster.primary.freeze();
    cluster.standby.promote();
    cluster.move_address().await;
    clients.wait_for_progress().await;
    cluster.primary.thaw();
    // It waits for no standby any more, so it would acknowledge every write.
    cluster.primary.commit_on_standbys(false).await;
    let count = "SELECT count(*) FROM tasks";
    let before = number(&cluster.primary, count).await;
    clients.wait_for_progress().await;
    assert_eq!(number(&cluster.primary, count).await, before);
    wait_for_end_of_sessions(&cluster.primary).await;
    clients.finish(&cluster.service).await;
}

/// Waits until the service has no session with a server.
async fn wait_for_end_of_sessions(server: &PostgresServer) {
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'taskhold'";
    eventually("no session with the old server", async || {
        (number(server, sessions).await == 0).then_some(())
    })
    .await;
}

/// Nobody has stopped the old primary, which still takes writes and whose sessions are open.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_session_with_the_new_postgres_ends_those_with_the_old_one() {
    let cluster = Cluster::start().await;
    cluster.primary.commit_on_standbys(false).await;
    let alice = cluster.service.client("alice");
    alice.create(json!({"title": "before"})).await;
    eventually("the standby has it", async || {
        let tasks = number(&cluster.standby, "SELECT count(*) FROM tasks").await;
        (tasks == 1).then_some(())
    })
    .await;
    cluster.standby.promote();
    cluster.move_address().await;
    let admin = PgConnection::connect(&cluster.primary.url("postgres")).await;
    let mut admin = admin.expect("connected");
    let lock = "BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE";
    admin.execute(lock).await.expect("locked");
    // They wait at the old primary until each of its sessions is in use: the next one needs a session with the new one.
    let searches = (0..20).map(async |number| {
        let client = cluster.service.client(&format!("user-{number}"));
        client.get("/api/v1/tasks?q=before").await.status
    });
    let searches = futures_util::future::join_all(searches).await;
    assert_eq!(searches, [200; 20]);
    admin.close().await.expect("closed");
    let created = (0..20).map(|number| alice.create(json!({"title": number.to_string()})));
    futures_util::future::join_all(created).await;
    assert_eq!(alice.tasks().await.len(), 21);
    assert_eq!(
        number(&cluster.primary, "SELECT count(*) FROM tasks").await,
        1
    );
    wait_for_end_of_sessions(&cluster.primary).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn service_that_starts_during_a_failover_of_postgres_waits_for_it() {
    let primary = PostgresServer::start().expect("a server");
    let standby = primary.standby().expect("a standby");
    standby.refuse_sessions();
    primary.stop();
    let service = Service::launch(&Database::at(&standby.url("postgres")), &[]);
    eventually("it is refused", async || {
        let log = service.log();
        log.contains("not accepting connections").then_some(())
    })
    .await;
    standby.promote();
    let service = service.wait_until_listening().await;
    let created: Value = service
        .client("alice")
        .create(json!({"title": "first"}))
        .await;
    assert_eq!(created["title"], "first");
}
