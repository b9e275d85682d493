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
