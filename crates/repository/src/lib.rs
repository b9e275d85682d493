//! The storage ports of Taskhold: what the use cases need of a store. An adapter implements these traits
//! and passes the contract suite of `taskhold-testkit`, which tests every obligation stated here.
//!
//! | module | port |
//! | --- | --- |
//! | [`tasks`] | [`TaskRepository`](tasks::TaskRepository): the tasks of an owner |
//! | [`users`] | [`UserRepository`](users::UserRepository): users and their accounts |
//! | [`sessions`] | [`SessionRepository`](sessions::SessionRepository): refresh tokens |
//! | [`revocations`] | [`RevocationRepository`](revocations::RevocationRepository): revoked tokens |
//! | [`search`] | [`SearchRepository`](search::SearchRepository): the texts that a search compares |
//! | [`keyed_digest`] | [`keyed_digest`](keyed_digest::keyed_digest): digests that cannot be tried |
//! | [`rate_limits`] | [`RateLimitRepository`](rate_limits::RateLimitRepository): counters of all instances |
//! | [`idempotency`] | [`IdempotencyKeyRepository`](idempotency::IdempotencyKeyRepository): keys of idempotent writes |
//! | [`leases`] | [`LeaseRepository`](leases::LeaseRepository): the instance that does a job |
//! | [`import`] | [`ImportRepository`](import::ImportRepository): imports of files |
//! | [`deadline`] | the time that the calls of a request share |
//! | [`freshness`] | how fresh the data must be that a request reads |
//! | [`request`] | the id of the request on whose behalf a port is called |
//! | [`health`] | [`StoreHealth`](health::StoreHealth): whether the store can be used |
//! | [`error`] | [`StoreError`](error::StoreError): the error of all ports |
//!
//! Every method
//! - is one atomic change or one consistent read,
//! - takes the owner of the data that it touches, so that no query can forget the owner,
//! - treats absent data as a result, not as an error.
//!
//! Use cases depend on a port, and never on an adapter:
//!
//! ```
//! use taskhold_domain::task::change_log::ChangeStamp;
//! use taskhold_domain::task::{TaskChange, TaskId};
//! use taskhold_domain::user::UserId;
//! use taskhold_repository::error::StoreError;
//! use taskhold_repository::tasks::{Precondition, TaskRepository};
//!
//! /// Completes a task and returns whether the owner has it.
//! async fn complete(
//!     tasks: &dyn TaskRepository,
//!     owner: &UserId,
//!     id: TaskId,
//!     stamp: &ChangeStamp,
//! ) -> Result<bool, StoreError> {
//!     let change = TaskChange::complete(true);
//!     let task = tasks.change(owner, id, &change, &Precondition::None, None, stamp).await?;
//!     Ok(task.is_some())
//! }
//! ```

pub mod change_log;
pub mod deadline;
pub mod error;
pub mod freshness;
pub mod health;
pub mod idempotency;
pub mod import;
pub mod keyed_digest;
pub mod leases;
pub mod personal_tokens;
pub mod rate_limits;
pub mod request;
pub mod revocations;
pub mod search;
pub mod sessions;
pub mod tasks;
pub mod trash;
pub mod users;
pub mod written;
