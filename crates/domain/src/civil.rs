//! Dates and times without a zone: from their numbers, and as microseconds since 1970.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const FIRST: DateTime = DateTime::constant(1, 1, 1, 0, 0, 0, 0);
const LAST: DateTime = DateTime::constant(9999, 12, 31, 23, 59, 59, 999_999_000);

/// Returns the date of a year, a month and a day, if the calendar has it.
pub(crate) fn date([year, month, day]: [i16; 3]) -> Option<Date> {
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Returns the time of an hour, a minute and a second, if clocks have it.
pub(crate) fn time<T>(parts: [T; 3], micros: i32) -> Option<Time>
where
    i8: TryFrom<T>,
{
    let [hour, minute, second] = parts.map(|part| i8::try_from(part).unwrap_or(i8::MAX));
    Time::new(hour, minute, second, micros * 1_000).ok()
}

/// Returns the microseconds from 1970-01-01T00:00:00 to `shown` on the same clock.
pub(crate) fn micros(shown: DateTime) -> i64 {
    i64::try_from(shown.duration_since(EPOCH).as_micros()).unwrap_or(i64::MAX)
}

/// Returns the time that a clock shows `micros` microseconds after 1970-01-01T00:00:00, or the nearest time in the
/// years 1 to 9999.
pub(crate) fn shown(micros: i64) -> DateTime {
    let shown = EPOCH.saturating_add(SignedDuration::from_micros(micros));
    shown.clamp(FIRST, LAST)
}
