//! Comparison of texts in a search.

use icu_casemap::CaseMapper;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

/// Returns `text` as a search compares it: by Unicode's full case folding and canonical equivalence (section
/// 3.13, D145), in form C. So `STRASSE` and `Straße` are equal, and so are the composed and the decomposed form
/// of `é`; `e` and `é` differ.
///
/// The Turkish `İ` equals `i`, beyond Unicode's folding, so that `istanbul` finds `İstanbul`. `ı` differs from `i`.
///
/// Whole characters of a text, a base letter with all its marks, are found in it.
///
/// ```
/// use taskhold_domain::search::fold;
///
/// assert_eq!(fold("Straße ÖFFNEN"), "strasse öffnen");
/// assert_eq!(fold("İstanbul"), "istanbul");
/// assert!(fold("ΟΔΟΣ ΕΡΜΟΥ").contains(&fold("οδος")));
/// ```
#[must_use]
pub fn fold(text: &str) -> String {
    // The same result, and much faster for most texts.
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed: String = text.nfd().collect();
    let folded = CaseMapper::new().fold_string(&decomposed);
    // Whether a dot above would be the dot of an `i`: no other mark above the letter comes before it.
    let mut dots_i = false;
    let without_dots = folded.chars().filter(|&char| {
        const DOT_ABOVE: char = '\u{307}';
        const ABOVE: u8 = 230;
        if dots_i && char == DOT_ABOVE {
            return false;
        }
        let is_other_mark = !matches!(canonical_combining_class(char), 0 | ABOVE);
        dots_i = char == 'i' || dots_i && is_other_mark;
        true
    });
    without_dots.nfc().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_word_is_found(
            before in any::<String>(), part in any::<String>(), after in any::<String>(),
        ) {
            let whole = fold(&format!("{before} {part} {after}"));
            prop_assert!(whole.contains(&fold(&part)));
            prop_assert_eq!(fold(&whole), whole);
        }

        #[test]
        fn canonically_equivalent_texts_are_equal(
            text in "[a-zA-ZiıİſßǰΐΆςάᾳ가각\u{1100}-\u{1112}\u{1161}-\u{1175}\u{11a8}-\u{11c2}\u{300}-\u{345}]{0,12}",
        ) {
            let folded = fold(&text);
            prop_assert_eq!(&fold(&text.nfd().collect::<String>()), &folded);
            prop_assert_eq!(&fold(&text.nfc().collect::<String>()), &folded);
            prop_assert_eq!(&fold(&folded), &folded);
        }
    }

    #[test]
    fn case_of_a_letter_never_matters() {
        for char in '\0'..=char::MAX {
            // The lower case of `I` in Turkish only.
            if char == 'ı' {
                continue;
            }
            let folded = fold(&char.to_string());
            let (lower, upper): (String, String) =
                (char.to_lowercase().collect(), char.to_uppercase().collect());
            assert_eq!(fold(&lower), folded, "{char:?}");
            assert_eq!(fold(&upper), folded, "{char:?}");
        }
    }

    #[test]
    fn texts_are_compared_as_people_read_them() {
        for (text, folded) in [
            ("Buy MILK, 2 l", "buy milk, 2 l"),
            ("МОЛОКО Ёж", "молоко ёж"),
            ("ΟΔΟΣ", "οδοσ"),
            ("İSTANBUL IŞIK ışık", "istanbul işik ışık"),
            ("I\u{327}\u{307}\u{301}", "i\u{327}\u{301}"),
            ("Straße STRASSE ẞ", "strasse strasse ss"),
            ("cafe\u{301} CAFÉ", "café café"),
            ("\u{212b}\u{2126}\u{212a}", "åωk"),
            ("ﬁn ŉ ǰ", "fin ʼn ǰ"),
            ("Vie\u{302}\u{323}t", "việt"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("牛乳 חלב", "牛乳 חלב"),
            ("100%_\\", "100%_\\"),
        ] {
            assert_eq!(fold(text), fold(folded), "{text}");
            assert_eq!(fold(folded), folded.nfc().collect::<String>(), "{text}");
        }
        for (one, other) in [("cafe", "café"), ("o", "ø"), ("и", "й"), ("i", "ı")] {
            assert!(!fold(other).contains(&fold(one)), "{one} in {other}");
        }
    }
}
