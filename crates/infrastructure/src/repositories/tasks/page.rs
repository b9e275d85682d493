//! Lists of an owner's tasks, in pages or whole.

use sea_orm::{
    ColumnTrait, Condition, DbBackend, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Statement,
};
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Position, Start, TaskPage, TaskQuery};

use super::due;
use super::statement::{after, contains, has_tag, order, priority, sort_key};
use crate::entities::details::priority_number;
use crate::entities::task::{Column, TaskRow};

/// Returns the statement that reads a page, and one row more if there is one.
pub(super) fn select(
    backend: DbBackend,
    owner: &UserId,
    query: &TaskQuery,
) -> Result<Statement, StoreError> {
    let order = order(query.sort);
    let select = TaskRow::select()
        .filter(filters(backend, owner, query))
        .order_by(sort_key(query.sort)?, order.clone())
        .order_by(Column::Id, order);
    let select = query.due.iter().fold(select, |select, filter| {
        select.filter(due::filter(*filter, &query.zone))
    });
    let select = match &query.start {
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

/// Returns the conditions of a list on everything but due dates, wherever it starts.
pub(super) fn filters(backend: DbBackend, owner: &UserId, query: &TaskQuery) -> Condition {
    let mut all = Condition::all().add(Column::UserId.eq(owner.as_str()));
    if let Some(completed) = query.completed {
        all = all.add(Column::IsCompleted.eq(completed));
    }
    if let Some(text) = &query.text {
        all = all.add(contains(backend, text));
    }
    if !query.priorities.is_empty() {
        let numbers = query.priorities.iter().copied().map(priority_number);
        all = all.add(priority().is_in(numbers));
    }
    for key in &query.tag_keys {
        all = all.add(has_tag(backend, key));
    }
    all
}

/// Returns the page that consists of these rows. A corrupt row is logged and left out, so that it does not
/// hide the others.
pub(crate) fn page(owner: &UserId, query: &TaskQuery, mut rows: Vec<TaskRow>) -> TaskPage {
    let last = cut(query, &mut rows);
    let next = last.and_then(|last| last.position(query));
    page_before(owner, rows, next)
}

/// Removes the rows beyond the limit of a page. Returns the last row of the page; `None` if there were no more rows.
pub(super) fn cut<'a, T>(query: &TaskQuery, rows: &'a mut Vec<T>) -> Option<&'a T> {
    let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| has_more)
}

/// Returns the page that consists of these rows and ends before `next`.
pub(super) fn page_before(owner: &UserId, rows: Vec<TaskRow>, next: Option<Position>) -> TaskPage {
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
