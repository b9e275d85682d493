//! Conditions on due dates.

use std::cmp::{max, min};

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::zone::{Date, Zone};
use taskhold_repository::tasks::DueFilter;

use crate::entities::details::day_number;
use crate::entities::task::{Column, Searched};

/// The due dates of a filter: the first and the last day, and the first and the last microsecond. Both are empty where
/// the first is after the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct DueRange {
    pub(super) days: (i64, i64),
    pub(super) instants: (i64, i64),
}

impl DueRange {
    /// Returns the due dates that are in all of the filters; those without bounds have all of them.
    pub(super) fn of(filters: &[DueFilter], zone: &Zone) -> Self {
        let all = Self::between(None, None, zone);
        filters.iter().fold(all, |range, filter| {
            let other = Self::of_one(*filter, zone);
            let common =
                |one: (i64, i64), other: (i64, i64)| (max(one.0, other.0), min(one.1, other.1));
            Self {
                days: common(range.days, other.days),
                instants: common(range.instants, other.instants),
            }
        })
    }

    fn of_one(filter: DueFilter, zone: &Zone) -> Self {
        match filter {
            DueFilter::None | DueFilter::Any => Self::between(None, None, zone),
            DueFilter::Days(first, last) => Self::between(first, last, zone),
            DueFilter::Today(now) => {
                let today = Some(zone.day_of(now));
                Self::between(today, today, zone)
            }
            DueFilter::Overdue(now) => {
                let mut past = Self::between(None, None, zone);
                past.days.1 = day_number(zone.day_of(now)) - 1;
                past.instants.1 = now.as_micros() - 1;
                past
            }
        }
    }

    fn between(first: Option<Date>, last: Option<Date>, zone: &Zone) -> Self {
        let start = |day| zone.start_of(day).as_micros();
        // The day after the last one has no date.
        let next = last.and_then(|last| last.tomorrow().ok());
        Self {
            days: (
                day_number(first.unwrap_or(FIRST)),
                day_number(last.unwrap_or(LAST)),
            ),
            instants: (
                first.map_or(Timestamp::FIRST.as_micros(), start),
                next.map_or(Timestamp::LAST.as_micros(), |next| start(next) - 1),
            ),
        }
    }

    /// Returns the condition for the dates.
    pub(super) fn has_date(self) -> Expr {
        Expr::col(Searched::DueDate).between(self.days.0, self.days.1)
    }

    /// Returns the condition for the times.
    pub(super) fn has_time(self) -> Expr {
        Expr::col(Searched::DueAt).between(self.instants.0, self.instants.1)
    }
}

const FIRST: Date = Date::constant(1, 1, 1);
const LAST: Date = Date::constant(9999, 12, 31);

/// Returns the condition for the tasks of a filter.
pub(super) fn filter(filter: DueFilter, zone: &Zone) -> Condition {
    let range = DueRange::of_one(filter, zone);
    let either = Condition::any().add(range.has_date()).add(range.has_time());
    match filter {
        DueFilter::None => has_none(),
        DueFilter::Overdue(_) => Condition::all()
            .add(Column::IsCompleted.eq(false))
            .add(either),
        _ => either,
    }
}

/// Returns the condition for the tasks without a due date.
pub(super) fn has_none() -> Condition {
    Condition::all()
        .add(Expr::col(Searched::DueDate).is_null())
        .add(Expr::col(Searched::DueAt).is_null())
}
