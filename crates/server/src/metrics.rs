//! What is measured, as Prometheus reads it.

mod disk;
mod process;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use taskhold_api::metrics::Metrics;
use taskhold_infrastructure::Database;

pub use self::disk::run as run_disk_loop;

/// From what the fastest call takes to the longest that a request waits, in seconds. The limits that
/// `docs/operations/alerts.yml` watches are among them, so that they are not guessed between two others.
const BUCKETS: [f64; 15] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0, 25.0,
];

/// How many connections there may be to a listener of its own: nobody but Prometheus comes.
const MAX_CONNECTIONS: usize = 64;

/// How many of them wait in the system to be accepted.
const BACKLOG: i32 = 64;

/// How often what was measured is summed up, so that it does not pile up where nobody asks for it.
const UPKEEP: Duration = Duration::from_secs(5);

/// Keeps what is measured from now on.
pub struct Recorder(PrometheusHandle);

/// Starts measuring.
///
/// # Errors
/// Where something measures already.
pub fn start() -> anyhow::Result<Recorder> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("cannot keep metrics")?;
    metrics::describe_histogram!(
        "taskhold_http_request_duration_seconds",
        "Requests by route, method and status."
    );
    metrics::describe_counter!(
        "taskhold_login_failures_total",
        "Logins with a wrong address or password."
    );
    // There from the start, so that the first one is seen as a change.
    metrics::counter!("taskhold_login_failures_total").increment(0);
    metrics::describe_counter!(
        "taskhold_authenticated_requests_total",
        "Requests with a valid token, by its kind."
    );
    metrics::describe_counter!(
        "taskhold_changes_appended_total",
        "Writes of this instance that appended to a change log."
    );
    metrics::counter!("taskhold_changes_appended_total").increment(0);
    metrics::describe_gauge!("taskhold_change_streams_open", "Open streams of changes.");
    metrics::gauge!("taskhold_change_streams_open").set(0.0);
    metrics::describe_counter!(
        "taskhold_cursors_expired_total",
        "Cursors of the change feed whose changes were no longer kept."
    );
    metrics::counter!("taskhold_cursors_expired_total").increment(0);
    metrics::describe_histogram!(
        "taskhold_store_call_duration_seconds",
        "Calls to the store, with their retries."
    );
    metrics::describe_counter!(
        "taskhold_store_retries_total",
        "Calls that were made again, by what had failed."
    );
    metrics::describe_counter!(
        "taskhold_store_failures_total",
        "Attempts of calls that failed for a cause that an operator must end."
    );
    metrics::describe_gauge!(
        "taskhold_store_connections",
        "Connections to the store, in use and idle."
    );
    metrics::describe_gauge!(
        "taskhold_store_calls_waiting",
        "Calls that wait for a connection or a retry."
    );
    metrics::describe_gauge!(
        "taskhold_replica_in_use",
        "1 while the replica for reads is used."
    );
    metrics::gauge!("taskhold_replica_in_use").set(0.0);
    metrics::describe_counter!(
        "taskhold_replica_reads_total",
        "Reads that a replica could execute, by what became of them."
    );
    for outcome in ["answered", "stale", "failed", "passed_over"] {
        metrics::counter!("taskhold_replica_reads_total", "outcome" => outcome).increment(0);
    }
    metrics::describe_gauge!(
        "taskhold_backup_last_success_timestamp_seconds",
        "When the newest backup of this store was taken, in seconds since 1970."
    );
    metrics::describe_gauge!(
        "taskhold_backup_last_verification_timestamp_seconds",
        "When a backup of this store was last verified, in seconds since 1970."
    );
    metrics::describe_gauge!("taskhold_build_info", "The version that runs; always 1.");
    metrics::gauge!("taskhold_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    process::start();
    let upkeep = recorder.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Ok(Recorder(recorder))
}

impl Recorder {
    /// The text of all metrics at the moment when it is asked for.
    pub fn source(self, database: Database) -> Metrics {
        Metrics::new(Arc::new(move || {
            let pool = database.pool_use();
            gauge("taskhold_store_connections", "in_use", pool.in_use);
            gauge("taskhold_store_connections", "idle", pool.idle);
            metrics::gauge!("taskhold_store_calls_waiting").set(as_f64(pool.waiting));
            process::note();
            self.0.render()
        }))
    }
}

fn gauge(name: &'static str, state: &'static str, value: usize) {
    metrics::gauge!(name, "state" => state).set(as_f64(value));
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}

/// Serves `/metrics` alone, on an address of its own.
///
/// # Errors
/// Where it cannot listen there.
pub fn serve(listener: TcpListener, metrics: Metrics) -> anyhow::Result<ServerHandle> {
    let address = listener.local_addr()?;
    let cannot_listen = || format!("metrics.address: cannot listen on {address}");
    rustix::net::listen(&listener, BACKLOG).with_context(cannot_listen)?;
    let server = HttpServer::new(move || taskhold_api::metrics::app(metrics.clone()))
        .workers(1)
        .max_connections(MAX_CONNECTIONS)
        .disable_signals()
        .listen(listener)
        .with_context(cannot_listen)?;
    for address in server.addrs() {
        tracing::info!(metrics_url = %format_args!("http://{address}/metrics"), "metrics");
    }
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}
