//! Text that can be continued by who sees its beginning: repetitions, sequences, rows of a keyboard.

use std::collections::HashSet;

/// Characters that people type in this order or its reverse: alphabets, digits, rows and columns of
/// keyboards.
const ROWS: [&str; 34] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "9a",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "qwertzuiopü",
    "asdfghjklöä",
    "yxcvbnm,.-",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn,;:!",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "йцукенгшщзхъ",
    "фывапролджэ",
    "ячсмитьбю",
    "!@#$%^&*()_+",
    "!\"§$%&/()=?",
    "-=",
    "1qaz",
    "2wsx",
    "3edc",
    "4rfv",
    "5tgb",
    "6yhn",
    "7ujm",
    "8ik,",
    "9ol.",
    "0p;/",
    "1qay",
    "6zhn",
    "1aqw",
    "2zsx",
    "αβγδεζηθικλμνξοπρστυφχψω",
];

/// Returns the number of characters of `text` that do not follow from those before them, regardless of case.
/// A character follows if it continues a repetition, a sequence or a row of a keyboard (also one of up to four
/// that take turns, as in `1q2w3e`), or if the same two characters occurred before.
///
/// ```
/// use taskhold_domain::predictable::surprises;
///
/// assert!(surprises("aaaaaaaaaaaa12345678qwertyuiop") < 8);
/// assert!(surprises("5f0c7de1b8a94326d07e1b5a9c3f8e24") > 24);
/// ```
#[must_use]
pub fn surprises(text: &str) -> usize {
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let mut pairs = HashSet::new();
    let follows = (0..text.len()).filter(|&at| {
        let back = |by: usize| at.checked_sub(by).and_then(|at| text.get(at).copied());
        let step = |from: usize, to: usize| {
            back(from)
                .zip(back(to))
                .is_some_and(|(from, to)| are_neighbours(from, to))
        };
        let was_seen = match (back(1), back(0)) {
            (Some(before), Some(this)) => !pairs.insert((before, this)),
            _ => false,
        };
        was_seen || (1..=4).any(|turns| step(turns, 0) && step(turns + 1, 1))
    });
    let follow = follows.count();
    text.len() - follow
}

/// Returns whether `text` is a piece of fewer than `chars` characters again and again.
pub(crate) fn repeats_less_than(text: &str, chars: usize) -> bool {
    let text: Vec<char> = text.chars().collect();
    let longest = chars.saturating_sub(1).min(text.len() / 2);
    (1..=longest).any(|period| {
        text.iter()
            .skip(period)
            .eq(text.iter().take(text.len() - period))
    })
}

fn are_neighbours(one: char, other: char) -> bool {
    one == other
        || ROWS.iter().any(|row| {
            let pairs = row.chars().zip(row.chars().skip(1));
            pairs
                .into_iter()
                .any(|pair| pair == (one, other) || pair == (other, one))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_rows_and_repetitions_follow_from_their_beginning() {
        for text in [
            "        ",
            "12345678",
            "09876543210987",
            "abcdefgh",
            "zyxwvuts",
            "aaaabbbbcccc",
            "QwErTyUiOp",
            "1q2w3e4r5t",
            "1qaz2wsx",
            "zaq12wsx",
            "1qaz2wsx3edc4rfv",
            "йцукенгш",
            "abababababab",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert!(surprises(text) < 5, "{text}: {}", surprises(text));
        }
        for text in [
            "correct horse",
            "battery staple",
            "x7#Kq!2m",
            "hunter2hunter2",
        ] {
            assert!(surprises(text) >= 5, "{text}: {}", surprises(text));
        }
        assert!(repeats_less_than("foobarfoobarfo", 8));
        assert!(repeats_less_than("    ", 8));
        assert!(!repeats_less_than("foobar", 8) && !repeats_less_than("", 8));
        assert!(!repeats_less_than("a piece of its own", 8));
    }
}
