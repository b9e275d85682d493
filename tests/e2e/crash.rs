//! Repeated kills of the service or PostgreSQL under load: acknowledged tasks exist exactly once,
//! and no task exists that was never requested.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use crate::load::Load;
use crate::service::{Database, Service, eventually};
use crate::soak::rounds;
use crate::writers::Writers;

/// The number of writers of each kind.
const WRITERS: usize = 16;
/// The number of tasks acknowledged between two crashes.
const TASKS: usize = 100;

async fn repeatedly_killed_service_loses_no_acknowledged_task(database: Database) {
    let mut service = Service::start(&database).await;
    let writers = Writers::start(&service, WRITERS);
    for _ in 0..rounds(3, 50) {
        writers.wait_for_progress(TASKS).await;
        service.kill();
        service = Service::start(&database).await;
        writers.switch_to(&service);
    }
    writers.wait_for_progress(TASKS).await;
    let account = writers.finish(&service).await;
    assert!(account.unknown > 0, "the crashes hit requests under way");
}

on_both_stores! {
    repeatedly_killed_service_loses_no_acknowledged_task
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn repeatedly_killed_postgres_loses_no_acknowledged_task() {
    let (server, service) = Service::start_on_own_postgres().await;
    let writers = Writers::start(&service, WRITERS);
    // The readers must not see a failed request.
    let readers = Load::start(&service.url, 4);
    for _ in 0..rounds(3, 50) {
        writers.wait_for_progress(TASKS).await;
        readers.wait_for_progress(10).await;
        server.kill();
        server.restart();
    }
    assert_crashes_unnoticed(writers, &service).await;
    readers.wait_for_progress(10).await;
    let (_, slowest) = readers.finish(&service).await;
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
}

/// PostgreSQL ends every session and recovers because the processes' shared memory may be damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn repeatedly_killed_postgres_process_loses_no_acknowledged_task() {
    let (server, service) = Service::start_on_own_postgres().await;
    let writers = Writers::start(&service, WRITERS);
    for _ in 0..rounds(3, 50) {
        writers.wait_for_progress(TASKS).await;
        let session = latest_session(&server).await;
        server.kill_process(session);
    }
    assert_crashes_unnoticed(writers, &service).await;
}

/// Asserts that no write failed and that the service retried some.
async fn assert_crashes_unnoticed(writers: Writers, service: &Service) {
    writers.wait_for_progress(TASKS).await;
    let account = writers.finish(service).await;
    assert_eq!(
        (account.unknown, account.rejected, account.unreachable),
        (0, 0, 0),
        "creations wait it out"
    );
    assert!(
        service.has_logged_failed_calls(),
        "no crash happened during a call"
    );
}

/// Returns the process of the service's session with the latest statement.
async fn latest_session(server: &PostgresServer) -> i32 {
    // The server may still be recovering from the previous crash.
    eventually("a session of the service", async || {
        let mut admin = PgConnection::connect(&server.url("postgres")).await.ok()?;
        sqlx::query_scalar(
            "SELECT pid FROM pg_stat_activity
             WHERE application_name = 'taskhold' ORDER BY query_start DESC LIMIT 1",
        )
        .fetch_optional(&mut admin)
        .await
        .ok()?
    })
    .await
}
