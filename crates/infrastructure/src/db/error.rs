//! Classification of driver errors, by code and never by message.

use std::io;

use deadpool::managed::TimeoutType;
use sea_orm::sqlx;
use sea_orm::sqlx::postgres::{PgDatabaseError, PgSeverity};
use sea_orm::{DbErr, RuntimeErr};

use crate::db::pool::CheckoutError;

/// The class of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The call never reached the store.
    NotSent,
    /// The store refused the call and would refuse a retry until its operator has acted: a password, a
    /// certificate, a missing right or table, a full disk, damaged data.
    Refused,
    /// The store rolled the call back: a deadlock, a lock or statement timeout, no resources, a server that
    /// takes no writes.
    RolledBack,
    /// The call was sent, and the connection was lost before the answer.
    Ambiguous,
    /// A row with this key exists.
    Duplicate,
    /// The owner of the row does not exist and must not be created.
    UnknownOwner,
    /// The user was moved to another store, or is being moved into this one.
    UserMoved,
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
            Self::UserMoved => "user_moved",
            Self::Permanent => "permanent",
        }
    }

    /// Returns whether a retry can succeed.
    pub(crate) fn is_transient(self) -> bool {
        match self {
            Self::NotSent | Self::RolledBack | Self::Ambiguous => true,
            Self::Refused
            | Self::Duplicate
            | Self::UnknownOwner
            | Self::UserMoved
            | Self::Permanent => false,
        }
    }

    /// Classifies the error of a statement.
    pub(crate) fn of_statement(error: &DbErr) -> Self {
        match error {
            // SQLite's pool had no free connection in time.
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::NotSent,
            DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => Self::of_driver(cause),
            // Raised where a statement creates or needs an owner.
            DbErr::RecordNotInserted => Self::UnknownOwner,
            // Raised where a transaction finds that its user was moved.
            DbErr::RecordNotUpdated => Self::UserMoved,
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
            // Shutting down, starting up, no resources; the answer of Neon's proxy while its database wakes;
            // and that of PgBouncer while it cannot log in to the server.
            sqlx::Error::Database(answer) => match Self::of_driver(error) {
                Self::Ambiguous if answer.code().as_deref() == Some(PROTOCOL_VIOLATION) => {
                    Self::Refused
                }
                Self::NotSent | Self::RolledBack | Self::Ambiguous => Self::NotSent,
                Self::Refused
                | Self::Duplicate
                | Self::UnknownOwner
                | Self::UserMoved
                | Self::Permanent => Self::Refused,
            },
            _ => Self::Refused,
        }
    }

    /// Classifies the error of a statement that was sent.
    pub(crate) fn of_driver(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(answer) => match answer.code().as_deref() {
                Some(PROTOCOL_VIOLATION) if is_pooler_waiting(answer.message()) => Self::NotSent,
                Some(code) if answer.try_downcast_ref::<PgDatabaseError>().is_some() => {
                    postgres_failure(code)
                }
                Some(code) => code.parse().map_or(Self::Permanent, sqlite_failure),
                None => Self::Permanent,
            },
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::NotSent,
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
                Self::Ambiguous
            }
            _ => Self::Permanent,
        }
    }
}

/// A cause of failures that its operator must end: each has an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Another transaction held a lock for too long.
    Locked,
    /// The server or the file takes no writes.
    ReadOnly,
    /// The disk is full.
    DiskFull,
}

impl Cause {
    pub(crate) const ALL: [Self; 3] = [Self::Locked, Self::ReadOnly, Self::DiskFull];

    /// Returns the name of the cause in the metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::ReadOnly => "read_only",
            Self::DiskFull => "disk_full",
        }
    }

    /// Returns the cause of a statement's error, if it is one of these.
    pub(crate) fn of_statement(error: &DbErr) -> Option<Self> {
        let (DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
        else {
            return None;
        };
        Self::of_driver(cause)
    }

    /// Returns the cause of a driver's error, if it is one of these.
    pub(crate) fn of_driver(error: &sqlx::Error) -> Option<Self> {
        let answer = error.as_database_error()?;
        let code = answer.code()?;
        if answer.try_downcast_ref::<PgDatabaseError>().is_some() {
            return match code.as_ref() {
                LOCK_NOT_AVAILABLE => Some(Self::Locked),
                "25006" => Some(Self::ReadOnly),
                "53100" => Some(Self::DiskFull),
                _ => None,
            };
        }
        match code.parse::<i32>().ok()? & 0xff {
            BUSY | LOCKED => Some(Self::Locked),
            READONLY => Some(Self::ReadOnly),
            FULL => Some(Self::DiskFull),
            _ => None,
        }
    }
}

/// The code of a lock that was not free in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// The code of a NULL where a column has none: the number of a change of a user who was moved, for no other value of
/// a statement can be one.
const NOT_NULL_VIOLATION: &str = "23502";

/// The code of a protocol violation, and of everything that PgBouncer says itself.
pub(crate) const PROTOCOL_VIOLATION: &str = "08P01";

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

/// Returns whether a row with this key exists.
pub(crate) fn is_duplicate(error: &DbErr) -> bool {
    Failure::of_statement(error) == Failure::Duplicate
}

/// Returns whether another transaction held a lock for longer than we wait.
pub(crate) fn is_lock_timeout(error: &DbErr) -> bool {
    sql_state(error).as_deref() == Some(LOCK_NOT_AVAILABLE)
}

/// Returns whether the connection cannot be used after this error.
pub(crate) fn ends_session(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(answer) => {
            answer
                .try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|answer| {
                    // The server ends the session after an error of these severities.
                    matches!(answer.severity(), PgSeverity::Fatal | PgSeverity::Panic)
                        || postgres_failure(answer.code()) == Failure::Ambiguous
                        || is_state_of_session(answer.code())
                })
        }
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

/// Returns whether the same statement may succeed in another session: this one cannot write, because its
/// server is a standby now or was read-only when the session began; or prepared statements or a transaction
/// of it are not what this program left.
fn is_state_of_session(code: &str) -> bool {
    ["0A000", "25006", "25P02", "26000", "42P05"].contains(&code)
}

/// The codes of appendix A of the PostgreSQL manual; `docs/reference/postgresql-errors.md` gives the reason
/// for each.
fn postgres_failure(code: &str) -> Failure {
    match code {
        "23505" => Failure::Duplicate,
        NOT_NULL_VIOLATION => Failure::UserMoved,
        // The transaction was rolled back, or its session had ended before the statement arrived.
        "25006" | "25P03" | "25P04" | "26000" | "40000" | "40001" | "40P01" | "42P05" | "55006"
        | "55P03" | "57000" | "57014" | "57P05" | "58000" | "58030" | "72000" => {
            Failure::RolledBack
        }
        // The state of the server or of its data, which its operator must mend.
        "3D000" | "3F000" | "42501" | "42703" | "42P01" | "54000" | "55000" | "58P01" | "58P02"
        | "XX001" | "XX002" => Failure::Refused,
        // internal_error is what Neon's proxy answers while it cannot reach its database.
        "40003" | "XX000" => Failure::Ambiguous,
        // insufficient_resources: the statement was refused.
        _ if code.starts_with("53") => Failure::RolledBack,
        // invalid_authorization_specification and configuration_file_error.
        _ if code.starts_with("28") || code.starts_with("F0") => Failure::Refused,
        // operator_intervention and connection_exception: the session ended.
        _ if code.starts_with("57P") || code.starts_with("08") => Failure::Ambiguous,
        _ => Failure::Permanent,
    }
}

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const FULL: i32 = 13;

/// Result codes of SQLite; the low byte is the primary one.
fn sqlite_failure(code: i32) -> Failure {
    const PERM: i32 = 3;
    const NOMEM: i32 = 7;
    const IOERR: i32 = 10;
    const CORRUPT: i32 = 11;
    const CANTOPEN: i32 = 14;
    const PROTOCOL: i32 = 15;
    const NOTADB: i32 = 26;
    const CONSTRAINT_NOTNULL: i32 = 1299;
    const CONSTRAINT_PRIMARYKEY: i32 = 1555;
    const CONSTRAINT_UNIQUE: i32 = 2067;
    match code {
        CONSTRAINT_PRIMARYKEY | CONSTRAINT_UNIQUE => Failure::Duplicate,
        // PostgreSQL's code 23502 has the same meaning.
        CONSTRAINT_NOTNULL => Failure::UserMoved,
        _ => match code & 0xff {
            BUSY | LOCKED | NOMEM | CANTOPEN | PROTOCOL => Failure::RolledBack,
            PERM | READONLY | CORRUPT | FULL | NOTADB => Failure::Refused,
            IOERR => Failure::Ambiguous,
            _ => Failure::Permanent,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page with a row for each code.
    const PAGE: &str = include_str!("../../../../docs/reference/postgresql-errors.md");
    /// The list from which PostgreSQL's own manual is made, of the version that the tests run on.
    const APPENDIX: &str = "/usr/share/postgresql/15/errcodes.txt";

    /// Returns the cells of each code's row.
    fn documented() -> Vec<[&'static str; 5]> {
        let rows = PAGE.lines().filter_map(|line| {
            let cells: Vec<_> = line
                .strip_prefix("| `")?
                .strip_suffix(" |")?
                .split(" | ")
                .collect();
            let cells: [&str; 5] = cells.try_into().expect("five cells");
            Some(cells)
        });
        rows.collect()
    }

    #[test]
    fn documented_postgres_codes_have_their_class() {
        let rows = documented();
        assert!(rows.len() > 250, "{}", rows.len());
        for [code, name, class, session, reason] in rows {
            let code = code.trim_end_matches('`');
            assert_eq!(
                class,
                postgres_failure(code).name().replace('_', " "),
                "{code} {name}"
            );
            let closes = postgres_failure(code) == Failure::Ambiguous
                || is_state_of_session(code)
                // The server ends the session itself.
                || ["25P03", "25P04", "57P05"].contains(&code);
            assert_eq!(
                session,
                if closes { "closed" } else { "kept" },
                "{code} {name}"
            );
            assert!(!reason.is_empty(), "{code} {name}");
        }
    }

    /// A server that ends, starts, stands by, has no room, or rolls back gives one of these.
    #[test]
    fn postgres_codes_of_a_failover_are_retried() {
        for code in [
            "08000", "08001", "08003", "08004", "08006", "08007", "08P01", "25006", "25P03",
            "25P04", "40000", "40001", "40003", "40P01", "53000", "53100", "53200", "53300",
            "53400", "55006", "55P03", "57000", "57014", "57P01", "57P02", "57P03", "57P04",
            "57P05", "58000", "58030", "XX000",
        ] {
            assert!(postgres_failure(code).is_transient(), "{code}");
        }
    }

    #[test]
    fn every_code_of_the_manual_is_documented() {
        let Ok(appendix) = std::fs::read_to_string(APPENDIX) else {
            return;
        };
        let documented: Vec<_> = documented()
            .into_iter()
            .map(|[code, ..]| code.trim_end_matches('`'))
            .collect();
        let mut codes = 0;
        for line in appendix
            .lines()
            .filter(|line| !line.starts_with(['#', 'S']))
        {
            let Some(code) = line.split_whitespace().next() else {
                continue;
            };
            codes += 1;
            assert!(documented.contains(&code), "{line}");
        }
        assert!(codes > 250, "{codes}");
    }

    #[test]
    fn sqlite_codes() {
        for (code, expected) in [
            (5, Failure::RolledBack),
            (517, Failure::RolledBack),
            (8, Failure::Refused),
            (1032, Failure::Refused),
            (11, Failure::Refused),
            (13, Failure::Refused),
            (778, Failure::Ambiguous),
            (1555, Failure::Duplicate),
            (2067, Failure::Duplicate),
            (1299, Failure::UserMoved),
            (275, Failure::Permanent),
        ] {
            assert_eq!(sqlite_failure(code), expected, "{code}");
        }
    }
}
