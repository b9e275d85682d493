//! Lists in the order of due dates.
//!
//! Where a date lies among times depends on the time zone, of which SQL does not know. So a statement reads the next
//! dates and the next times, each in the order of an index, and they are merged here. Tasks without a due date follow.

use std::cmp::{max, min};

use sea_orm::sea_query::{
    CommonTableExpression, Expr, ExprTrait, Func, Query, SelectStatement, UnionType, WithClause,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use taskhold_domain::task::{DueKey, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{DueFilter, Key, Position, Start, TaskPage, TaskQuery};
use uuid::Uuid;

use super::due::{self, DueRange, has_none};
use super::page::{cut, filters, page_before};
use super::statement::{is_after, order};
use crate::entities::details::{date_of, day_number};
use crate::entities::task::{Column, Entity, Searched, TaskRow};

/// The number of tasks that one statement skips at most, so that an offset of any size takes little memory.
const SKIPPED_AT_ONCE: u32 = 5_000;

/// The common table expressions.
const DATES: &str = "dates";
const TIMES: &str = "times";

/// A list, or a page of it.
pub(super) struct DueList {
    backend: DbBackend,
    owner: UserId,
    query: TaskQuery,
    after: Option<Place>,
    skipped: u32,
}

/// A position in the order.
type Place = (Option<DueKey>, TaskId);

impl DueList {
    /// Returns the list that a query selects.
    ///
    /// # Errors
    /// `Defect` if it starts at a position of another order.
    pub(super) fn new(
        backend: DbBackend,
        owner: &UserId,
        query: &TaskQuery,
    ) -> Result<Self, StoreError> {
        let (after, skipped) = match &query.start {
            Start::First => (None, 0),
            Start::Offset(offset) => (None, *offset),
            Start::After(Position {
                key: Key::Due(key),
                id,
            }) => (Some((*key, *id)), 0),
            Start::After(_) => {
                return Err(StoreError::Defect("a position of another order".into()));
            }
        };
        Ok(Self {
            backend,
            owner: owner.clone(),
            query: query.clone(),
            after,
            skipped,
        })
    }

    /// Reads a page, and at least one row more if there is one.
    pub(super) async fn read(
        &self,
        connection: &impl ConnectionTrait,
    ) -> Result<Vec<(Position, TaskRow)>, DbErr> {
        let (mut after, mut skipped) = (self.after, self.skipped);
        while skipped > 0 {
            let most = min(skipped, SKIPPED_AT_ONCE);
            let select = self.select(&[Column::Id], after, Some(most.into()));
            let rows = connection.query_all_raw(select).await?;
            let read = |row: &QueryResult| row.try_get_by_index::<Uuid>(0).map(TaskId::from_uuid);
            let rows = self.merge(&rows, 1, read, |id| *id)?;
            // Fewer, if the list is shorter.
            let Some((
                Position {
                    key: Key::Due(key),
                    id,
                },
                _,
            )) = rows.get(most as usize - 1)
            else {
                return Ok(Vec::new());
            };
            after = Some((*key, *id));
            skipped -= most;
        }
        let limit = self.query.limit.map(|limit| u64::from(limit) + 1);
        let select = self.select(&TaskRow::COLUMNS, after, limit);
        let rows = connection.query_all_raw(select).await?;
        self.merge(&rows, TaskRow::COLUMNS.len(), TaskRow::read, TaskRow::id)
    }

    /// Reads rows, which have their due dates at `start`, and sorts them.
    fn merge<T>(
        &self,
        rows: &[QueryResult],
        start: usize,
        read: impl Fn(&QueryResult) -> Result<T, DbErr>,
        id: impl Fn(&T) -> TaskId,
    ) -> Result<Vec<(Position, T)>, DbErr> {
        let mut merged = Vec::with_capacity(rows.len());
        for row in rows {
            let date: Option<i64> = row.try_get_by_index(start)?;
            let at: Option<i64> = row.try_get_by_index(start + 1)?;
            let key = match (date, at.map(Timestamp::from_micros)) {
                (Some(day), _) => Some(DueKey::of_date(date_of(day))),
                (None, Some(Ok(at))) => Some(DueKey::of_time(at, &self.query.zone)),
                (None, _) => None,
            };
            let row = read(row)?;
            let (key, id) = (Key::Due(key), id(&row));
            merged.push((Position { key, id }, row));
        }
        merged.sort_by(|(one, _), (other, _)| self.query.sort.compare(one, other));
        Ok(merged)
    }

    /// Returns the statement that reads these columns, and the due dates, of at most `most` dates and as many times
    /// after a position. Of the tasks without a due date it reads as many, if the others are fewer.
    fn select(&self, columns: &[Column], after: Option<Place>, most: Option<u64>) -> Statement {
        let TaskQuery {
            due, sort, zone, ..
        } = &self.query;
        let sort = *sort;
        let columns: Vec<_> = columns
            .iter()
            .map(|column| Expr::col(*column))
            .chain([Searched::DueDate, Searched::DueAt].map(Expr::col))
            .collect();
        let begun = |keys: &[Expr]| {
            let mut select = Query::select();
            select
                .exprs(columns.clone())
                .from(Entity)
                .cond_where(filters(self.backend, &self.owner, &self.query));
            if due.iter().any(|due| matches!(due, DueFilter::Overdue(_))) {
                select.and_where(Expr::col(Column::IsCompleted).eq(false));
            }
            for key in keys {
                select.order_by_expr(key.clone(), order(sort));
            }
            if let Some(most) = most {
                select.limit(most);
            }
            select
        };
        let mut rest = begun(&[undated_id()]);
        rest.cond_where(has_none());
        for filter in due {
            rest.cond_where(due::filter(*filter, zone));
        }
        if let Some((None, id)) = after {
            rest.and_where(is_after(sort, undated_id(), id.as_uuid()));
        }
        if matches!(after, Some((None, _))) || due.contains(&DueFilter::None) {
            return self.backend.build(&rest);
        }
        let mut range = DueRange::of(due, zone);
        if let Some((Some(key), _)) = after {
            self.narrow(&mut range, key);
        }
        let [mut dates, mut times] = [Searched::DueDate, Searched::DueAt]
            .map(|column| begun(&[Expr::col(column), Expr::col(Column::Id)]));
        dates.and_where(range.has_date());
        times.and_where(range.has_time());
        match after {
            Some((
                Some(DueKey {
                    instant: Some(at), ..
                }),
                id,
            )) => {
                times.and_where(self.is_after_pair(Searched::DueAt, at.as_micros(), id));
            }
            Some((Some(DueKey { day, instant: None }), id)) => {
                dates.and_where(self.is_after_pair(Searched::DueDate, day_number(day), id));
            }
            _ => {}
        }
        let mut all = all_of(DATES);
        all.union(UnionType::All, all_of(TIMES));
        if due.is_empty() {
            if let Some(most) = most {
                let read = count_of(DATES).add(count_of(TIMES));
                rest.and_where(read.lt(Expr::value(i64::try_from(most).unwrap_or(i64::MAX))));
            }
            let rest = Query::select()
                .expr(Expr::cust("*"))
                .from_subquery(rest, "rest")
                .take();
            all.union(UnionType::All, rest);
        }
        let mut with = WithClause::new();
        for (name, select) in [(DATES, dates), (TIMES, times)] {
            let expression = CommonTableExpression::new()
                .table_name(name)
                .query(select)
                .to_owned();
            with.cte(expression);
        }
        all.with_cte(with);
        self.backend.build(&all)
    }

    /// Leaves out the due dates before a position. Those of its own day, or instant, need a comparison of ids.
    fn narrow(&self, range: &mut DueRange, key: DueKey) {
        let DueKey { day, instant } = key;
        let number = day_number(day);
        let start = self.query.zone.start_of(day).as_micros();
        let is_descending = self.query.sort.descending;
        match (instant.map(Timestamp::as_micros), is_descending) {
            (None, false) => {
                range.days.0 = max(range.days.0, number);
                range.instants.0 = max(range.instants.0, start);
            }
            (None, true) => {
                range.days.1 = min(range.days.1, number);
                range.instants.1 = min(range.instants.1, start - 1);
            }
            // The date of the day is before its times.
            (Some(at), false) => {
                range.days.0 = max(range.days.0, number + 1);
                range.instants.0 = max(range.instants.0, at);
            }
            (Some(at), true) => {
                range.days.1 = min(range.days.1, number);
                range.instants.1 = min(range.instants.1, at);
            }
        }
    }

    fn is_after_pair(&self, column: Searched, value: i64, id: TaskId) -> Expr {
        let row = Expr::tuple([Expr::col(column), Expr::col(Column::Id)]);
        let place = Expr::tuple([Expr::value(value), Expr::value(id.as_uuid())]);
        is_after(self.query.sort, row, place)
    }
}

/// Returns the id by which tasks without a due date are ordered. No index has their order, and of the plain column
/// PostgreSQL would read the index of all tasks.
fn undated_id() -> Expr {
    Func::coalesce([Expr::col(Column::Id), Expr::col(Column::Id)]).into()
}

fn all_of(expression: &'static str) -> SelectStatement {
    Query::select()
        .expr(Expr::cust("*"))
        .from(expression)
        .take()
}

fn count_of(expression: &'static str) -> Expr {
    let count = Query::select()
        .expr(Expr::cust("count(*)"))
        .from(expression)
        .take();
    Expr::from(count)
}

/// Returns the page that consists of these rows.
pub(super) fn page(
    owner: &UserId,
    query: &TaskQuery,
    mut rows: Vec<(Position, TaskRow)>,
) -> TaskPage {
    let last = cut(query, &mut rows);
    let next = last.map(|(position, _)| position.clone());
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    page_before(owner, rows, next)
}
