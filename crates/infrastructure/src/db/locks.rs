//! Locks that a transaction holds until it ends, as rows: they work through every pooler, and on servers that speak
//! PostgreSQL's protocol and have no advisory locks.

/// The work that one transaction at a time may do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lock {
    /// Change the schema.
    Migrations,
    /// Turn staged rows into tasks.
    Imports,
}

impl Lock {
    /// Returns the name of the row.
    fn name(self) -> &'static str {
        match self {
            Self::Migrations => "migrations",
            Self::Imports => "imports",
        }
    }
}

/// Returns the statement that takes a lock: it inserts the row or updates it, and so waits for the transaction that
/// has done either.
pub(crate) fn take(lock: Lock) -> String {
    format!(
        "INSERT INTO locks (name) VALUES ('{}') ON CONFLICT (name) DO UPDATE SET holder = NULL",
        lock.name()
    )
}
