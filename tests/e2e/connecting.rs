//! Starting on a PostgreSQL that does not want us, or not yet.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::{PostgresDatabase, PostgresServer};
use tempfile::TempDir;

use crate::service::{Database, SECRET, Service, eventually, run};

/// `serve` ends within seconds with this status, says `sentence`, and nothing of the password.
#[track_caller]
fn refused(url: &str, code: i32, sentence: &str, more: &[(&str, &str)]) {
    let database = Database::sqlite();
    let started = Instant::now();
    let common = [
        ("DATABASE_URL", url),
        ("JWT_SECRET", SECRET),
        ("TASKHOLD__LOG__FILTER", "trace"),
        ("TASKHOLD__DATABASE__PATIENCE_SECONDS", "2"),
    ];
    let output = run(
        database.folder.path(),
        &[&common, more].concat(),
        &["serve"],
    );
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{url}: {said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(
        last.contains("DATABASE_URL") && last.contains(sentence),
        "{url}: {last}"
    );
    assert!(!said.contains("hunter2"), "{url}: {said}");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{url}: {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn what_is_wrong_with_the_url_is_said_in_a_sentence() {
    let database = PostgresDatabase::empty().await;
    let mut admin = PgConnection::connect(database.url())
        .await
        .expect("connected");
    let name = database
        .url()
        .rsplit('/')
        .next()
        .expect("a name")
        .to_owned();
    let (base, _) = database.url().rsplit_once('/').expect("a URL");
    let host = base.split('@').next_back().expect("a host").to_owned();
    // The server trusts everyone on loopback, so a user that does not exist stands for a wrong one.
    refused(
        &format!("postgres://nobody:hunter2@{host}/{name}"),
        78,
        "refuses its user or password",
        &[],
    );
    refused(
        &format!("postgres://postgres:hunter2@{host}/nowhere"),
        78,
        "has no such database",
        &[],
    );
    refused(
        &format!("postgres://u:hunter2@no-such-host.invalid/{name}"),
        78,
        "host cannot be found",
        &[],
    );
    refused(
        "postgres://u:hunter2@127.0.0.1:1/d",
        1,
        "did not answer for 2 s",
        &[],
    );
    refused(
        &format!("{}?sslmode=verify-full", database.url()),
        78,
        "TLS",
        &[],
    );

    admin
        .execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        .await
        .expect("revoked");
    let role = format!("{name}_guest");
    let create = format!("CREATE ROLE {role} LOGIN");
    admin
        .execute(sqlx::AssertSqlSafe(create))
        .await
        .expect("a role");
    let guest = format!("postgres://{role}:hunter2@{host}/{name}");
    refused(&guest, 78, "may not create tables", &[]);
}

#[tokio::test]
async fn a_certificate_that_nobody_signed_is_refused() {
    let server = PostgresServer::start().expect("a server");
    server.offer_tls();
    refused(
        &format!("{}?sslmode=verify-full", server.url("postgres")),
        78,
        "certificate cannot be verified",
        &[],
    );
    // The same server is good enough where nobody could read along.
    let service = Service::start(&Database::at(&format!(
        "{}?sslmode=require",
        server.url("postgres")
    )))
    .await;
    service
        .client("alice")
        .created(json!({"title": "encrypted"}))
        .await;
}

#[tokio::test]
async fn a_server_that_starts_later_is_waited_for() {
    let server = PostgresServer::start().expect("a server");
    server.stop();
    let database = Database::at(&server.url("postgres"));
    let (service, ()) = tokio::join!(Service::start(&database), async {
        // The service begins before the server does.
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.restart();
    });
    assert!(
        service.log().contains("does not answer yet"),
        "{}",
        service.log()
    );
    service
        .client("alice")
        .created(json!({"title": "at last"}))
        .await;
}

/// Migrations go to the server itself where the pooler is told apart.
#[tokio::test]
async fn migrations_use_the_direct_url() {
    let database = Database::postgres().await;
    let elsewhere = [
        ("DATABASE_URL", "postgres://u@127.0.0.1:1/d"),
        ("DIRECT_URL", database.url.as_str()),
    ];
    let output = run(database.folder.path(), &elsewhere, &["migrate", "up"]);
    assert!(output.status.success(), "{output:?}");
    let output = run(
        database.folder.path(),
        &[("DATABASE_URL", &database.url)],
        &["migrate", "status"],
    );
    assert!(
        String::from_utf8(output.stdout)
            .expect("UTF-8")
            .contains("applied"),
        "it is migrated"
    );
}

/// PgBouncer in front of a database, in transaction mode: a client may have another session for each
/// statement.
struct Pooler {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Pooler {
    /// Of Debian's package, which at 1.18 has not learned of prepared statements; a later one is
    /// told to forget them.
    async fn unsafe_one(url: &str) -> Self {
        let version = Command::new("pgbouncer").arg("--version").output();
        let version = version
            .expect("PgBouncer is installed: `make test` does it, or Debian's package pgbouncer");
        let has_learned = !String::from_utf8_lossy(&version.stdout).starts_with("PgBouncer 1.18");
        let setting = if has_learned {
            "max_prepared_statements = 0\n"
        } else {
            ""
        };
        Self::start("pgbouncer", setting, url).await
    }

    /// One that keeps prepared statements apart: 1.21 or later.
    async fn safe_one(url: &str) -> Self {
        let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/pgbouncer").to_owned();
        let program = std::env::var("PGBOUNCER").unwrap_or(built);
        Self::start(
            &program,
            "max_prepared_statements = 100\nserver_login_retry = 1\n",
            url,
        )
        .await
    }

    async fn start(program: &str, setting: &str, url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port")
            .port();
        let (base, name) = url.rsplit_once('/').expect("a URL");
        let server_port = base.rsplit(':').next().expect("a port");
        let settings = format!(
            "[databases]\n{name} = host=127.0.0.1 port={server_port} dbname={name} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n{setting}"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).expect("written");
        // It refuses to run as root.
        let mut open = Command::new("chmod");
        assert!(
            open.arg("-R")
                .arg("a+rX")
                .arg(folder.path())
                .status()
                .expect("chmod runs")
                .success()
        );
        let mut command = Command::new(program);
        command
            .args(["-q", "-u", "postgres"])
            .arg(&file)
            .stderr(Stdio::null())
            .stdout(Stdio::null());
        let child = command
            .spawn()
            .expect("PgBouncer is there: `make test` sees to it");
        let pooler = Self {
            child,
            url: format!("postgres://postgres@127.0.0.1:{port}/{name}"),
            _folder: folder,
        };
        eventually("the pooler answers", async || {
            let options: PgConnectOptions = pooler.url.parse().expect("a URL");
            PgConnection::connect_with(&options.extra_float_digits(None))
                .await
                .ok()
                .map(drop)
        })
        .await;
        pooler
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn a_pooler_that_mixes_up_prepared_statements_is_refused() {
    let database = PostgresDatabase::empty().await;
    let pooler = Pooler::unsafe_one(database.url()).await;
    for _ in 0..5 {
        refused(
            &pooler.url,
            78,
            "mixes up prepared statements",
            &[("DIRECT_URL", database.url())],
        );
    }
}

#[tokio::test]
async fn a_password_is_in_no_log_at_any_level() {
    let database = PostgresDatabase::empty().await;
    let url = database.url().replace("postgres@", "postgres:hunter2@");
    let everything = [
        ("TASKHOLD__LOG__FILTER", "trace"),
        ("DIRECT_URL", url.as_str()),
    ];
    let service = Service::start_with(&Database::at(&url), &everything).await;
    let alice = service.client("alice");
    alice
        .created(json!({"title": "a title that nobody else should read"}))
        .await;
    assert_eq!(alice.tasks().await.len(), 1);
    assert_eq!(service.client_with(None).get("/health").await.status, 200);
    let log = service.log();
    assert!(log.contains("TRACE"), "it is logged at every level");
    assert!(!log.contains("hunter2"), "{log}");
}

/// Different statements of several users at once, on a third of the sessions that they would have.
#[tokio::test]
async fn a_pooler_that_keeps_prepared_statements_apart_gives_everybody_their_own_rows() {
    let database = PostgresDatabase::empty().await;
    let pooler = Pooler::safe_one(database.url()).await;
    let service = Service::start_with(
        &Database::at(&pooler.url),
        &[("DIRECT_URL", database.url())],
    )
    .await;
    let users: Vec<_> = (0..4)
        .map(|number| (number, service.client(&format!("user {number}"))))
        .collect();
    let mut paths = Vec::new();
    for (user, client) in &users {
        for number in 0..5 {
            let task = client
                .created(json!({"title": format!("{user}/{number}"), "completed": number == 0}))
                .await;
            paths.push((
                *user,
                number,
                format!("/api/v1/tasks/{}", task["id"].as_str().expect("an id")),
            ));
        }
    }
    let read = async |round: usize| {
        let (user, number, path) = &paths[round * 7 % paths.len()];
        let (_, client) = &users[*user];
        match round % 4 {
            0 => {
                let answer = client.get(path).await;
                assert_eq!(
                    answer.body["task"]["title"],
                    format!("{user}/{number}"),
                    "{answer:?}"
                );
            }
            1 => {
                let answer = client.get("/api/v1/tasks?sort=title&limit=5").await;
                let titles: Vec<_> = answer.body["tasks"]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|task| task["title"].clone())
                    .collect();
                assert_eq!(
                    titles,
                    (0..5)
                        .map(|number| json!(format!("{user}/{number}")))
                        .collect::<Vec<_>>()
                );
            }
            2 => {
                let answer = client
                    .get(&format!(
                        "/api/v1/tasks?q={user}/{number}&completed={}",
                        *number == 0
                    ))
                    .await;
                assert_eq!(
                    answer.body["tasks"][0]["title"],
                    format!("{user}/{number}"),
                    "{answer:?}"
                );
                assert_eq!(answer.body["tasks"].as_array().map(Vec::len), Some(1));
            }
            _ => {
                let answer = client.get("/api/v1/tasks/stats").await;
                assert_eq!(
                    answer.body,
                    json!({"total": 5, "completed": 1, "pending": 4})
                );
            }
        }
    };
    let mut right = 0;
    for some in (0..1000).collect::<Vec<_>>().chunks(50) {
        right += join_all(some.iter().map(|round| read(*round))).await.len();
    }
    assert_eq!(right, 1000);
}

/// The pooler itself answers that the server is away, in codes and texts of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_away_for_4_seconds_behind_a_pooler() {
    let server = PostgresServer::start().expect("a server");
    let pooler = Pooler::safe_one(&server.url("postgres")).await;
    let direct = server.url("postgres");
    let service = Service::start_with(&Database::at(&pooler.url), &[("DIRECT_URL", &direct)]).await;
    let alice = service.client("alice");
    alice.created(json!({"title": "before"})).await;
    server.stop();
    let started = Instant::now();
    let waiting = tokio::spawn(async move {
        join_all((0..8).map(|number| alice.created(json!({"title": number.to_string()})))).await;
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
