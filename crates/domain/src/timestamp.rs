//! Instants in time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Date;

use crate::civil;
use crate::scan::Rest;

/// An instant in UTC with microsecond precision, in the years 1 to 9999 that RFC 3339 can express. It is
/// displayed as RFC 3339 with six fractional digits and `Z`.
///
/// ```
/// use taskhold_domain::timestamp::Timestamp;
///
/// let instant = Timestamp::from_micros(1_767_346_202_323_456)?;
/// assert_eq!(instant.to_string(), "2026-01-02T09:30:02.323456Z");
/// assert_eq!(instant.to_string().parse(), Ok(instant));
/// # Ok::<(), taskhold_domain::timestamp::TimestampError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The error of a number that is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} microseconds since 1970 is outside of the years 1 to 9999")]
pub struct TimestampError(i64);

/// The error of a text that is no instant of RFC 3339 in the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is written as 2026-01-02T09:30:02.323456Z, in the years 1 to 9999")]
pub struct TimestampTextError;

impl Timestamp {
    /// The first instant of the year 1.
    pub const FIRST: Self = Self(-62_135_596_800_000_000);

    /// The last instant of the year 9999.
    pub const LAST: Self = Self(253_402_300_799_999_999);

    /// Returns the instant `micros` microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`TimestampError`] outside of the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Result<Self, TimestampError> {
        if (Self::FIRST.0..=Self::LAST.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(TimestampError(micros))
        }
    }

    /// Returns the instant nearest to `micros` microseconds after 1970-01-01T00:00:00Z.
    pub(crate) fn saturating_from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::FIRST.0, Self::LAST.0))
    }

    /// Parses RFC 3339 with any offset, such as the text that `Display` writes. A space may stand for the `T`. A leap
    /// second is the second after it. Fractions of a microsecond are cut off, as by the clock of the service.
    ///
    /// # Errors
    /// [`TimestampTextError`].
    pub fn parse(raw: &str) -> Result<Self, TimestampTextError> {
        let micros = rfc_3339(raw).ok_or(TimestampTextError)?;
        Self::from_micros(micros).map_err(|_| TimestampTextError)
    }

    /// Returns the microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Adds a duration, up to [`LAST`](Self::LAST).
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self::saturating_from_micros(self.0.saturating_add(micros_of(duration)))
    }

    /// Returns the beginning of the day in UTC.
    #[must_use]
    pub fn start_of_utc_day(self) -> Self {
        Self::saturating_from_micros(self.0 - self.0.rem_euclid(MICROS_OF_DAY))
    }

    /// Subtracts a duration, down to [`FIRST`](Self::FIRST).
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self::saturating_from_micros(self.0.saturating_sub(micros_of(duration)))
    }

    /// Returns the time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }

    /// Returns this instant, or one microsecond after `previous` if this is not later. The time of a
    /// change thus always advances, even if the clock stands still or is set back.
    #[must_use]
    pub fn strictly_after(self, previous: Self) -> Self {
        Self::saturating_from_micros(self.0.max(previous.0 + 1))
    }
}

fn micros_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

const EPOCH: Date = Date::constant(1970, 1, 1);
const MICROS_OF_DAY: i64 = 24 * 3_600 * 1_000_000;

/// Returns the microseconds since 1970 at a time of RFC 3339.
fn rfc_3339(raw: &str) -> Option<i64> {
    let mut rest = Rest(raw);
    let date = civil::date(rest.numbers([4, 2, 2], "-")?)?;
    if !rest.skip(&['T', 't', ' ']) {
        return None;
    }
    let [hour, minute, second] = rest.numbers([2, 2, 2], ":")?;
    let micros = rest.fraction()?;
    let is_negative = rest.0.starts_with(['-', '\u{2212}']);
    let [hours, minutes] = if rest.skip(&['Z', 'z']) {
        [0, 0]
    } else if rest.skip(&['+', '-', '\u{2212}']) {
        rest.numbers([2, 2], ":")?
    } else {
        return None;
    };
    if hours > 23 || minutes > 59 || !rest.0.is_empty() {
        return None;
    }
    let (second, leap) = if second == 60 { (59, 1) } else { (second, 0) };
    let local = date.to_datetime(civil::time([hour, minute, second], micros)?);
    let offset = (i64::from(hours) * 60 + i64::from(minutes)) * 60;
    let offset = if is_negative { -offset } else { offset };
    Some(civil::micros(local) + (leap - offset) * 1_000_000)
}

impl FromStr for Timestamp {
    type Err = TimestampTextError;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        Self::parse(raw)
    }
}

impl fmt::Display for Timestamp {
    /// Writes digit by digit: a list of tasks has thousands of instants, and the formatting of a library took a tenth
    /// of the time of a list.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let days = SignedDuration::from_hours(24 * self.0.div_euclid(MICROS_OF_DAY));
        let date = EPOCH.checked_add(days).map_err(|_| fmt::Error)?;
        let of_day = self.0.rem_euclid(MICROS_OF_DAY);
        let second = of_day / 1_000_000;
        for (end, mut number) in [
            (4, i64::from(date.year())),
            (7, date.month().into()),
            (10, date.day().into()),
            (13, second / 3_600),
            (16, second / 60 % 60),
            (19, second % 60),
            (26, of_day % 1_000_000),
        ] {
            for digit in text.iter_mut().take(end).rev() {
                if number == 0 {
                    break;
                }
                *digit += u8::try_from(number % 10).map_err(|_| fmt::Error)?;
                number /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn display_equals_that_of_jiff(
            micros in Timestamp::FIRST.as_micros()..=Timestamp::LAST.as_micros(),
        ) {
            let instant = Timestamp::from_micros(micros).unwrap();
            let expected = format!("{:.6}Z", civil::shown(micros));
            prop_assert_eq!(instant.to_string(), expected);
            prop_assert_eq!(Timestamp::parse(&instant.to_string()), Ok(instant));
        }
    }

    #[test]
    fn only_texts_of_rfc_3339_are_parsed() {
        for (text, written) in [
            ("2026-01-02T09:30:02Z", "2026-01-02T09:30:02.000000Z"),
            ("2026-01-02t09:30:02.1z", "2026-01-02T09:30:02.100000Z"),
            (
                "2026-01-02T09:30:02.123456789+02:00",
                "2026-01-02T07:30:02.123456Z",
            ),
            ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000Z"),
            ("2026-01-02 09:30:02-00:30", "2026-01-02T10:00:02.000000Z"),
            (
                "2026-01-02T09:30:02\u{2212}23:59",
                "2026-01-03T09:29:02.000000Z",
            ),
            ("0000-12-31T23:59:59-00:01", "0001-01-01T00:00:59.000000Z"),
        ] {
            let parsed = Timestamp::parse(text).map(|instant| instant.to_string());
            assert_eq!(parsed.as_deref(), Ok(written), "{text}");
        }
        for malformed in [
            "",
            "2026-01-02",
            "2026-01-02T09:30:02",
            "2026-13-02T09:30:02Z",
            "2026-02-30T09:30:02Z",
            "2026-01-02T24:00:00Z",
            "2026-01-02T09:30:61Z",
            "2026-01-02T09:30:02.Z",
            "2026-01-02T09:30:02+24:00",
            "2026-01-02T09:30:02+0100",
            "2026-01-02T09:30:02Z ",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "0000-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "1767346202",
        ] {
            assert_eq!(
                Timestamp::parse(malformed),
                Err(TimestampTextError),
                "{malformed}"
            );
        }
    }

    #[test]
    fn sums_saturate_at_the_years_1_and_9999() {
        let instant = Timestamp::from_micros(1).unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(instant.saturating_add(second).as_micros(), 1_000_001);
        assert_eq!(instant.saturating_sub(second).as_micros(), -999_999);
        assert_eq!(instant.saturating_add(Duration::MAX), Timestamp::LAST);
        assert_eq!(instant.saturating_sub(Duration::MAX), Timestamp::FIRST);
        assert_eq!(Timestamp::FIRST.to_string(), "0001-01-01T00:00:00.000000Z");
    }

    #[test]
    fn time_since_a_later_instant_is_zero() {
        let second = Duration::from_secs(1);
        let instant = Timestamp::from_micros(5).unwrap();
        let later = instant.saturating_add(second);
        assert_eq!(later.saturating_since(instant), second);
        assert_eq!(instant.saturating_since(later), Duration::ZERO);
        assert_eq!(
            Timestamp::LAST
                .saturating_since(Timestamp::FIRST)
                .as_micros(),
            315_537_897_599_999_999
        );
    }

    #[test]
    fn display_has_six_fractional_digits_even_if_zero() {
        let whole_second = Timestamp::from_micros(0).expect("1970 is in range");
        assert_eq!(whole_second.to_string(), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn years_after_9999_are_refused() {
        let last = Timestamp::LAST.as_micros();
        assert_eq!(Timestamp::from_micros(last), Ok(Timestamp::LAST));
        assert_eq!(Timestamp::LAST.to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(
            Timestamp::from_micros(last + 1),
            Err(TimestampError(last + 1))
        );
        assert_eq!(
            Timestamp::from_micros(i64::MIN),
            Err(TimestampError(i64::MIN))
        );
    }

    #[test]
    fn change_is_always_later_than_the_previous_one() {
        let at = |micros| Timestamp::from_micros(micros).expect("in range");
        assert_eq!(at(9).strictly_after(at(5)), at(9), "the clock has moved on");
        assert_eq!(at(5).strictly_after(at(5)), at(6), "the clock stands still");
        assert_eq!(at(2).strictly_after(at(5)), at(6), "the clock was set back");
    }
}
