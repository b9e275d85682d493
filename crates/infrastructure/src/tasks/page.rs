//! Lists of a person's tasks, by pages or whole.

use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Statement,
};
use taskhold_domain::search::fold;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Start, TaskPage, TaskQuery};

use super::row::{Column, Entity, Listed};
use super::statement::{after, column, contains};

/// The statement that finds a page, and one row more where there is one.
pub(super) fn select(
    backend: DbBackend,
    owner: &UserId,
    query: &TaskQuery,
) -> Result<Statement, StoreError> {
    let order = if query.sort.descending {
        Order::Desc
    } else {
        Order::Asc
    };
    let mut select = Entity::find()
        .select_only()
        .columns(Listed::COLUMNS)
        .filter(Column::UserId.eq(owner.as_str()))
        .order_by(column(query.sort.key), order.clone())
        .order_by(Column::Id, order);
    if let Some(completed) = query.completed {
        select = select.filter(Column::IsCompleted.eq(completed));
    }
    if let Some(text) = &query.text {
        select = select.filter(contains(backend, &fold(text)));
    }
    select = match &query.start {
        Start::First => select,
        Start::Offset(offset) => select.offset(u64::from(*offset)),
        Start::After(position) => select.filter(after(query.sort, position)?),
    };
    // One more than asked for tells whether there is more.
    let fetched = query
        .limit
        .map(|limit| u64::from(limit) + 1)
        .or(match query.start {
            // SQLite knows no OFFSET without LIMIT.
            Start::Offset(_) => Some(i64::MAX.unsigned_abs()),
            Start::First | Start::After(_) => None,
        });
    Ok(select.limit(fetched).build(backend))
}

/// The page of which these rows were found.
pub(super) fn page(owner: &UserId, query: &TaskQuery, mut rows: Vec<Listed>) -> TaskPage {
    let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows
        .last()
        .filter(|_| more)
        .map(|last| last.position(query.sort.key));
    let found = rows.len();
    let tasks: Vec<_> = rows
        .into_iter()
        .filter_map(|row| row.sound(owner))
        .collect();
    let corrupt_rows = found - tasks.len();
    TaskPage {
        tasks,
        next,
        corrupt_rows,
    }
}
