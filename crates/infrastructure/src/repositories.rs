//! The storage ports, implemented for [`Database`](crate::db::Database): a file for each port.

pub(crate) mod change_log;
mod health;
mod idempotency;
mod import;
mod leases;
mod personal_tokens;
mod rate_limits;
mod revocations;
mod search;
mod sessions;
pub(crate) mod tasks;
mod trash;
mod users;
