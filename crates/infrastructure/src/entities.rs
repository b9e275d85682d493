//! The rows of the tables, and the statements that several repositories share.

pub(crate) mod change;
pub(crate) mod details;
pub(crate) mod idempotency_key;
pub(crate) mod lease;
pub(crate) mod personal_token;
pub(crate) mod rate_limit;
pub(crate) mod revocation;
pub(crate) mod session;
pub(crate) mod task;
pub(crate) mod user;
