//! The proxy causes exactly the requested faults.

#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use std::io::{ErrorKind, Result};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresDatabase;
use taskhold_testkit::proxy::FaultProxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// Longer than any operation here takes.
const DEADLINE: Duration = Duration::from_secs(10);

/// Long enough for an unwanted answer to arrive.
const SILENCE: Duration = Duration::from_millis(300);

/// A server that echoes and records what it receives.
struct Echo {
    address: String,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let received = Arc::<Mutex<Vec<u8>>>::default();
        let received_by_server = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let received = Arc::clone(&received_by_server);
                tokio::spawn(async move {
                    let mut bytes = Vec::new();
                    while let Ok(1..) = client.read_buf(&mut bytes).await {
                        received.lock().expect("no panic").extend_from_slice(&bytes);
                        if client.write_all(&bytes).await.is_err() {
                            break;
                        }
                        bytes.clear();
                    }
                });
            }
        });
        Self { address, received }
    }

    fn received(&self, bytes: &[u8]) -> bool {
        let received = self.received.lock().expect("no panic");
        received.windows(bytes.len()).any(|window| window == bytes)
    }
}

async fn connect(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port()))
        .await
        .expect("the proxy listens")
}

/// Sends the bytes and reads the same number back.
async fn exchange(client: &mut TcpStream, bytes: &[u8]) -> Result<Vec<u8>> {
    let (mut from, mut to) = client.split();
    let mut reply = vec![0; bytes.len()];
    let both = async { tokio::try_join!(to.write_all(bytes), from.read_exact(&mut reply)) };
    timeout(DEADLINE, both)
        .await
        .expect("an answer or an end")?;
    Ok(reply)
}

async fn echoes(client: &mut TcpStream) -> bool {
    exchange(client, b"hello")
        .await
        .is_ok_and(|reply| reply == b"hello")
}

async fn is_reset(client: &mut TcpStream, request: &[u8]) -> bool {
    exchange(client, request)
        .await
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

async fn wait_until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, met).await.expect("it comes about");
}

#[tokio::test]
async fn bytes_are_forwarded_both_ways() {
    let echo = Echo::start().await;
    let proxy = FaultProxy::start(&echo.address).await;
    let (mut first, mut second) = (connect(&proxy).await, connect(&proxy).await);
    assert!(echoes(&mut first).await && echoes(&mut second).await);
    assert_eq!(proxy.connections(), 2);

    let many: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
    assert!(exchange(&mut first, &many).await.unwrap() == many);

    drop(first);
    wait_until(|| proxy.connections() == 1).await;
    assert!(echoes(&mut second).await);

    drop(proxy);
    assert!(!echoes(&mut second).await);
}

#[tokio::test]
async fn frozen_connection_is_silent_and_open() {
    let echo = Echo::start().await;
    let proxy = FaultProxy::start(&echo.address).await;
    let mut old = connect(&proxy).await;
    assert!(echoes(&mut old).await);

    proxy.freeze_existing();
    old.write_all(b"lost").await.unwrap();
    assert!(timeout(SILENCE, old.read_u8()).await.is_err());
    assert!(!echo.received(b"lost"));

    let mut new = connect(&proxy).await;
    assert!(echoes(&mut new).await);
    assert_eq!(proxy.connections(), 2);

    proxy.freeze_existing();
    new.write_all(b"lost").await.unwrap();
    assert!(timeout(SILENCE, new.read_u8()).await.is_err());
}

#[tokio::test]
async fn cut_next_reply_loses_one_reply_per_call() {
    let echo = Echo::start().await;
    let proxy = FaultProxy::start(&echo.address).await;
    let mut client = connect(&proxy).await;
    assert!(echoes(&mut client).await);

    proxy.cut_next_reply();
    proxy.cut_next_reply();
    assert!(is_reset(&mut client, b"first").await);
    assert!(echo.received(b"first"));
    assert!(is_reset(&mut connect(&proxy).await, b"second").await);
    assert!(echo.received(b"second"));
    assert!(echoes(&mut connect(&proxy).await).await);
    wait_until(|| proxy.connections() == 0).await;
}

#[tokio::test]
async fn unmatched_replies_are_forwarded() {
    let echo = Echo::start().await;
    let proxy = FaultProxy::start(&echo.address).await;
    let (mut first, mut second) = (connect(&proxy).await, connect(&proxy).await);

    proxy.cut_next_reply_to(b"COMMIT");
    assert!(echoes(&mut first).await && echoes(&mut second).await);
    assert!(is_reset(&mut first, b"please COMMIT this").await);
    assert!(echo.received(b"please COMMIT this"));

    proxy.cut_reply_with(b"INSERT 0 1");
    assert!(echoes(&mut second).await);
    assert!(is_reset(&mut second, b"<INSERT 0 1>").await);
    assert!(echo.received(b"<INSERT 0 1>"));

    let mut next = connect(&proxy).await;
    for request in [&b"please COMMIT this"[..], b"<INSERT 0 1>"] {
        assert_eq!(exchange(&mut next, request).await.unwrap(), request);
    }
}

#[tokio::test]
async fn new_connections_are_refused_while_refusing() {
    let echo = Echo::start().await;
    let proxy = FaultProxy::start(&echo.address).await;
    let mut old = connect(&proxy).await;
    assert!(echoes(&mut old).await);

    proxy.refuse_new(true);
    assert!(!echoes(&mut connect(&proxy).await).await);
    assert!(echoes(&mut old).await);
    assert_eq!(proxy.connections(), 1);

    proxy.refuse_new(false);
    assert!(echoes(&mut connect(&proxy).await).await);
}

#[tokio::test]
async fn url_replaces_only_host_and_port() {
    let proxy = FaultProxy::start("postgres://me:p%40ss@127.0.0.1:1/db").await;
    let port = proxy.port();
    for (url, expected) in [
        (
            "postgres://me:p%40ss@db.example:5432/db?sslmode=disable",
            format!("postgres://me:p%40ss@127.0.0.1:{port}/db?sslmode=disable"),
        ),
        (
            "postgres://[::1]:5432?application_name=a@b",
            format!("postgres://127.0.0.1:{port}?application_name=a@b"),
        ),
        ("postgres://host", format!("postgres://127.0.0.1:{port}")),
    ] {
        assert_eq!(proxy.url(url), expected);
    }
    // Nothing listens on port 1.
    assert!(!echoes(&mut connect(&proxy).await).await);
}

fn is_reset_error(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == ErrorKind::ConnectionReset)
}

#[tokio::test]
async fn write_with_a_lost_reply_is_in_the_database() {
    let database = PostgresDatabase::empty().await;
    let mut direct = PgConnection::connect(database.url()).await.unwrap();
    direct
        .execute("CREATE TABLE notes (note text NOT NULL)")
        .await
        .unwrap();
    let proxy = FaultProxy::start(database.url()).await;
    let url = proxy.url(database.url());
    let insert = || sqlx::query("INSERT INTO notes VALUES ($1)");

    // The connection is lost after the statement was prepared and executed.
    let mut client = PgConnection::connect(&url).await.unwrap();
    proxy.cut_reply_with(b"INSERT 0 1");
    let written = insert().bind("first").execute(&mut client).await;
    assert!(is_reset_error(&written.unwrap_err()));

    // The connection already has the statement prepared.
    let mut client = PgConnection::connect(&url).await.unwrap();
    let written = insert().bind("second").execute(&mut client).await;
    assert_eq!(written.unwrap().rows_affected(), 1);
    proxy.cut_next_reply();
    let written = insert().bind("third").execute(&mut client).await;
    assert!(is_reset_error(&written.unwrap_err()));

    let mut client = PgConnection::connect(&url).await.unwrap();
    let mut transaction = client.begin().await.unwrap();
    let written = insert().bind("fourth").execute(&mut *transaction).await;
    assert_eq!(written.unwrap().rows_affected(), 1);
    proxy.cut_next_reply_to(b"COMMIT");
    assert!(is_reset_error(&transaction.commit().await.unwrap_err()));

    let notes: Vec<String> = sqlx::query_scalar("SELECT note FROM notes ORDER BY ctid")
        .fetch_all(&mut direct)
        .await
        .unwrap();
    assert_eq!(notes, ["first", "second", "third", "fourth"]);
}
