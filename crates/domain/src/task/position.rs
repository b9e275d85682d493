//! Positions: the order that an owner gives to the tasks by hand.

#[cfg(test)]
mod tests;

use crate::text::text_traits;
use crate::timestamp::Timestamp;

use super::TaskId;

/// The place in the order by hand to which a task is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The start of the list.
    Start,
    /// The end of the list.
    End,
    /// Directly before this task.
    Before(TaskId),
    /// Directly after this task.
    After(TaskId),
}

impl Destination {
    /// Returns the task that the destination names.
    #[must_use]
    pub fn neighbour(self) -> Option<TaskId> {
        match self {
            Self::Start | Self::End => None,
            Self::Before(id) | Self::After(id) => Some(id),
        }
    }
}

/// The place of a task among the tasks of its owner: a text that is greater than the one of the task before and less
/// than the one of the task after ("fractional indexing"). A move writes the position of the moved task, and no other.
///
/// Positions are compared by code points. They consist of ASCII letters and digits, so Rust, SQLite (`BINARY`) and
/// PostgreSQL (`COLLATE "C"`) agree on their order.
///
/// ```
/// use taskhold_domain::task::Position;
///
/// let milk = Position::between(None, None)?;
/// let bread = Position::between(None, Some(&milk))?;
/// let eggs = Position::between(Some(&bread), Some(&milk))?;
/// assert!(bread < eggs && eggs < milk);
/// # Ok::<(), taskhold_domain::task::NoRoom>(())
/// ```
///
/// # New tasks
///
/// The position of a new task follows from the time of its creation ([`of_creation`](Self::of_creation)): the later, the
/// less. So new tasks come first, and nobody reads the list to create one. [`next_to`](Self::next_to) returns the
/// position of a task that is moved; it leaves the start of the list to later tasks.
///
/// # Equal positions
///
/// Two devices that insert at the same place at the same time may get the same position. Tasks of one position are
/// in the order of their ids, so all devices show the same order. Nothing fits between equal positions:
/// [`between`](Self::between) returns [`NoRoom`], and the caller gives all tasks of the owner new positions in their
/// present order, those of [`spread`](Self::spread), and asks again.
///
/// # Length
///
/// A position has up to 4 characters after 10,000 inserts at the start or at the end, and up to 8 after 10,000 inserts
/// directly before or after the same task. If each insert is next to the previous one and the sides change, a position
/// grows by a character every 3 to 6 inserts: at least 200 of them fit between two tasks of [`spread`](Self::spread).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(String);

/// The error of a text that is not a [`Position`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a position is up to {} ASCII letters and digits, as returned by `Position::between`",
    Position::MAX_LENGTH
)]
pub struct PositionError;

/// The error of two neighbours without a [`Position`] between them: their positions are equal or not in ascending
/// order, or the new one would be longer than [`Position::MAX_LENGTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no position fits between the two tasks: all tasks of the owner need new positions")]
pub struct NoRoom;

// A position is a list of integers, at least one, each written with a fixed number of digits after its first digit.
// Lists are compared item by item, and a list is less than its continuations. An insert takes an integer between
// those of its neighbours, and begins a new item if there is none.
impl Position {
    /// The greatest length in characters, which are bytes as well.
    pub const MAX_LENGTH: usize = 63;

    /// The distance of an integer from its only neighbour: a power of 2, so that it can be halved often, and short
    /// enough for one digit.
    const STEP: i64 = 16;

    /// What the time of a creation is subtracted from, so that 18 digits remain for every time.
    const CREATIONS: i64 = 900_000_000_000_000_000;

    /// Parses a stored position.
    ///
    /// # Errors
    /// [`PositionError`] for anything else.
    pub fn parse(raw: impl AsRef<str> + Into<String>) -> Result<Self, PositionError> {
        let text = raw.as_ref();
        let fits = !text.is_empty() && text.len() <= Self::MAX_LENGTH;
        if fits && integers(text).is_some() {
            Ok(Self(raw.into()))
        } else {
            Err(PositionError)
        }
    }

    /// Returns a position after `before` and before `after`, or at the start or the end of the list if one of them is
    /// `None`. The same neighbours give the same position.
    ///
    /// # Errors
    /// [`NoRoom`] if `before` is not less than `after`, or if the position would be too long. New positions for all
    /// tasks of the owner ([`spread`](Self::spread)) make room. At the start and at the end there is room for more
    /// than 10 million million inserts.
    pub fn between(before: Option<&Self>, after: Option<&Self>) -> Result<Self, NoRoom> {
        let mut lower = before.map_or_else(Vec::new, Self::integers).into_iter();
        let mut upper = after.map_or_else(Vec::new, Self::integers).into_iter();
        let mut text = String::new();
        let integer = loop {
            break match (lower.next(), upper.next()) {
                (Some(low), Some(high)) if low == high => {
                    push(&mut text, low)?;
                    continue;
                }
                (Some(low), Some(high)) if high - low > 1 => low.midpoint(high),
                (Some(low), Some(high)) if low < high => {
                    push(&mut text, low)?;
                    lower.next().map_or(0, |low| low + Self::STEP)
                }
                (Some(low), None) if after.is_none() => low + Self::STEP,
                (None, None) if after.is_none() => 0,
                (None, Some(high)) => high - Self::STEP,
                _ => return Err(NoRoom),
            };
        };
        push(&mut text, integer)?;
        if text.len() > Self::MAX_LENGTH {
            return Err(NoRoom);
        }
        Ok(Self(text))
    }

    /// Returns `count` positions in ascending order, for all tasks of an owner: as short as possible, with the same
    /// room between any two of them.
    pub fn spread(count: usize) -> impl Iterator<Item = Self> {
        // A list that is too long for these integers does not fit into a memory either.
        let middle = i64::try_from(count / 2).unwrap_or(i64::MAX);
        (0..count).map_while(move |place| {
            let place = i64::try_from(place).ok()?.checked_sub(middle)?;
            let mut text = String::new();
            push(&mut text, place.checked_mul(Self::STEP)?).ok()?;
            Some(Self(text))
        })
    }

    /// Returns the position of a task that was created at this time and never moved.
    ///
    /// It has 21 characters, and a database can compute it with few functions: of the 18 digits of 9 · 10^17 minus the
    /// microseconds since 1970, the first 8 stand after a `0`, the next 8 after a `0`, and the last 2 after a `6`.
    ///
    /// ```
    /// use taskhold_domain::task::Position;
    /// use taskhold_domain::timestamp::Timestamp;
    ///
    /// let (one, later) = (Timestamp::from_micros(0)?, Timestamp::from_micros(1)?);
    /// assert_eq!(Position::of_creation(one).as_str(), "090000000000000000600");
    /// assert!(Position::of_creation(later) < Position::of_creation(one));
    /// # Ok::<(), taskhold_domain::timestamp::TimestampError>(())
    /// ```
    #[must_use]
    pub fn of_creation(created_at: Timestamp) -> Self {
        // Every timestamp leaves 18 digits.
        let rest = Self::CREATIONS - created_at.as_micros();
        let (first, last) = (rest / 10_000_000_000, rest % 10_000_000_000);
        Self(format!("0{first}0{:08}6{:02}", last / 100, last % 100))
    }

    /// Returns the position of a task that is moved at `now` to a place between two neighbours, or to the start or the
    /// end of the list if one of them is `None`. A task that is created later comes before one that is moved to the
    /// start.
    ///
    /// # Errors
    /// [`NoRoom`] as [`between`](Self::between).
    pub fn next_to(
        before: Option<&Self>,
        after: Option<&Self>,
        now: Timestamp,
    ) -> Result<Self, NoRoom> {
        let new = Self::of_creation(now);
        match (before, after) {
            (None, Some(first)) if *first <= new => first.just_before(),
            (None, _) => Ok(new),
            (Some(_), _) => Self::between(before, after),
        }
    }

    /// Returns the position of a follow-up, directly after the task that it follows, given the position of the task
    /// after that. Without room it is that of the followed task: the follow-up, whose id is greater, comes after it.
    #[must_use]
    pub fn of_follow_up(followed: &Self, next: Option<&Self>) -> Self {
        Self::between(Some(followed), next).unwrap_or_else(|NoRoom| followed.clone())
    }

    /// Returns a position before this one that differs in its last integer, so that it stands for a few microseconds
    /// later if this one is [of a creation](Self::of_creation).
    fn just_before(&self) -> Result<Self, NoRoom> {
        let mut integers = self.integers();
        let last = integers.pop().ok_or(NoRoom)?;
        integers.push(last - Self::STEP);
        let mut text = String::new();
        for integer in integers {
            push(&mut text, integer)?;
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(NoRoom);
        }
        Ok(Self(text))
    }

    fn integers(&self) -> Vec<i64> {
        // A position is well-formed.
        integers(&self.0).unwrap_or_default()
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Position {
    /// Returns the position of the only task of a list.
    fn default() -> Self {
        Self("V".to_owned())
    }
}

text_traits!(Position, PositionError);

// The 62 digits are in the order of their code points. The first digit of an integer tells how many follow:
//
//   0 to 7: 8 to 1 (negative)    8 to 30: none (-23 to -1)    31 to 53: none (0 to 22)    54 to 61: 1 to 8
//
// The integers with one digit more begin where the shorter ones end. So every integer has one form, and no form is the
// beginning of another. A negative integer `-1 - n` is `n` with each digit `d` replaced by `61 - d`.
const BASE: i64 = 62;
const ZERO: i64 = 31;
const FIRST_LONG: i64 = 54;

/// Writes an integer; fails if it has no form.
fn push(text: &mut String, integer: i64) -> Result<(), NoRoom> {
    let is_negative = integer < 0;
    let mut push_digit = |digit| text.extend(to_char(mirror_if(is_negative, digit)));
    // At least 0: `!integer` is `-1 - integer`.
    let mut rest = if is_negative { !integer } else { integer };
    if rest < FIRST_LONG - ZERO {
        push_digit(ZERO + rest);
        return Ok(());
    }
    rest -= FIRST_LONG - ZERO;
    let mut power = BASE;
    for first in FIRST_LONG..BASE {
        if rest < power {
            push_digit(first);
            while power > 1 {
                power /= BASE;
                push_digit(rest / power % BASE);
            }
            return Ok(());
        }
        rest -= power;
        power *= BASE;
    }
    Err(NoRoom)
}

/// Reads the integers of a text, or returns `None` if it is malformed.
fn integers(text: &str) -> Option<Vec<i64>> {
    let mut digits = text.bytes().map(to_digit);
    let mut integers = Vec::new();
    while let Some(first) = digits.next() {
        let is_negative = first? < ZERO;
        let first = mirror_if(is_negative, first?);
        let mut integer = first.min(FIRST_LONG - 1) - ZERO;
        let (mut rest, mut power) = (0, 1);
        for _ in FIRST_LONG..=first {
            rest = rest * BASE + mirror_if(is_negative, digits.next()??);
            integer += power;
            power *= BASE;
        }
        integer += rest;
        integers.push(if is_negative { !integer } else { integer });
    }
    Some(integers)
}

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn mirror_if(is_negative: bool, digit: i64) -> i64 {
    if is_negative { BASE - 1 - digit } else { digit }
}

fn to_digit(char: u8) -> Option<i64> {
    let place = DIGITS.iter().position(|known| *known == char)?;
    i64::try_from(place).ok()
}

fn to_char(digit: i64) -> Option<char> {
    let place = usize::try_from(digit).ok()?;
    DIGITS.get(place).copied().map(char::from)
}
