//! Requests that run during a refresh or a deletion in PostgreSQL. The tests execute its
//! transaction by hand to keep it open.

use reqwest::Method;
use serde_json::json;
use sqlx::{Executor as _, PgConnection};

use super::rows::connect_postgres;
use super::{
    CHANGE_PASSWORD, Grant, LOGOUT, PASSWORD, REFRESH, TASKS, post_refresh, register, rows,
    token_issued_ago,
};
use crate::service::{Answer, Client, Database, Service, eventually};

/// Opens a transaction that has rotated the only unused refresh token.
async fn begin_rotation(database: &Database) -> PgConnection {
    let mut rotation = connect_postgres(database).await;
    let used = "BEGIN;
        UPDATE refresh_tokens SET used_at = created_at WHERE used_at IS NULL;
        INSERT INTO refresh_tokens
        SELECT decode(repeat('aa', 32), 'hex'), family, user_id, created_at, expires_at, NULL
        FROM refresh_tokens LIMIT 1";
    rotation.execute(used).await.expect("used");
    rotation
}

/// Sends a request that waits for the transaction, and commits the transaction once it waits.
async fn commit_once_blocked(
    database: &Database,
    mut transaction: PgConnection,
    request: impl Future<Output = Answer> + Send + 'static,
) -> Answer {
    let answer = tokio::spawn(request);
    let mut watch = connect_postgres(database).await;
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

async fn post_owned(client: Client, path: &'static str, body: serde_json::Value) -> Answer {
    client.post(path, body).await
}

#[tokio::test]
async fn reuse_during_a_refresh_revokes_the_successor() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let anna = register(&service, "anna@example.org").await;
    assert_eq!(post_refresh(&service, &anna.refresh).await.status, 200);

    let rotation = begin_rotation(&database).await;
    let again = json!({"refresh_token": anna.refresh});
    let again = post_owned(service.client_with(None), REFRESH, again);
    let answer = commit_once_blocked(&database, rotation, again).await;
    answer.assert_problem(401, "UNAUTHORIZED");
    let left = &rows::rows(&database).await["refresh_tokens"];
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn ending_all_sessions_during_a_refresh_revokes_the_successor() {
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
        let anna = register(&service, "anna@example.org").await;
        let rotation = begin_rotation(&database).await;
        let ending = post_owned(anna.client(&service), path, body);
        let answer = commit_once_blocked(&database, rotation, ending).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let left = &rows::rows(&database).await["refresh_tokens"];
        let new = usize::from(status == 200);
        assert_eq!(left.len(), new, "{path}: {left:?}");
        if new == 1 {
            let grant = Grant::of(&answer, 200);
            assert_eq!(post_refresh(&service, &grant.refresh).await.status, 200);
        }
    }
}

/// The write waits for the deletion and must not recreate the deleted user.
#[tokio::test]
async fn write_during_deletion_does_not_recreate_the_user() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let token = token_issued_ago("anna", std::time::Duration::ZERO);
    let anna = service.client_with(Some(token));
    anna.create(json!({"title": "first"})).await;
    for key in [None, Some("a-key")] {
        let mut deletion = connect_postgres(&database).await;
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
        let answer = commit_once_blocked(&database, deletion, Answer::of(request)).await;
        answer.assert_problem(401, "UNAUTHORIZED");
        let rows = rows::rows(&database).await;
        assert!(rows["users"].is_empty(), "{key:?}: {rows:?}");
        let back = "INSERT INTO users (id, is_active, created_at, updated_at)
            VALUES ('anna', true, 1, 1)";
        database.execute(back).await;
    }
}
