//! Due dates.

mod text;
mod time;

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use self::text::{Given, Parts, parse};
pub use self::time::DueTime;
use self::time::{AnyZone, other_offset};
use crate::timestamp::Timestamp;
use crate::zone::{UtcOffset, Zone, ZoneError};

/// The day or the time at which a task is due.
///
/// No time zone shifts a date. A time keeps the wall time and the zone that its owner asked for. The offset from UTC
/// follows from both, and is computed whenever the time is shown, so that the offset is right even after a government
/// has changed the rules of the zone.
///
/// ```
/// use taskhold_domain::task::Due;
///
/// let due = Due::parse("2026-12-01T09:00:00+01:00[Europe/Berlin]")?;
/// assert_eq!(due.to_string(), "2026-12-01T09:00:00+01:00[Europe/Berlin]");
/// assert_eq!(due.instant().unwrap().to_string(), "2026-12-01T08:00:00.000000Z");
///
/// // Half a year later the time is nine o'clock, too.
/// let summer = due.on(jiff::civil::date(2027, 6, 1)).unwrap();
/// assert_eq!(summer.to_string(), "2027-06-01T09:00:00+02:00[Europe/Berlin]");
///
/// // Clocks skip 02:30 in that night. Clients see 03:30, the store keeps 02:30.
/// let skipped = Due::parse("2026-03-29T02:30:00+01:00[Europe/Berlin]")?;
/// assert_eq!(skipped.to_string(), "2026-03-29T03:30:00+02:00[Europe/Berlin]");
/// assert_eq!(skipped.to_stored(), "2026-03-29T02:30:00[Europe/Berlin]");
/// # Ok::<(), taskhold_domain::task::DueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Due {
    /// A day, from the year 1 to 9999.
    Date(Date),
    /// A time.
    Time(DueTime),
}

/// The error of a text that is not a [`Due`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DueError {
    /// The text has another form.
    #[error(
        "Due date must be written as 2026-12-01 or as 2026-12-01T09:00:00+01:00[Europe/Berlin]"
    )]
    Form,
    /// The date or the instant is outside of the years 1 to 9999.
    #[error("Due date must be in the years 1 to 9999")]
    Year,
    /// The calendar has no such date.
    #[error("Due date must exist: there is no {0}")]
    NoSuchDate(String),
    /// Clocks have no such time.
    #[error("Due time must be from 00:00:00 to 23:59:59, not {0}")]
    NoSuchTime(String),
    /// The second is a leap second, which the time zones do not know.
    #[error("Due time must not be a leap second")]
    LeapSecond,
    /// A time has no offset.
    #[error("Due time must have an offset from UTC, such as +01:00")]
    NoOffset,
    /// There is no such offset.
    #[error("Due time must have an offset from -23:59 to +23:59, not {0}")]
    NoSuchOffset(String),
    /// There is no such zone.
    #[error("Due time must be in a known time zone: {0}")]
    Zone(#[from] ZoneError),
    /// The zone has another offset at that time.
    #[error("Due time must have the offset of its time zone, which is {expected}, not {given}")]
    OtherOffset {
        /// The offset as it was given.
        given: String,
        /// The offset or both offsets that the zone has.
        expected: String,
    },
    /// An annotation must be obeyed (`!`), but is unknown.
    #[error("Due time must not have an annotation with `!` other than its time zone")]
    Annotation,
}

impl Due {
    /// Parses a date (`2026-12-01`), or a time of RFC 9557 with an offset and, usually, a zone
    /// (`2026-12-01T09:00:00+01:00[Europe/Berlin]`).
    ///
    /// | text | meaning |
    /// | --- | --- |
    /// | `T` and `Z` in lower case | the same |
    /// | a fraction of a second | kept to the microsecond, the rest is cut off |
    /// | `…+01:00` | the offset is kept; `Z`, `+00:00` and `-00:00` are one |
    /// | `…Z[Europe/Berlin]` | the instant; the wall time of the zone is kept |
    /// | `…+01:00[+01:00]` | the same as without the second one |
    /// | `…+00:53[Europe/Berlin]` | matches an offset of the zone that has seconds (+00:53:28) |
    /// | `[u-ca=gregory]` and the like after the zone | ignored |
    ///
    /// If clocks skip the wall time, the offsets before and after the change are both right, and mean the same instant.
    /// If clocks show the wall time twice, the offset decides.
    ///
    /// # Errors
    /// [`DueError`] for everything else.
    pub fn parse(raw: &str) -> Result<Self, DueError> {
        let (date, parts) = parse(raw)?;
        Self::from_parts(date, parts)
    }

    fn from_parts(date: Date, parts: Option<Parts>) -> Result<Self, DueError> {
        let Some(parts) = parts else {
            return Ok(Self::Date(date));
        };
        let wall = date.to_datetime(parts.time);
        let given = parts.offset.ok_or(DueError::NoOffset)?;
        let time = match (parts.zone, given) {
            (None, given) => DueTime::fixed(wall, given.offset()),
            (Some(zone), Given::Utc) => {
                let utc = DueTime::fixed(wall, UtcOffset::ZERO)?;
                DueTime::at(utc.instant(), zone)
            }
            (Some(AnyZone::Offset(offset)), Given::Offset(given)) if offset != given => {
                Err(other_offset(given, offset, None))
            }
            (Some(AnyZone::Offset(offset)), _) => DueTime::fixed(wall, offset),
            (Some(AnyZone::Named(zone)), Given::Offset(given)) => {
                DueTime::with_offset(wall, zone, given)
            }
        };
        time.map(Self::Time)
    }

    /// Parses a text of [`to_stored`](Self::to_stored): if the time zone database has changed since, the wall time and
    /// the zone count. Also parses the texts of clients, as [`parse`](Self::parse) does.
    ///
    /// # Errors
    /// [`DueError`] for everything else.
    pub fn from_stored(stored: &str) -> Result<Self, DueError> {
        match parse(stored)? {
            (
                date,
                Some(Parts {
                    time,
                    offset: None,
                    zone: Some(AnyZone::Named(zone)),
                    turn,
                }),
            ) => DueTime::in_turn(date.to_datetime(time), zone, turn).map(Self::Time),
            (date, parts) => Self::from_parts(date, parts),
        }
    }

    /// Returns the text for a store, of which [`from_stored`](Self::from_stored) makes the same value: a date, a wall
    /// time and its offset, or a wall time and its zone. The text of [`Display`](fmt::Display) is for clients, and
    /// loses the wall time of a time that clocks skip.
    ///
    /// `[_fold=1]` marks the second of two times that clocks show.
    #[must_use]
    pub fn to_stored(&self) -> String {
        match self {
            Self::Time(time) => time.to_stored(),
            Self::Date(date) => date.to_string(),
        }
    }

    /// Returns the date of the wall time that was asked for, in its own zone.
    #[must_use]
    pub fn date(&self) -> Date {
        match self {
            Self::Date(date) => *date,
            Self::Time(time) => time.wall().date(),
        }
    }

    /// Returns the instant of a time; `None` for a date, which is a day in every zone.
    #[must_use]
    pub fn instant(&self) -> Option<Timestamp> {
        match self {
            Self::Date(_) => None,
            Self::Time(time) => Some(time.instant()),
        }
    }

    /// Returns the day in `zone`: a date itself, and of a time the day that has [started](Zone::last_started) last.
    #[must_use]
    pub fn day_in(&self, zone: &Zone) -> Date {
        self.sort_key(zone).day
    }

    /// Returns the day of an instant at the place where the task is due: in the zone or at the offset of a time; for a
    /// date, in `otherwise`.
    #[must_use]
    pub fn local_day(&self, instant: Timestamp, otherwise: &Zone) -> Date {
        match self {
            Self::Date(_) => otherwise.day_of(instant),
            Self::Time(time) => time.offset_at(instant).local(instant).date(),
        }
    }

    /// Returns whether an open task is overdue: its date is before the day of `now` in `zone`, or its time before
    /// `now`.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp, zone: &Zone) -> bool {
        match self {
            Self::Date(date) => *date < zone.day_of(now),
            Self::Time(time) => time.instant() < now,
        }
    }

    /// Returns the key by which due dates are sorted. The zone tells where a date lies among times.
    #[must_use]
    pub fn sort_key(&self, zone: &Zone) -> DueKey {
        match self {
            Self::Date(date) => DueKey::of_date(*date),
            Self::Time(time) => DueKey::of_time(time.instant(), zone),
        }
    }

    /// Returns the same wall time in the same zone on another date; of two times that clocks show, the first. `None`
    /// outside of the years 1 to 9999.
    #[must_use]
    pub fn on(&self, date: Date) -> Option<Self> {
        if !(1..=9999).contains(&date.year()) {
            return None;
        }
        match self {
            Self::Date(_) => Some(Self::Date(date)),
            _ if date == self.date() => Some(self.clone()),
            Self::Time(time) => time.on(date).map(Self::Time),
        }
    }
}

/// The key by which due dates are sorted in a zone: by day, on one day dates before times, and times by instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueKey {
    /// The day.
    pub day: Date,
    /// The instant of a time; `None` for a date.
    pub instant: Option<Timestamp>,
}

impl DueKey {
    /// Returns the key of a date.
    #[must_use]
    pub fn of_date(day: Date) -> Self {
        Self { day, instant: None }
    }

    /// Returns the key of a time.
    #[must_use]
    pub fn of_time(instant: Timestamp, zone: &Zone) -> Self {
        Self {
            day: zone.last_started(instant),
            instant: Some(instant),
        }
    }
}

impl fmt::Display for Due {
    /// Writes the text for clients: a date, or the time that clocks show with its offset and zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => date.fmt(f),
            Self::Time(time) => time.fmt(f),
        }
    }
}

impl FromStr for Due {
    type Err = DueError;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        Self::parse(raw)
    }
}

#[cfg(test)]
mod tests;
