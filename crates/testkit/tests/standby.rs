//! Standbys stream, are promoted, and follow a new primary.

#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use taskhold_testkit::postgres::PostgresServer;

async fn connect(server: &PostgresServer) -> PgConnection {
    let connection = PgConnection::connect(&server.url("postgres")).await;
    connection.expect("connected")
}

async fn count(server: &PostgresServer) -> i64 {
    let rows = connect(server)
        .await
        .fetch_one("SELECT count(*) FROM written")
        .await;
    rows.expect("a number").get(0)
}

#[tokio::test]
async fn promoted_postgres_standby_has_every_commit_and_is_followed() {
    let first = PostgresServer::start().expect("a server");
    let mut primary = connect(&first).await;
    let created = primary.execute("CREATE TABLE written (n int)").await;
    created.expect("created");
    let second = first.standby().expect("a standby");
    first.commit_on_standbys(true).await;
    second.pause_replay().await;
    for _ in 0..100 {
        let inserted = primary.execute("INSERT INTO written VALUES (1)").await;
        inserted.expect("acknowledged");
    }
    assert_eq!(count(&second).await, 0, "it does not show them yet");
    let refused = connect(&second)
        .await
        .execute("INSERT INTO written VALUES (2)")
        .await;
    let refused = refused.expect_err("a standby takes no writes");
    let answer = refused.as_database_error().expect("an answer");
    assert_eq!(answer.code().as_deref(), Some("25006"));
    second.resume_replay().await;
    first.kill();
    second.promote();
    assert_eq!(count(&second).await, 100);
    drop(primary);

    let third = second.standby().expect("a standby");
    second.wait_for_standbys(1).await;
    second.stop();
    third.promote();
    second.follow(&third);
    third.wait_for_standbys(1).await;
    third.commit_on_standbys(true).await;
    let inserted = connect(&third)
        .await
        .execute("INSERT INTO written VALUES (3)")
        .await;
    inserted.expect("acknowledged");
    third.commit_on_standbys(false).await;
}
