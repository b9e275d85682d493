//! The service or PostgreSQL is killed again and again under load: what was acknowledged is there,
//! what was never attempted is not, nothing is there twice.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use crate::load::Load;
use crate::service::{Database, Service, eventually};
use crate::soak::rounds;
use crate::writers::Writers;

/// Writers of each kind.
const WRITERS: usize = 16;
/// Tasks that are acknowledged between two crashes.
const TASKS: usize = 100;

async fn the_service_is_killed_again_and_again(database: Database) {
    let mut service = Service::start(&database).await;
    let writers = Writers::start(&service, WRITERS);
    for _ in 0..rounds(3, 50) {
        writers.go_on(TASKS).await;
        service.kill();
        service = Service::start(&database).await;
        writers.turn_to(&service);
    }
    writers.go_on(TASKS).await;
    let account = writers.finish(&service).await;
    assert!(account.unknown > 0, "the crashes hit requests under way");
}

on_both_stores! {
    the_service_is_killed_again_and_again
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_is_killed_again_and_again() {
    let (server, service) = Service::start_on_own_postgres().await;
    let writers = Writers::start(&service, WRITERS);
    // They read as well, and none of their requests may fail.
    let readers = Load::start(&service.url, 4);
    for _ in 0..rounds(3, 50) {
        writers.go_on(TASKS).await;
        readers.goes_on(10).await;
        server.kill();
        server.restart();
    }
    crashes_went_unnoticed(writers, &service).await;
    readers.goes_on(10).await;
    let (_, slowest) = readers.ends_well(&service).await;
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
}

/// PostgreSQL then ends every session and recovers, since memory that they share may be damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_process_of_postgres_is_killed_again_and_again() {
    let (server, service) = Service::start_on_own_postgres().await;
    let writers = Writers::start(&service, WRITERS);
    for _ in 0..rounds(3, 50) {
        writers.go_on(TASKS).await;
        let session = session_at_work(&server).await;
        server.kill_process(session);
    }
    crashes_went_unnoticed(writers, &service).await;
}

/// By the writers; the service had something to make again.
async fn crashes_went_unnoticed(writers: Writers, service: &Service) {
    writers.go_on(TASKS).await;
    let account = writers.finish(service).await;
    assert_eq!(
        (account.unknown, account.turned_away, account.unheard),
        (0, 0, 0),
        "creations wait it out"
    );
    assert!(
        service.log().contains("retrying it"),
        "the crashes hit calls under way"
    );
}

/// The process of the session of the service that was sent the latest statement.
async fn session_at_work(server: &PostgresServer) -> i32 {
    // The server may still recover from the crash before.
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
