//! The contract of the storage ports on real SQLite files and real PostgreSQL databases.

#![expect(clippy::expect_used, reason = "tests fail by panicking")]

/// Defines a module of tests for each kind of store.
macro_rules! on_both_stores {
    ($($test:ident)+) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $test() { super::$test(&crate::database::sqlite().await).await })+
        }
        mod on_postgres {
            $(#[tokio::test] async fn $test() { super::$test(&crate::database::postgres().await).await })+
        }
    };
}

mod batching;
mod database;
mod due_dates;
mod migrations;
mod search;
mod url;
mod writer;

use taskhold_testkit::contract::queries::check_every_query;
use taskhold_testkit::store_contract;

store_contract!(sqlite, crate::database::sqlite());
store_contract!(postgres, crate::database::postgres());
store_contract!(
    batched,
    crate::database::batched(crate::database::postgres())
);
store_contract!(
    batched_sqlite,
    crate::database::batched(crate::database::sqlite())
);

#[tokio::test]
async fn sqlite_queries_on_ten_thousand_tasks_match_the_reference() {
    check_every_query(database::sqlite().await.as_ref(), 10_000).await;
}

#[tokio::test]
async fn postgres_queries_on_ten_thousand_tasks_match_the_reference() {
    check_every_query(database::postgres().await.as_ref(), 10_000).await;
}
