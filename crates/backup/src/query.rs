//! Statements that are the same on both kinds of store.

/// Evaluates an expression with the connection of either kind of store.
macro_rules! on_either {
    ($session:expr, $connection:ident => $call:expr) => {
        match $session {
            taskhold_infrastructure::db::session::MaintenanceSession::Postgres($connection) => {
                $call
            }
            taskhold_infrastructure::db::session::MaintenanceSession::Sqlite($connection) => $call,
        }
    };
}

pub(crate) use on_either;
