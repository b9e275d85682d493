//! The endpoint over the in-memory store: messages, revisions, tools, and what a client gets to know of failures.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what it expects, and JSON is indexed"
)]

mod access;
mod arguments;
mod failures;
mod messages;
mod revisions;
mod service;
mod tools;
