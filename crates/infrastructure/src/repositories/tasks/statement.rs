//! Statements on tasks, and their parts.

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, Condition, DbBackend, Order};
use taskhold_domain::lower_case::lower_case;
use taskhold_domain::search::fold;
use taskhold_domain::task::TaskId;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Key, Position, Sort, SortKey};

use crate::entities::details::{priority_number, tag_pattern};
use crate::entities::task::{self, Column, Searched};

/// Returns the condition for the row of this owner and id.
pub(crate) fn owned(owner: &UserId, id: TaskId) -> Condition {
    Condition::all()
        .add(Column::Id.eq(id.as_uuid()))
        .add(Column::UserId.eq(owner.as_str()))
}

/// Returns the expression by which an order sorts. The order by due date is [another one](super::by_due).
pub(super) fn sort_key(sort: Sort) -> Result<Expr, StoreError> {
    Ok(match sort.key {
        SortKey::CreatedAt => Expr::col(Column::CreatedAt),
        SortKey::UpdatedAt => Expr::col(Column::UpdatedAt),
        SortKey::Title => Expr::col(Column::Title),
        SortKey::Priority => priority(),
        SortKey::CompletedAt => {
            // The version before this one reopens a task and leaves the time. A position has no time out of range.
            let (first, last) = (Timestamp::FIRST.as_micros(), Timestamp::LAST.as_micros());
            let is_known = Expr::col(Column::IsCompleted)
                .and(Expr::col(Column::CompletedAt).between(first, last));
            let known = CaseStatement::new().case(is_known, Expr::col(Column::CompletedAt));
            Func::coalesce([known.into(), Expr::value(last_key(sort))]).into()
        }
        SortKey::Position => Expr::cust(task::position("tasks")),
        SortKey::Due => return Err(StoreError::Defect("an order without one key".into())),
    })
}

/// Returns the number that stands for a missing time, so that tasks without one come last in both directions.
fn last_key(sort: Sort) -> i64 {
    if sort.descending { i64::MIN } else { i64::MAX }
}

/// Returns the number of the priority.
pub(super) fn priority() -> Expr {
    Func::coalesce([Expr::col(Searched::Priority), Expr::value(0)]).into()
}

/// Returns the condition that a task has the tag of this key.
pub(super) fn has_tag(backend: DbBackend, key: &str) -> Expr {
    let place = Func::cust(find(backend))
        .arg(Expr::col(Searched::TagKeys))
        .arg(tag_pattern(key));
    Expr::expr(place).gt(0)
}

/// Returns the function that finds a text in another one. Both compare code points and have no wildcards.
fn find(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "instr",
        _ => "strpos",
    }
}

/// Returns the condition for the rows after a position, as a comparison of pairs, which an index on both
/// columns serves.
pub(super) fn after(sort: Sort, position: &Position) -> Result<Expr, StoreError> {
    let key = match (sort.key, &position.key) {
        (SortKey::CreatedAt | SortKey::UpdatedAt, Key::Instant(instant)) => {
            Expr::value(instant.as_micros())
        }
        (SortKey::Title, Key::Title(text)) | (SortKey::Position, Key::Position(text)) => {
            Expr::value(text.as_str())
        }
        (SortKey::Priority, Key::Priority(priority)) => Expr::value(priority_number(*priority)),
        (SortKey::CompletedAt, Key::CompletedAt(time)) => {
            Expr::value(time.map_or(last_key(sort), Timestamp::as_micros))
        }
        _ => return Err(StoreError::Defect("a position of another order".into())),
    };
    let row = Expr::tuple([sort_key(sort)?, Expr::col(Column::Id)]);
    let place = Expr::tuple([key, Expr::value(position.id.as_uuid())]);
    Ok(is_after(sort, row, place))
}

/// Returns the condition that a row is after a place.
pub(super) fn is_after(sort: Sort, row: Expr, place: impl Into<Expr>) -> Expr {
    if sort.descending {
        row.lt(place)
    } else {
        row.gt(place)
    }
}

/// Returns the direction of an order.
pub(super) fn order(sort: Sort) -> Order {
    if sort.descending {
        Order::Desc
    } else {
        Order::Asc
    }
}

/// Returns the condition that either text contains this part. A row whose texts for the search are out of date is
/// searched as the version before does.
pub(super) fn contains(backend: DbBackend, part: &str) -> Expr {
    let either_has = |columns: [Searched; 2], part: String| {
        columns.into_iter().fold(Condition::any(), |any, column| {
            let place = Func::cust(find(backend))
                .arg(Expr::col(column))
                .arg(part.as_str());
            any.add(Expr::expr(place).gt(0))
        })
    };
    let is_current = Expr::col(Searched::SearchVersion).eq(Expr::col(Column::Version));
    let (current, outdated) = (
        [Searched::TitleSearch, Searched::DescriptionSearch],
        [Searched::TitleFolded, Searched::DescriptionFolded],
    );
    CaseStatement::new()
        .case(is_current, either_has(current, fold(part)))
        .finally(either_has(outdated, lower_case(part)))
        .into()
}
