//! What cannot be done whole is not done: a column that is away for a moment breaks the last step.

use super::rows::changed;
use super::{refreshing, registered};
use crate::service::{Database, Service};

const EMAIL: &str = "anna@example.org";

async fn a_refresh_token_whose_successor_cannot_be_given_stays_good(database: Database) {
    let service = Service::start(&database).await;
    let anna = registered(&service, EMAIL).await;
    changed(&database, "ALTER TABLE users RENAME COLUMN name TO gone").await;
    let answer = refreshing(&service, &anna.refresh).await;
    assert_eq!(answer.status, 500, "{answer:?}");
    changed(&database, "ALTER TABLE users RENAME COLUMN gone TO name").await;
    let answer = refreshing(&service, &anna.refresh).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

on_both_stores! {
    a_refresh_token_whose_successor_cannot_be_given_stays_good
}
