//! Failed migrations.

use std::time::Duration;

use sea_orm::DbErr;

use crate::db::error::{is_lock_timeout, sql_state};

/// A migration or a query of the schema's history failed.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The history has migrations that this program does not know, and none that it knows.
    #[error(
        "its table seaql_migrations is that of another program, which has applied {0}: give Taskhold a database of its \
         own, or on PostgreSQL a schema (ALTER ROLE … SET search_path = …)"
    )]
    Foreign(String),
    /// The history has migrations that this program does not know, beside some that it knows.
    #[error(
        "a newer program has migrated it ({0}), and only that program can migrate it further or revert it; this one \
         serves it as it is"
    )]
    Newer(String),
    /// The database refused a statement, or was lost. The schema has not changed.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// An index could not be built.
    #[error("an index could not be built, and the next migration builds it anew: {0}")]
    Index(DbErr),
    /// Other sessions held a lock for too long.
    #[error(
        "{holders} held a lock that the migration needs, for {} s and {tries} tries. Nothing has changed{}, and running \
         instances serve on. Wait until it is free, or end a session with SELECT pg_terminate_backend(PID), and run \
         this again",
        waited.as_secs(),
        if *is_index { " but an unfinished index, which is built anew then" } else { "" }
    )]
    Locked {
        /// A description of the sessions that held the lock.
        holders: String,
        /// The number of times that the migration tried to get its locks.
        tries: u32,
        /// The time from the first try to the end of the last one.
        waited: Duration,
        /// `true` if the migration was building an index.
        is_index: bool,
    },
}

impl MigrationError {
    /// Returns whether the database user lacks a right that the migration needs.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        const INSUFFICIENT_PRIVILEGE: &str = "42501";
        let state = self.of_database().and_then(sql_state);
        state.as_deref() == Some(INSUFFICIENT_PRIVILEGE)
    }

    /// Returns whether another session held a lock.
    pub(super) fn is_lock_conflict(&self) -> bool {
        /// A deadlock, and a row that another transaction has changed since this one began.
        const CONFLICTS: [&str; 2] = ["40P01", "40001"];
        self.of_database().is_some_and(|error| {
            let state = sql_state(error);
            is_lock_timeout(error) || state.is_some_and(|state| CONFLICTS.contains(&state.as_str()))
        })
    }

    /// Returns the error of the database behind this one.
    fn of_database(&self) -> Option<&DbErr> {
        match self {
            Self::Database(error) | Self::Index(error) => Some(error),
            Self::Foreign(_) | Self::Newer(_) | Self::Locked { .. } => None,
        }
    }
}
