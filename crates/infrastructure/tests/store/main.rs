//! The stores keep the contract of the storage ports, on real SQLite files and real PostgreSQL.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

mod adapter;
mod schema;
mod url;

use taskhold_testkit::store_contract;

store_contract!(sqlite, crate::adapter::sqlite());
store_contract!(postgres, crate::adapter::postgres());
