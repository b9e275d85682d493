//! Times of day: `9am`, `9:30 pm`, `at 9`, `21:00`, `noon`.

use jiff::civil::{self, Time};

use super::dates::small_number;
use super::tokens::{Found, Place};

/// Finds the time with which `words` start. Beside a date, `9:30` needs no `at`.
pub(super) fn time(words: &[&str], is_beside_date: bool) -> Option<Found<Time>> {
    let prepositions = match words {
        ["due", "at" | "by", ..] => 2,
        ["at" | "by" | "due", ..] => 1,
        _ => 0,
    };
    let (before, rest) = words.split_at_checked(prepositions)?;
    let place = if before.is_empty() {
        Place::PhraseEnd
    } else {
        Place::Anywhere
    };
    let (time, words, place) = match rest {
        ["noon", ..] => (civil::time(12, 0, 0, 0), 1, place),
        ["midnight", ..] => (Time::midnight(), 1, place),
        [digits, half @ ("am" | "pm"), ..] => (twelve_hours(digits, half)?, 2, place),
        [word, ..] => {
            let mut halves = ["am", "pm"].into_iter();
            if let Some((digits, half)) =
                halves.find_map(|half| Some((word.strip_suffix(half)?, half)))
            {
                (twelve_hours(digits, half)?, 1, place)
            } else if word.contains(':') {
                // "John 3:16" has no preposition, and one digit before the colon.
                let is_time = word.len() == 5 || is_beside_date || !before.is_empty();
                let (hour, minute) = clock(word).filter(|_| is_time)?;
                (Time::new(hour, minute, 0, 0).ok()?, 1, place)
            } else if before.ends_with(&["at"]) {
                let hour = small_number(word)?;
                (Time::new(hour, 0, 0, 0).ok()?, 1, Place::PhraseEnd)
            } else {
                return None;
            }
        }
        [] => return None,
    };
    Some(Found::new(time, prepositions + words, place))
}

/// Parses `9` or `9:30` of the morning (`am`) or the afternoon (`pm`).
fn twelve_hours(digits: &str, half: &str) -> Option<Time> {
    let (hour, minute) = clock(digits).or_else(|| Some((small_number(digits)?, 0)))?;
    if !(1..=12).contains(&hour) {
        return None;
    }
    let afternoon = if half == "pm" { 12 } else { 0 };
    Time::new(hour % 12 + afternoon, minute, 0, 0).ok()
}

/// Splits `9:30` into its numbers.
fn clock(word: &str) -> Option<(i8, i8)> {
    let (hour, minute) = word.split_once(':')?;
    let minute = small_number(minute).filter(|_| minute.len() == 2)?;
    Some((small_number(hour)?, minute))
}
