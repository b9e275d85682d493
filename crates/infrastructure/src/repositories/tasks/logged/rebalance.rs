//! New positions for all tasks of an owner.

use sea_orm::{DbBackend, Statement};
use taskhold_domain::task::change_log::{ChangeKind, ChangeStamp};
use taskhold_domain::user::UserId;

use super::sql::{LOG, Sql, strictly_after};
use crate::entities::task::position;

/// Returns the statement that gives the owner's tasks new positions with room between them, in the order that they
/// have. A task whose position changes gets a change of its own in the log.
///
/// The positions are those of [`Position::spread`](taskhold_domain::task::Position::spread) in a form that SQL computes:
/// a `z` and 8 digits, with the same distance between any two of them.
pub(crate) fn rebalance(backend: DbBackend, owner: &UserId, stamp: &ChangeStamp) -> Statement {
    const ORDERED: &str = "SELECT id, user_id, old, row_number() OVER (ORDER BY old, id) AS place, \
        'z' || CAST(10000000 + row_number() OVER (ORDER BY old, id) * (89999999 / (1 + count(*) OVER ())) AS text) AS new";
    let mut sql = Sql::new(backend);
    let owner = sql.bind(owner.as_str());
    let now = sql.bind(stamp.at.as_micros());
    let log_stamp = sql.stamp(stamp);
    let kind = ChangeKind::Moved.as_str();
    let tasks = format!(
        "SELECT id, user_id, {} AS old FROM tasks WHERE user_id = {owner}",
        position("tasks")
    );
    let assignments = format!(
        "moved_to = target.new, version = tasks.version + 1, search_version = tasks.search_version + 1, updated_at = {}",
        strictly_after("tasks.updated_at", &now)
    );
    let target = format!("target AS (SELECT * FROM ({ORDERED} FROM ({tasks})) WHERE old <> new)");
    if backend == DbBackend::Sqlite {
        let feed = sql.feed(
            &format!("WITH {target} SELECT user_id, count(*)"),
            "FROM target WHERE true GROUP BY user_id",
        );
        return sql.statement(format!(
            "{feed}; INSERT INTO {LOG} WITH {target} SELECT target.user_id, \
                feeds.seq + 1 - row_number() OVER (ORDER BY target.place DESC), target.id, '{kind}', \
                json_object('position', target.old), {log_stamp} FROM target JOIN feeds USING (user_id); \
             WITH {target} UPDATE tasks SET {assignments} FROM target WHERE tasks.id = target.id"
        ));
    }
    let numbered = sql.numbered();
    let assignments = assignments.replace("target.", "numbered.");
    sql.statement(format!(
        "WITH locked AS ({tasks} ORDER BY id FOR NO KEY UPDATE), ordered AS ({ORDERED} FROM locked), \
         target AS (SELECT * FROM ordered WHERE old <> new), {numbered}, \
         log AS (INSERT INTO {LOG} SELECT user_id, seq, id, '{kind}', \
            CAST(jsonb_build_object('position', old) AS text), {log_stamp} FROM numbered) \
         UPDATE tasks SET {assignments} FROM numbered \
         WHERE tasks.id = numbered.id AND tasks.user_id = numbered.user_id"
    ))
}
