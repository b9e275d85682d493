//! Operations of several steps are atomic. A renamed column makes the last step fail.

use serde_json::json;

use super::rows::changed;
use super::{CHANGE_PASSWORD, PASSWORD, logged_in, logging_in, refreshing, registered};
use crate::service::{Database, Service};

const EMAIL: &str = "anna@example.org";

async fn failed_refresh_keeps_the_token_valid(database: Database) {
    let service = Service::start(&database).await;
    let anna = registered(&service, EMAIL).await;
    changed(&database, "ALTER TABLE users RENAME COLUMN name TO gone").await;
    let answer = refreshing(&service, &anna.refresh).await;
    assert_eq!(answer.status, 500, "{answer:?}");
    changed(&database, "ALTER TABLE users RENAME COLUMN gone TO name").await;
    let answer = refreshing(&service, &anna.refresh).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn failed_password_change_keeps_the_password(database: Database) {
    let service = Service::start(&database).await;
    let anna = registered(&service, EMAIL).await;
    let away = "ALTER TABLE refresh_tokens RENAME COLUMN created_at TO gone";
    changed(&database, away).await;
    let change = json!({"current_password": PASSWORD, "new_password": "another horse"});
    let answer = anna.client(&service).post(CHANGE_PASSWORD, change).await;
    assert_eq!(answer.status, 500, "{answer:?}");
    let back = "ALTER TABLE refresh_tokens RENAME COLUMN gone TO created_at";
    changed(&database, back).await;
    logged_in(&service, EMAIL).await;
    let answer = logging_in(&service, EMAIL, "another horse").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let answer = refreshing(&service, &anna.refresh).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

on_both_stores! {
    failed_refresh_keeps_the_token_valid
    failed_password_change_keeps_the_password
}
