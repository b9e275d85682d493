//! The use cases of Taskhold: who may do what, and what it means that a change finds nothing. The
//! crate knows the storage ports, and nothing of databases, HTTP, file formats or command lines.
//!
//! | module | holds |
//! | --- | --- |
//! | [`tasks`] | [`TaskService`](tasks::TaskService): create, read, change, delete and export one's tasks |
//! | [`change_log`] | [`ChangeLog`](change_log::ChangeLog), [`Trash`](change_log::Trash): what changed, and deleted tasks |
//! | [`change_streams`] | [`ChangeStreams`](change_streams::ChangeStreams): wakes clients whose log grows |
//! | [`accounts`] | [`AccountService`](accounts::AccountService): register, log in, refresh tokens, leave |
//! | [`actor`] | [`Actor`](actor::Actor): the user for whom a write acts, and the author of its changes |
//! | [`administration`] | [`Administration`](administration::Administration): the use cases of operators |
//! | [`import`] | [`Importer`](import::Importer): imports the rows of a file, all or none |
//! | [`rate_limits`] | [`RateLimiter`](rate_limits::RateLimiter): limits registrations and logins |
//! | [`user_limit`] | [`UserLimit`](user_limit::UserLimit): limits the requests that each user has in progress |
//! | [`revocations`] | [`Revocations`](revocations::Revocations): the valid tokens that were revoked |
//! | [`authentication`] | [`Authenticator`](authentication::Authenticator): checks the token of a request, whatever its kind |
//! | [`personal_tokens`] | [`PersonalTokens`](personal_tokens::PersonalTokens): tokens for programs, with scopes |
//! | [`security_log`] | [`Event`](security_log::Event): the events by which operators ban clients |
//! | [`pseudonym`] | [`Pseudonym`](pseudonym::Pseudonym): the name of a user in the log |
//! | [`housekeeping`] | [`Housekeeping`](housekeeping::Housekeeping): deletes and renews data that is out of date |
//! | [`leases`] | [`Lease`](leases::Lease): the right of one instance to do a job |
//! | [`readiness`] | [`Readiness`](readiness::Readiness): the check that requests can be served |
//! | [`reasons`] | [`reasons`](reasons::reasons): the text of an error and its causes |
//! | [`freshness`] | how fresh the data must be that a use case reads |
//! | [`request`] | the id of the request on whose behalf a use case runs |
//! | [`tokens`] | [`TokenVerifier`](tokens::TokenVerifier), [`TokenSigner`](tokens::TokenSigner): the ports for access tokens |
//! | [`passwords`] | [`PasswordHasher`](passwords::PasswordHasher): the port for password hashing |
//! | [`deadline`] | the time that the store's calls of a request share |
//! | [`clock`], [`ids`] | the ports for the time and for new ids, with those of the system |
//!
//! A service is a struct of ports, and a program chooses the adapters:
//!
//! ```
//! # use taskhold_application::{actor::Actor, clock::SystemClock, ids::TimeOrderedIds, tasks::{TaskError, TaskPorts, TaskService}};
//! # use taskhold_domain::{task::{Description, Details, TaskDraft, Title}, user::UserId};
//! # use std::{num::NonZeroU64, sync::Arc};
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = TaskPorts::of(Arc::new(taskhold_testkit::memory::MemoryStore::default()));
//! let quota = NonZeroU64::new(1).expect("not zero");
//! let tasks = TaskService::new(store, Arc::new(SystemClock), Arc::new(TimeOrderedIds), quota, quota);
//!
//! let anna = Actor::session(UserId::parse("anna")?);
//! let draft = TaskDraft {
//!     title: Title::parse("Buy milk")?,
//!     description: Description::default(),
//!     completed: false,
//!     details: Details::default(),
//! };
//! let task = tasks.create(&anna, draft.clone(), None).await?.outcome;
//! assert_eq!(tasks.find(&anna.user, task.id).await?, task);
//!
//! let second = tasks.create(&anna, draft, None).await;
//! assert!(matches!(second, Err(TaskError::QuotaExceeded { quota: 1 })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use taskhold_repository::{deadline, freshness, request};

pub mod accounts;
pub mod actor;
pub mod administration;
pub mod authentication;
pub mod change_log;
pub mod change_streams;
pub mod clock;
mod feed;
pub mod housekeeping;
pub mod ids;
pub mod import;
pub mod leases;
pub mod passwords;
pub mod personal_tokens;
pub mod pseudonym;
mod quota;
pub mod rate_limits;
pub mod readiness;
pub mod reasons;
pub mod revocations;
pub mod security_log;
pub mod tasks;
pub mod tokens;
pub mod user_limit;
