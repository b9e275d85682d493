//! Operations of several steps are atomic. A renamed column makes the last step fail.

use serde_json::json;

use super::{CHANGE_PASSWORD, PASSWORD, log_in, post_login, post_refresh, register};
use crate::service::{Answer, Database, Service};

const EMAIL: &str = "anna@example.org";

/// PostgreSQL has a code for a missing column, which is the state of the store and no defect. SQLite's code is that of
/// any error.
fn assert_failed(database: &Database, answer: &Answer) {
    let status = if database.is_sqlite() { 500 } else { 503 };
    assert_eq!(answer.status, status, "{answer:?}");
}

async fn failed_refresh_keeps_the_token_valid(database: Database) {
    let service = Service::start(&database).await;
    let anna = register(&service, EMAIL).await;
    database
        .execute("ALTER TABLE users RENAME COLUMN name TO gone")
        .await;
    let answer = post_refresh(&service, &anna.refresh).await;
    assert_failed(&database, &answer);
    database
        .execute("ALTER TABLE users RENAME COLUMN gone TO name")
        .await;
    let answer = post_refresh(&service, &anna.refresh).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn failed_password_change_keeps_the_password(database: Database) {
    let service = Service::start(&database).await;
    let anna = register(&service, EMAIL).await;
    let away = "ALTER TABLE refresh_tokens RENAME COLUMN created_at TO gone";
    database.execute(away).await;
    let change = json!({"current_password": PASSWORD, "new_password": "another horse"});
    let answer = anna.client(&service).post(CHANGE_PASSWORD, change).await;
    assert_failed(&database, &answer);
    let back = "ALTER TABLE refresh_tokens RENAME COLUMN gone TO created_at";
    database.execute(back).await;
    log_in(&service, EMAIL).await;
    let answer = post_login(&service, EMAIL, "another horse").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let answer = post_refresh(&service, &anna.refresh).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

on_both_stores! {
    failed_refresh_keeps_the_token_valid
    failed_password_change_keeps_the_password
}
