//! Startup against a PostgreSQL server that refuses, fails or is late.

use std::fs::File;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::{PostgresDatabase, PostgresServer};

use crate::service::{Database, SECRET, Service, eventually, run, taskhold};

/// Asserts that `serve` ends within seconds with this status and a last line that contains
/// `sentence`, and that no line contains the password.
#[track_caller]
pub fn assert_serve_fails(url: &str, code: i32, sentence: &str, more: &[(&str, &str)]) {
    let database = Database::sqlite();
    let started = Instant::now();
    let common = [
        ("DATABASE_URL", url),
        ("JWT_SECRET", SECRET),
        ("TASKHOLD__LOG__FILTER", "trace"),
        ("TASKHOLD__DATABASE__CONNECT_TIMEOUT_SECONDS", "2"),
    ];
    let log = database.folder.path().join("log");
    let file = File::create(&log).expect("a log");
    let mut child = taskhold(
        database.folder.path(),
        &[&common, more].concat(),
        &["serve"],
    )
    .stdout(file.try_clone().expect("the same log"))
    .stderr(file)
    .spawn()
    .expect("the program starts");
    let status = loop {
        if let Some(status) = child.try_wait().expect("a status") {
            break status;
        }
        // A service that starts successfully would not end by itself.
        if started.elapsed() > Duration::from_secs(10) {
            child.kill().expect("killed");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let printed = std::fs::read_to_string(log).expect("what it said");
    assert_eq!(status.code(), Some(code), "{url}: {printed}");
    let last = printed.lines().last().unwrap_or_default();
    assert!(
        last.contains("DATABASE_URL") && last.contains(sentence),
        "{url}: {last}"
    );
    assert!(!printed.contains("hunter2"), "{url}: {printed}");
}

#[tokio::test]
async fn wrong_database_url_is_explained_in_one_sentence() {
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
    // The server trusts every loopback connection, so an unknown user takes the place of a wrong
    // password.
    assert_serve_fails(
        &format!("postgres://nobody:hunter2@{host}/{name}"),
        78,
        "refuses its user or password",
        &[],
    );
    assert_serve_fails(
        &format!("postgres://postgres:hunter2@{host}/nowhere"),
        78,
        "has no such database",
        &[],
    );
    assert_serve_fails(
        &format!("postgres://u:hunter2@no-such-host.invalid/{name}"),
        78,
        "host cannot be found",
        &[],
    );
    assert_serve_fails(
        "postgres://u:hunter2@127.0.0.1:1/d",
        1,
        "did not answer for 2 s",
        &[],
    );
    assert_serve_fails(
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
    assert_serve_fails(&guest, 78, "may not create tables", &[]);
}

/// Read naively, the password's port is that of a server, and the rest of the password a database or a parameter.
#[test]
fn password_that_is_not_encoded_is_not_repeated_nor_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("an open socket");
    let address = listener.local_addr().expect("an address");
    for character in ['/', '?', '#'] {
        for rest in [
            "hunter2@db.example/tasks",
            "hunter2@127.0.0.1/tasks?sslmode=disable",
        ] {
            let url = format!("postgres://{address}{character}{rest}");
            assert_serve_fails(&url, 78, "percent-encoded", &[]);
        }
    }
    let accepted = listener.accept().map(|(_, client)| client);
    assert_eq!(
        accepted.expect_err("nobody connects").kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[tokio::test]
async fn database_of_another_encoding_is_refused_by_name() {
    let server = PostgresServer::start().expect("a server");
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_JP"] {
        let name = encoding.to_lowercase();
        let options = format!("ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
        create_database(&server, &name, &options).await;
        let url = server.url(&name);
        assert_serve_fails(&url, 78, encoding, &[]);
        let database = Database::at(&url);
        let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", SECRET)];
        for arguments in [&["doctor"][..], &["migrate", "up"]] {
            let output = run(database.folder.path(), &variables, arguments);
            assert!(!output.status.success(), "{output:?}");
            let printed = [output.stdout, output.stderr].concat();
            let printed = String::from_utf8(printed).expect("UTF-8");
            assert!(printed.contains(encoding), "{printed}");
            assert!(printed.contains("ENCODING 'UTF8'"), "{printed}");
        }
    }
}

/// Every text is compared by its code points, whatever the language of the database.
#[tokio::test]
async fn locale_of_the_database_changes_no_order_and_no_search() {
    let server = PostgresServer::start().expect("a server");
    let turkish =
        "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C' TEMPLATE template0";
    create_database(&server, "turkish", turkish).await;
    let service = Service::start(&Database::at(&server.url("turkish"))).await;
    let alice = service.client("alice");
    for title in ["ı", "i", "I", "ç", "c", "Z", "z", "a\u{1F600}"] {
        alice.create(json!({"title": title})).await;
    }
    let titles = async |query: &str| {
        let answer = alice.get(&format!("/api/v1/tasks?{query}")).await;
        let tasks = answer.body["tasks"].as_array().expect("tasks").iter();
        tasks
            .map(|task| task["title"].as_str().expect("a title").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        titles("sort=title").await,
        ["I", "Z", "a\u{1F600}", "c", "i", "z", "ç", "ı"]
    );
    assert_eq!(titles("sort=title&q=I").await, ["I", "i"]);
}

async fn create_database(server: &PostgresServer, name: &str, options: &str) {
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("connected");
    let create = format!("CREATE DATABASE {name} {options}");
    admin
        .execute(sqlx::AssertSqlSafe(create))
        .await
        .expect("made");
}

/// The listener accepts the connection and never answers.
#[test]
fn silent_server_times_out() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    assert_serve_fails(
        &format!("postgres://u:hunter2@{address}/d"),
        1,
        "did not answer for 2 s",
        &[],
    );
}

#[tokio::test]
async fn self_signed_certificate_is_refused() {
    let server = PostgresServer::start().expect("a server");
    server.offer_tls();
    assert_serve_fails(
        &format!("{}?sslmode=verify-full", server.url("postgres")),
        78,
        "certificate cannot be verified",
        &[],
    );
    // The same certificate is acceptable if verification was not requested.
    let service = Service::start(&Database::at(&format!(
        "{}?sslmode=require",
        server.url("postgres")
    )))
    .await;
    service
        .client("alice")
        .create(json!({"title": "encrypted"}))
        .await;
}

#[tokio::test]
async fn service_waits_for_a_server_that_starts_later() {
    let server = PostgresServer::start().expect("a server");
    server.stop();
    let database = Database::at(&server.url("postgres"));
    let service = Service::launch(&database, &[]);
    eventually("the service misses the server", async || {
        service.log().contains("does not answer yet").then_some(())
    })
    .await;
    server.restart();
    let service = service.wait_until_listening().await;
    service
        .client("alice")
        .create(json!({"title": "at last"}))
        .await;
}

/// Migrations bypass the pooler if a direct URL is configured.
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

#[tokio::test]
async fn database_password_is_in_no_log_at_any_level() {
    let database = PostgresDatabase::empty().await;
    let url = database.url().replace("postgres@", "postgres:hunter2@");
    let everything = [
        ("TASKHOLD__LOG__FILTER", "trace"),
        ("DIRECT_URL", url.as_str()),
    ];
    let service = Service::start_with(&Database::at(&url), &everything).await;
    let alice = service.client("alice");
    alice
        .create(json!({"title": "a title that nobody else should read"}))
        .await;
    assert_eq!(alice.tasks().await.len(), 1);
    assert_eq!(service.client_with(None).get("/health").await.status, 200);
    let log = service.log();
    assert!(log.contains("TRACE"), "it is logged at every level");
    assert!(!log.contains("hunter2"), "{log}");
}
