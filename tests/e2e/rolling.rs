//! Restarts: several instances are replaced one by one without a failed request; a single instance is
//! unavailable for seconds.

use std::time::{Duration, Instant};

use crate::load::Load;
use crate::proxies::running::reserved_port;
use crate::proxies::{Program, Proxy};
use crate::service::{Database, Service};
use crate::soak::rounds;
use crate::socket::{Socket, request};
use crate::writers::Writers;

/// Two instances behind a proxy, and clients that create and read tasks.
struct Replaced {
    database: Database,
    ports: [u16; 2],
    instances: [(&'static str, Option<Service>); 2],
    proxy: Proxy,
    load: Load,
}

impl Replaced {
    async fn start(program: Program) -> Self {
        let database = Database::postgres().await;
        let ports = [reserved_port(), reserved_port()];
        let instances = [
            ("one", Some(instance(&database, ports[0]).await)),
            ("two", Some(instance(&database, ports[1]).await)),
        ];
        let proxy = Proxy::start(program, ports).await;
        let load = match program {
            Program::HaProxy | Program::Nginx => Load::start(&proxy.url, 8),
            Program::Caddy => Load::start_repeating(&proxy.url, 8),
        };
        load.wait_for_progress(100).await;
        Self {
            database,
            ports,
            instances,
            proxy,
            load,
        }
    }

    /// Ends one instance after the other and starts it again.
    async fn replace(mut self, rounds: usize, end: impl AsyncFn(Service)) {
        for restart in 0..rounds {
            let turn = restart % 2;
            let (name, ended) = &mut self.instances[turn];
            end(ended.take().expect("the instance runs")).await;
            self.load.wait_for_progress(50).await;
            *ended = Some(instance(&self.database, self.ports[turn]).await);
            self.proxy.wait_until_up(name).await;
            self.load.wait_for_progress(50).await;
        }
        let [(_, Some(service)), _] = &self.instances else {
            unreachable!("each instance is started again");
        };
        self.load.finish(service).await;
    }
}

async fn instance(database: &Database, port: u16) -> Service {
    let port = port.to_string();
    let settings = [
        ("PORT", port.as_str()),
        ("TASKHOLD__SERVER__DRAIN_DELAY_SECONDS", "1"),
        // The proxies give every write a key.
        ("TASKHOLD__LIMITS__KEYS_PER_USER", "1000000"),
    ];
    Service::start_with(database, &settings).await
}

async fn stop(service: Service) {
    assert_eq!(service.stop().await.code(), Some(0));
}

async fn kill(service: Service) {
    service.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rolling_restart_fails_no_request() {
    let replaced = Replaced::start(Program::HaProxy).await;
    replaced.replace(rounds(6, 200), stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rolling_restart_behind_nginx_fails_no_request() {
    let replaced = Replaced::start(Program::Nginx).await;
    replaced.replace(rounds(6, 100), stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rolling_restart_behind_caddy_fails_no_request() {
    let replaced = Replaced::start(Program::Caddy).await;
    replaced.replace(rounds(6, 100), stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_instance_behind_haproxy_fails_no_request() {
    let replaced = Replaced::start(Program::HaProxy).await;
    replaced.replace(rounds(10, 100), kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_instance_behind_nginx_fails_no_request() {
    let replaced = Replaced::start(Program::Nginx).await;
    replaced.replace(rounds(10, 100), kill).await;
}

/// Caddy before 2.11.2 answers a write that met the killed instance with 502.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_instance_behind_caddy_fails_no_read_and_no_write_that_is_repeated() {
    let replaced = Replaced::start(Program::Caddy).await;
    replaced.replace(rounds(10, 100), kill).await;
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
