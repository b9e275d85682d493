//! The places of tasks among those of their owner.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use taskhold_domain::task::change_log::ChangeStamp;
use taskhold_domain::task::{Destination, NoRoom, Position, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::Precondition;
use uuid::Uuid;

use super::logged::{LoggedRow, rebalance, update};
use crate::db::connection::Connection;
use crate::entities::task::position;

/// Moves a task in the transaction of `connection`. Returns `None` if the owner does not have the task or that of the
/// destination, or if the revision of the task is not allowed.
pub(super) async fn move_to(
    connection: &Connection,
    owner: &UserId,
    id: TaskId,
    to: Destination,
    precondition: &Precondition,
    stamp: &ChangeStamp,
) -> Result<Option<LoggedRow>, DbErr> {
    lock(connection, owner).await?;
    let Some(position) = place(connection, owner, id, to, stamp).await? else {
        return Ok(None);
    };
    let change = TaskChange::move_to(position);
    let update = update(
        connection.get_database_backend(),
        owner,
        id,
        &change,
        precondition,
        stamp,
    );
    LoggedRow::read_one(connection, update).await
}

/// Lets one move of an owner wait for another, so that two moves to one place get different positions. Locks the row of
/// the user before those of tasks, as deletion of the user does, so it deadlocks with no other write. Writes that insert
/// rows of the user do not wait for it.
async fn lock(connection: &Connection, owner: &UserId) -> Result<(), DbErr> {
    const LOCK: &str = "SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE";
    // SQLite has one writer.
    if connection.get_database_backend() == DbBackend::Postgres {
        let values = [owner.as_str().into()];
        let lock = Statement::from_sql_and_values(DbBackend::Postgres, LOCK, values);
        connection.query_all_raw(lock).await?;
    }
    Ok(())
}

/// Returns the position of a task that is moved; `None` if the owner does not have the task of the destination. If
/// there is no room, all tasks of the owner get new positions first.
async fn place(
    connection: &Connection,
    owner: &UserId,
    id: TaskId,
    to: Destination,
    stamp: &ChangeStamp,
) -> Result<Option<Position>, DbErr> {
    let Some(neighbours) = Neighbours::find(connection, owner, id, to).await? else {
        return Ok(None);
    };
    if to.neighbour() == Some(id) {
        // The task is next to itself, and stays where it is.
        return Ok(neighbours.named);
    }
    if let Ok(position) = neighbours.position(to, stamp.at) {
        return Ok(Some(position));
    }
    let rebalance = rebalance(connection.get_database_backend(), owner, stamp);
    connection.execute_raw(rebalance).await?;
    let Some(neighbours) = Neighbours::find(connection, owner, id, to).await? else {
        return Ok(None);
    };
    let position = neighbours.position(to, stamp.at);
    let position = position.map_err(|error| DbErr::Custom(error.to_string()))?;
    Ok(Some(position))
}

/// Returns the positions of the follow-ups of tasks of the owner, each directly after its task. Locks nothing and writes
/// nothing.
pub(super) async fn after(
    connection: &Connection,
    owner: &UserId,
    ids: &[TaskId],
) -> Result<BTreeMap<TaskId, Position>, DbErr> {
    let found = match ids {
        [] => Vec::new(),
        // Finding one neighbour is faster than sorting the tasks.
        [id] => {
            let found = Neighbours::find(connection, owner, *id, Destination::After(*id)).await?;
            found.map(|found| (*id, found)).into_iter().collect()
        }
        ids => Neighbours::find_all(connection, owner, ids).await?,
    };
    let positions = found.into_iter().filter_map(|(id, found)| {
        let position = Position::of_follow_up(&found.named?, found.next.as_ref());
        Some((id, position))
    });
    Ok(positions.collect())
}

/// The positions around a place.
struct Neighbours {
    /// That of the task that the destination names.
    named: Option<Position>,
    /// That of the task on the other side of the place.
    next: Option<Position>,
}

impl Neighbours {
    /// Reads the positions around a destination. The next task is another one than the task that is moved there.
    async fn find(
        connection: &Connection,
        owner: &UserId,
        id: TaskId,
        to: Destination,
    ) -> Result<Option<Self>, DbErr> {
        let select = Self::select(connection.get_database_backend(), owner, id, to);
        let Some(row) = connection.query_one_raw(select).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            named: read(&row, 0)?,
            next: read(&row, 1)?,
        }))
    }

    /// Reads the positions of several tasks and of those after them.
    async fn find_all(
        connection: &Connection,
        owner: &UserId,
        ids: &[TaskId],
    ) -> Result<Vec<(TaskId, Self)>, DbErr> {
        let key = position("tasks");
        let places: Vec<_> = (2..)
            .take(ids.len())
            .map(|place| format!("${place}"))
            .collect();
        let sql = format!(
            "SELECT named, next, id FROM (SELECT {key} AS named, lead({key}) OVER (ORDER BY {key}, tasks.id) AS next, \
                tasks.id FROM tasks WHERE tasks.user_id = $1) AS places WHERE id IN ({})",
            places.join(", ")
        );
        let ids = ids.iter().map(|id| id.as_uuid().into());
        let values = [owner.as_str().into()].into_iter().chain(ids);
        let backend = connection.get_database_backend();
        let select = Statement::from_sql_and_values(backend, sql, values);
        let rows = connection.query_all_raw(select).await?;
        let places = rows.iter().map(|row| {
            let neighbours = Self {
                named: read(row, 0)?,
                next: read(row, 1)?,
            };
            let id: Uuid = row.try_get_by_index(2)?;
            Ok((TaskId::from_uuid(id), neighbours))
        });
        places.collect()
    }

    /// Returns the statement that reads the position of the task that the destination names, and that of the task on
    /// the other side of the place.
    fn select(backend: DbBackend, owner: &UserId, id: TaskId, to: Destination) -> Statement {
        let (is_beyond, order) = match to {
            Destination::Start | Destination::After(_) => (">", "ASC"),
            Destination::End | Destination::Before(_) => ("<", "DESC"),
        };
        let mut values = vec![owner.as_str().into(), id.as_uuid().into()];
        let (key, named) = (position("tasks"), position("named"));
        let next = |beyond: &str| {
            format!(
                "(SELECT {key} FROM tasks WHERE tasks.user_id = $1 AND tasks.id <> $2{beyond} \
                 ORDER BY 1 {order}, tasks.id {order} LIMIT 1)"
            )
        };
        let sql = match to.neighbour() {
            None => format!("SELECT CAST(NULL AS text), {}", next("")),
            Some(neighbour) => {
                values.push(neighbour.as_uuid().into());
                let beyond = format!(" AND ({key}, tasks.id) {is_beyond} ({named}, named.id)");
                let next = next(&beyond);
                format!(
                    "SELECT {named}, {next} FROM tasks AS named WHERE named.user_id = $1 AND named.id = $3"
                )
            }
        };
        Statement::from_sql_and_values(backend, sql, values)
    }

    fn position(&self, to: Destination, now: Timestamp) -> Result<Position, NoRoom> {
        let (named, next) = (self.named.as_ref(), self.next.as_ref());
        match to {
            Destination::Start | Destination::After(_) => Position::next_to(named, next, now),
            Destination::End | Destination::Before(_) => Position::next_to(next, named, now),
        }
    }
}

fn read(row: &QueryResult, index: usize) -> Result<Option<Position>, DbErr> {
    let text: Option<String> = row.try_get_by_index(index)?;
    let position = text.map(Position::parse).transpose();
    // The error does not name the task.
    position.map_err(|error| DbErr::Custom(format!("a stored position is corrupt: {error}")))
}
