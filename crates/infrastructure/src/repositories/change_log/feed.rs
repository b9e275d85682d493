//! The state of a log.

use sea_orm::{DbBackend, DbErr, QueryResult, Statement};
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::Feed;
use taskhold_repository::error::StoreError;

use crate::entities::change::seq_at;

/// The migration that made the log.
const CHANGE_LOG: &str = "m20261129_000007_change_log";

/// The epoch: a user who was moved has it negated, and a client that still reads here must not notice.
const EPOCH: &str = "abs(feeds.epoch)";

/// Returns the columns that [`read`] reads.
pub(super) fn columns(backend: DbBackend) -> String {
    let epoch = match backend {
        DbBackend::Postgres => provisional_epoch(),
        _ => EPOCH.to_owned(),
    };
    format!("{epoch}, feeds.seq, feeds.floor")
}

/// Returns the expression for the epoch that cursors get. While several instances are replaced one by one, an
/// instance of the version before still writes without a log. So in the hour after the upgrade cursors get an epoch
/// of their own, and when it is over clients start over once. A new database has no version before.
fn provisional_epoch() -> String {
    format!(
        "CASE WHEN (SELECT max(applied_at) FILTER (WHERE version = '{CHANGE_LOG}') > extract(epoch FROM now()) - 3600 \
            AND min(applied_at) < max(applied_at) FILTER (WHERE version = '{CHANGE_LOG}') - 60 \
            FROM seaql_migrations) THEN -{EPOCH} ELSE {EPOCH} END"
    )
}

/// Reads the columns of a row from this index on.
pub(super) fn read(row: &QueryResult, index: usize) -> Result<Feed, DbErr> {
    Ok(Feed {
        epoch: row.try_get_by_index(index)?,
        last: seq_at(row, index + 1)?,
        floor: seq_at(row, index + 2)?,
    })
}

/// Returns the statement that reads the logs of these owners.
pub(super) fn select(backend: DbBackend, owners: &[UserId]) -> Result<Statement, StoreError> {
    let columns = columns(backend);
    let ids = match backend {
        DbBackend::Postgres => "= ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)))",
        _ => "IN (SELECT value FROM json_each($1))",
    };
    let sql = format!("SELECT {columns}, feeds.user_id FROM feeds WHERE feeds.user_id {ids}");
    let owners: Vec<_> = owners.iter().map(UserId::as_str).collect();
    let owners = serde_json::to_string(&owners);
    let owners = owners.map_err(|error| StoreError::Defect(error.into()))?;
    Ok(Statement::from_sql_and_values(
        backend,
        sql,
        [owners.into()],
    ))
}

/// Reads a row of the statement.
pub(super) fn owned(row: &QueryResult) -> Result<(UserId, Feed), StoreError> {
    let defect = |error: DbErr| StoreError::Defect(error.into());
    let owner: String = row.try_get_by_index(3).map_err(defect)?;
    let owner = UserId::parse(owner).map_err(|error| StoreError::Defect(error.into()))?;
    Ok((owner, read(row, 0).map_err(defect)?))
}
