//! The database: connections, transactions, retries and migrations.
//!
//! | module | holds |
//! | --- | --- |
//! | [`connect`] | [`ConnectOptions`](connect::ConnectOptions): how a database is opened, and why it was not |
//! | `database` | [`Database`]: the open database, through which every call goes |
//! | `retry`, `error` | the class of a failure, and whether the call is retried |
//! | `pool`, `connection` | connections to PostgreSQL, and the connection of one call |
//! | `transaction` | transactions on PostgreSQL |
//! | `sqlite`, `sqlite_readers`, `sqlite_writer`, `writer_connection` | connections to a SQLite file: a pool that reads, and the one writer |
//! | `due_dates` | due dates that orders compare, where they were not computed with this time zone database |
//! | `guard` | the check that a replica has a change |
//! | `cancel_token` | cancellation of queued requests |
//! | [`lock`] | the lock of the process that serves a SQLite file |
//! | `locks` | locks that a transaction holds, as rows |
//! | [`migrations`] | schema migrations |
//! | `search` | texts that a search compares, where the version before has written the row |
//! | [`session`] | sessions of operator commands |
//! | [`tables`] | the schema of PostgreSQL in which the tables are |

pub(crate) mod cancel_token;
pub mod connect;
pub(crate) mod connection;
mod database;
mod due_dates;
pub(crate) mod error;
pub(crate) mod guard;
pub mod lock;
pub(crate) mod locks;
pub mod migrations;
mod pool;
mod primary;
pub(crate) mod retry;
pub mod rights;
pub(crate) mod search;
pub mod session;
pub(crate) mod sqlite;
mod sqlite_readers;
mod sqlite_writer;
pub mod tables;
pub(crate) mod transaction;
mod writer_connection;

pub use self::database::{Database, PoolUse};
pub use self::sqlite::FileError;
