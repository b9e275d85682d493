//! Database URLs in all their forms: each part has its effect, or is refused by its name.

use std::path::PathBuf;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use taskhold_testkit::postgres::{PostgresDatabase, PostgresServer};
use tokio::net::{TcpListener, TcpStream};

use crate::connecting::assert_serve_fails;
use crate::service::{Database, Service, run};

/// Serves, makes a backup and asks the doctor, all with this URL and these variables.
async fn assert_works(url: &str, variables: &[(&str, &str)]) {
    let database = Database::at(url);
    let service = Service::start_with(&database, variables).await;
    let alice = service.client("alice");
    alice.create(json!({"title": "served"})).await;
    assert!(!alice.tasks().await.is_empty());
    let variables = [&[("DATABASE_URL", url)], variables].concat();
    let output = run(database.folder.path(), &variables, &["backup"]);
    assert!(output.status.success(), "{url}: {output:?}");
    let output = run(database.folder.path(), &variables, &["doctor"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    let store = printed.lines().find(|line| line.contains(" store "));
    assert!(
        store.is_some_and(|line| line.starts_with("ok")),
        "{url}: {printed}"
    );
}

/// Forwards connections to the IPv6 address of this machine. Returns the port.
async fn forward_from_ipv6(port: u16) -> u16 {
    let listener = TcpListener::bind("[::1]:0").await.expect("an IPv6 address");
    let own = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    own
}

fn port(url: &str) -> u16 {
    let (_, rest) = url.rsplit_once(':').expect("a port");
    let (port, _) = rest.split_once('/').expect("a path");
    port.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ipv6_hosts_and_sockets_work_in_every_form() {
    let server = PostgresServer::start().expect("a server");
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("connected");
    let row = admin
        .fetch_one("SHOW unix_socket_directories")
        .await
        .expect("a folder");
    let folder: String = row.get(0);
    let port = port(&server.url("postgres"));
    let v6 = forward_from_ipv6(port).await;
    let encoded = folder.replace('/', "%2F");
    for (number, url) in [
        format!("postgres://postgres@[::1]:{v6}/$"),
        format!("postgres:///$?host=::1&port={v6}&user=postgres"),
        format!("postgres:///$?hostaddr=::1&port={v6}&user=postgres"),
        format!("postgres://postgres@/$?host={folder}&port={port}"),
        format!("postgresql+asyncpg://postgres@/$?host={encoded}&port={port}"),
        format!("postgres://postgres:no%2Fne@:{port}/$?host={folder}"),
        format!("postgres://postgres@{encoded}:{port}/$"),
        format!("postgres:///?dbname=$&host={folder}&port={port}&user=postgres"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("form{number}");
        let create = format!("CREATE DATABASE {name}");
        admin.execute(AssertSqlSafe(create)).await.expect("made");
        assert_works(&url.replace('$', &name), &[]).await;
    }
}

#[tokio::test]
async fn schema_and_search_path_of_the_url_are_used() {
    for (parameters, schema) in [
        ("schema=Ours", "Ours"),
        ("schema=our%20own", "our own"),
        ("options=-c%20search_path%3Dours", "ours"),
        ("options=-csearch_path%3Dours", "ours"),
        (
            "options=endpoint%3Dep-cool-name%20-c%20search_path%3Dours",
            "ours",
        ),
        ("options[search_path]=ours", "ours"),
    ] {
        let database = PostgresDatabase::empty().await;
        let mut admin = PgConnection::connect(database.url())
            .await
            .expect("connected");
        let create = format!("CREATE SCHEMA \"{schema}\"");
        admin.execute(AssertSqlSafe(create)).await.expect("made");
        assert_works(&format!("{}?{parameters}", database.url()), &[]).await;
        let found =
            sqlx::query_scalar("SELECT schemaname::text FROM pg_tables WHERE tablename = 'tasks'");
        let found: Vec<String> = found.fetch_all(&mut admin).await.expect("answered");
        assert_eq!(found, [schema], "{parameters}");
    }
}

#[tokio::test]
async fn parameter_without_effect_is_refused_by_its_name() {
    let database = PostgresDatabase::empty().await;
    for (parameters, named) in [
        ("channel_binding=require", "channel_binding"),
        ("sslmode=require&channel_binding=require", "channel_binding"),
        ("connection_limit=5", "database.max_connections"),
        ("statement_cache_size=0", "statement_cache_size"),
        ("target_session_attrs=read-write", "target_session_attrs"),
        ("sslcrl=revoked.pem", "sslcrl"),
        ("currentSchema=ours", "currentSchema"),
        ("connect_timeout=soon", "connect_timeout"),
        ("host=127.0.0.1&hostaddr=127.0.0.1", "hostaddr"),
        ("schema=ours&options=-csearch_path%3Dtheirs", "schema"),
        ("nonsense=1", "nonsense"),
    ] {
        assert_serve_fails(&format!("{}?{parameters}", database.url()), 78, named, &[]);
    }
    assert_serve_fails("sqlite://t.db?mode=ro", 78, "mode", &[]);
    assert_serve_fails("sqlite://t.db?cache=shared", 78, "cache", &[]);
}

#[tokio::test]
async fn connect_timeout_of_the_url_wins() {
    // The setting of the test is 2 s.
    let url = "postgres://u:hunter2@127.0.0.1:1/d?connect_timeout=1";
    assert_serve_fails(url, 1, "did not answer for 1 s", &[]);
}

/// A server whose certificate a private authority has signed, and the file of that authority.
fn server_of_private_ca() -> (PostgresServer, PathBuf) {
    let server = PostgresServer::start().expect("a server");
    let authority = server.offer_tls_of_private_ca();
    (server, authority)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_ca_is_named_by_sslrootcert_or_pgsslrootcert() {
    let (server, authority) = server_of_private_ca();
    let (url, authority) = (server.url("postgres"), authority.display().to_string());
    // To name the authority is to have it used.
    assert_works(&format!("{url}?sslrootcert={authority}"), &[]).await;
    assert_works(
        &format!("{url}?sslmode=require&sslrootcert={authority}"),
        &[],
    )
    .await;
    let by_variable = [("PGSSLROOTCERT", authority.as_str())];
    let verified = format!("{url}?sslmode=verify-full");
    assert_works(&verified, &by_variable).await;
    assert_serve_fails(&verified, 78, "docs/operations/private-ca.md", &[]);
    assert_serve_fails(
        &format!("{verified}&sslrootcert=system"),
        78,
        "certificate cannot be verified",
        &[],
    );
    // The server's own certificate is no authority.
    let (other, _) = server_of_private_ca();
    let foreign = format!("{}?sslrootcert={authority}", other.url("postgres"));
    assert_serve_fails(&foreign, 78, "certificate cannot be verified", &[]);
}

#[tokio::test]
async fn missing_or_empty_file_of_tls_is_named_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").expect("written");
    let empty = empty.display().to_string();
    // Nobody listens there, which would be found out about 2 s later.
    let url = "postgres://u:hunter2@127.0.0.1:1/d";
    let (missing, none) = ("/no/such/file.pem", "");
    for parameter in ["sslrootcert", "sslcert", "sslkey"] {
        for (file, problem) in [
            (missing, "No such file"),
            (none, "is empty"),
            (&empty, "nothing in the format PEM"),
        ] {
            let sentence = format!("its {parameter} (or PG{})", parameter.to_uppercase());
            assert_serve_fails(&format!("{url}?{parameter}={file}"), 78, &sentence, &[]);
            let variable = format!("PG{}", parameter.to_uppercase());
            assert_serve_fails(url, 78, &sentence, &[(&variable, file)]);
            assert_serve_fails(url, 78, problem, &[(&variable, file)]);
        }
    }
}
