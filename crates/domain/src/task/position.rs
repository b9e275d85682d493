//! Positions: the order that an owner gives to the tasks by hand.

use crate::text::text_traits;
use crate::timestamp::Timestamp;

use super::TaskId;

/// Where a task is moved in the order by hand.
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// The tasks of an owner in their order.
    #[derive(Default)]
    struct List {
        positions: Vec<Position>,
        rebalances: usize,
        longest: usize,
    }

    impl List {
        fn spread(count: usize) -> Self {
            Self {
                positions: Position::spread(count).collect(),
                ..Self::default()
            }
        }

        /// Inserts a task that then has the place `place`, with new positions for all tasks if there is no room.
        fn insert(&mut self, place: usize) {
            let position = self.between(place).unwrap_or_else(|NoRoom| {
                self.rebalances += 1;
                self.positions = Position::spread(self.positions.len()).collect();
                self.between(place).expect("new positions leave room")
            });
            self.longest = self.longest.max(position.as_str().len());
            self.positions.insert(place, position);
        }

        fn between(&self, place: usize) -> Result<Position, NoRoom> {
            let before = place.checked_sub(1).map(|place| &self.positions[place]);
            let after = self.positions.get(place);
            let position = Position::between(before, after)?;
            assert!(before.is_none_or(|before| *before < position));
            assert!(after.is_none_or(|after| position < *after));
            assert_eq!(Position::parse(position.as_str()), Ok(position.clone()));
            Ok(position)
        }
    }

    /// Inserts 10,000 tasks into a list of 10 at the places that a function of the previous place and the number of the
    /// insert returns. Returns how often all tasks got new positions, and the greatest length of a position.
    fn insert_10_000(place: impl Fn(usize, usize) -> usize) -> (usize, usize) {
        let mut list = List::spread(10);
        let mut previous = 5;
        for number in 0..10_000 {
            previous = place(previous, number).min(list.positions.len());
            list.insert(previous);
        }
        assert!(list.positions.is_sorted());
        (list.rebalances, list.longest)
    }

    #[test]
    fn tasks_at_the_start_and_at_the_end_have_short_positions() {
        assert_eq!(insert_10_000(|_, _| 0), (0, 4));
        assert_eq!(insert_10_000(|_, _| usize::MAX), (0, 4));
        let alternating = |_, number| if number % 2 == 0 { 0 } else { usize::MAX };
        assert_eq!(insert_10_000(alternating), (0, 4));
    }

    #[test]
    fn tasks_next_to_the_same_task_have_short_positions() {
        assert_eq!(insert_10_000(|_, _| 5), (0, 5));
        assert_eq!(insert_10_000(|previous, _| previous + 1), (0, 5));
    }

    #[test]
    fn inserts_around_the_previous_one_seldom_need_new_positions() {
        let zigzag = |previous, number| previous + number % 2;
        assert_eq!(insert_10_000(zigzag), (26, 63));
        // Two steps from 0 lead to an integer of two digits, and four halvings to the next item of the list.
        let worst = |previous, number| previous + usize::from(number % 7 == 6);
        assert_eq!(insert_10_000(worst), (47, 63));
    }

    #[test]
    fn nothing_fits_between_equal_and_descending_positions() {
        let (low, high) = (&Position::default(), &Position::parse("W").unwrap());
        for (before, after) in [(low, low), (high, low), (high, high)] {
            assert_eq!(Position::between(Some(before), Some(after)), Err(NoRoom));
        }
        let nested = &Position::between(Some(low), Some(high)).unwrap();
        assert_eq!(Position::between(Some(nested), Some(low)), Err(NoRoom));
        assert_eq!(
            NoRoom.to_string(),
            "no position fits between the two tasks: all tasks of the owner need new positions"
        );
    }

    #[test]
    fn positions_beyond_the_greatest_integers_do_not_fit() {
        let (first, last) = ("0".repeat(9), "z".repeat(9));
        let [first, last] = [&first, &last].map(|text| Position::parse(text.as_str()).unwrap());
        assert_eq!(Position::between(None, Some(&first)), Err(NoRoom));
        assert_eq!(Position::between(Some(&last), None), Err(NoRoom));
        let middle = Position::between(Some(&first), Some(&last));
        assert_eq!(middle, Ok(Position::default()));
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    #[test]
    fn later_tasks_come_first() {
        let mut times: Vec<_> = (0..18).map(|power| at(10_i64.pow(power))).collect();
        times.extend([Timestamp::FIRST, at(-1), at(0), Timestamp::LAST]);
        times.sort_unstable();
        let positions: Vec<_> = times.into_iter().map(Position::of_creation).collect();
        assert!(positions.is_sorted_by(|early, late| late < early));
        for position in &positions {
            assert_eq!(Position::parse(position.as_str()), Ok(position.clone()));
            assert_eq!(position.as_str().len(), 21);
        }
        // Positions that all tasks of an owner get leave the start to later tasks.
        let first = Position::spread(1_000_000).next();
        assert!(positions.into_iter().max() < first);
    }

    #[test]
    fn moved_task_leaves_the_start_to_later_tasks() {
        let now = 1_767_346_202_323_456;
        let alone = Position::next_to(None, None, at(now)).unwrap();
        assert_eq!(alone, Position::of_creation(at(now)));
        let mut first = Position::of_creation(at(now));
        for _ in 0..10_000 {
            let start = Position::next_to(None, Some(&first), at(now)).unwrap();
            assert!(start < first);
            first = start;
        }
        assert!(first.as_str().len() < 24, "{first}");
        // A clock that is behind by a second does not change that.
        let later = Position::of_creation(at(now + 1_000_000));
        assert!(later < first);
        let start = Position::next_to(None, Some(&later), at(now)).unwrap();
        assert!(Position::of_creation(at(now + 1_001_000)) < start && start < later);
    }

    #[test]
    fn follow_up_is_directly_after_its_task() {
        let (low, high) = (&Position::default(), &Position::parse("W").unwrap());
        let follow_up = Position::of_follow_up(low, Some(high));
        assert!(*low < follow_up && follow_up < *high);
        assert!(*low < Position::of_follow_up(low, None));
        assert_eq!(Position::of_follow_up(low, Some(low)), *low);
    }

    #[test]
    fn moves_between_new_tasks_seldom_need_new_positions() {
        let mut list = List::default();
        let created = (0..10).map(|second| Position::of_creation(at(-second * 1_000_000)));
        list.positions.extend(created);
        let (mut place, mut rebalances) = (5, 0);
        for number in 0..10_000 {
            place += number % 2;
            list.insert(place);
            if list.rebalances > rebalances {
                rebalances = list.rebalances;
                assert!(number > 100, "the first after {number}");
            }
        }
        assert_eq!(list.longest, Position::MAX_LENGTH);
        let end = Position::next_to(list.positions.last(), None, at(0)).unwrap();
        assert!(*list.positions.last().unwrap() < end);
    }

    #[test]
    fn only_task_has_the_default_position() {
        assert_eq!(Position::between(None, None), Ok(Position::default()));
        assert!(Position::spread(1).eq([Position::default()]));
    }

    #[test]
    fn new_positions_are_short_ascending_and_evenly_spaced() {
        for (count, length) in [(0, 0), (3, 1), (10, 2), (100, 3), (10_000, 4), (200_000, 5)] {
            let positions: Vec<_> = Position::spread(count).collect();
            assert_eq!(positions.len(), count);
            assert!(positions.is_sorted_by(|low, high| low < high));
            let lengths = positions.iter().map(|position| position.as_str().len());
            assert_eq!(lengths.max().unwrap_or(0), length, "{count}");
            let places = positions.iter().map(|position| position.integers()[0]);
            let places: Vec<_> = places.collect();
            assert!(
                places
                    .windows(2)
                    .all(|pair| pair[1] - pair[0] == Position::STEP)
            );
        }
        assert!(Position::spread(usize::MAX).next().is_none());
    }

    #[test]
    fn only_whole_integers_are_positions() {
        for raw in [
            "V",
            "8",
            "r",
            "s0",
            "7z",
            "VV",
            "Vs0",
            "z00000000",
            &"V".repeat(63),
        ] {
            assert_eq!(Position::parse(raw).unwrap().as_str(), raw);
        }
        for raw in [
            "",
            " ",
            "s",
            "7",
            "Vs",
            "z0000000",
            "V-",
            "é",
            "V\0",
            &"V".repeat(64),
        ] {
            assert_eq!(Position::parse(raw), Err(PositionError), "{raw:?}");
        }
        assert_eq!(
            PositionError.to_string(),
            "a position is up to 63 ASCII letters and digits, as returned by `Position::between`"
        );
    }

    fn written(integers: &[i64]) -> String {
        let mut text = String::new();
        for integer in integers {
            push(&mut text, *integer).unwrap();
        }
        text
    }

    fn integer() -> impl Strategy<Value = i64> {
        prop_oneof![
            -30_i64..30,
            -5000_i64..5000,
            -100_000_000_000_000_i64..100_000_000_000_000
        ]
    }

    #[test]
    fn integers_have_the_order_of_their_texts() {
        for integer in -300_000..300_000 {
            assert!(written(&[integer]) < written(&[integer + 1]), "{integer}");
        }
    }

    proptest! {
        #[test]
        fn lists_of_integers_have_the_order_of_their_texts(
            one in vec(integer(), 1..5), other in vec(integer(), 1..5),
        ) {
            prop_assert_eq!(written(&one).cmp(&written(&other)), one.cmp(&other));
            prop_assert_eq!(integers(&written(&one)), Some(one));
        }

        #[test]
        fn every_position_is_the_text_of_its_integers(text in "[0-9A-Za-z]{1,63}") {
            if let Some(integers) = integers(&text) {
                prop_assert_eq!(written(&integers), text);
            }
        }

        #[test]
        fn stored_positions_have_a_position_between(
            one in vec(integer(), 1..5), other in vec(integer(), 1..5),
        ) {
            let [one, other] = [one, other].map(|integers| Position::parse(written(&integers)).unwrap());
            prop_assume!(one != other);
            let (low, high) = if one < other { (one, other) } else { (other, one) };
            for (before, after) in
                [(Some(&low), Some(&high)), (None, Some(&low)), (Some(&high), None)]
            {
                let position = Position::between(before, after).unwrap();
                prop_assert!(before.is_none_or(|before| *before < position));
                prop_assert!(after.is_none_or(|after| position < *after));
            }
        }

        #[test]
        fn inserts_anywhere_keep_the_order(places in vec(any::<prop::sample::Index>(), 0..1000)) {
            let mut list = List::default();
            for place in places {
                list.insert(place.index(list.positions.len() + 1));
            }
            prop_assert!(list.positions.is_sorted_by(|low, high| low < high));
            prop_assert_eq!(list.rebalances, 0);
        }

        #[test]
        fn any_200_inserts_around_the_previous_one_fit(sides in vec(0..=1_usize, 200)) {
            let mut list = List::spread(10_000);
            let mut place = 1;
            for side in sides {
                place += side;
                list.insert(place);
            }
            prop_assert_eq!(list.rebalances, 0);
        }
    }
}
