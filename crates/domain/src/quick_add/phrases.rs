//! The phrases of a text that set fields of a task, and the choice of those that stand in the right place.

use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};

use super::Field;
use super::dates::{date, day, ordinal, weekday};
use super::repeats::repeat;
use super::times::time;
use super::tokens::{Found, LONGEST_PHRASE, Place, Token, phrase};
use crate::task::{Priority, Repeat, Tag, Tags};

/// Words that make one expression with a date, a time or a repeat after them: "the day after tomorrow", "until fri",
/// "of every month".
const BINDING: [&str; 21] = [
    "'til", "a", "about", "after", "an", "around", "before", "between", "each", "every", "for",
    "from", "last", "of", "since", "than", "the", "this", "till", "to", "until",
];

/// Words that make one expression with the dates or times before and after them: "sat and sun", "9am to 5pm".
const JOINING: [&str; 11] = [
    "&", "+", "-", "/", "and", "or", "till", "to", "until", "–", "—",
];

/// Words that make a name with a weekday after them: "Black Friday", "Easter Monday".
const NAMING: [&str; 12] = [
    "ash", "black", "bloody", "cyber", "easter", "first", "good", "high", "palm", "second",
    "super", "third",
];

/// Words that start a new part of a title. A weekday or a time before such a word is not meant as a part of the title:
/// "call Anna friday about the party".
const OPENING: [&str; 5] = ["about", "at", "for", "in", "with"];

/// The meaning of a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    Due(Option<Date>, Option<Time>),
    Repeat(Repeat),
    /// A tag, or `None` if the same tag occurs earlier in the text.
    Tag(Option<Tag>),
    Priority(Priority),
}

impl Meaning {
    pub(super) fn field(&self) -> Field {
        match self {
            Self::Due(..) => Field::Due,
            Self::Repeat(_) => Field::Repeat,
            Self::Tag(_) => Field::Tags,
            Self::Priority(_) => Field::Priority,
        }
    }

    /// Returns whether the phrase sets the date, the time, the repeat and the priority. A task has one of each.
    fn sets(&self) -> [bool; 4] {
        match self {
            Self::Due(date, time) => [date.is_some(), time.is_some(), false, false],
            Self::Repeat(_) => [false, false, true, false],
            Self::Tag(_) => [false; 4],
            Self::Priority(_) => [false, false, false, true],
        }
    }
}

/// A phrase that sets a field of a task, provided that it stands in the right place.
pub(super) struct Phrase {
    pub(super) meaning: Meaning,
    /// The tokens of the phrase.
    pub(super) tokens: Range<usize>,
    place: Place,
}

/// Returns the phrases that are understood, in their order: of due dates, times, repeats and priorities the last one,
/// and every tag.
pub(super) fn understood(tokens: &[Token<'_>], now: DateTime) -> Vec<Phrase> {
    let mut is_set = [false; 4];
    // All tokens from this one on are understood.
    let mut title_end = tokens.len();
    let mut understood: Vec<_> = phrases(tokens, now)
        .into_iter()
        .rev()
        .filter(|phrase| {
            let Range { start, end } = phrase.tokens;
            let is_last = end == title_end;
            let fits = match phrase.place {
                Place::Anywhere => true,
                Place::End => is_last,
                Place::PhraseEnd => is_last || start > 0 && opens(tokens.get(end)),
            };
            let sets = phrase.meaning.sets();
            let is_new = !is_set
                .iter()
                .zip(sets)
                .any(|(&is_set, sets)| is_set && sets);
            if !(fits && is_new) {
                return false;
            }
            for (is_set, sets) in is_set.iter_mut().zip(sets) {
                *is_set |= sets;
            }
            if is_last {
                title_end = start;
            }
            true
        })
        .collect();
    understood.reverse();
    understood
}

fn opens(token: Option<&Token<'_>>) -> bool {
    token.is_some_and(|token| OPENING.contains(&token.word.as_str()))
}

/// Finds the phrases of a text from left to right. No two phrases overlap.
fn phrases(tokens: &[Token<'_>], now: DateTime) -> Vec<Phrase> {
    let mut phrases: Vec<Phrase> = Vec::new();
    let mut tag_keys = Vec::new();
    let mut due_end = None;
    let mut start = 0;
    while let Some(rest) = tokens.get(start..).filter(|rest| !rest.is_empty()) {
        let Some(found) = meaning(rest, now, &mut tag_keys) else {
            start += 1;
            continue;
        };
        let end = start + found.words;
        let is_due = matches!(found.value, Meaning::Due(..));
        let before = words_before(tokens.get(..start).unwrap_or_default());
        let is_joined = match before {
            [_, join] if !JOINING.contains(&join) => false,
            // "3 and 4 may", "3 or 4pm"
            [number, _] if starts_with_digit(rest) && day(number).is_some() => true,
            _ => is_due && due_end == start.checked_sub(1),
        };
        if is_joined {
            // The phrase before belongs to the same expression, which stays in the title as a whole.
            phrases.pop_if(|last| last.tokens.end == start.saturating_sub(1));
        }
        if is_due {
            due_end = Some(end);
        }
        if !(is_joined || belongs_to_title(&found, rest, before)) {
            let place = place_beside_repeat(&mut phrases, &found, start);
            phrases.push(Phrase {
                meaning: found.value,
                tokens: start..end,
                place,
            });
        }
        start = end;
    }
    phrases
}

/// Returns the last two words. A word with marks after it counts as an empty word, since no expression goes on there.
fn words_before<'t>(tokens: &'t [Token<'_>]) -> [&'t str; 2] {
    let mut words = tokens.iter().rev();
    let mut word = || {
        let token = words.next().filter(|token| token.marks.is_empty());
        token.map_or("", |token| token.word.as_str())
    };
    let last = word();
    [word(), last]
}

fn starts_with_digit(tokens: &[Token<'_>]) -> bool {
    let first = tokens.first();
    first.is_some_and(|first| first.word.starts_with(|c: char| c.is_ascii_digit()))
}

/// Returns whether the found phrase makes one expression with the words around it.
fn belongs_to_title(found: &Found<Meaning>, tokens: &[Token<'_>], before: [&str; 2]) -> bool {
    let [_, before] = before;
    let binds = BINDING.contains(&before) || !before.is_empty() && is_name(tokens, found.words);
    match found.value {
        Meaning::Due(..) => {
            let first = tokens.first().map_or("", |first| first.word.as_str());
            let is_day = weekday(first).is_some() || first == "noon";
            binds || is_day && (NAMING.contains(&before) || ordinal(before).is_some())
        }
        // "daily and weekly"
        Meaning::Repeat(_) => binds || found.place == Place::End && JOINING.contains(&before),
        Meaning::Tag(_) | Meaning::Priority(_) => false,
    }
}

/// Returns the place of the found phrase. A time beside a repeat is understood anywhere, so a time before the found
/// repeat gets that place, too.
fn place_beside_repeat(phrases: &mut [Phrase], found: &Found<Meaning>, start: usize) -> Place {
    let is_time = |meaning: &Meaning| matches!(meaning, Meaning::Due(None, _));
    let is_repeat = |meaning: &Meaning| matches!(meaning, Meaning::Repeat(_));
    match phrases.last_mut().filter(|last| last.tokens.end == start) {
        Some(last) if is_time(&last.meaning) && is_repeat(&found.value) => {
            last.place = Place::Anywhere;
            found.place
        }
        Some(last) if is_repeat(&last.meaning) && is_time(&found.value) => Place::Anywhere,
        _ => found.place,
    }
}

/// Returns whether the phrase looks like a part of a name in title case: "Tomorrow Never Dies", "Around the World in
/// 80 Days".
fn is_name(tokens: &[Token<'_>], words: usize) -> bool {
    let Some((phrase, rest)) = tokens.split_at_checked(words) else {
        return false;
    };
    let is_preposition =
        |token: &&Token<'_>| matches!(token.word.as_str(), "on" | "by" | "due" | "at");
    let first = phrase.iter().find(|token| !is_preposition(token));
    let (Some(first), Some(last)) = (first, phrase.last()) else {
        return false;
    };
    if first.bare == "in" {
        return is_title_case(last);
    }
    let is_capital = |token: &Token<'_>| token.bare.starts_with(char::is_uppercase);
    let is_followed = last.marks.is_empty() && rest.first().is_some_and(is_title_case);
    is_capital(first) && is_capital(last) && is_followed
}

fn is_title_case(token: &Token<'_>) -> bool {
    let mut letters = token.bare.chars();
    letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase)
}

fn meaning(
    tokens: &[Token<'_>],
    now: DateTime,
    tag_keys: &mut Vec<String>,
) -> Option<Found<Meaning>> {
    let first = tokens.first()?;
    if let Some(name) = first.bare.strip_prefix('#') {
        let tag = tag(name, tag_keys)?;
        return Some(Found::new(tag, 1, Place::Anywhere));
    }
    if let Some(name) = first.word.strip_prefix('!') {
        let priority = Priority::parse(name).ok();
        let priority = priority.filter(|&priority| priority != Priority::None)?;
        return Some(Found::new(Meaning::Priority(priority), 1, Place::Anywhere));
    }
    if let Some(found) = repeat(tokens) {
        let meaning = Meaning::Repeat(found.value);
        return Some(Found::new(meaning, found.words, found.place));
    }
    due(tokens, now)
}

/// Parses the name of a tag, without `#`. There is room for [`Tags::MAX_COUNT`] different tags.
fn tag(name: &str, keys: &mut Vec<String>) -> Option<Meaning> {
    let tag = Tag::parse(name).ok();
    let tag = tag.filter(|tag| tag.as_str().starts_with(char::is_alphabetic))?;
    let key = tag.key();
    if keys.contains(&key) {
        return Some(Meaning::Tag(None));
    }
    let has_room = keys.len() < Tags::MAX_COUNT;
    has_room.then(|| {
        keys.push(key);
        Meaning::Tag(Some(tag))
    })
}

/// Finds a date, a time or both at the start of `tokens`.
fn due(tokens: &[Token<'_>], now: DateTime) -> Option<Found<Meaning>> {
    let (words, today) = (phrase(tokens), now.date());
    let both = |date: Found<Date>, time: Found<Time>| {
        // A time does not make a date unambiguous that must stand at the end: "the cat sat 9am".
        let place = if date.place == Place::End {
            Place::End
        } else {
            Place::Anywhere
        };
        Some(Found::new(
            Meaning::Due(Some(date.value), Some(time.value)),
            date.words + time.words,
            place,
        ))
    };
    if let Some(first) = date(&words, today) {
        return match after(tokens, first.words).and_then(|rest| time(&rest, true)) {
            Some(time) => both(first, time),
            None => Some(Found::new(
                Meaning::Due(Some(first.value), None),
                first.words,
                first.place,
            )),
        };
    }
    if let Some(first) = time(&words, true)
        && let Some(date) = after(tokens, first.words).and_then(|rest| date(&rest, today))
    {
        return both(date, first);
    }
    let first = time(&words, false)?;
    Some(Found::new(
        Meaning::Due(None, Some(first.value)),
        first.words,
        first.place,
    ))
}

/// Returns the words after the first `count` tokens, unless marks other than a comma separate them.
fn after<'t>(tokens: &'t [Token<'_>], count: usize) -> Option<[&'t str; LONGEST_PHRASE]> {
    let (first, rest) = tokens.split_at_checked(count)?;
    matches!(first.last()?.marks, "" | ",").then(|| phrase(rest))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn title(text: &str) -> String {
        let now = jiff::civil::date(2026, 11, 25).at(18, 0, 0, 0);
        parse(text, now, &[]).title
    }

    #[test]
    fn expressions_stay_in_the_title_as_a_whole() {
        for word in BINDING.into_iter().filter(|&word| word != "every") {
            for phrase in ["tomorrow", "fri", "9am", "1 dec", "every day", "daily"] {
                let text = format!("x {word} {phrase}");
                assert_eq!(title(&text), text);
                let text = format!("x {word}, {phrase}");
                assert_eq!(title(&text), format!("x {word},"));
            }
        }
        for word in JOINING {
            for (first, second) in [
                ("sat", "sun"),
                ("today", "fri"),
                ("9am", "5pm"),
                ("1 dec", "in 9 days"),
                ("3", "4 may"),
            ] {
                let text = format!("x {first} {word} {second}");
                assert_eq!(title(&text), text);
            }
        }
        for word in NAMING.into_iter().chain(["1st", "2nd", "last"]) {
            let text = format!("x {word} friday");
            assert_eq!(title(&text), text);
        }
    }

    #[test]
    fn weekdays_and_times_are_understood_before_a_new_phrase() {
        for word in OPENING {
            for phrase in ["friday", "9am", "at 9", "next sun", "on sun"] {
                assert_eq!(
                    title(&format!("x {phrase} {word} y")),
                    format!("x {word} y")
                );
            }
            for phrase in ["sun", "1 dec", "daily"] {
                let text = format!("x {phrase} {word} y");
                assert_eq!(title(&text), text);
            }
        }
    }

    #[test]
    fn lists_of_words_are_sorted() {
        for words in [BINDING.as_slice(), &JOINING, &NAMING, &OPENING] {
            assert!(words.is_sorted(), "{words:?}");
        }
    }
}
