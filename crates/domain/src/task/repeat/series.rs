//! The dates of a rule, found in a bounded number of steps.

use std::iter::successors;

use jiff::SignedDuration;
use jiff::civil::{Date, date};

use super::{Repeat, WeekdayNumber};

/// The length of the periods of a rule. Each day, week, month or year is a period, and every `INTERVAL`th period has
/// dates of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A Monday, so that weeks of seven days from it on are weeks of the calendar. The first Monday of all would not do:
/// jiff adds no more days to a date than there are after 1970.
const DAY_ZERO: Date = date(1970, 1, 5);

impl Frequency {
    pub(super) const ALL: [Self; 4] = [Self::Daily, Self::Weekly, Self::Monthly, Self::Yearly];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "DAILY",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
            Self::Yearly => "YEARLY",
        }
    }

    /// Returns the number of the period in which `date` lies.
    fn period(self, date: Date) -> i64 {
        let days = || date.duration_since(DAY_ZERO).as_hours() / 24;
        match self {
            Self::Daily => days(),
            Self::Weekly => days().div_euclid(7),
            Self::Monthly => i64::from(date.year()) * 12 + i64::from(date.month()) - 1,
            Self::Yearly => date.year().into(),
        }
    }

    /// Returns the first day of a period, or `None` after the year 9999.
    fn first_day(self, period: i64) -> Option<Date> {
        let day = |number| {
            DAY_ZERO
                .checked_add(SignedDuration::from_hours(number * 24))
                .ok()
        };
        match self {
            Self::Daily => day(period),
            Self::Weekly => day(period * 7),
            Self::Monthly => {
                let year = period.div_euclid(12).try_into().ok()?;
                let month = (period.rem_euclid(12) + 1).try_into().ok()?;
                Date::new(year, month, 1).ok()
            }
            Self::Yearly => Date::new(period.try_into().ok()?, 1, 1).ok(),
        }
    }

    /// Returns the number of periods in 400 years, after which the calendar repeats with its days of the week.
    fn cycle(self) -> i64 {
        match self {
            Self::Daily => 146_097,
            Self::Weekly => 20_871,
            Self::Monthly => 4_800,
            Self::Yearly => 400,
        }
    }

    /// Returns the bit of the kind of a month or year. Periods of a kind have the same length and begin on the same day
    /// of the week: there are 28 kinds of months and 14 kinds of years.
    fn kind(self, first_day: Date) -> u32 {
        let length = match self {
            Self::Daily | Self::Weekly => return 0,
            Self::Monthly => first_day.days_in_month() - 28,
            Self::Yearly => first_day.in_leap_year().into(),
        };
        1 << (length * 7 + first_day.weekday().to_monday_zero_offset())
    }
}

impl Repeat {
    /// Returns the first date after `after`, which is not before `start`, of the rule that starts on `start`.
    pub(super) fn first_after(&self, start: Date, after: Date) -> Option<Date> {
        self.candidates(start, after)
            .find(|date| self.fits(start, *date))
    }

    /// Returns the days after `after` that include the first date of the rule, if there is one: the rest of the period
    /// of `after`, and later periods.
    pub(super) fn candidates(&self, start: Date, after: Date) -> impl Iterator<Item = Date> {
        let frequency = self.frequency;
        let days = move |first: Option<Date>, period| {
            successors(first, |day| day.tomorrow().ok())
                .take_while(move |day| frequency.period(*day) == period)
        };
        let rest = days(after.tomorrow().ok(), self.reached(start, after));
        let mut searched = 0;
        let later = self
            .later_periods(start, after)
            .filter(move |first_day| {
                // The search goes on only if no day of the earlier periods fits. So no day of a period of their kind
                // fits either.
                let kind = frequency.kind(*first_day);
                let is_new = searched & kind == 0;
                searched |= kind;
                is_new
            })
            .flat_map(move |first_day| days(Some(first_day), frequency.period(first_day)));
        rest.chain(later)
    }

    /// Returns the last period of the rule that does not begin after `after`.
    fn reached(&self, start: Date, after: Date) -> i64 {
        let interval = i64::from(self.interval);
        let first = self.frequency.period(start);
        let passed = self.frequency.period(after) - first;
        first + passed - passed % interval
    }

    /// Returns the first days of the periods of the rule that begin after `after`, until they repeat.
    pub(super) fn later_periods(&self, start: Date, after: Date) -> impl Iterator<Item = Date> {
        let frequency = self.frequency;
        let interval = i64::from(self.interval);
        let reached = self.reached(start, after);
        let cycle = frequency.cycle();
        let steps = if self.keeps_missing_its_weekday(start) {
            0
        } else {
            cycle / greatest_common_divisor(cycle, interval)
        };
        (1..=steps).map_while(move |step| frequency.first_day(reached + step * interval))
    }

    /// Returns whether the days of the rule are whole weeks apart, and on the wrong day of the week.
    fn keeps_missing_its_weekday(&self, start: Date) -> bool {
        self.frequency == Frequency::Daily
            && self.interval.is_multiple_of(7)
            && !self.by_day.is_empty()
            && !self
                .by_day
                .iter()
                .any(|day| day.fits(start, self.frequency))
    }

    /// Returns whether `date`, which lies in a period of the rule, is a date of the rule.
    pub(crate) fn fits(&self, start: Date, date: Date) -> bool {
        if self.by_day.is_empty() && self.by_month_day.is_empty() {
            return match self.frequency {
                Frequency::Daily => true,
                Frequency::Weekly => date.weekday() == start.weekday(),
                Frequency::Monthly => date.day() == start.day(),
                Frequency::Yearly => (date.month(), date.day()) == (start.month(), start.day()),
            };
        }
        let from_end = date.day() - date.days_in_month() - 1;
        let fits_month = |day: &i8| *day == date.day() || *day == from_end;
        let fits_week = |day: &WeekdayNumber| day.fits(date, self.frequency);
        (self.by_month_day.is_empty() || self.by_month_day.iter().any(fits_month))
            && (self.by_day.is_empty() || self.by_day.iter().any(fits_week))
    }
}

impl WeekdayNumber {
    fn fits(self, date: Date, frequency: Frequency) -> bool {
        if self.weekday != date.weekday() {
            return false;
        }
        let (day, length) = match frequency {
            Frequency::Yearly => (date.day_of_year(), date.days_in_year()),
            _ => (date.day().into(), date.days_in_month().into()),
        };
        let number = i16::from(self.number);
        number == 0 || number == (day - 1) / 7 + 1 || -number == (length - day) / 7 + 1
    }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}
