//! The storage ports on SQLite and PostgreSQL, with the same code for both.
//!
//! | module | holds |
//! | --- | --- |
//! | [`url`] | [`DatabaseUrl`](url::DatabaseUrl): where the database is, in all spellings that people use |
//! | [`db`] | [`Database`]: connections, transactions, retries and migrations |
//! | `entities` | the rows of the tables |
//! | `repositories` | the storage ports, implemented for [`Database`] |
//! | [`batching`] | [`Batched`](batching::Batched): a task repository that batches concurrent calls |
//! | [`replica`] | [`Replicated`](replica::Replicated): ports of tasks whose reads a replica executes |
//! | [`inspection`] | [`Inspector`](inspection::Inspector): a read-only session for diagnosis |
//! | [`files`] | files that only this user can read, and names that survive a power cut |
//!
//! A URL chooses the kind of database; the ports hide it from the rest of the program.

pub mod batching;
pub mod db;
mod entities;
pub mod files;
pub mod inspection;
pub mod replica;
mod repositories;
pub mod url;

pub use self::db::Database;
