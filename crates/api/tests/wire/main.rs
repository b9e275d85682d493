//! The API over the in-memory store: transcripts of requests and responses, kept as snapshots that
//! read as documentation, and arbitrary requests, which must never return 500.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

mod accounts;
mod arbitrary;
mod change_log;
mod details;
mod draining;
mod export;
mod faults;
mod idempotency;
mod import;
mod moves;
mod quick;
mod repeat;
mod requests;
mod transcripts;
mod wire;
