//! Instances are replaced one by one, and nobody notices; a single one is away for seconds.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::load::Load;
use crate::service::{Database, Service, eventually};
use crate::soak::rounds;
use crate::socket::{Socket, request};
use crate::writers::Writers;

/// A port that is free and stays so while its service restarts: below those that the system gives to
/// outgoing connections, and another one for each test and process.
fn lasting_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 500).expect("small") * 20;
    let mut ports =
        std::iter::repeat_with(|| 20_000 + process + TAKEN.fetch_add(1, Ordering::Relaxed));
    ports
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// HAProxy with the configuration of the documentation, in front of two instances.
struct Balancer {
    child: Child,
    url: String,
    folder: TempDir,
}

impl Balancer {
    async fn start(instances: [u16; 2]) -> Self {
        let port = lasting_port();
        let folder = tempfile::tempdir().expect("a folder");
        let documented = include_str!("../../docs/operations/instances.md");
        let (_, rest) = documented.split_once("```haproxy\n").expect("documented");
        let (configuration, _) = rest.split_once("```").expect("a block");
        // The same in all but addresses, and in how often it asks: these instances wait for a second.
        let mut adapted = configuration.to_owned();
        for (documented, here) in [
            (":80\n", format!("127.0.0.1:{port}\n")),
            ("10.0.0.1:8080", format!("127.0.0.1:{}", instances[0])),
            ("10.0.0.2:8080", format!("127.0.0.1:{}", instances[1])),
            ("inter 1s", "inter 100ms".to_owned()),
        ] {
            assert_eq!(adapted.matches(documented).count(), 1, "{documented}");
            adapted = adapted.replace(documented, &here);
        }
        let watched = format!(
            "global\n    stats socket {} mode 600\n",
            Self::socket(folder.path())
        );
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, adapted + &watched).expect("written");
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("HAProxy is installed: `make test` does it, or Debian's package haproxy");
        let url = format!("http://127.0.0.1:{port}");
        let balancer = Self { child, url, folder };
        for instance in ["one", "two"] {
            balancer.sees_up(instance).await;
        }
        balancer
    }

    fn socket(folder: &Path) -> String {
        folder.join("stats").display().to_string()
    }

    /// Waits until it sends requests to this instance, having asked it at least once.
    async fn sees_up(&self, instance: &str) {
        eventually("HAProxy sees the instance", async || {
            let mut socket = UnixStream::connect(Self::socket(self.folder.path()))
                .await
                .ok()?;
            socket.write_all(b"show stat\n").await.ok()?;
            let mut table = String::new();
            socket.read_to_string(&mut table).await.ok()?;
            let mut rows = table.lines().map(|row| row.split(',').collect::<Vec<_>>());
            let names = rows.next()?;
            let column = |name| names.iter().position(|found| *found == name);
            let (status, check) = (column("status")?, column("check_status")?);
            let row = rows.find(|row| row.get(1) == Some(&instance))?;
            (row[status] == "UP" && row[check] == "L7OK").then_some(())
        })
        .await;
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_while_instances_are_replaced_one_by_one() {
    let database = Database::postgres().await;
    let ports = [lasting_port(), lasting_port()];
    let start = async |port: u16| {
        let port = port.to_string();
        let settings = [
            ("PORT", port.as_str()),
            ("TASKHOLD__SERVER__DRAIN_DELAY_SECONDS", "1"),
        ];
        Service::start_with(&database, &settings).await
    };
    let mut instances = [
        ("one", Some(start(ports[0]).await)),
        ("two", Some(start(ports[1]).await)),
    ];
    let balancer = Balancer::start(ports).await;
    let load = Load::start(&balancer.url, 8);
    load.goes_on(100).await;
    for restart in 0..rounds(6, 200) {
        let turn = restart % 2;
        let (name, instance) = &mut instances[turn];
        let ended = instance.take().expect("it runs").stop().await;
        assert_eq!(ended.code(), Some(0));
        *instance = Some(start(ports[turn]).await);
        balancer.sees_up(name).await;
        load.goes_on(50).await;
    }
    let [(_, Some(instance)), _] = &instances else {
        unreachable!("each is started again");
    };
    load.ends_well(instance).await;
}

/// Clients of an instance itself are told in time: no request crosses with the end of its connection.
async fn every_connection_is_let_go_of_before_it_ends(database: Database) {
    let delay = ("TASKHOLD__SERVER__DRAIN_DELAY_SECONDS", "1");
    let service = Service::start_with(&database, &[delay]).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        let read = request("GET", "/api/v1/tasks/stats", "alice", None);
        let first = socket.ask(&read).await.expect("an answer");
        assert!(!first.head.contains("connection: close"), "{first:?}");
        clients.push(tokio::spawn(async move {
            loop {
                let answer = socket.ask(&read).await.expect("an answer");
                assert_eq!(answer.status, 200, "{answer:?}");
                if answer.head.contains("connection: close") {
                    break socket.ended().await;
                }
            }
        }));
    }
    assert!(service.stop().await.success());
    for client in clients {
        client.await.expect("the last answer said so");
    }
}

/// A single instance has nobody to stand in for it: its clients see the connection end, and come back.
async fn a_restart_under_load_takes_less_than_5_seconds(database: Database) {
    let port = lasting_port().to_string();
    let mut service = Service::start_with(&database, &[("PORT", &port)]).await;
    let writers = Writers::start(&service, 4);
    for _ in 0..3 {
        writers.go_on(20).await;
        let told = Instant::now();
        assert!(service.stop().await.success());
        service = Service::start_with(&database, &[("PORT", &port)]).await;
        service.client("alice").tasks().await;
        let away = told.elapsed();
        writers.turn_to(&service);
        println!("first success {away:?} after the signal");
        assert!(away < Duration::from_secs(5), "{away:?}");
    }
    writers.go_on(20).await;
    let account = writers.finish(&service).await;
    assert_eq!(account.turned_away, 0, "nobody is turned away");
    assert!(account.unheard > 0, "they asked while nobody was there");
}

on_both_stores! {
    every_connection_is_let_go_of_before_it_ends
    a_restart_under_load_takes_less_than_5_seconds
}
