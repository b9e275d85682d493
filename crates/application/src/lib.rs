//! The use cases of Taskhold, and the decisions that belong to no single task: who may do what,
//! and what a miss means. It knows the storage ports and nothing of databases or HTTP.
//!
//! | module | holds |
//! | --- | --- |
//! | [`tasks`] | [`TaskService`](tasks::TaskService): create, read, change and delete one's tasks |
//! | [`housekeeping`] | [`Housekeeping`](housekeeping::Housekeeping): removes what need not be kept |
//! | [`readiness`] | [`Readiness`](readiness::Readiness): whether the store answers in time |
//! | [`tokens`] | [`TokenVerifier`](tokens::TokenVerifier): who is asking |
//! | [`clock`], [`ids`] | the ports for time and new ids, with the system's own |

pub mod clock;
pub mod housekeeping;
pub mod ids;
mod quota;
pub mod readiness;
pub mod tasks;
pub mod tokens;
