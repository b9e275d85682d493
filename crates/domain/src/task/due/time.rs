//! Times at which tasks are due.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset};

use super::DueError;
use crate::timestamp::Timestamp;
use crate::zone::{UtcOffset, Zone};

/// A wall time in a time zone, or with an offset from UTC: an instant of the years 1 to 9999, in whole microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DueTime {
    wall: DateTime,
    place: Place,
}

/// The offset or the zone that makes a wall time an instant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Offset(UtcOffset),
    Zone(Zone, Turn),
}

/// A time zone of RFC 9557: a name or an offset.
pub(super) enum AnyZone {
    Named(Zone),
    Offset(UtcOffset),
}

/// The mark of the second of two times, in a stored text.
pub(super) const SECOND: &str = "_fold=1";

/// One of the two times at which clocks that are set back show the same wall time. A wall time that they show once is
/// the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Turn {
    First,
    Second,
}

impl DueTime {
    /// Returns the time at which clocks of `zone` show `wall`, of two the first. Fractions of a microsecond are cut
    /// off.
    ///
    /// # Errors
    /// [`DueError::Year`] outside of the years 1 to 9999.
    pub fn new(wall: DateTime, zone: Zone) -> Result<Self, DueError> {
        let below = wall.subsec_nanosecond() % 1_000;
        let wall = wall.saturating_sub(jiff::SignedDuration::from_nanos(below.into()));
        Self::checked(wall, Place::Zone(zone, Turn::First))
    }

    /// Returns the time at which clocks with `offset` show `wall`.
    pub(super) fn fixed(wall: DateTime, offset: UtcOffset) -> Result<Self, DueError> {
        Self::checked(wall, Place::Offset(offset))
    }

    /// Returns the first or the second time at which clocks of `zone` show `wall`; the only one, if there is one.
    pub(super) fn in_turn(wall: DateTime, zone: Zone, turn: Turn) -> Result<Self, DueError> {
        let turn = match zone.offsets(wall) {
            AmbiguousOffset::Fold { .. } => turn,
            _ => Turn::First,
        };
        Self::checked(wall, Place::Zone(zone, turn))
    }

    /// Returns the time at which clocks of `zone` show `wall` with the offset `given`.
    pub(super) fn with_offset(
        wall: DateTime,
        zone: Zone,
        given: UtcOffset,
    ) -> Result<Self, DueError> {
        use AmbiguousOffset::{Fold, Gap, Unambiguous};
        let is = |offset: Offset| UtcOffset::from(offset).minutes() == given.minutes();
        let turn = match zone.offsets(wall) {
            Unambiguous { offset } if is(offset) => Turn::First,
            Unambiguous { offset } => return Err(other_offset(given, offset.into(), None)),
            Gap { before, after } if is(before) || is(after) => Turn::First,
            Fold { before, .. } if is(before) => Turn::First,
            Fold { after, .. } if is(after) => Turn::Second,
            Gap { before, after } | Fold { before, after } => {
                return Err(other_offset(given, before.into(), Some(after.into())));
            }
        };
        Self::checked(wall, Place::Zone(zone, turn))
    }

    /// Returns the wall time that was asked for, even if clocks skip it.
    #[must_use]
    pub fn wall(&self) -> DateTime {
        self.wall
    }

    /// Returns the zone; `None` if the time has only an offset.
    #[must_use]
    pub fn zone(&self) -> Option<&Zone> {
        match &self.place {
            Place::Offset(_) => None,
            Place::Zone(zone, _) => Some(zone),
        }
    }

    /// Returns the instant. A wall time that clocks skip is moved forward by the length of the gap.
    #[must_use]
    pub fn instant(&self) -> Timestamp {
        // In range: `checked` refuses every other time.
        Timestamp::saturating_from_micros(self.micros())
    }

    /// Returns the time if its wall time and its instant are in the years 1 to 9999.
    fn checked(wall: DateTime, place: Place) -> Result<Self, DueError> {
        let time = Self { wall, place };
        let is_in_range = (1..=9999).contains(&wall.year());
        if !is_in_range || Timestamp::from_micros(time.micros()).is_err() {
            return Err(DueError::Year);
        }
        Ok(time)
    }

    /// Returns the time of an instant.
    pub(super) fn at(instant: Timestamp, zone: AnyZone) -> Result<Self, DueError> {
        let time = match zone {
            AnyZone::Offset(offset) => Self::fixed(offset.local(instant), offset)?,
            AnyZone::Named(zone) => {
                let wall = zone.local(instant);
                let is_first = zone.instant(wall) == instant;
                let turn = if is_first { Turn::First } else { Turn::Second };
                Self::in_turn(wall, zone, turn)?
            }
        };
        // The wall time of the instant is outside of the years 1 to 9999.
        if time.instant() != instant {
            return Err(DueError::Year);
        }
        Ok(time)
    }

    /// Returns the same wall time at the same place on another date; of two times that clocks show, the first.
    pub(super) fn on(&self, date: Date) -> Option<Self> {
        let wall = date.to_datetime(self.wall.time());
        let place = match &self.place {
            Place::Offset(offset) => Place::Offset(*offset),
            Place::Zone(zone, _) => Place::Zone(zone.clone(), Turn::First),
        };
        Self::checked(wall, place).ok()
    }

    /// Returns the text for a store.
    pub(super) fn to_stored(&self) -> String {
        let wall = self.wall;
        match &self.place {
            Place::Offset(_) => self.to_string(),
            Place::Zone(zone, Turn::First) => format!("{wall}[{zone}]"),
            Place::Zone(zone, Turn::Second) => format!("{wall}[{zone}][{SECOND}]"),
        }
    }

    fn micros(&self) -> i64 {
        let offset = match &self.place {
            Place::Offset(offset) => *offset,
            Place::Zone(zone, turn) => match (zone.offsets(self.wall), turn) {
                (AmbiguousOffset::Fold { after, .. }, Turn::Second) => after.into(),
                (offsets, _) => UtcOffset::first(offsets),
            },
        };
        offset.micros(self.wall)
    }

    pub(super) fn offset_at(&self, instant: Timestamp) -> UtcOffset {
        match &self.place {
            Place::Offset(offset) => *offset,
            Place::Zone(zone, _) => zone.offset_at(instant),
        }
    }
}

/// Returns the error of a `given` offset that is none of the zone, which has `one` and perhaps the `other`.
pub(super) fn other_offset(given: UtcOffset, one: UtcOffset, other: Option<UtcOffset>) -> DueError {
    DueError::OtherOffset {
        given: given.to_string(),
        expected: match other {
            Some(other) => format!("{one} or {other}"),
            None => one.to_string(),
        },
    }
}

impl fmt::Display for DueTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = self.instant();
        let offset = self.offset_at(instant);
        let local = offset.local(instant);
        match &self.place {
            Place::Offset(UtcOffset::ZERO) => write!(f, "{local}Z"),
            Place::Offset(_) => write!(f, "{local}{offset}"),
            Place::Zone(zone, _) => write!(f, "{local}{offset}[{zone}]"),
        }
    }
}
