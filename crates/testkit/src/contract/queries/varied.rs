//! Tasks whose values differ in every way that a list filters or sorts by.

use taskhold_domain::task::{Details, Due, Position, Priority, Tags, Task};

use crate::contract::fixtures::{at, description, some_details, task, title};

/// Title prefixes in several scripts; their order by code point differs from that of any language.
const WORDS: [&str; 12] = [
    "apple",
    "Apple",
    "ÄPFEL",
    "zebra",
    "Молоко",
    "молоко",
    "ΟΔΟΣ",
    "牛乳",
    "חלב",
    "100%_\\",
    "😀",
    "ﬀ",
];

/// Due dates at the ends of the calendar, where a zone skips a day, and where clocks that show a new day are set back.
const UNUSUAL_DUE_DATES: [&str; 12] = [
    "0001-01-01",
    "0001-01-01T00:00:00Z",
    "9999-12-31",
    "9999-12-31T23:59:59.999999Z",
    "2011-12-30",
    "2011-12-31",
    "2011-12-30T10:00:00Z",
    "2010-11-06",
    "2010-11-07",
    "2010-11-07T02:30:30Z",
    "2010-11-07T02:45:00Z",
    "2010-11-07T03:30:00Z",
];

/// Returns a task whose values are spread over few keys by multiplication, so that no sort order
/// equals the order of creation.
pub(super) fn varied_task(number: u32) -> Task {
    let word = WORDS
        .iter()
        .cycle()
        .nth(number as usize % WORDS.len())
        .expect("a cycle");
    let created = i64::from(number.wrapping_mul(7919) % 97);
    Task {
        title: title(&format!("{word} {}", number % 5)),
        description: description(if number.is_multiple_of(3) {
            "in the FRIDGE, 50% off"
        } else {
            ""
        }),
        completed: number.is_multiple_of(4),
        completed_at: number.is_multiple_of(8).then(|| at(created)),
        details: varied_details(number),
        created_at: at(created),
        // Some with equal positions, and some before and after all that were never moved.
        position: match number % 5 {
            0 => Position::parse("V").expect("a position"),
            1 => Position::parse(format!("0{number:08}")).expect("a position"),
            2 => Position::parse("Z".repeat(number as usize % 10 + 1)).expect("a position"),
            _ => Position::of_creation(at(created)),
        },
        updated_at: at(created + i64::from(number % 11)),
        ..task("alice", u128::from(number.wrapping_mul(2_654_435_761)))
    }
}

fn varied_details(number: u32) -> Details {
    let tags = ["Straße", "home", "a_b", "%", "home office"];
    let tags = tags
        .iter()
        .zip(0..)
        .filter(|(_, bit)| number >> bit & 3 == 3);
    let due = varied_due(number / 3);
    match number % 7 {
        0 => some_details(),
        1 | 2 => Details {
            due,
            ..Details::default()
        },
        priority => Details {
            due,
            priority: match priority {
                3 => Priority::Low,
                4 => Priority::Medium,
                5 => Priority::High,
                _ => Priority::None,
            },
            tags: Tags::parse(tags.map(|(tag, _)| tag)).expect("tags"),
            ..Details::default()
        },
    }
}

/// Returns no due date, one of a few days around `at(0)`, or a time on them in one of several zones.
fn varied_due(number: u32) -> Option<Due> {
    let round = number / 8;
    let (day, hour) = (round % 5 + 1, round * 7 % 24);
    let text = match number % 8 {
        0..3 => return None,
        3 | 4 => format!("2026-01-0{day}"),
        5 => format!("2026-01-0{day}T{hour:02}:30:00+01:00[Europe/Berlin]"),
        6 => format!("2026-01-0{day}T{hour:02}:00:00Z"),
        _ => UNUSUAL_DUE_DATES
            .iter()
            .cycle()
            .nth(round as usize % UNUSUAL_DUE_DATES.len())
            .map_or_else(String::new, |due| (*due).to_owned()),
    };
    Some(Due::parse(&text).expect("a due date"))
}
