//! The use cases of Taskhold, and the decisions that belong to no single task: who may do what,
//! and what a miss means. It knows the storage ports and nothing of databases or HTTP.
//!
//! | module | holds |
//! | --- | --- |
//! | [`tasks`] | [`TaskService`](tasks::TaskService): create, read, change and delete one's tasks |
//! | [`accounts`] | [`AccountService`](accounts::AccountService): register, log in, stay logged in, leave |
//! | [`administration`] | [`Administration`](administration::Administration): what an operator can do with accounts |
//! | [`import`] | [`Importer`](import::Importer): tasks out of a file, all or none |
//! | [`rate_limits`] | [`RateLimiter`](rate_limits::RateLimiter): how often somebody may try |
//! | [`revocations`] | [`Revocations`](revocations::Revocations): which sound tokens count |
//! | [`housekeeping`] | [`Housekeeping`](housekeeping::Housekeeping): removes what need not be kept |
//! | [`readiness`] | [`Readiness`](readiness::Readiness): whether the store answers in time |
//! | [`tokens`] | [`TokenVerifier`](tokens::TokenVerifier), [`TokenSigner`](tokens::TokenSigner): who is asking |
//! | [`passwords`] | [`PasswordHasher`](passwords::PasswordHasher): how passwords are kept |
//! | [`clock`], [`ids`] | the ports for time and new ids, with the system's own |

pub mod accounts;
pub mod administration;
pub mod clock;
pub mod housekeeping;
pub mod ids;
pub mod import;
pub mod passwords;
mod quota;
pub mod rate_limits;
pub mod readiness;
pub mod revocations;
pub mod tasks;
pub mod tokens;
