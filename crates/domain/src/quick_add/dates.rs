//! Dates: `tomorrow`, `fri`, `in 3 days`, `2026-12-01`, `1 dec`.

use jiff::Span;
use jiff::civil::{Date, Weekday};

use super::tokens::{Found, Place, amount};
use crate::civil;
use crate::scan::{Rest, digits};

/// A unit of dates.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Day,
    Week,
    Month,
    Year,
}

/// Finds the date with which `words` start.
pub(super) fn date(words: &[&str], today: Date) -> Option<Found<Date>> {
    let prepositions = match words {
        ["due", "on" | "by", ..] => 2,
        ["on" | "by" | "due", ..] => 1,
        _ => 0,
    };
    let rest = words.get(prepositions..)?;
    let has_preposition = prepositions > 0;
    let mut found = relative(rest, today)
        .or_else(|| day_of_week(rest, today, has_preposition))
        .or_else(|| day_of_year(rest, today, has_preposition))?;
    found.words += prepositions;
    Some(found)
}

/// Finds a date that is unambiguous in every place.
fn relative(words: &[&str], today: Date) -> Option<Found<Date>> {
    match words {
        ["today", ..] => Some(Found::new(today, 1, Place::Anywhere)),
        ["tomorrow", ..] => Some(Found::new(today.tomorrow().ok()?, 1, Place::Anywhere)),
        ["in", count, name, ..] => {
            let date = later(today, amount(count)?, unit(name)?)?;
            Some(Found::new(date, 3, Place::Anywhere))
        }
        [word, ..] => Some(Found::new(iso(word)?, 1, Place::Anywhere)),
        [] => None,
    }
}

fn later(today: Date, count: u32, unit: Unit) -> Option<Date> {
    let span = match unit {
        Unit::Day => Span::new().try_days(count),
        Unit::Week => Span::new().try_weeks(count),
        Unit::Month => Span::new().try_months(count),
        Unit::Year => Span::new().try_years(count),
    };
    today.checked_add(span.ok()?).ok()
}

fn day_of_week(words: &[&str], today: Date, has_preposition: bool) -> Option<Found<Date>> {
    let (day, is_next, count) = match words {
        ["next", day, ..] => (day, true, 2),
        [day, ..] => (day, false, 1),
        [] => return None,
    };
    // These weekdays are other words as well: "by sun and rain", "the cat sat on the mat".
    let is_ambiguous = !is_next && matches!(*day, "sat" | "sun" | "wed");
    let place = match (has_preposition, is_ambiguous) {
        (true, false) => Place::Anywhere,
        (false, true) => Place::End,
        _ => Place::PhraseEnd,
    };
    let day = weekday(day)?;
    let days = if is_next {
        7 - today.weekday().to_monday_zero_offset() + day.to_monday_zero_offset()
    } else {
        days_until(today.tomorrow().ok()?, day) + 1
    };
    let date = today.checked_add(Span::new().days(days)).ok()?;
    Some(Found::new(date, count, place))
}

/// Returns the number of days from `from` to the first `day` on or after `from`.
fn days_until(from: Date, day: Weekday) -> i8 {
    (day.to_monday_zero_offset() - from.weekday().to_monday_zero_offset()).rem_euclid(7)
}

fn day_of_year(words: &[&str], today: Date, has_preposition: bool) -> Option<Found<Date>> {
    let (day, month) = match words {
        [first, second, ..] => match (month(first), month(second)) {
            (Some(month), _) => (day(second)?, month),
            (None, Some(month)) => (day(first)?, month),
            (None, None) => return None,
        },
        _ => return None,
    };
    let place = if has_preposition {
        Place::Anywhere
    } else {
        Place::End
    };
    if let Some(year) = words.get(2).and_then(|word| year(word)) {
        return Some(Found::new(Date::new(year, month, day).ok()?, 3, place));
    }
    // 29 February exists at least every eight years.
    let mut years = today.year()..=today.year().saturating_add(8);
    let date = years.find_map(|year| {
        let date = Date::new(year, month, day).ok();
        date.filter(|&date| date >= today)
    })?;
    Some(Found::new(date, 2, place))
}

/// Parses a date such as `2026-12-01`.
fn iso(word: &str) -> Option<Date> {
    let mut rest = Rest(word);
    let date = civil::date(rest.numbers([4, 2, 2], "-")?)?;
    (date.year() > 0 && rest.0.is_empty()).then_some(date)
}

/// Parses a year of four digits.
fn year(word: &str) -> Option<i16> {
    let year = if word.len() == 4 { digits(word) } else { None };
    year.filter(|&year| year > 0)
}

/// Parses a day of a month: `1`, `01` or `1st`.
pub(super) fn day(word: &str) -> Option<i8> {
    small_number(word).or_else(|| ordinal(word))
}

/// Parses an ordinal number up to two digits: `1st`.
pub(super) fn ordinal(word: &str) -> Option<i8> {
    let endings = ["st", "nd", "rd", "th"];
    let digits = endings.iter().find_map(|ending| word.strip_suffix(ending));
    small_number(digits?)
}

/// Parses one or two digits.
pub(super) fn small_number(word: &str) -> Option<i8> {
    if word.len() <= 2 { digits(word) } else { None }
}

/// Parses the name of a weekday or its short form.
pub(super) fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "mon" | "monday" => Weekday::Monday,
        "tue" | "tues" | "tuesday" => Weekday::Tuesday,
        "wed" | "wednesday" => Weekday::Wednesday,
        "thu" | "thur" | "thurs" | "thursday" => Weekday::Thursday,
        "fri" | "friday" => Weekday::Friday,
        "sat" | "saturday" => Weekday::Saturday,
        "sun" | "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// Parses the name of a month or its short form.
pub(super) fn month(word: &str) -> Option<i8> {
    Some(match word {
        "jan" | "january" => 1,
        "feb" | "february" => 2,
        "mar" | "march" => 3,
        "apr" | "april" => 4,
        "may" => 5,
        "jun" | "june" => 6,
        "jul" | "july" => 7,
        "aug" | "august" => 8,
        "sep" | "sept" | "september" => 9,
        "oct" | "october" => 10,
        "nov" | "november" => 11,
        "dec" | "december" => 12,
        _ => return None,
    })
}

/// Parses a unit in the singular or the plural.
pub(super) fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "day" | "days" => Unit::Day,
        "week" | "weeks" => Unit::Week,
        "month" | "months" => Unit::Month,
        "year" | "years" => Unit::Year,
        _ => return None,
    })
}
