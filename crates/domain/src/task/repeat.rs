//! Rules by which tasks repeat: a subset of the recurrence rules of RFC 5545.

mod parse;
mod series;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday};

pub use self::parse::RepeatError;
use self::series::Frequency;
use crate::text::name_traits;

/// The rule by which a task repeats: the value of an RRULE of RFC 5545 with these parts, in any order and case.
///
/// | part | value |
/// | --- | --- |
/// | `FREQ` | `DAILY`, `WEEKLY`, `MONTHLY` or `YEARLY`; required |
/// | `INTERVAL` | 2 for every second day, week, month or year; 1, if left out, to [`MAX_NUMBER`](Self::MAX_NUMBER) |
/// | `BYDAY` | days of the week, `MO` to `SU`; monthly and yearly also the nth in the month or year: `2TU`, `-1FR` |
/// | `BYMONTHDAY` | days of the month, 1 to 31, or from its end, -1 to -31; not weekly |
/// | `COUNT` | the number of tasks, with this one |
/// | `UNTIL` | the last day (`20261224`) or time in UTC (`20261224T170000Z`); not with `COUNT` |
///
/// A date must fit both `BYDAY` and `BYMONTHDAY`. Without either, a rule repeats on the day of the week, of the month
/// or of the year of the date on which the rule starts; months and years without that day are left out. A yearly rule
/// applies `BYDAY` and `BYMONTHDAY` to all twelve months. A week begins on Monday.
///
/// The rule is displayed in a canonical form: upper case, parts in the order of the table, lists sorted, no
/// `INTERVAL=1`. The canonical form is never longer than the text that was parsed.
///
/// ```
/// use jiff::civil::date;
/// use taskhold_domain::task::Repeat;
///
/// let repeat = Repeat::parse("freq=monthly;count=3;interval=1;byday=-1fr")?;
/// assert_eq!(repeat.to_string(), "FREQ=MONTHLY;BYDAY=-1FR;COUNT=3");
///
/// let due = date(2026, 11, 27);
/// let (next, rest) = repeat.next(due, due).unwrap();
/// assert_eq!(next, date(2026, 12, 25));
/// assert_eq!(rest.to_string(), "FREQ=MONTHLY;BYDAY=-1FR;COUNT=2");
///
/// let error = Repeat::parse("FREQ=WEEKLY;BYDAY=1MO").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "Task repeat BYDAY must not number days unless FREQ is MONTHLY or YEARLY"
/// );
/// # Ok::<(), taskhold_domain::task::RepeatError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repeat {
    frequency: Frequency,
    interval: u32,
    /// Sorted, without doubles.
    by_day: Vec<WeekdayNumber>,
    /// Sorted, without doubles; days from the end of the month are negative.
    by_month_day: Vec<i8>,
    end: End,
}

/// A day of the week: every one, or the nth in a month or year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct WeekdayNumber {
    /// The n of the nth day: negative from the end, 0 for every one.
    number: i8,
    weekday: Weekday,
}

/// The end of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    Never,
    /// The rule ends after this number of tasks.
    Count(u32),
    /// The last day.
    Until(Date),
    /// The last time, in UTC.
    UntilTime(DateTime),
}

impl Repeat {
    /// The greatest length of a rule's text, in code points.
    pub const MAX_CHARS: usize = 255;

    /// The greatest `INTERVAL` and `COUNT`: the number of days from year 1 to 9999. A longer interval leads past the
    /// last date from anywhere, and no rule has more dates.
    pub const MAX_NUMBER: u32 = 3_652_059;

    /// Parses the value of an RRULE, without `RRULE:` before it.
    ///
    /// # Errors
    /// [`RepeatError`]: the first broken rule.
    pub fn parse(raw: &str) -> Result<Self, RepeatError> {
        parse::parse(raw)
    }

    /// Returns the due date of the follow-up of a task that was due on `due` and completed on the day `completed`,
    /// and the rule of the follow-up; `None` if there is none.
    ///
    /// From the due date, the follow-up is due on the next date of the rule, even if that date has passed, too: each
    /// date of the rule is a task, however late, and counts for `COUNT`. From the completion, the rule starts anew on
    /// the day `completed`, and dates that were missed are no tasks.
    ///
    /// `utc` returns the time in UTC at which a task of a given date is due, or `None` if the task has no time.
    ///
    /// | `UNTIL` | follow-up | the rule has ended if |
    /// | --- | --- | --- |
    /// | a day | with or without a time | the date, which is that of the wall time, is after the day |
    /// | a time | with a time | the time in UTC is after `UNTIL` |
    /// | a time | without a time | the date is after the day of `UNTIL` |
    ///
    /// ```
    /// use jiff::civil::date;
    /// use taskhold_domain::task::{Repeat, RepeatFrom};
    ///
    /// let weekly = Repeat::parse("FREQ=WEEKLY;UNTIL=20261214T070000Z")?;
    /// let (due, late) = (date(2026, 11, 30), date(2026, 12, 10));
    /// let follow_up = |from, hour| {
    ///     let (date, _) = weekly.follow_up(from, due, late, |date| Some(date.at(hour, 0, 0, 0)))?;
    ///     Some(date)
    /// };
    /// assert_eq!(follow_up(RepeatFrom::Due, 8), Some(date(2026, 12, 7)));
    /// assert_eq!(follow_up(RepeatFrom::Completion, 8), None);
    ///
    /// let (date, rest) = weekly.follow_up(RepeatFrom::Due, date(2026, 12, 7), late, |_| None).unwrap();
    /// assert_eq!(date.to_string(), "2026-12-14");
    /// assert_eq!(rest, weekly);
    /// # Ok::<(), taskhold_domain::task::RepeatError>(())
    /// ```
    #[must_use]
    pub fn follow_up(
        &self,
        from: RepeatFrom,
        due: Date,
        completed: Date,
        utc: impl FnOnce(Date) -> Option<DateTime>,
    ) -> Option<(Date, Self)> {
        let start = match from {
            RepeatFrom::Due => due,
            RepeatFrom::Completion => completed,
        };
        self.next_in_utc(start, start, utc)
    }

    /// Returns the first date after both `due` and `after` of the rule that starts on `due`, whether or not `due`
    /// fits the rule, and the rule of a task on that date, with a `COUNT` lower by one. Returns `None` if the rule
    /// has ended or has no further date before the year 10000. An `UNTIL` that is a time counts as its day.
    ///
    /// The time taken is bounded whatever the rule, its interval and the distance of the dates.
    #[must_use]
    pub fn next(&self, due: Date, after: Date) -> Option<(Date, Self)> {
        self.next_in_utc(due, after, |_| None)
    }

    fn next_in_utc(
        &self,
        due: Date,
        after: Date,
        utc: impl FnOnce(Date) -> Option<DateTime>,
    ) -> Option<(Date, Self)> {
        let end = match self.end {
            End::Count(0 | 1) => return None,
            End::Count(count) => End::Count(count - 1),
            end => end,
        };
        let date = self.first_after(due, after.max(due))?;
        let has_ended = match end {
            End::Never | End::Count(_) => false,
            End::Until(day) => date > day,
            End::UntilTime(until) => {
                utc(date).map_or_else(|| date > until.date(), |time| time > until)
            }
        };
        (!has_ended).then(|| {
            (
                date,
                Self {
                    end,
                    ..self.clone()
                },
            )
        })
    }
}

impl fmt::Display for Repeat {
    /// Writes the canonical form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FREQ={}", self.frequency.as_str())?;
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        write_list(f, ";BYDAY=", &self.by_day)?;
        write_list(f, ";BYMONTHDAY=", &self.by_month_day)?;
        match self.end {
            End::Never => Ok(()),
            End::Count(count) => write!(f, ";COUNT={count}"),
            End::Until(day) => write!(f, ";UNTIL={}", day.strftime("%Y%m%d")),
            End::UntilTime(time) => write!(f, ";UNTIL={}", time.strftime("%Y%m%dT%H%M%SZ")),
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, name: &str, list: &[impl fmt::Display]) -> fmt::Result {
    let separators = std::iter::once(name).chain(std::iter::repeat(","));
    for (separator, item) in separators.zip(list) {
        write!(f, "{separator}{item}")?;
    }
    Ok(())
}

impl FromStr for Repeat {
    type Err = RepeatError;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        Self::parse(raw)
    }
}

/// The day from which the next due date of a repeating task is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum RepeatFrom {
    /// The due date.
    #[default]
    Due,
    /// The day on which the task is completed.
    Completion,
}

/// The error of a text that is no [`RepeatFrom`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Task repeat_from must be \"due\" or \"completion\"")]
pub struct RepeatFromError;

impl RepeatFrom {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::Due, Self::Completion];

    /// Parses `due` or `completion`.
    ///
    /// # Errors
    /// [`RepeatFromError`] for anything else.
    pub fn parse(raw: &str) -> Result<Self, RepeatFromError> {
        Self::ALL
            .into_iter()
            .find(|from| from.as_str() == raw)
            .ok_or(RepeatFromError)
    }

    /// Returns `due` or `completion`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Completion => "completion",
        }
    }
}

name_traits!(RepeatFrom, RepeatFromError, as_str);
