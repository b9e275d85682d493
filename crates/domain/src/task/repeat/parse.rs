//! Parsing of rules, and the errors of texts that are no rules.

use std::fmt;

use jiff::civil::Weekday;

use super::series::Frequency;
use super::{End, Repeat, WeekdayNumber};
use crate::civil;
use crate::length::exceeds;
use crate::scan::{Rest, digits};

const FREQ: &str = "FREQ";
const INTERVAL: &str = "INTERVAL";
const BYDAY: &str = "BYDAY";
const BYMONTHDAY: &str = "BYMONTHDAY";
const COUNT: &str = "COUNT";
const UNTIL: &str = "UNTIL";
const PARTS: [&str; 6] = [FREQ, INTERVAL, BYDAY, BYMONTHDAY, COUNT, UNTIL];

/// The parts of RFC 5545 that a rule cannot have.
const UNSUPPORTED: [&str; 8] = [
    "BYSECOND",
    "BYMINUTE",
    "BYHOUR",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
];

/// A broken rule of [`Repeat`]s, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RepeatError {
    /// The value is no text.
    #[error("Task repeat must be a text like FREQ=WEEKLY;BYDAY=MO,FR")]
    NotText,
    /// The text is empty.
    #[error("Task repeat must not be empty; an example is FREQ=WEEKLY;BYDAY=MO,FR")]
    Empty,
    /// The text is longer than [`Repeat::MAX_CHARS`].
    #[error("Task repeat must not exceed {} characters", Repeat::MAX_CHARS)]
    TooLong,
    /// The text contains white space or a control character.
    #[error("Task repeat must not contain white space or control characters")]
    WhiteSpace,
    /// The text begins with the name of the property.
    #[error("Task repeat must not begin with RRULE:")]
    Prefix,
    /// The part with this number has no `=`.
    #[error(
        "Task repeat must consist of parts like FREQ=DAILY, separated by semicolons; \
         part {0} is none"
    )]
    MalformedPart(usize),
    /// The part is one of RFC 5545 that tasks do not support.
    #[error(
        "Task repeat must have no parts but FREQ, INTERVAL, BYDAY, BYMONTHDAY, COUNT and UNTIL; \
         {0} is not supported"
    )]
    UnsupportedPart(&'static str),
    /// The part with this number has an unknown name.
    #[error(
        "Task repeat must have no parts but FREQ, INTERVAL, BYDAY, BYMONTHDAY, COUNT and UNTIL; \
         part {0} is unknown"
    )]
    UnknownPart(usize),
    /// The part is given twice.
    #[error("Task repeat must have {0} only once")]
    DoubledPart(&'static str),
    /// `FREQ` is missing.
    #[error("Task repeat must have FREQ")]
    FreqMissing,
    /// `FREQ` has another value.
    #[error("Task repeat FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY")]
    Freq,
    /// `INTERVAL` is no number, 0, or greater than [`Repeat::MAX_NUMBER`].
    #[error(
        "Task repeat INTERVAL must be a whole number from 1 to {}",
        Repeat::MAX_NUMBER
    )]
    Interval,
    /// `BYDAY` names no day.
    #[error("Task repeat BYDAY must name at least one day")]
    ByDayEmpty,
    /// `BYDAY` contains an item that is no day.
    #[error("Task repeat BYDAY must be days like MO, 2TU or -1FR, separated by commas")]
    ByDay,
    /// `BYDAY` has a number that no day of a month or year can have.
    #[error("Task repeat BYDAY must number days from 1 to {0} or from -1 to -{0}")]
    ByDayNumber(i8),
    /// `BYDAY` has a number, but `FREQ` is `DAILY` or `WEEKLY`: a day or week has no second Monday.
    #[error("Task repeat BYDAY must not number days unless FREQ is MONTHLY or YEARLY")]
    ByDayNumbered,
    /// `BYMONTHDAY` names no day.
    #[error("Task repeat BYMONTHDAY must name at least one day")]
    ByMonthDayEmpty,
    /// `BYMONTHDAY` contains an item that is no day of a month.
    #[error(
        "Task repeat BYMONTHDAY must be days from 1 to 31 or from -1 to -31, separated by commas"
    )]
    ByMonthDay,
    /// `BYMONTHDAY` is given for weeks.
    #[error("Task repeat BYMONTHDAY must not be given if FREQ is WEEKLY")]
    ByMonthDayWeekly,
    /// `COUNT` is no number, 0, or greater than [`Repeat::MAX_NUMBER`].
    #[error(
        "Task repeat COUNT must be a whole number from 1 to {}",
        Repeat::MAX_NUMBER
    )]
    Count,
    /// `UNTIL` is no date and no time in UTC.
    #[error(
        "Task repeat UNTIL must be a date like 20261224 or a time in UTC like 20261224T170000Z"
    )]
    Until,
    /// `COUNT` and `UNTIL` are both given.
    #[error("Task repeat must not have both COUNT and UNTIL")]
    CountAndUntil,
}

pub(super) fn parse(raw: &str) -> Result<Repeat, RepeatError> {
    check_text(raw)?;
    let parts = Parts::split(raw)?;
    let frequency = parts.parse(FREQ, frequency)?;
    let frequency = frequency.ok_or(RepeatError::FreqMissing)?;
    let interval = parts.parse(INTERVAL, |value| number(value, RepeatError::Interval))?;
    let by_day = parts.parse(BYDAY, |value| by_day(value, frequency))?;
    let by_month_day = parts.parse(BYMONTHDAY, |value| by_month_day(value, frequency))?;
    let count = parts.parse(COUNT, |value| number(value, RepeatError::Count))?;
    let until = parts.parse(UNTIL, |value| until(value).ok_or(RepeatError::Until))?;
    Ok(Repeat {
        frequency,
        interval: interval.unwrap_or(1),
        by_day: by_day.unwrap_or_default(),
        by_month_day: by_month_day.unwrap_or_default(),
        end: match (count, until) {
            (None, None) => End::Never,
            (Some(count), None) => End::Count(count),
            (None, Some(until)) => until,
            (Some(_), Some(_)) => return Err(RepeatError::CountAndUntil),
        },
    })
}

fn check_text(raw: &str) -> Result<(), RepeatError> {
    let prefix = raw.get(.."RRULE:".len()).unwrap_or_default();
    let unprintable = |char: char| char.is_whitespace() || char.is_control();
    [
        (raw.is_empty(), RepeatError::Empty),
        (exceeds(raw, Repeat::MAX_CHARS), RepeatError::TooLong),
        (raw.contains(unprintable), RepeatError::WhiteSpace),
        (prefix.eq_ignore_ascii_case("RRULE:"), RepeatError::Prefix),
    ]
    .into_iter()
    .find(|(is_broken, _)| *is_broken)
    .map_or(Ok(()), |(_, rule)| Err(rule))
}

/// The known parts of a rule and their values.
struct Parts<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Parts<'a> {
    fn split(raw: &'a str) -> Result<Self, RepeatError> {
        let mut parts = Self(Vec::new());
        for (place, part) in (1..).zip(raw.split(';')) {
            let (name, value) = part
                .split_once('=')
                .ok_or(RepeatError::MalformedPart(place))?;
            let find = |names: &[&'static str]| {
                let mut names = names.iter().copied();
                names.find(|known| known.eq_ignore_ascii_case(name))
            };
            let name = find(&PARTS).ok_or_else(|| match find(&UNSUPPORTED) {
                Some(name) => RepeatError::UnsupportedPart(name),
                None => RepeatError::UnknownPart(place),
            })?;
            if parts.get(name).is_some() {
                return Err(RepeatError::DoubledPart(name));
            }
            parts.0.push((name, value));
        }
        Ok(parts)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let mut parts = self.0.iter();
        parts.find_map(|(known, value)| (*known == name).then_some(*value))
    }

    /// Parses the value of a part, if the rule has this part.
    fn parse<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&'a str) -> Result<T, RepeatError>,
    ) -> Result<Option<T>, RepeatError> {
        self.get(name).map(parse).transpose()
    }
}

fn frequency(value: &str) -> Result<Frequency, RepeatError> {
    let mut all = Frequency::ALL.into_iter();
    let found = all.find(|known| known.as_str().eq_ignore_ascii_case(value));
    found.ok_or(RepeatError::Freq)
}

fn number(value: &str, error: RepeatError) -> Result<u32, RepeatError> {
    let number = digits(value).filter(|number| (1..=Repeat::MAX_NUMBER).contains(number));
    number.ok_or(error)
}

/// Parses a number other than 0 that may have a sign.
fn signed(text: &str) -> Option<i8> {
    let number: i8 = digits(text.strip_prefix(['+', '-']).unwrap_or(text))?;
    let number = if text.starts_with('-') {
        -number
    } else {
        number
    };
    (number != 0).then_some(number)
}

/// Sorts days by their numbers and removes doubles. Days from the end of the month or year are last.
fn sort<T: Copy + PartialEq>(mut days: Vec<T>, key: impl Fn(T) -> (i8, i8)) -> Vec<T> {
    days.sort_by_key(|day| {
        let (number, weekday) = key(*day);
        (number < 0, number, weekday)
    });
    days.dedup();
    days
}

fn by_day(value: &str, frequency: Frequency) -> Result<Vec<WeekdayNumber>, RepeatError> {
    if value.is_empty() {
        return Err(RepeatError::ByDayEmpty);
    }
    let days = value.split(',').map(|day| {
        let day = WeekdayNumber::parse(day).ok_or(RepeatError::ByDay)?;
        match frequency {
            _ if day.number == 0 => Ok(day),
            Frequency::Daily | Frequency::Weekly => Err(RepeatError::ByDayNumbered),
            Frequency::Monthly => day.numbered_up_to(5),
            Frequency::Yearly => day.numbered_up_to(53),
        }
    });
    Ok(sort(
        days.collect::<Result<_, _>>()?,
        |day: WeekdayNumber| (day.number, day.weekday.to_monday_zero_offset()),
    ))
}

impl WeekdayNumber {
    fn parse(text: &str) -> Option<Self> {
        let (number, weekday) = text.split_at_checked(text.len().checked_sub(2)?)?;
        let mut week = Weekday::Monday.cycle_forward().take(7);
        let weekday = week.find(|day| two_letters(*day).eq_ignore_ascii_case(weekday))?;
        let number = match number {
            "" => 0,
            number => signed(number)?,
        };
        Some(Self { number, weekday })
    }

    fn numbered_up_to(self, max: i8) -> Result<Self, RepeatError> {
        if (-max..=max).contains(&self.number) {
            return Ok(self);
        }
        Err(RepeatError::ByDayNumber(max))
    }
}

impl fmt::Display for WeekdayNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.number != 0 {
            self.number.fmt(f)?;
        }
        f.write_str(two_letters(self.weekday))
    }
}

fn two_letters(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "MO",
        Weekday::Tuesday => "TU",
        Weekday::Wednesday => "WE",
        Weekday::Thursday => "TH",
        Weekday::Friday => "FR",
        Weekday::Saturday => "SA",
        Weekday::Sunday => "SU",
    }
}

fn by_month_day(value: &str, frequency: Frequency) -> Result<Vec<i8>, RepeatError> {
    if value.is_empty() {
        return Err(RepeatError::ByMonthDayEmpty);
    }
    let days = value
        .split(',')
        .map(|day| signed(day).filter(|day| (-31..=31).contains(day)))
        .collect::<Option<_>>()
        .ok_or(RepeatError::ByMonthDay)?;
    if frequency == Frequency::Weekly {
        return Err(RepeatError::ByMonthDayWeekly);
    }
    Ok(sort(days, |day: i8| (day, 0)))
}

fn until(value: &str) -> Option<End> {
    let mut rest = Rest(value);
    let day = civil::date(rest.numbers([4, 2, 2], "")?)?;
    if day.year() == 0 {
        return None;
    }
    if rest.0.is_empty() {
        return Some(End::Until(day));
    }
    if !rest.skip(&['T', 't']) {
        return None;
    }
    let time = civil::time(rest.numbers([2, 2, 2], "")?, 0)?;
    (rest.skip(&['Z', 'z']) && rest.0.is_empty()).then(|| End::UntilTime(day.to_datetime(time)))
}
