//! Lists of an owner's tasks, in pages or whole.

use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Statement,
};
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Start, TaskPage, TaskQuery};

use super::statement::{after, column, contains};
use crate::entities::task::{Column, Entity, TaskRow};

/// Returns the statement that reads a page, and one row more if there is one.
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
        .columns(TaskRow::COLUMNS)
        .filter(Column::UserId.eq(owner.as_str()))
        .order_by(column(query.sort.key), order.clone())
        .order_by(Column::Id, order);
    if let Some(completed) = query.completed {
        select = select.filter(Column::IsCompleted.eq(completed));
    }
    if let Some(text) = &query.text {
        select = select.filter(contains(backend, text));
    }
    select = match &query.start {
        Start::First => select,
        Start::Offset(offset) => select.offset(u64::from(*offset)),
        Start::After(position) => select.filter(after(query.sort, position)?),
    };
    // A row beyond the limit shows that there are more.
    let fetched = query
        .limit
        .map(|limit| u64::from(limit) + 1)
        .or(match query.start {
            // SQLite has no OFFSET without LIMIT.
            Start::Offset(_) => Some(i64::MAX.unsigned_abs()),
            Start::First | Start::After(_) => None,
        });
    Ok(select.limit(fetched).build(backend))
}

/// Returns the page that consists of these rows. A corrupt row is logged and left out, so that it does not
/// hide the others.
pub(crate) fn page(owner: &UserId, query: &TaskQuery, mut rows: Vec<TaskRow>) -> TaskPage {
    let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows
        .last()
        .filter(|_| has_more)
        .and_then(|last| last.position(query.sort));
    let mut tasks = Vec::with_capacity(rows.len());
    let mut corrupt_rows = 0;
    for row in rows {
        match row.into_task(owner.clone()) {
            Ok(task) => tasks.push(task),
            Err(corrupt) => {
                corrupt_rows += 1;
                let cause = std::error::Error::source(&corrupt).map(ToString::to_string);
                tracing::error!(error = %corrupt, cause, "left a corrupt row out of a list");
            }
        }
    }
    TaskPage {
        tasks,
        next,
        corrupt_rows,
    }
}
