//! The storage ports on SQLite and PostgreSQL, with the same code for both.
//!
//! | module | holds |
//! | --- | --- |
//! | [`url`] | [`DatabaseUrl`](url::DatabaseUrl): which store, in all the spellings people use |
//! | [`store`] | [`Store`](store::Store): the connections, and the one way through which every query goes |
//! | [`tasks`], [`users`], [`probe`] | the ports |
//! | [`schema`] | migrations under a lock |
//! | [`error`] | the only place that classifies errors of the database driver |
//!
//! A URL chooses the store; nothing else in the program knows which one it is.

pub mod error;
pub mod probe;
pub mod schema;
pub mod store;
pub mod tasks;
pub mod url;
pub mod users;
