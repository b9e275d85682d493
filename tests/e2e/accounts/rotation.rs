//! What else happens while PostgreSQL is at work on a use of a refresh token, or on a deletion. Its
//! transaction is made by hand, so that the moment lasts.

use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use super::rows::connected;
use super::{
    CHANGE_PASSWORD, Grant, LOGOUT, PASSWORD, REFRESH, TASKS, issued_before, refreshing,
    registered, rows,
};
use crate::service::{Answer, Client, Database, Service, eventually};

/// A transaction that has used the only refresh token that is not used yet, and put a successor in
/// its place.
async fn rotation(database: &Database) -> PgConnection {
    let mut rotation = connected(database).await;
    let used = "BEGIN;
        UPDATE refresh_tokens SET used_at = created_at WHERE used_at IS NULL;
        INSERT INTO refresh_tokens
        SELECT decode(repeat('aa', 32), 'hex'), family, user_id, created_at, expires_at, NULL
        FROM refresh_tokens LIMIT 1";
    rotation.execute(used).await.expect("used");
    rotation
}

/// Sends a request that has to wait for the transaction, and commits that once it does.
async fn meanwhile(
    database: &Database,
    mut transaction: PgConnection,
    request: impl Future<Output = Answer> + Send + 'static,
) -> Answer {
    let answer = tokio::spawn(request);
    let mut watch = connected(database).await;
    eventually("the request waits for the transaction", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting: i64 = sqlx::query_scalar(waiting)
            .fetch_one(&mut watch)
            .await
            .expect("a number");
        (waiting > 0).then_some(())
    })
    .await;
    transaction.execute("COMMIT").await.expect("committed");
    answer.await.expect("an answer")
}

async fn posting(client: Client, path: &'static str, body: serde_json::Value) -> Answer {
    client.post(path, body).await
}

#[tokio::test]
async fn a_successor_in_the_making_ends_with_its_family() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let anna = registered(&service, "anna@example.org").await;
    assert_eq!(refreshing(&service, &anna.refresh).await.status, 200);

    let rotation = rotation(&database).await;
    let again = json!({"refresh_token": anna.refresh});
    let again = posting(service.client_with(None), REFRESH, again);
    let answer = meanwhile(&database, rotation, again).await;
    answer.assert_problem(401, "UNAUTHORIZED");
    let left = &rows::rows(&database).await["refresh_tokens"];
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_successor_in_the_making_ends_with_every_session() {
    for (path, status, body) in [
        (LOGOUT, 204, json!({})),
        (
            CHANGE_PASSWORD,
            200,
            json!({"current_password": PASSWORD, "new_password": "another horse"}),
        ),
    ] {
        let database = Database::postgres().await;
        let service = Service::start(&database).await;
        let anna = registered(&service, "anna@example.org").await;
        let rotation = rotation(&database).await;
        let ending = posting(anna.client(&service), path, body);
        let answer = meanwhile(&database, rotation, ending).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let left = &rows::rows(&database).await["refresh_tokens"];
        let new = usize::from(status == 200);
        assert_eq!(left.len(), new, "{path}: {left:?}");
        if new == 1 {
            let grant = Grant::of(&answer, 200);
            assert_eq!(refreshing(&service, &grant.refresh).await.status, 200);
        }
    }
}

/// The write waits for the deletion, and must not make anew what that deleted.
#[tokio::test]
async fn a_write_during_the_deletion_brings_nobody_back() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let token = issued_before("anna", std::time::Duration::ZERO);
    let anna = service.client_with(Some(token));
    anna.create(json!({"title": "first"})).await;
    for key in [None, Some("a-key")] {
        let mut deletion = connected(&database).await;
        let deleted = "BEGIN;
            DELETE FROM users WHERE id = 'anna';
            INSERT INTO revocations
            SELECT sha256('anna'), (extract(epoch FROM now()) * 1000000)::bigint, 9223372036854775
            ON CONFLICT DO NOTHING";
        deletion.execute(deleted).await.expect("deleted");
        let mut request = anna
            .request(Method::POST, TASKS)
            .json(&json!({"title": "too late"}));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = meanwhile(&database, deletion, Answer::of(request)).await;
        answer.assert_problem(401, "UNAUTHORIZED");
        let rows = rows::rows(&database).await;
        assert!(rows["users"].is_empty(), "{key:?}: {rows:?}");
        let back = "INSERT INTO users (id, is_active, created_at, updated_at)
            VALUES ('anna', true, 1, 1)";
        connected(&database)
            .await
            .execute(AssertSqlSafe(back.to_owned()))
            .await
            .expect("back for the next round");
    }
}
