//! The storage ports of Taskhold: what the use cases ask of a store, and nothing about how it is
//! done. An adapter implements these traits and shows with the contract suite of
//! `taskhold-testkit` that it keeps every obligation written here.
//!
//! | module | port |
//! | --- | --- |
//! | [`tasks`] | [`TaskRepository`](tasks::TaskRepository), one person's tasks |
//! | [`users`] | [`UserRepository`](users::UserRepository), the owners and their accounts |
//! | [`sessions`] | [`SessionRepository`](sessions::SessionRepository), refresh tokens |
//! | [`revocations`] | [`RevocationRepository`](revocations::RevocationRepository), since when tokens count |
//! | [`rate_limits`] | [`RateLimitRepository`](rate_limits::RateLimitRepository), what is limited by all instances together |
//! | [`import`] | [`ImportRepository`](import::ImportRepository), the import of a file |
//! | [`health`] | [`StoreHealth`](health::StoreHealth), whether the store is there |
//! | [`idempotency`] | [`IdempotencyKeyRepository`](idempotency::IdempotencyKeyRepository), writes that are done once |
//! | [`error`] | [`StoreError`](error::StoreError), the one error of them all |
//!
//! Three promises hold for every method: it is one atomic change or one consistent reading; on
//! data that somebody owns it takes the owner, so that no query can forget it; and what is absent
//! is no error.

pub mod error;
pub mod health;
pub mod idempotency;
pub mod import;
pub mod rate_limits;
pub mod revocations;
pub mod sessions;
pub mod tasks;
pub mod users;
