//! Times in files of the original command-line app (the *console*).

use jiff::civil::{Date, DateTime, ISOWeekDate, Time, Weekday};

use crate::civil;
use crate::timestamp::Timestamp;

/// A time as written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParsedTime {
    /// A time without an offset from UTC: the instant depends on the time zone.
    Local(LocalDateTime),
    /// A time with an offset from UTC: an instant.
    Instant(Timestamp),
}

/// A date and a time of day without a time zone, with microsecond precision, in the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDateTime(DateTime);

/// The error of a text that Python's `datetime.fromisoformat` does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no time in ISO 8601")]
pub struct ParsedTimeError;

impl LocalDateTime {
    /// Returns the microseconds since 1970-01-01T00:00:00 of the same local clock.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        civil::micros(self.0)
    }

    /// Returns the time for arithmetic with time zones.
    #[must_use]
    pub fn as_civil(self) -> DateTime {
        self.0
    }
}

impl ParsedTime {
    /// Parses the texts that `datetime.fromisoformat` of Python 3.11 accepts, by which the console reads:
    /// calendar or week dates, extended or basic; any character before the time of day; a fraction after
    /// a point or a comma, of which six digits count; `Z` or an offset. Like Python, this accepts more than
    /// ISO 8601 (a letter before an offset, a fraction of an hour), so that no row of the console is lost.
    ///
    /// ```
    /// use taskhold_domain::import::ParsedTime;
    ///
    /// let ParsedTime::Instant(instant) = ParsedTime::parse("20260102T030405,5+01:00")? else {
    ///     panic!("it has an offset")
    /// };
    /// assert_eq!(instant.to_string(), "2026-01-02T02:04:05.500000Z");
    /// assert!(matches!(ParsedTime::parse("2026-01-02")?, ParsedTime::Local(_)));
    /// # Ok::<(), taskhold_domain::import::ParsedTimeError>(())
    /// ```
    ///
    /// # Errors
    /// [`ParsedTimeError`], also if the offset leads out of the years 1 to 9999.
    pub fn parse(text: &str) -> Result<Self, ParsedTimeError> {
        parse(text).ok_or(ParsedTimeError)
    }
}

fn parse(text: &str) -> Option<ParsedTime> {
    // The shortest text is a week, such as 2026W01.
    if text.len() < 7 {
        return None;
    }
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_at_checked(end_of_date(bytes)?)?;
    let date = parse_date(date)?;
    if rest.is_empty() {
        return Some(local(date.to_datetime(Time::midnight())));
    }
    // The separator may be any character, also of several bytes.
    let separator = std::str::from_utf8(rest).ok()?.chars().next()?;
    let time = rest.get(separator.len_utf8()..)?;
    let zone = time
        .iter()
        .position(|byte| matches!(byte, b'+' | b'-' | b'Z'));
    let Some(zone) = zone else {
        let (time, Ended::Whole) = parse_clock(time, time.len())? else {
            return None;
        };
        return Some(local(date.to_datetime(time.of_day()?)));
    };
    // Python ignores all characters between a complete time of day and its offset.
    let (clock, _) = parse_clock(time, zone)?;
    let offset = match time.get(zone..)? {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let (offset, Ended::Whole) = parse_clock(offset, offset.len())? else {
                return None;
            };
            offset.offset(*sign == b'-')?
        }
        _ => return None,
    };
    let local = civil::micros(date.to_datetime(clock.of_day()?));
    let instant = Timestamp::from_micros(local - offset).ok()?;
    Some(ParsedTime::Instant(instant))
}

fn local(time: DateTime) -> ParsedTime {
    ParsedTime::Local(LocalDateTime(time))
}

/// Returns the end of the date, by its hyphens and `W`, and in doubt by the number of digits that follow.
fn end_of_date(text: &[u8]) -> Option<usize> {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    if text.len() == 7 {
        return Some(7);
    }
    match (text.get(4)?, text.get(5)?) {
        (b'-', b'W') if text.get(8) == Some(&b'-') => match text.len() {
            9 => None,
            // A week and an hour after a hyphen, not a day and an hour after a digit.
            _ if is_digit(10) => Some(8),
            _ => Some(10),
        },
        (b'-', b'W') => Some(8),
        (b'-', _) => Some(10),
        (b'W', _) => {
            let end = (7..text.len()).find(|at| !is_digit(*at));
            match end.unwrap_or(text.len()) {
                end @ ..9 => Some(end),
                end if end % 2 == 0 => Some(7),
                _ => Some(8),
            }
        }
        _ => Some(8),
    }
}

fn parse_date(text: &[u8]) -> Option<Date> {
    let mut text = Digits(text);
    let year = i16::try_from(text.take(4)?).ok()?;
    if year == 0 {
        return None;
    }
    let extended = text.skip(b'-');
    if text.skip(b'W') {
        let week = text.take_small()?;
        let day = if text.0.is_empty() {
            1
        } else {
            if extended && !text.skip(b'-') {
                return None;
            }
            text.take(1)?
        };
        let day = Weekday::from_monday_one_offset(i8::try_from(day).ok()?).ok()?;
        let date = ISOWeekDate::new(year, week, day).ok()?.date();
        return (1..=9999).contains(&date.year()).then_some(date);
    }
    let month = text.take_small()?;
    if extended && !text.skip(b'-') {
        return None;
    }
    let day = text.take_small()?;
    if !text.0.is_empty() {
        return None;
    }
    Date::new(year, month, day).ok()
}

/// Hours, minutes, seconds and microseconds of a time of day or an offset.
#[derive(Default)]
struct Clock {
    parts: [u32; 3],
    micros: u32,
}

/// Whether a text ends with the clock that it begins with.
enum Ended {
    Whole,
    WithMore,
}

impl Clock {
    fn of_day(&self) -> Option<Time> {
        civil::time(self.parts, i32::try_from(self.micros).ok()?)
    }

    /// Returns the microseconds of the offset, whose only rule is to be shorter than a day: `+00:99` is an offset.
    fn offset(&self, negative: bool) -> Option<i64> {
        let [hours, minutes, seconds] = self.parts.map(i64::from);
        let seconds = hours * 3600 + minutes * 60 + seconds;
        // Python treats an offset of less than a second as zero.
        let micros = if seconds == 0 { 0 } else { self.micros };
        let offset = seconds * 1_000_000 + i64::from(micros);
        let offset = (offset < 24 * 3_600_000_000).then_some(offset)?;
        Some(if negative { -offset } else { offset })
    }
}

/// Parses `HH[:MM[:SS]]` or `HH[MM[SS]]` and a fraction in the first `end` bytes.
fn parse_clock(text: &[u8], end: usize) -> Option<(Clock, Ended)> {
    let mut clock = Clock::default();
    let mut digits = Digits(text.get(..end)?);
    let mut extended = true;
    for (index, part) in clock.parts.iter_mut().enumerate() {
        *part = digits.take(2)?;
        let Some((&next, rest)) = digits.0.split_first() else {
            return Some((clock, Ended::Whole));
        };
        if index == 0 {
            extended = next == b':';
        }
        if rest.is_empty() {
            return Some((clock, Ended::WithMore));
        }
        match next {
            b':' if extended => digits.0 = rest,
            b'.' | b',' => {
                digits.0 = rest;
                break;
            }
            _ if extended => return None,
            _ => {}
        }
    }
    let places = digits.0.len().min(6);
    let scale = 10_u32.pow(u32::try_from(6 - places).ok()?);
    clock.micros = digits.take(places)? * scale;
    let left = digits.0.iter().any(|byte| !byte.is_ascii_digit());
    Some((clock, if left { Ended::WithMore } else { Ended::Whole }))
}

/// The unparsed rest of a text.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    /// Takes a number of `count` digits.
    fn take(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + u32::from(digit - b'0'))
        })
    }

    /// Takes a number of two digits.
    fn take_small(&mut self) -> Option<i8> {
        i8::try_from(self.take(2)?).ok()
    }

    /// Skips `byte` and returns whether it came next.
    fn skip(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        match ParsedTime::parse(text) {
            Err(ParsedTimeError) => "refused".into(),
            Ok(ParsedTime::Local(LocalDateTime(local))) => {
                let shown = local.to_string().replace('T', " ");
                // Fractions of three or six digits.
                let fraction = shown.split_once('.').map_or(0, |(_, digits)| digits.len());
                let shown = shown + &"0".repeat((3 - fraction % 3) % 3);
                format!("{shown} local")
            }
            Ok(ParsedTime::Instant(instant)) => instant.to_string(),
        }
    }

    #[test]
    fn standard_formats_are_parsed() {
        for (text, expected) in [
            ("2026-01-02", "2026-01-02 00:00:00 local"),
            ("20260102", "2026-01-02 00:00:00 local"),
            ("2026-W01-5", "2026-01-02 00:00:00 local"),
            ("2026-01-02T03:04", "2026-01-02 03:04:00 local"),
            ("2026-01-02 03:04:05", "2026-01-02 03:04:05 local"),
            ("20260102T030405", "2026-01-02 03:04:05 local"),
            ("2026-01-02T03:04:05.1", "2026-01-02 03:04:05.100 local"),
            (
                "2026-01-02T03:04:05,123456789",
                "2026-01-02 03:04:05.123456 local",
            ),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
            ("2026-01-02T03:04:05+05:30", "2026-01-01T21:34:05.000000Z"),
            ("2026-01-02T03:04:05-0800", "2026-01-02T11:04:05.000000Z"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "today",
            "2026-02-29",
            "2026-1-2",
            "2026-01-02T24:00",
            "2026-01-02T03:04:05.",
            "2026-01-02T03:04:05+24:00",
            "0001-01-01T00:00:00+01:00",
            "1767323045",
        ] {
            assert_eq!(shown(text), "refused", "{text}");
        }
    }

    /// The texts are hand-picked and random; the results were recorded from Python 3.11.7.
    #[test]
    fn recorded_texts_are_parsed_as_by_python() {
        let recorded = include_str!("../../../../tests/fixtures/python-isoformat.tsv");
        let mut lines = 0;
        for line in recorded.lines() {
            let mut cells = line.split('\t');
            let (text, local) = (cells.next().unwrap(), cells.next().unwrap());
            let expected = match (local, cells.next()) {
                ("refused", _) => None,
                (local, Some("-")) => Some((local.parse().unwrap(), false)),
                (local, offset) => {
                    let offset: i64 = offset.unwrap().parse().unwrap();
                    let instant: i64 = local.parse::<i64>().unwrap() - offset;
                    let in_range = Timestamp::from_micros(instant).is_ok();
                    in_range.then_some((instant, true))
                }
            };
            let read = ParsedTime::parse(text).ok().map(|time| match time {
                ParsedTime::Local(local) => (local.as_micros(), false),
                ParsedTime::Instant(instant) => (instant.as_micros(), true),
            });
            assert_eq!(read, expected, "{text:?}");
            lines += 1;
        }
        assert!(lines >= 1_500, "{lines}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), digits in "[0-9W:.,+Z -]{7,40}") {
            let _ = ParsedTime::parse(&text);
            let _ = ParsedTime::parse(&digits);
        }
    }
}
