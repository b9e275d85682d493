//! Tests of whole texts.

mod properties;

use jiff::ToSpan;
use jiff::civil::{DateTime, Weekday, date};

use super::*;
use crate::task::Tag;

/// A Wednesday.
fn now() -> DateTime {
    date(2026, 11, 25).at(18, 0, 0, 0)
}

fn shown(due: QuickDue) -> String {
    match due.time {
        Some(time) => format!("{}T{:02}:{:02}", due.date, time.hour(), time.minute()),
        None => due.date.to_string(),
    }
}

/// A task as the recorded texts show it.
fn task_json(text: &str, now: DateTime) -> serde_json::Value {
    let task = parse(text, now, &[]);
    serde_json::json!({
        "text": text,
        "now": format!("{}T{:02}:{:02}", now.date(), now.hour(), now.minute()),
        "title": task.title,
        "due": task.due.map(shown),
        "repeat": task.repeat.map(|repeat| repeat.to_string()),
        "tags": task.tags.iter().map(Tag::as_str).collect::<Vec<_>>(),
        "priority": task.priority.as_str(),
    })
}

#[test]
fn recorded_texts_are_understood_as_expected() {
    let recorded = include_str!("../../../../tests/fixtures/quick_add.jsonl");
    let mut unexpected = Vec::new();
    for line in recorded.lines() {
        let expected: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = expected["text"].as_str().unwrap();
        let now = expected["now"].as_str().unwrap().parse().unwrap();
        let task = task_json(text, now);
        if task != expected {
            unexpected.push(format!("{task}\n  expected {expected}"));
        }
    }
    assert_eq!(recorded.lines().count(), 200);
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

fn titles<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let parsed = texts.into_iter().map(|text| parse(text, now(), &[]));
    parsed.map(|task| task.title).collect()
}

#[test]
fn parts_are_told_in_code_points() {
    let text = "🥛 e\u{301} tomorrow, 9am every day #straße. !high";
    let task = parse(text, now(), &[]);
    let parts: Vec<_> = task
        .understood
        .iter()
        .map(|part| (part.field, part.text.as_str(), part.start, part.end))
        .collect();
    assert_eq!(
        parts,
        [
            (Field::Due, "tomorrow, 9am", 5, 18),
            (Field::Repeat, "every day", 19, 28),
            (Field::Tags, "#straße", 29, 36),
            (Field::Priority, "!high", 38, 43),
        ]
    );
    assert_eq!(task.title, "🥛 e\u{301}.");
}

#[test]
fn fields_in_except_stay_in_the_title_and_change_nothing_else() {
    let text = "Pay rent #home 1 dec 9am every mon !high";
    let (due, high) = (Some("2026-12-01T09:00"), Priority::High);
    let first_monday = Some("2026-11-30");
    for (except, expected) in [
        (&[][..], ("Pay rent", due, true, 1, high)),
        (&[Field::Tags], ("Pay rent #home", due, true, 0, high)),
        (
            &[Field::Priority],
            ("Pay rent !high", due, true, 1, Priority::None),
        ),
        (
            &[Field::Repeat],
            ("Pay rent every mon", due, false, 1, high),
        ),
        (
            &[Field::Due],
            ("Pay rent 1 dec 9am", first_monday, true, 1, high),
        ),
        (&Field::ALL, (text, None, false, 0, Priority::None)),
    ] {
        let task = parse(text, now(), except);
        let due = task.due.map(shown);
        let fields = (
            task.title.as_str(),
            due.as_deref(),
            task.repeat.is_some(),
            task.tags.len(),
            task.priority,
        );
        assert_eq!(fields, expected, "{except:?}");
    }
}

#[test]
fn last_of_two_dates_times_repeats_and_priorities_counts() {
    assert_eq!(
        titles([
            "Cancel today tomorrow",
            "Call Anna tomorrow about the party on friday",
            "Call at 9am Bob at 10am",
            "Run every day every week",
            "Run !low !high",
            "Meet friday 9am at 10",
        ]),
        [
            "Cancel today",
            "Call Anna tomorrow about the party",
            "Call at 9am Bob",
            "Run every day",
            "Run !low",
            "Meet friday 9am",
        ]
    );
}

#[test]
fn date_and_time_that_stand_apart_are_two_parts() {
    let task = parse("Call at 9am Anna tomorrow", now(), &[]);
    assert_eq!(task.title, "Call Anna");
    assert_eq!(task.due.map(shown), Some("2026-11-26T09:00".into()));
    assert_eq!(task.understood.len(), 2);
}

#[test]
fn text_of_which_no_title_would_be_left_is_the_title() {
    for text in [
        "",
        " \t\n",
        "tomorrow",
        "#home !high",
        "#home, #work.",
        "- 1 dec -",
        "every day",
    ] {
        let nothing = QuickAdd {
            title: text.trim().to_owned(),
            ..QuickAdd::default()
        };
        assert_eq!(parse(text, now(), &[]), nothing);
    }
    assert_eq!(parse("🎂 tomorrow", now(), &[]).title, "🎂");
}

#[test]
fn twenty_different_tags_are_understood() {
    let tags: Vec<_> = (0..25)
        .map(|number| format!("#a{number} #A{number}"))
        .collect();
    let task = parse(&format!("x {}", tags.join(" ")), now(), &[]);
    assert_eq!(task.tags.len(), 20);
    assert_eq!(task.understood.len(), 40);
    assert_eq!(
        task.title,
        "x #a20 #A20 #a21 #A21 #a22 #A22 #a23 #A23 #a24 #A24"
    );
    let task = parse(&"x #a ".repeat(2000), now(), &[]);
    assert_eq!((task.tags.len(), task.understood.len()), (1, 2000));
}

#[test]
fn dates_outside_of_the_calendar_stay_in_the_title() {
    let last = date(9999, 12, 31).at(12, 0, 0, 0);
    for text in [
        "x tomorrow",
        "x fri",
        "x next fri",
        "x in 1 day",
        "x in 1 year",
        "x 1 dec",
        "x 9am every sat",
    ] {
        let task = parse(text, last, &[]);
        let is_valid = task.due.is_none_or(|due| due.date <= last.date());
        assert!(is_valid, "{text}: {task:?}");
    }
    assert!(parse("x every sat", last, &[]).due.is_some());
    assert_eq!(parse("x tomorrow", last, &[]).title, "x tomorrow");
    assert_eq!(parse("x fri", last, &[]).title, "x fri");
}

#[test]
fn repeats_that_break_a_rule_stay_in_the_title() {
    let title = "x every 3652060 days";
    assert_eq!(titles([title, "x every 3652059 days"]), [title, "x"]);
}

#[test]
fn weekday_is_the_first_one_after_today_or_in_the_next_calendar_week() {
    let first = |weekday: Weekday, from: Date| {
        let mut days = from.series(1.day());
        days.find(|day| day.weekday() == weekday).unwrap()
    };
    for offset in 0..14 {
        let today = now().date() + offset.days();
        let tomorrow = today.tomorrow().unwrap();
        for name in ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] {
            let due = |text: String| parse(&text, today.at(12, 0, 0, 0), &[]).due.unwrap().date;
            let weekday = dates::weekday(name).unwrap();
            assert_eq!(due(format!("x {name}")), first(weekday, tomorrow));
            let monday = first(Weekday::Monday, tomorrow);
            assert_eq!(due(format!("x next {name}")), first(weekday, monday));
        }
    }
}

#[test]
fn fields_are_parsed_and_shown() {
    for field in Field::ALL {
        assert_eq!(Field::parse(field.as_str()), Ok(field));
        assert_eq!(field.to_string(), field.as_str());
    }
    for raw in ["", "Due", "title", "tag", "due "] {
        assert_eq!(Field::parse(raw), Err(FieldError), "{raw}");
    }
}

/// A few milliseconds suffice; for an algorithm that takes quadratic time it would be minutes.
#[test]
fn long_texts_take_linear_time() {
    for unit in [
        "a ",
        "a",
        " ",
        "#a ",
        "#",
        "!high ",
        "every mon, ",
        "every mon, mon and ",
        "mon and ",
        "every month on the ",
        "tomorrow ",
        "1 dec ",
        "due on ",
        "at 9 ",
        "9am to ",
        ", ",
        "x tomorrow, ",
        "#ab, ",
        "🥛 #straße ",
    ] {
        let text: String = unit.chars().cycle().take(256 * 1024).collect();
        let start = std::time::Instant::now();
        let task = parse(&text, now(), &[]);
        let elapsed = start.elapsed();
        assert!(elapsed.as_secs() < 5, "{unit:?}: {elapsed:?}");
        assert!(task.title.len() <= text.len());
    }
}

#[test]
fn phrases_out_of_place_stay_in_the_title() {
    for text in [
        "See Anna wed with Bob",
        "Friday with Anna",
        "Dentist Dec 3 9am with Anna",
        "Dentist 2026-1-01",
        "Dentist at 9:5",
        "Divide by 9",
    ] {
        assert_eq!(parse(text, now(), &[]).title, text);
    }
    assert_eq!(
        titles([
            "Meet on Friday 9am Anna",
            "Tomorrow Anna comes",
            "Call Bob Tomorrow, Anna too",
            "Buy milk tomorrow. 9am call",
            "iPad 2 - tomorrow",
            "9am every day standup",
        ]),
        [
            "Meet Anna",
            "Anna comes",
            "Call Bob, Anna too",
            "Buy milk. 9am call",
            "iPad 2 -",
            "standup",
        ]
    );
}

#[test]
fn leap_day_is_found_across_a_century() {
    let due = parse("x 29 feb", date(2097, 1, 1).at(0, 0, 0, 0), &[]).due;
    assert_eq!(due.map(shown), Some("2104-02-29".into()));
}
