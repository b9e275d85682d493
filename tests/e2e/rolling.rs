//! Restarts: several instances are replaced one by one without a failed request; a single instance is
//! unavailable for seconds.

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

/// Returns a free port that stays free while its service restarts: it is below the ports of outgoing
/// connections, and different for each test and process.
pub fn reserved_port() -> u16 {
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
        let port = reserved_port();
        let folder = tempfile::tempdir().expect("a folder");
        let documented = include_str!("../../docs/operations/instances.md");
        let (_, rest) = documented.split_once("```haproxy\n").expect("documented");
        let (configuration, _) = rest.split_once("```").expect("a block");
        // Only the addresses and the interval of the checks differ: these instances drain for one second.
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
            .expect("HAProxy runs; `make test` installs Debian's package haproxy");
        let url = format!("http://127.0.0.1:{port}");
        let balancer = Self { child, url, folder };
        for instance in ["one", "two"] {
            balancer.wait_until_up(instance).await;
        }
        balancer
    }

    fn socket(folder: &Path) -> String {
        folder.join("stats").display().to_string()
    }

    /// Waits until HAProxy has checked this instance and sends requests to it.
    async fn wait_until_up(&self, instance: &str) {
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
async fn rolling_restart_fails_no_request() {
    let database = Database::postgres().await;
    let ports = [reserved_port(), reserved_port()];
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
    load.wait_for_progress(100).await;
    for restart in 0..rounds(6, 200) {
        let turn = restart % 2;
        let (name, instance) = &mut instances[turn];
        let ended = instance.take().expect("the instance runs").stop().await;
        assert_eq!(ended.code(), Some(0));
        *instance = Some(start(ports[turn]).await);
        balancer.wait_until_up(name).await;
        load.wait_for_progress(50).await;
    }
    let [(_, Some(instance)), _] = &instances else {
        unreachable!("each instance is started again");
    };
    load.finish(instance).await;
}

/// A client learns from `connection: close` not to send another request, so none is lost to the shutdown.
async fn draining_announces_the_close_of_every_connection(database: Database) {
    let delay = ("TASKHOLD__SERVER__DRAIN_DELAY_SECONDS", "1");
    let service = Service::start_with(&database, &[delay]).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        let read = request("GET", "/api/v1/tasks/stats", "alice", None);
        let first = socket.exchange(&read).await.expect("an answer");
        assert!(!first.head.contains("connection: close"), "{first:?}");
        clients.push(tokio::spawn(async move {
            loop {
                let answer = socket.exchange(&read).await.expect("an answer");
                assert_eq!(answer.status, 200, "{answer:?}");
                if answer.head.contains("connection: close") {
                    break socket.wait_until_closed().await;
                }
            }
        }));
    }
    assert!(service.stop().await.success());
    for client in clients {
        client.await.expect("the last answer announces the close");
    }
}

/// Without a second instance, clients lose their connection and reconnect.
async fn restart_under_load_takes_less_than_5_seconds(database: Database) {
    let port = reserved_port().to_string();
    let mut service = Service::start_with(&database, &[("PORT", &port)]).await;
    let writers = Writers::start(&service, 4);
    for _ in 0..3 {
        writers.wait_for_progress(20).await;
        let stopped = Instant::now();
        assert!(service.stop().await.success());
        service = Service::start_with(&database, &[("PORT", &port)]).await;
        service.client("alice").tasks().await;
        let downtime = stopped.elapsed();
        writers.switch_to(&service);
        println!("first success {downtime:?} after the signal");
        assert!(downtime < Duration::from_secs(5), "{downtime:?}");
    }
    writers.wait_for_progress(20).await;
    let record = writers.finish(&service).await;
    assert_eq!(record.rejected, 0, "no request is rejected");
    assert!(
        record.unreachable > 0,
        "some requests fell into the downtime"
    );
}

on_both_stores! {
    draining_announces_the_close_of_every_connection
    restart_under_load_takes_less_than_5_seconds
}
