//! Repeats: `every day`, `every mon, wed and fri`, `every month on the 15th`, `weekly`.

use jiff::ToSpan;
use jiff::civil::Date;

use super::dates::{Unit, ordinal, unit, weekday};
use super::tokens::{Found, Place, Token, amount, phrase};
use crate::task::Repeat;

/// Returns the first date from `from` on that fits a repeat of a quick text, whatever its interval. The search is
/// short: every week has all weekdays, and one of two successive months has 31 days.
pub(super) fn first_date(repeat: &Repeat, from: Date) -> Option<Date> {
    let mut days = from.series(1.day());
    days.find(|&day| repeat.fits(from, day))
}

/// Finds the repeat with which `tokens` start.
pub(super) fn repeat(tokens: &[Token<'_>]) -> Option<Found<Repeat>> {
    let words = phrase(tokens);
    let (interval, start) = match words.as_slice() {
        [adverb @ ("daily" | "weekly" | "monthly" | "yearly"), ..] => {
            return found(&format!("FREQ={adverb}"), 1, Place::End);
        }
        ["every", "other", ..] => (2, 2),
        ["every", count, name, ..] if let Some(interval) = amount(count) => {
            let rule = format!("FREQ={};INTERVAL={interval}", frequency(unit(name)?));
            return found(&rule, 3, Place::Anywhere);
        }
        ["every", ..] => {
            if let Some(found) = month_day(&words) {
                return Some(found);
            }
            (1, 1)
        }
        _ => return None,
    };
    let (rule, count) = match words.get(start..)? {
        ["weekday", ..] if interval == 1 => ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR".to_owned(), 1),
        [name @ ("day" | "week" | "month" | "year"), ..] => {
            (format!("FREQ={}", frequency(unit(name)?)), 1)
        }
        _ => {
            let (days, count) = weekdays(tokens.get(start..)?)?;
            (format!("FREQ=WEEKLY;BYDAY={}", days.join(",")), count)
        }
    };
    let rule = format!("{rule};INTERVAL={interval}");
    found(&rule, start + count, Place::Anywhere)
}

/// Parses the rule that a phrase means. The numbers in the phrase may break a rule of [`Repeat`].
fn found(rule: &str, words: usize, place: Place) -> Option<Found<Repeat>> {
    Some(Found::new(Repeat::parse(rule).ok()?, words, place))
}

fn frequency(unit: Unit) -> &'static str {
    match unit {
        Unit::Day => "DAILY",
        Unit::Week => "WEEKLY",
        Unit::Month => "MONTHLY",
        Unit::Year => "YEARLY",
    }
}

/// Finds a repeat on a day of the month.
fn month_day(words: &[&str]) -> Option<Found<Repeat>> {
    let (day, count) = match words {
        ["every", "month", "on", "the", "last", "day", ..]
        | ["every", "last", "day", "of", "the", "month", ..] => (-1, 6),
        ["every", "month", "on", "the", day, ..] | ["every", day, "of", "the", "month", ..] => {
            (ordinal(day)?, 5)
        }
        ["every", day, "day", "of", "the", "month", ..] => (ordinal(day)?, 6),
        _ => return None,
    };
    let rule = format!("FREQ=MONTHLY;BYMONTHDAY={day}");
    found(&rule, count, Place::Anywhere)
}

/// Finds a list of weekdays: `mon, wed and fri`. Returns the values of `BYDAY` and the number of words of the list.
fn weekdays<'t>(tokens: &'t [Token<'_>]) -> Option<(Vec<&'t str>, usize)> {
    let mut days = vec![by_day(tokens.first()?)?];
    let mut count = 1;
    loop {
        let (last, rest) = tokens.split_at_checked(count)?;
        let (skipped, next) = match rest {
            _ if !matches!(last.last()?.marks, "" | ",") => break,
            [and, next, ..] if and.word == "and" && and.marks.is_empty() => (1, next),
            [next, ..] => (0, next),
            [] => break,
        };
        let Some(day) = by_day(next) else {
            break;
        };
        // A long list of the same days must not make a rule that is too long.
        if !days.contains(&day) {
            days.push(day);
        }
        count += skipped + 1;
    }
    Some((days, count))
}

/// Returns the value of `BYDAY` for the name of a weekday: its first two letters.
fn by_day<'t>(token: &'t Token<'_>) -> Option<&'t str> {
    weekday(&token.word)?;
    token.word.get(..2)
}

#[cfg(test)]
mod tests {
    use jiff::civil::Weekday;

    use super::super::tokens::tokens;
    use super::*;

    fn parsed(text: &str) -> Option<(String, usize)> {
        let found = repeat(&tokens(text))?;
        Some((found.value.to_string(), found.words))
    }

    #[test]
    fn rules_are_displayed_as_rrule_values() {
        for (text, rrule, words) in [
            ("Every Day", "FREQ=DAILY", 2),
            ("every week", "FREQ=WEEKLY", 2),
            ("monthly", "FREQ=MONTHLY", 1),
            ("yearly.", "FREQ=YEARLY", 1),
            ("every 1 day", "FREQ=DAILY", 3),
            ("every 12 months x", "FREQ=MONTHLY;INTERVAL=12", 3),
            ("every other year", "FREQ=YEARLY;INTERVAL=2", 3),
            ("every weekday", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", 2),
            ("every sunday, x", "FREQ=WEEKLY;BYDAY=SU", 2),
            (
                "every sun, mon and Sunday and x",
                "FREQ=WEEKLY;BYDAY=MO,SU",
                5,
            ),
            ("every sat; sun", "FREQ=WEEKLY;BYDAY=SA", 2),
            (
                "every other tue, and thu",
                "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH",
                5,
            ),
            ("every month on the 31st", "FREQ=MONTHLY;BYMONTHDAY=31", 5),
            (
                "every month on the last day",
                "FREQ=MONTHLY;BYMONTHDAY=-1",
                6,
            ),
            ("every 2nd of the month", "FREQ=MONTHLY;BYMONTHDAY=2", 5),
            ("every 2nd day of the month", "FREQ=MONTHLY;BYMONTHDAY=2", 6),
            (
                "every last day of the month",
                "FREQ=MONTHLY;BYMONTHDAY=-1",
                6,
            ),
        ] {
            assert_eq!(parsed(text), Some((rrule.to_owned(), words)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_rules() {
        for text in [
            "",
            "every",
            "every, day",
            "day",
            "every days",
            "every other days",
            "every other weekday",
            "every 0 days",
            "every -1 days",
            "every day's",
            "every 0th of the month",
            "every 32nd of the month",
            "every 2nd",
            "every 2nd friday",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn first_date_is_the_first_one_that_fits() {
        let days = jiff::civil::date(2026, 1, 1).series(1.day());
        for from in days.take(800) {
            let first = |text| first_date(&repeat(&tokens(text)).unwrap().value, from).unwrap();
            let find = |fits: fn(&Date) -> bool| from.series(1.day()).find(fits).unwrap();
            assert_eq!(first("every 3 days"), from);
            let is_day = |day: &Date| matches!(day.weekday(), Weekday::Monday | Weekday::Friday);
            assert_eq!(first("every mon and fri"), find(is_day));
            assert_eq!(
                first("every 31st of the month"),
                find(|day| day.day() == 31)
            );
            assert_eq!(
                first("every 29th of the month"),
                find(|day| day.day() == 29)
            );
            let is_last = |day: &Date| day.tomorrow().unwrap().day() == 1;
            assert_eq!(first("every last day of the month"), find(is_last));
        }
    }
}
