//! End-to-end tests: the program over HTTP, on SQLite files and on PostgreSQL servers.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what it expects, and JSON is indexed"
)]

/// Defines a test for each function and each store. The functions take a `Database`.
macro_rules! on_both_stores {
    ($($test:ident)+) => {
        mod sqlite {
            $(#[tokio::test] async fn $test() { super::$test(crate::service::Database::sqlite()).await })+
        }
        mod postgres {
            $(#[tokio::test] async fn $test() { super::$test(crate::service::Database::postgres().await).await })+
        }
    };
}

/// Defines a test for each function and each pair of kinds of store. The functions take the `Database` that a user is
/// moved from, and the one that the user is moved to.
macro_rules! on_all_pairs {
    ($($test:ident)+) => {
        on_all_pairs! { @pair sqlite_to_postgres, Database::sqlite(), Database::postgres().await, $($test)+ }
        on_all_pairs! { @pair postgres_to_sqlite, Database::postgres().await, Database::sqlite(), $($test)+ }
        on_all_pairs! { @pair sqlite_to_sqlite, Database::sqlite(), Database::sqlite(), $($test)+ }
        on_all_pairs! { @pair postgres_to_postgres, Database::postgres().await, Database::postgres().await, $($test)+ }
    };
    (@pair $pair:ident, $source:expr, $target:expr, $($test:ident)+) => {
        mod $pair {
            use crate::service::Database;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() { super::$test($source, $target).await })+
        }
    };
}

mod access;
mod accounts;
mod architecture;
mod backup;
mod batching;
mod browser;
mod browsers;
mod change_log;
mod change_stream;
mod client;
mod clients;
mod commands;
mod concurrency;
mod connecting;
mod crash;
mod database_urls;
mod deployment;
mod direct_url;
mod disk_full;
mod docs_page;
mod doctor;
mod documents;
mod durability;
mod engines;
mod failover;
mod fairness;
mod faults;
mod forwarded;
mod guide;
mod history;
mod http_connections;
mod http_messages;
mod http_targets;
mod idempotency;
mod import;
mod jwks;
mod leases;
mod lists;
mod load;
mod locked_rows;
mod lost_commit;
mod mcp;
mod media_types;
mod messages;
mod migration_locks;
mod migration_sql;
mod missing_store;
mod model;
mod mounts;
mod moves;
mod observability;
mod page_login;
mod parity;
mod paused;
mod plans;
mod pooler;
mod power_cut;
mod process;
mod proxies;
mod proxy_variables;
mod query_parameters;
mod read_only;
mod recovery;
mod repeat;
mod replica;
mod requirements;
mod reverse_proxies;
mod roles;
mod rolling;
mod runbook;
mod schemas;
mod search;
mod service;
mod settings;
mod slow_clients;
mod soak;
mod socket;
mod target_folder;
mod todo;
mod unmigrated;
mod unwritable;
mod user_move;
mod user_names;
mod web_page;
mod writers;
