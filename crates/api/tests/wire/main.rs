//! What goes over the wire, to the letter: transcripts over the in-memory store, kept as snapshots
//! that read as documentation, and requests that nobody thought of, which must never be a defect.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

mod accounts;
mod anything;
mod draining;
mod export;
mod faults;
mod idempotency;
mod transcripts;
mod wire;
