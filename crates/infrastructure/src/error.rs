//! Errors of the database driver, classified by code and never by message.

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr};
use taskhold_repository::error::{Source, StoreError};

/// Whether a call only reads, or writes too: what a lost connection means depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing changes, whatever becomes of the call.
    Read,
    /// The store changes if the call gets through.
    Write,
}

/// What is known of a statement that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// It never reached the store.
    NotSent,
    /// The store gave it up and undid it: a deadlock, a lock or statement time-out, no room.
    RolledBack,
    /// It was sent, and the store was lost before it answered.
    Ambiguous,
    /// A row of this key is there already.
    Duplicate,
    /// A defect: the same statement would fail again.
    Permanent,
}

/// What a failed call means to the use cases.
#[must_use]
pub fn store_error(error: DbErr, access: Access) -> StoreError {
    match (failure(&error), access) {
        (Failure::Duplicate, _) => StoreError::Duplicate,
        (Failure::NotSent | Failure::RolledBack, _) | (Failure::Ambiguous, Access::Read) => {
            StoreError::Unavailable(error.into())
        }
        (Failure::Ambiguous, Access::Write) => StoreError::OutcomeUnknown(error.into()),
        (Failure::Permanent, _) => StoreError::Defect(error.into()),
    }
}

/// What it means that a call took too long after it was sent.
#[must_use]
pub fn timed_out(source: impl Into<Source>, access: Access) -> StoreError {
    match access {
        Access::Read => StoreError::Unavailable(source.into()),
        Access::Write => StoreError::OutcomeUnknown(source.into()),
    }
}

/// Whether a row points to one that is not there.
#[must_use]
pub fn is_foreign_key_violation(error: &DbErr) -> bool {
    matches!(
        error.sql_err(),
        Some(sea_orm::SqlErr::ForeignKeyConstraintViolation(_))
    )
}

fn failure(error: &DbErr) -> Failure {
    match error {
        DbErr::ConnectionAcquire(_) => Failure::NotSent,
        DbErr::Conn(RuntimeErr::SqlxError(cause)) => match driver_failure(cause) {
            Failure::Ambiguous => Failure::NotSent,
            known => known,
        },
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            driver_failure(cause)
        }
        _ => Failure::Permanent,
    }
}

fn driver_failure(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(answer) => match answer.code().as_deref() {
            Some(code)
                if answer
                    .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                    .is_some() =>
            {
                postgres_failure(code)
            }
            Some(code) => code.parse().map_or(Failure::Permanent, sqlite_failure),
            None => Failure::Permanent,
        },
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Failure::NotSent,
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            Failure::Ambiguous
        }
        _ => Failure::Permanent,
    }
}

/// Classes and codes of appendix A of the PostgreSQL manual.
fn postgres_failure(code: &str) -> Failure {
    match code {
        "23505" => Failure::Duplicate,
        // serialization_failure, deadlock_detected, lock_not_available, query_canceled (time-out)
        "40001" | "40P01" | "55P03" | "57014" => Failure::RolledBack,
        // internal_error is what Neon's proxy answers while it cannot reach its database.
        "XX000" => Failure::Ambiguous,
        // insufficient_resources: the statement was refused.
        _ if code.starts_with("53") => Failure::RolledBack,
        // operator_intervention and connection_exception: the session ended.
        _ if code.starts_with("57P") || code.starts_with("08") => Failure::Ambiguous,
        _ => Failure::Permanent,
    }
}

/// Result codes of SQLite; the low byte is the primary one.
fn sqlite_failure(code: i32) -> Failure {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const READONLY: i32 = 8;
    const IOERR: i32 = 10;
    const FULL: i32 = 13;
    const CANTOPEN: i32 = 14;
    const CONSTRAINT_PRIMARYKEY: i32 = 1555;
    const CONSTRAINT_UNIQUE: i32 = 2067;
    match code {
        CONSTRAINT_PRIMARYKEY | CONSTRAINT_UNIQUE => Failure::Duplicate,
        _ => match code & 0xff {
            BUSY | LOCKED | READONLY | FULL | CANTOPEN => Failure::RolledBack,
            IOERR => Failure::Ambiguous,
            _ => Failure::Permanent,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_codes() {
        for (code, expected) in [
            ("23505", Failure::Duplicate),
            ("40001", Failure::RolledBack),
            ("53300", Failure::RolledBack),
            ("57014", Failure::RolledBack),
            ("57P01", Failure::Ambiguous),
            ("08006", Failure::Ambiguous),
            ("XX000", Failure::Ambiguous),
            ("23514", Failure::Permanent),
            ("42P01", Failure::Permanent),
        ] {
            assert_eq!(postgres_failure(code), expected, "{code}");
        }
    }

    #[test]
    fn sqlite_codes() {
        for (code, expected) in [
            (5, Failure::RolledBack),
            (517, Failure::RolledBack),
            (13, Failure::RolledBack),
            (778, Failure::Ambiguous),
            (1555, Failure::Duplicate),
            (2067, Failure::Duplicate),
            (275, Failure::Permanent),
        ] {
            assert_eq!(sqlite_failure(code), expected, "{code}");
        }
    }

    #[test]
    fn a_lost_store_means_something_else_to_a_write_than_to_a_read() {
        let lost = || {
            DbErr::Exec(RuntimeErr::SqlxError(
                sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()).into(),
            ))
        };
        assert!(matches!(
            store_error(lost(), Access::Read),
            StoreError::Unavailable(_)
        ));
        assert!(matches!(
            store_error(lost(), Access::Write),
            StoreError::OutcomeUnknown(_)
        ));
        let never_sent = DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout);
        assert!(matches!(
            store_error(never_sent, Access::Write),
            StoreError::Unavailable(_)
        ));
    }
}
