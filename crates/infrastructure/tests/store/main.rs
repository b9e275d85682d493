//! The stores keep the contract of the storage ports, on real SQLite files and real PostgreSQL.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

mod adapter;
mod schema;
mod together;
mod url;
mod writer;

use taskhold_testkit::contract::queries::every_query_of;
use taskhold_testkit::store_contract;

store_contract!(sqlite, crate::adapter::sqlite());
store_contract!(postgres, crate::adapter::postgres());

#[tokio::test]
async fn every_query_of_ten_thousand_tasks_on_sqlite() {
    every_query_of(&adapter::sqlite().await, 10_000).await;
}

#[tokio::test]
async fn every_query_of_ten_thousand_tasks_on_postgres() {
    every_query_of(&adapter::postgres().await, 10_000).await;
}
