//! Classification of driver errors, by code and never by message.

use std::io;

use deadpool::managed::TimeoutType;
use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr};

use crate::db::pool::CheckoutError;

/// The class of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The call never reached the store.
    NotSent,
    /// The store refused the call and would refuse a retry: a password, a certificate, a missing right, a
    /// full disk.
    Refused,
    /// The store rolled the call back: a deadlock, a lock or statement timeout, no resources.
    RolledBack,
    /// The call was sent, and the connection was lost before the answer.
    Ambiguous,
    /// A row with this key exists.
    Duplicate,
    /// The owner of the row does not exist and must not be created.
    UnknownOwner,
    /// A defect: the same statement would fail again.
    Permanent,
}

impl Failure {
    /// Returns the name of the class in the metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Refused => "refused",
            Self::RolledBack => "rolled_back",
            Self::Ambiguous => "ambiguous",
            Self::Duplicate => "duplicate",
            Self::UnknownOwner => "unknown_owner",
            Self::Permanent => "permanent",
        }
    }

    /// Returns whether a retry can succeed.
    pub(crate) fn is_transient(self) -> bool {
        match self {
            Self::NotSent | Self::RolledBack | Self::Ambiguous => true,
            Self::Refused | Self::Duplicate | Self::UnknownOwner | Self::Permanent => false,
        }
    }

    /// Classifies the error of a statement.
    pub(crate) fn of_statement(error: &DbErr) -> Self {
        match error {
            // SQLite's pool had no free connection in time.
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::NotSent,
            DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => driver_failure(cause),
            // Raised where a statement creates or needs an owner.
            DbErr::RecordNotInserted => Self::UnknownOwner,
            _ => Self::Permanent,
        }
    }

    /// Classifies the error of a checkout from the pool.
    pub(crate) fn of_checkout(error: &CheckoutError) -> Self {
        match error {
            CheckoutError::Backend(cause) => Self::of_connecting(cause),
            CheckoutError::Timeout(
                TimeoutType::Wait | TimeoutType::Create | TimeoutType::Recycle,
            )
            | CheckoutError::Closed
            | CheckoutError::NoRuntimeSpecified
            | CheckoutError::PostCreateHook(_) => Self::NotSent,
        }
    }

    /// Classifies the error of a new connection.
    pub(crate) fn of_connecting(error: &sqlx::Error) -> Self {
        match error {
            // The TLS library's error for a certificate that it does not accept.
            sqlx::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => Self::Refused,
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => {
                Self::NotSent
            }
            sqlx::Error::Database(answer) => match answer.code().as_deref() {
                // Shutting down, starting up, no resources; the answer of Neon's proxy while its
                // database wakes; and that of PgBouncer while it cannot log in to the server.
                Some(code)
                    if ["57P", "53", "08", "XX000"]
                        .iter()
                        .any(|class| code.starts_with(class)) =>
                {
                    if code == "08P01" && !is_pooler_waiting(answer.message()) {
                        Self::Refused
                    } else {
                        Self::NotSent
                    }
                }
                _ => Self::Refused,
            },
            _ => Self::Refused,
        }
    }
}

/// Returns the driver's error code: SQLSTATE on PostgreSQL, a result code on SQLite.
pub(crate) fn sql_state(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) =
        error
    else {
        return None;
    };
    Some(cause.as_database_error()?.code()?.into_owned())
}

/// Returns whether a row refers to one that does not exist.
pub(crate) fn is_foreign_key_violation(error: &DbErr) -> bool {
    matches!(
        error.sql_err(),
        Some(sea_orm::SqlErr::ForeignKeyConstraintViolation(_))
    )
}

/// Returns whether another transaction held a lock for longer than we wait.
pub(crate) fn is_lock_timeout(error: &DbErr) -> bool {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    sql_state(error).as_deref() == Some(LOCK_NOT_AVAILABLE)
}

/// Returns whether the connection cannot be used after this error.
pub(crate) fn ends_session(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(_) => driver_failure(error) == Failure::Ambiguous,
        // The server's answer was complete; only its contents could not be read.
        sqlx::Error::RowNotFound
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::Encode(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::TypeNotFound { .. } => false,
        _ => true,
    }
}

/// Returns whether this is one of PgBouncer's two messages for "not now", which have the code of a protocol
/// violation.
fn is_pooler_waiting(message: &str) -> bool {
    message.starts_with("server login has been failing")
        || message.starts_with("pgbouncer cannot connect")
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
            BUSY | LOCKED | READONLY | CANTOPEN => Failure::RolledBack,
            FULL => Failure::Refused,
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
            (13, Failure::Refused),
            (778, Failure::Ambiguous),
            (1555, Failure::Duplicate),
            (2067, Failure::Duplicate),
            (275, Failure::Permanent),
        ] {
            assert_eq!(sqlite_failure(code), expected, "{code}");
        }
    }
}
