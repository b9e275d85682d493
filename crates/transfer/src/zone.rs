//! Time zones, for files whose times have no offset from UTC.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use taskhold_domain::import::LocalDateTime;
use taskhold_domain::timestamp::Timestamp;

/// A time zone of the IANA database. The database is compiled in, so that every machine reads a file
/// alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

/// The error of a name that no time zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{0}`; names are those of the IANA database, such as Europe/Berlin")]
pub struct ZoneError(String);

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(Tz::UTC);

    /// Returns the instant of a local time, as Python does: the first of two, if clocks were set
    /// back; by the offset before the change, if clocks were set forward over it.
    #[must_use]
    pub fn instant(self, local: LocalDateTime) -> Timestamp {
        let local = local.as_naive();
        // Clocks were never set forward by more than a day.
        let skipped = (0..=24).map(TimeDelta::hours);
        let instant = skipped.into_iter().find_map(|skipped| {
            let before = local.checked_sub_signed(skipped)?;
            let before = self.0.from_local_datetime(&before).earliest()?;
            before.to_utc().checked_add_signed(skipped)
        });
        stamp(instant.unwrap_or_else(|| local.and_utc()))
    }

    /// Returns the local time of an instant.
    #[must_use]
    pub fn local(self, instant: Timestamp) -> NaiveDateTime {
        let utc = DateTime::<Utc>::from_timestamp_micros(instant.as_micros()).unwrap_or_default();
        let offset = self.0.offset_from_utc_datetime(&utc.naive_utc()).fix();
        utc.naive_utc()
            .checked_add_offset(offset)
            .unwrap_or_else(|| utc.naive_utc())
    }
}

fn stamp(instant: DateTime<Utc>) -> Timestamp {
    let micros = instant.timestamp_micros();
    let nearest = micros.clamp(Timestamp::FIRST.as_micros(), Timestamp::LAST.as_micros());
    Timestamp::from_micros(nearest).unwrap_or(Timestamp::LAST)
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, ZoneError> {
        name.parse().map(Self).map_err(|_| ZoneError(name.into()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

#[cfg(test)]
mod tests {
    use taskhold_domain::import::ParsedTime;

    use super::*;

    fn instant(zone: &str, local: &str) -> String {
        let Ok(ParsedTime::Local(local)) = ParsedTime::parse(local) else {
            panic!("{local} has an offset")
        };
        let zone: Zone = zone.parse().expect("a zone");
        zone.instant(local).to_string()
    }

    /// As `datetime.replace(tzinfo=ZoneInfo(…)).astimezone(utc)` of Python 3.11 converts them.
    #[test]
    fn local_times_are_converted_as_by_python() {
        for (zone, local, expected) in [
            ("UTC", "2026-07-01T12:00", "2026-07-01T12:00:00.000000Z"),
            (
                "Europe/Berlin",
                "2026-07-01T12:00",
                "2026-07-01T10:00:00.000000Z",
            ),
            (
                "Europe/Berlin",
                "2026-01-01T12:00",
                "2026-01-01T11:00:00.000000Z",
            ),
            // Twice on this night; the first, in summer time.
            (
                "Europe/Berlin",
                "2026-10-25T02:30",
                "2026-10-25T00:30:00.000000Z",
            ),
            // Skipped on this night; by the offset of winter.
            (
                "Europe/Berlin",
                "2026-03-29T02:30",
                "2026-03-29T01:30:00.000000Z",
            ),
            // A day that Samoa skipped.
            (
                "Pacific/Apia",
                "2011-12-30T12:00",
                "2011-12-30T22:00:00.000000Z",
            ),
            (
                "Asia/Kolkata",
                "2026-01-01T00:00",
                "2025-12-31T18:30:00.000000Z",
            ),
            (
                "Asia/Kolkata",
                "0001-01-01T00:00",
                "0001-01-01T00:00:00.000000Z",
            ),
        ] {
            assert_eq!(instant(zone, local), expected, "{zone} {local}");
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!("Europe/Atlantis".parse::<Zone>().is_err());
        assert!("".parse::<Zone>().is_err());
    }
}
