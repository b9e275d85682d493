//! The words of a text.

use crate::scan::digits;

/// The punctuation that may follow a word.
const MARKS: [char; 6] = [',', ';', ':', '.', '!', '?'];

/// The brackets and quotation marks that may follow a tag, besides the [`MARKS`].
const CLOSING: [char; 9] = [')', ']', '}', '"', '\'', '”', '’', '»', '…'];

/// The number of words of the longest phrase.
pub(super) const LONGEST_PHRASE: usize = 7;

/// A word of a text, which ends before white space or marks.
pub(super) struct Token<'a> {
    /// The word without the marks after it.
    pub(super) bare: &'a str,
    /// `bare` in lower case; only ASCII letters change, since every known word is of ASCII letters.
    pub(super) word: String,
    /// The marks after the word.
    pub(super) marks: &'a str,
    /// The place of the word in the text, in bytes.
    pub(super) start: usize,
}

impl Token<'_> {
    /// Returns the place after `bare` in the text, in bytes.
    pub(super) fn end(&self) -> usize {
        self.start + self.bare.len()
    }
}

/// Splits a text into its words.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut next = 0;
    text.split_inclusive(char::is_whitespace)
        .filter_map(|piece| {
            let start = next;
            next += piece.len();
            let whole = piece.trim_end();
            let is_tag = whole.starts_with('#');
            let is_mark = |c: char| MARKS.contains(&c) || is_tag && CLOSING.contains(&c);
            let bare = whole.trim_end_matches(is_mark);
            (!whole.is_empty()).then(|| Token {
                bare,
                word: bare.to_ascii_lowercase(),
                marks: whole.strip_prefix(bare).unwrap_or_default(),
                start,
            })
        })
        .collect()
}

/// Returns the words with which `tokens` start, up to the first word that has marks after it. The other places are
/// filled with empty words, so that the pattern of a phrase never matches words after marks.
pub(super) fn phrase<'t>(tokens: &'t [Token<'_>]) -> [&'t str; LONGEST_PHRASE] {
    let mut words = tokens.iter();
    let mut goes_on = true;
    std::array::from_fn(|_| match words.next() {
        Some(token) if goes_on => {
            goes_on = token.marks.is_empty();
            token.word.as_str()
        }
        _ => {
            goes_on = false;
            ""
        }
    })
}

/// A phrase that was found at the start of some words.
pub(super) struct Found<T> {
    /// The date, time or other value that the phrase means.
    pub(super) value: T,
    /// The number of words of the phrase.
    pub(super) words: usize,
    /// The place in which the phrase is understood.
    pub(super) place: Place,
}

impl<T> Found<T> {
    pub(super) fn new(value: T, words: usize, place: Place) -> Self {
        Self {
            value,
            words,
            place,
        }
    }
}

/// A place in a text in which a phrase is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the end of the title.
    End,
    /// At the end of the title, or before a word that starts a new phrase.
    PhraseEnd,
    /// Anywhere.
    Anywhere,
}

/// Parses an amount: 1 to 999,999,999, without a sign.
pub(super) fn amount(word: &str) -> Option<u32> {
    let amount = if word.len() <= 9 { digits(word) } else { None };
    amount.filter(|&amount| amount > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_at_white_space_and_before_marks() {
        let text = "\tBuy  Milk,\u{a0}#home”!?\n... 🥛";
        let words: Vec<_> = tokens(text)
            .iter()
            .map(|token| (token.bare, token.marks, text.get(token.start..token.end())))
            .collect();
        assert_eq!(
            words,
            [
                ("Buy", "", Some("Buy")),
                ("Milk", ",", Some("Milk")),
                ("#home", "”!?", Some("#home")),
                ("", "...", Some("")),
                ("🥛", "", Some("🥛")),
            ]
        );
    }

    #[test]
    fn phrase_ends_after_marks() {
        let tokens = tokens("In 3 Days, maybe");
        assert_eq!(phrase(&tokens), ["in", "3", "days", "", "", "", ""]);
        assert_eq!(phrase(&[]), [""; 7]);
    }

    #[test]
    fn amounts_are_positive_numbers_of_ascii_digits() {
        assert_eq!(amount("1"), Some(1));
        assert_eq!(amount("999999999"), Some(999_999_999));
        for refused in ["", "0", "+1", "-1", "1.5", "1000000000", "٣", "one"] {
            assert_eq!(amount(refused), None, "{refused}");
        }
    }
}
