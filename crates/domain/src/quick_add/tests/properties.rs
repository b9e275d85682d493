//! Rules that hold for every text.

use proptest::prelude::*;

use super::super::*;
use super::now;

/// Texts of words that are understood, words that are not, marks and white space.
fn texts() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "today",
        "tomorrow",
        "fri",
        "sun",
        "next",
        "in",
        "3",
        "days",
        "2026-12-01",
        "1",
        "dec",
        "2027",
        "on",
        "by",
        "due",
        "at",
        "9",
        "9am",
        "pm",
        "21:00",
        "noon",
        "every",
        "other",
        "day",
        "week",
        "month",
        "the",
        "15th",
        "of",
        "last",
        "mon,",
        "and",
        "daily",
        "#home",
        "#Straße,",
        "#1",
        "!high",
        "!low.",
        "to",
        "-",
        "Black",
        "Every",
        "Fry",
    ]);
    let word = prop_oneof![
        6 => known.prop_map(str::to_owned),
        1 => "\\PC{0,6}",
        1 => "[ \t\n\u{a0}\u{3000}]{1,2}",
        1 => "[,;:.!?#]{1,3}",
    ];
    let space = prop::sample::select(vec![" ", " ", " ", "  ", "\n", "\t", "\u{2003}", ""]);
    prop::collection::vec((word, space), 0..14).prop_map(|words| {
        words
            .into_iter()
            .map(|(word, space)| word + space)
            .collect()
    })
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    prop::sample::subsequence(Field::ALL.to_vec(), 0..=4)
}

fn without_space(text: impl IntoIterator<Item = char>) -> String {
    text.into_iter().filter(|c| !c.is_whitespace()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn title_and_understood_parts_are_the_text(text in texts(), except in fields()) {
        let task = parse(&text, now(), &except);
        let chars: Vec<_> = text.chars().collect();
        let mut rest = Vec::new();
        let mut end = 0;
        for part in &task.understood {
            prop_assert!(end <= part.start && part.start < part.end);
            prop_assert_eq!(&part.text, &chars[part.start..part.end].iter().collect::<String>());
            prop_assert!(!except.contains(&part.field));
            rest.extend_from_slice(&chars[end..part.start]);
            end = part.end;
        }
        rest.extend_from_slice(&chars[end..]);
        prop_assert_eq!(without_space(task.title.chars()), without_space(rest));
        prop_assert_eq!(task.title.trim(), &task.title);
        prop_assert!(task.repeat.is_none() || task.due.is_some());
    }

    #[test]
    fn title_stays_if_every_field_is_excepted(text in texts(), except in fields()) {
        let title = parse(&text, now(), &except).title;
        let again = parse(&title, now(), &Field::ALL);
        prop_assert_eq!(again, QuickAdd { title: title.clone(), ..QuickAdd::default() });
        prop_assert_eq!(parse(&text, now(), &Field::ALL).title, text.trim());
    }

    #[test]
    fn excepting_a_field_changes_no_other(text in texts(), field in prop::sample::select(Field::ALL.to_vec())) {
        let text = format!("Title {text}");
        let (all, task) = (parse(&text, now(), &[]), parse(&text, now(), &[field]));
        prop_assert!(field == Field::Tags || all.tags == task.tags);
        prop_assert!(field == Field::Priority || all.priority == task.priority);
        prop_assert!(field == Field::Repeat || all.repeat == task.repeat);
        prop_assert!(matches!(field, Field::Due | Field::Repeat) || all.due == task.due);
    }

    #[test]
    fn any_text_is_parsed(text in any::<String>()) {
        let task = parse(&text, now(), &[]);
        prop_assert!(task.title.chars().count() <= text.chars().count());
    }
}
