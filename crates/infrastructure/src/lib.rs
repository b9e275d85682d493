//! The storage ports on SQLite and PostgreSQL, with the same code for both.
//!
//! | module | holds |
//! | --- | --- |
//! | [`url`] | [`DatabaseUrl`](url::DatabaseUrl): which store, in all the spellings people use |
//! | [`start`] | [`Opening`](start::Opening): opening it, or saying in a sentence why not |
//! | [`store`] | [`Store`](store::Store): the connections, and the one way through which every call goes |
//! | [`lock`] | [`StoreLock`](lock::StoreLock): one serving process for each SQLite file |
//! | [`sqlite`], `writer` | a SQLite file: its connections, and the one writer whose writes share commits |
//! | `pool`, `connection` | connections to PostgreSQL, kept between calls |
//! | `job_connection` | the connection of the writer, which saves trips |
//! | `together` | calls that wait together, as one statement |
//! | `transaction`, `turn` | several statements or none; whose turn it is |
//! | `policy`, `error` | what a failure is, whether the call is made again, what its caller is told |
//! | [`tasks`], [`users`], [`sessions`], [`revocations`], [`rate_limits`], [`idempotency`], [`import`], [`probe`] | the ports |
//! | [`schema`] | migrations under a lock |
//! | [`session`] | a connection for a command that works on the whole store |
//! | [`inspection`] | [`Inspector`](inspection::Inspector): a read-only connection for diagnosis |
//! | [`files`] | files that only this user can read, and names that survive a power cut |
//!
//! A URL chooses the store; nothing else in the program knows which one it is.

mod connection;
mod error;
pub mod files;
pub mod idempotency;
pub mod import;
pub mod inspection;
mod job_connection;
pub mod lock;
mod policy;
mod pool;
pub mod probe;
pub mod rate_limits;
pub mod revocations;
pub mod schema;
pub mod session;
pub mod sessions;
pub mod sqlite;
pub mod start;
pub mod store;
pub mod tasks;
mod together;
mod transaction;
mod turn;
pub mod url;
pub mod users;
mod writer;
