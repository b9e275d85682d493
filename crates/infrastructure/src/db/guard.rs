//! The check that a replica has a change, as a part of each statement that reads there.

use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::sea_query::Values;
use sea_orm::{ConnAcquireErr, DbErr, QueryResult, Statement};
use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_domain::user::UserId;

/// The columns that a guarded statement adds.
const PLACE: &str = "taskhold_place";
const SEQ: &str = "taskhold_seq";

/// The change that a replica must have to answer a read.
#[derive(Debug)]
pub(crate) struct Guard {
    owner: UserId,
    at_least: ChangeSeq,
    is_stale: AtomicBool,
}

impl Guard {
    /// Returns a guard that asks for a change of an owner, and all before it.
    pub(crate) fn new(owner: UserId, at_least: ChangeSeq) -> Self {
        Self {
            owner,
            at_least,
            is_stale: AtomicBool::new(false),
        }
    }

    /// Returns whether the replica lacked the change.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }

    /// Returns the statement with the check. It returns the number of the owner's last change with each row, and in one
    /// row of NULLs if it finds nothing. If that number is too low, it reads nothing else.
    pub(crate) fn guarded(&self, statement: Statement) -> Statement {
        if self.at_least == ChangeSeq::ZERO {
            return statement;
        }
        let Values(mut values) = statement.values.unwrap_or(Values(Vec::new()));
        let (owner, at_least) = (values.len() + 1, values.len() + 2);
        values.extend([self.owner.as_str().into(), self.at_least.get().into()]);
        let sql = format!(
            "SELECT found.*, feed.seq AS {SEQ} \
             FROM (SELECT coalesce(max(seq), 0) AS seq FROM feeds WHERE user_id = ${owner}) AS feed \
             LEFT JOIN LATERAL (SELECT inner_rows.*, row_number() OVER () AS {PLACE} FROM ({}) AS inner_rows) AS found \
                ON feed.seq >= ${at_least} \
             ORDER BY found.{PLACE}",
            statement.sql
        );
        Statement {
            sql,
            values: Some(Values(values)),
            db_backend: statement.db_backend,
        }
    }

    /// Returns the rows that the statement without the check would return.
    ///
    /// # Errors
    /// The replica lacks the change, which [`is_stale`](Self::is_stale) then says, or the rows have no such check.
    pub(crate) fn check(&self, rows: Vec<QueryResult>) -> Result<Vec<QueryResult>, DbErr> {
        if self.at_least == ChangeSeq::ZERO {
            return Ok(rows);
        }
        let Some(first) = rows.first() else {
            return Err(DbErr::Custom("a guarded statement returns a row".into()));
        };
        let seq: i64 = first.try_get("", SEQ)?;
        if seq < self.at_least.get() {
            self.is_stale.store(true, Ordering::Relaxed);
            // A failure that another server may not have.
            return Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
        }
        let place: Option<i64> = first.try_get("", PLACE)?;
        Ok(if place.is_some() { rows } else { Vec::new() })
    }
}
