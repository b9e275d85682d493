//! Quick add: a task out of one line, such as `Pay rent tomorrow 9am every month #home !high`.
//!
//! [`parse`] finds a due date, a repeat, tags and a priority in a text. The rest is the title. Words that might be
//! meant as a part of the title stay there, and the caller can name fields whose words must stay there as well.
//!
//! # Grammar
//!
//! English, in upper or lower case. Words are separated by white space. The marks `, ; : . ! ?` after a word are not
//! part of the word, and no phrase goes on after them, except after the commas below.
//!
//! ```text
//! text     = { due | repeat | tag | priority | word } ;
//!
//! due      = date, [ [ "," ], time ] | time, [ [ "," ], date ] ;
//! date     = [ "due" ], [ "on" | "by" ], day ;
//! day      = "today" | "tomorrow" | "in", number, unit | YYYY-MM-DD         (anywhere)
//!          | [ "next" ], weekday                                            (where a phrase ends)
//!          | ( day number, month | month, day number ), [ YYYY ] ;          (at the end)
//! weekday  = "monday" | "mon" | "tuesday" | "tues" | "tue" | … | "thursday" | "thurs" | "thur" | "thu" | … ;
//! month    = "january" | "jan" | … | "september" | "sept" | "sep" | … ;
//! unit     = "day" | "days" | "week" | "weeks" | "month" | "months" | "year" | "years" ;
//! day number = digit, [ digit ], [ "st" | "nd" | "rd" | "th" ] ;
//! time     = [ "due" ], [ "at" | "by" ], clock ;                            (where a phrase ends)
//! clock    = hour, [ ":", MM ], [ " " ], ( "am" | "pm" ) | HH, ":", MM | "noon" | "midnight"
//!          | H, ":", MM                                                     (after a preposition or beside a date)
//!          | hour ;                                                         (after "at")
//!
//! repeat   = "every", [ "other" | number ], unit                            (anywhere)
//!          | "every", [ "other" ], weekday, { [ "," ], [ "and" ], weekday }
//!          | "every", "weekday"
//!          | "every", month day, "of", "the", "month" | "every", "month", "on", "the", month day
//!          | "daily" | "weekly" | "monthly" | "yearly" ;                    (at the end)
//! month day = ( "1st" | "2nd" | … | "31st" ), [ "day" ] | "last", "day" ;
//!
//! tag      = "#", letter, { character } ;                                   (anywhere)
//! priority = "!low" | "!medium" | "!high" ;                                 (anywhere)
//!
//! number   = digit, { digit } ;                                             (1 to 999999999; a repeat has a lower limit)
//! hour     = digit, [ digit ] ;                                             (24 hours without "am" or "pm")
//! ```
//!
//! Brackets and quotation marks after a tag are not part of it either.
//!
//! ## Where a phrase must stand
//!
//! - At the end: no word of the title follows.
//! - Where a phrase ends: at the end, or after the first word and before `about`, `at`, `for`, `in` or `with`.
//! - Anywhere. A date after `on`, `by` or `due` may stand anywhere, and so may a time after `at`, `by` or `due`, beside
//!   a date or beside a repeat. A date beside a time may stand anywhere as well, but a date that must stand at the end
//!   must stand there with its time.
//!
//! `sat`, `sun` and `wed` are words of their own as well. These weekdays must stand at the end, and after a preposition
//! where a phrase ends. An hour after `at` must stand where a phrase ends, since `at 10 Downing Street` is a place.
//!
//! A date, a time or a repeat stays in the title
//! - after a word that binds them: `the day after tomorrow`, `until fri`, `enjoy the sun`, `first of every month`;
//! - on either side of a word that joins two of them: `sat and sun`, `9am to 5pm`, `3 - 5 may`;
//! - in a name: `Black Friday`; in title case and between words of the title, as in `Watch Tomorrow Never Dies`; or in
//!   `80 Days`, if `in` has no capital.
//!
//! ## What a phrase means
//!
//! - Of two dates, times, repeats or priorities that are understood, the last one counts. The others stay in the title.
//! - `fri` is the first Friday after today, `next fri` that of the next calendar week, from Monday to Sunday. `1 dec`
//!   is the next one, today included. A date that does not exist stays in the title.
//! - A time without a date is today, or tomorrow if the time has passed. `midnight` is the start of the day, and `at 3`
//!   is three o'clock in the morning.
//! - A repeat without a date starts on the first day that fits, today included unless its time has passed.
//! - A tag has up to 50 characters and no comma. 20 different ones are understood.
//! - The preposition of a date or a time is a part of the phrase. Marks stay in the title, with two exceptions: those
//!   at the start of the title, and a comma, semicolon or colon between two phrases, belong to the phrase before them.
//! - If neither a letter nor a digit nor a symbol beyond ASCII were left for the title, nothing is understood, and the
//!   text is the title.

mod dates;
mod phrases;
mod repeats;
#[cfg(test)]
mod tests;
mod times;
mod tokens;

use jiff::civil::{Date, DateTime, Time};

use self::phrases::{Meaning, Phrase};
use self::tokens::Token;
use crate::task::{Priority, Repeat, Tags};
use crate::text::name_traits;

/// A task as [`parse`] understands it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuickAdd {
    /// The title: the text without the parts that were understood and without white space at both ends. The title is
    /// not yet checked by the rules of [`Title`](crate::task::Title).
    pub title: String,
    /// The due date. A task with a repeat always has a due date.
    pub due: Option<QuickDue>,
    /// The rule by which the task repeats.
    pub repeat: Option<Repeat>,
    /// The tags, without `#`.
    pub tags: Tags,
    /// The priority.
    pub priority: Priority,
    /// The parts of the text that are not in the title, in their order.
    pub understood: Vec<Understood>,
}

/// A due date in the time zone of the person who wrote the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuickDue {
    /// The date.
    pub date: Date,
    /// The time of day, if one was written.
    pub time: Option<Time>,
}

/// A part of a text that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Understood {
    /// The field that the part sets. A due date and its time are two parts if other words separate them.
    pub field: Field,
    /// The part as the person wrote it.
    pub text: String,
    /// The place of the first character of the part, in code points.
    pub start: usize,
    /// The place after the last character of the part, in code points.
    pub end: usize,
}

/// A field of a task that a text can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Field {
    /// The due date and its time.
    Due,
    /// The repeat.
    Repeat,
    /// The tags.
    Tags,
    /// The priority.
    Priority,
}

/// The error of a name that is no [`Field`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Except must be a list of due, repeat, tags and priority")]
pub struct FieldError;

impl Field {
    /// Every field.
    pub const ALL: [Self; 4] = [Self::Due, Self::Repeat, Self::Tags, Self::Priority];

    /// Returns the name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Repeat => "repeat",
            Self::Tags => "tags",
            Self::Priority => "priority",
        }
    }

    /// Parses a name, which is in lower case.
    ///
    /// # Errors
    /// [`FieldError`] for anything else.
    pub fn parse(raw: &str) -> Result<Self, FieldError> {
        let field = Self::ALL.into_iter().find(|known| known.as_str() == raw);
        field.ok_or(FieldError)
    }
}

name_traits!(Field, FieldError, as_str);

/// Reads a task out of `text`. `now` is the time in the time zone of the person who wrote the text. The fields in
/// `except` are not set, and their words stay in the title; nothing else changes. The time taken grows linearly with
/// the text.
///
/// ```
/// use jiff::civil::date;
/// use taskhold_domain::quick_add::{Field, parse};
///
/// let now = date(2026, 11, 25).at(18, 0, 0, 0);
/// let text = "Pay rent tomorrow 9am every month #home !high";
/// let task = parse(text, now, &[]);
/// assert_eq!(task.title, "Pay rent");
/// let due = task.due.expect("a due date");
/// assert_eq!(due.date, date(2026, 11, 26));
/// assert_eq!(due.time, Some(jiff::civil::time(9, 0, 0, 0)));
/// assert_eq!(task.repeat.expect("a repeat").to_string(), "FREQ=MONTHLY");
/// assert_eq!(task.understood[0].text, "tomorrow 9am");
///
/// let task = parse("Watch USA Today", now, &[Field::Due]);
/// assert_eq!((task.title.as_str(), task.due), ("Watch USA Today", None));
/// ```
#[must_use]
pub fn parse(text: &str, now: DateTime, except: &[Field]) -> QuickAdd {
    let tokens = tokens::tokens(text);
    let mut phrases = phrases::understood(&tokens, now);
    phrases.retain(|phrase| !except.contains(&phrase.meaning.field()));
    let parts = parts(&tokens, &phrases);
    let title = title(text, &parts);
    let has_words = |c: char| !c.is_whitespace() && !c.is_ascii_punctuation();
    if !title.contains(has_words) {
        return QuickAdd {
            title: text.trim().to_owned(),
            ..QuickAdd::default()
        };
    }
    let task = QuickAdd {
        title,
        understood: understood(text, &parts),
        ..QuickAdd::default()
    };
    with_meanings(task, phrases, now)
}

/// A part of a text, with its place in bytes.
struct Part {
    field: Field,
    start: usize,
    end: usize,
}

/// Returns the parts of the text that are taken out of the title, in their order.
fn parts(tokens: &[Token<'_>], phrases: &[Phrase]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut phrases = phrases.iter().peekable();
    // All tokens before this one are understood.
    let mut title_start = 0;
    while let Some(phrase) = phrases.next() {
        let range = &phrase.tokens;
        let Some([first, .., last] | [last @ first]) = tokens.get(range.clone()) else {
            continue;
        };
        let is_first = title_start == range.start;
        let is_followed = phrases
            .peek()
            .is_some_and(|next| next.tokens.start == range.end);
        let has_separators = last.marks.chars().all(|c| [',', ';', ':'].contains(&c));
        let marks = if is_first || is_followed && has_separators {
            last.marks.len()
        } else {
            0
        };
        if is_first {
            title_start = range.end;
        }
        parts.push(Part {
            field: phrase.meaning.field(),
            start: first.start,
            end: last.end() + marks,
        });
    }
    parts
}

/// Returns the text without its parts and the white space before them.
fn title(text: &str, parts: &[Part]) -> String {
    let mut title = String::with_capacity(text.len());
    let mut rest = 0;
    for part in parts {
        title.push_str(text.get(rest..part.start).unwrap_or_default());
        title.truncate(title.trim_end().len());
        rest = part.end;
    }
    title.push_str(text.get(rest..).unwrap_or_default());
    title.trim().to_owned()
}

/// Returns the parts with their text. Code points are counted in one pass over the text.
fn understood(text: &str, parts: &[Part]) -> Vec<Understood> {
    let (mut bytes, mut chars) = (0, 0);
    let mut chars_up_to = |end: usize| {
        chars += text.get(bytes..end).unwrap_or_default().chars().count();
        bytes = end;
        chars
    };
    let understood = parts.iter().map(|part| Understood {
        field: part.field,
        text: text
            .get(part.start..part.end)
            .unwrap_or_default()
            .to_owned(),
        start: chars_up_to(part.start),
        end: chars_up_to(part.end),
    });
    understood.collect()
}

/// Sets the fields of the task that the phrases mean, and the due date that a time or a repeat needs.
fn with_meanings(mut task: QuickAdd, phrases: Vec<Phrase>, now: DateTime) -> QuickAdd {
    let (mut due_date, mut due_time) = (None, None);
    let mut tags = Vec::new();
    for phrase in phrases {
        match phrase.meaning {
            Meaning::Due(date, time) => {
                due_date = due_date.or(date);
                due_time = due_time.or(time);
            }
            Meaning::Repeat(repeat) => task.repeat = Some(repeat),
            Meaning::Tag(tag) => tags.extend(tag),
            Meaning::Priority(priority) => task.priority = priority,
        }
    }
    let has_passed = due_time.is_some_and(|time| time < now.time());
    let tomorrow = || now.date().tomorrow().ok();
    let from = if has_passed { tomorrow() } else { None };
    let from = from.unwrap_or(now.date());
    let needs_date = due_time.is_some() || task.repeat.is_some();
    let repeat = task.repeat.as_ref();
    let first = repeat.and_then(|repeat| repeats::first_date(repeat, from));
    let date = due_date.or(first).or(needs_date.then_some(from));
    task.due = date.map(|date| QuickDue {
        date,
        time: due_time,
    });
    task.tags = Tags::parse(tags).unwrap_or_default();
    task
}
