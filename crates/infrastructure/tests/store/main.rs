//! The stores keep the contract of the storage ports, on real SQLite files and real PostgreSQL.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

mod batching;
mod database;
mod migrations;
mod url;
mod writer;

use taskhold_testkit::contract::queries::every_query_of;
use taskhold_testkit::store_contract;

store_contract!(sqlite, crate::database::sqlite());
store_contract!(postgres, crate::database::postgres());
store_contract!(batched, crate::database::batched());

#[tokio::test]
async fn every_query_of_ten_thousand_tasks_on_sqlite() {
    every_query_of(database::sqlite().await.as_ref(), 10_000).await;
}

#[tokio::test]
async fn every_query_of_ten_thousand_tasks_on_postgres() {
    every_query_of(database::postgres().await.as_ref(), 10_000).await;
}
