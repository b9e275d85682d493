//! Texts of due dates: those of RFC 9557, and those of stores.

use jiff::civil::{Date, Time};

use super::DueError;
use super::time::{AnyZone, SECOND, Turn};
use crate::civil;
use crate::scan::Rest;
use crate::zone::{UtcOffset, Zone};

/// A length that no name of a zone exceeds. Longer ones are not looked up, and no message repeats them.
const LONGEST_ZONE: usize = 50;

/// The parts of a text after its date.
pub(super) struct Parts {
    pub(super) time: Time,
    pub(super) offset: Option<Given>,
    pub(super) zone: Option<AnyZone>,
    pub(super) turn: Turn,
}

/// An offset as it was given.
#[derive(Clone, Copy)]
pub(super) enum Given {
    /// `Z` or `-00:00`: UTC, whatever the offset of the zone.
    Utc,
    Offset(UtcOffset),
}

impl Given {
    pub(super) fn offset(self) -> UtcOffset {
        match self {
            Self::Utc => UtcOffset::ZERO,
            Self::Offset(offset) => offset,
        }
    }
}

/// Parses a date and the parts that may follow it.
pub(super) fn parse(raw: &str) -> Result<(Date, Option<Parts>), DueError> {
    let mut rest = Rest(raw);
    let date = rest.date()?;
    if rest.0.is_empty() {
        return Ok((date, None));
    }
    let time = rest.time()?;
    let offset = rest.offset()?;
    let mut parts = Parts {
        time,
        offset,
        zone: None,
        turn: Turn::First,
    };
    let mut is_first = true;
    while !rest.0.is_empty() {
        let (is_critical, annotation) = rest.annotation().ok_or(DueError::Form)?;
        match annotation.split_once('=') {
            None if is_first => parts.zone = Some(AnyZone::parse(annotation)?),
            Some((key, value)) if is_name(key) && is_name(value) => {
                if is_critical {
                    return Err(DueError::Annotation);
                }
                if annotation == SECOND {
                    parts.turn = Turn::Second;
                }
            }
            _ => return Err(DueError::Form),
        }
        is_first = false;
    }
    Ok((date, Some(parts)))
}

/// Returns whether a text has the characters of RFC 9557 for names of zones, keys and values.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+/".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

impl AnyZone {
    fn parse(text: &str) -> Result<Self, DueError> {
        if text.starts_with(['+', '-']) {
            let mut rest = Rest(text);
            let offset = rest.offset()?.filter(|_| rest.0.is_empty());
            let offset = offset.ok_or(DueError::Form)?;
            return Ok(Self::Offset(offset.offset()));
        }
        if is_name(text) && text.len() <= LONGEST_ZONE {
            Ok(Self::Named(Zone::parse(text)?))
        } else {
            Err(DueError::Form)
        }
    }
}

impl<'a> Rest<'a> {
    fn date(&mut self) -> Result<Date, DueError> {
        let text = self.0;
        let digits = text.trim_start_matches(['+', '-']);
        let after = digits.trim_start_matches(|char: char| char.is_ascii_digit());
        let places = digits.len() - after.len();
        if after.starts_with('-') && (places > 4 || places > 0 && digits != text) {
            return Err(DueError::Year);
        }
        let [year, month, day] = self.numbers([4, 2, 2], "-").ok_or(DueError::Form)?;
        if year == 0 {
            return Err(DueError::Year);
        }
        civil::date([year, month, day])
            .ok_or_else(|| DueError::NoSuchDate(self.taken_from(text).into()))
    }

    fn time(&mut self) -> Result<Time, DueError> {
        if !self.skip(&['T', 't']) {
            return Err(DueError::Form);
        }
        let text = self.0;
        let [hour, minute, second] = self.numbers([2, 2, 2], ":").ok_or(DueError::Form)?;
        let text = self.taken_from(text);
        let micros = self.fraction().ok_or(DueError::Form)?;
        if second == 60 && civil::time([hour, minute, 59], 0).is_some() {
            return Err(DueError::LeapSecond);
        }
        civil::time([hour, minute, second], micros).ok_or_else(|| DueError::NoSuchTime(text.into()))
    }

    /// Takes an offset, if one follows.
    fn offset(&mut self) -> Result<Option<Given>, DueError> {
        if self.skip(&['Z', 'z']) {
            return Ok(Some(Given::Utc));
        }
        let text = self.0;
        let is_negative = text.starts_with('-');
        if !self.skip(&['+', '-']) {
            return Ok(None);
        }
        let [hours, minutes] = self.numbers([2, 2], ":").ok_or(DueError::Form)?;
        if hours > 23 || minutes > 59 {
            return Err(DueError::NoSuchOffset(self.taken_from(text).into()));
        }
        let seconds = (i32::from(hours) * 60 + i32::from(minutes)) * 60;
        Ok(Some(match (is_negative, seconds) {
            (true, 0) => Given::Utc,
            (true, seconds) => Given::Offset(UtcOffset::from_seconds(-seconds)),
            (false, seconds) => Given::Offset(UtcOffset::from_seconds(seconds)),
        }))
    }

    /// Takes `[annotation]` or `[!annotation]`, and returns whether it has the `!`.
    fn annotation(&mut self) -> Option<(bool, &'a str)> {
        let (annotation, rest) = self.0.strip_prefix('[')?.split_once(']')?;
        self.0 = rest;
        let critical = annotation.strip_prefix('!');
        Some((critical.is_some(), critical.unwrap_or(annotation)))
    }
}
